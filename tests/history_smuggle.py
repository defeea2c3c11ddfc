"""history_smuggle.py BOX PROGRAM ... -- say every lookalike of a message's end to the program, over TCP.

Behind each stands a second message.  BOX is where the program delivers.  Prints what went otherwise than
that all of it is one message or none, and then "done".
"""
import os, socket, subprocess, sys

box, program = sys.argv[1], sys.argv[2:]
REFUSED = [b"\n.\n", b"\n.\r\n", b"\n.\r", b"\r.\r", b"\r.\n", b"\r.\r\n", b"\r\n.\n",
    b"\r\n.\r", b"\r\n.\r\r\n", b"\r\n\r.\r\n", b"\n\n.\r\n", b"\r\n\n.\r\n",
    b"\r\n.\r\x00\n", b"\r\x00\n.\r\n"]
TAKEN = [b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\r\n..\r\n", b"\r\n .\r\n", b"\r\n. \r\n",
    b"\x85.\x85"]
HELLO = b"EHLO client.test\r\n"
BEFORE = b"MAIL FROM:<a@client.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n"
TEXT = b"Subject: one\r\n\r\ntext"
SECOND = (b"MAIL FROM:<evil@client.test>\r\nRCPT TO:<c@mx.test>\r\nDATA\r\n"
    b"Subject: two\r\n\r\nsmuggled\r\n.\r\n")
AFTER = b"RSET\r\nMAIL FROM:<d@client.test>\r\nQUIT\r\n"

def serve(listener):
    client = socket.create_connection(listener.getsockname())
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = listener.accept()[0]
    process = subprocess.Popen(program, stdin=server, stdout=server)
    server.close()
    client.settimeout(10)
    return client, process

def talk(listener, ending, later):
    client, process = serve(listener)
    replies = client.makefile("rb")
    replies.readline()
    client.sendall(HELLO)
    while not replies.readline().startswith(b"250 "):
        pass
    client.sendall(BEFORE)
    while not replies.readline().startswith(b"354"):
        pass
    if later:
        client.sendall(TEXT + ending)
        # The program sleeps in read again: it has seen this segment alone.
        while unread(process.pid) or not asleep(process.pid):
            os.sched_yield()
        client.sendall(SECOND)
        client.sendall(AFTER)
    else:
        client.sendall(TEXT + ending + SECOND + AFTER)
    said = [line[:9] for line in replies]
    process.wait()
    return said

def children(pid):
    return open(f"/proc/{pid}/task/{pid}/children").read().split()

def asleep(pid):
    child = children(pid)[0]
    return open(f"/proc/{child}/stat").read().rsplit(")", 1)[1].split()[0] == "S"

def unread(pid):
    # column rx_queue of the server's end
    return any(line.split()[4].split(":")[1] != "00000000" and line.split()[3] == "01"
        for line in open("/proc/net/tcp").readlines()[1:]
        if line.split()[1].endswith(f":{PORT:04X}"))

listener = socket.create_server(("127.0.0.1", 0))
PORT = listener.getsockname()[1]
for later in False, True:
    for ending in REFUSED + TAKEN:
        fault = ending in REFUSED
        said = talk(listener, ending, later)
        good = [b"550 5.5.2" if fault else b"250 2.0.0", b"250 2.0.0", b"250 2.1.0",
            b"221 2.0.0"]
        new = os.path.join(box, "new")
        found = [os.path.join(new, name) for name in os.listdir(new)] \
            if os.path.isdir(new) else []
        # Whole, and as one message, or not at all.
        texts = [open(name, "rb").read() for name in found]
        sent = [] if fault else [True]
        if said != good or [b"text" in t and b"smuggled" in t for t in texts] != sent:
            print(ending, "later" if later else "same segment", said, texts)
        for name in found:
            os.unlink(name)
print("done")
