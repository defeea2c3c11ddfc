"""durability_client.py HOW DIALOGUE MAILDIR CMD ... -- a client that goes away at every octet.

CMD is run once for each place where DIALOGUE can be cut, the whole included, with a connection as
its descriptors 0 and 1.  The dialogue ends with CRLF.CRLF.  HOW is
  eof      the client ends its side behind what it says, and reads to the end
  close    it waits for 354 before it says what follows DATA, then closes at once; cut only behind
           DATA
  reset    the same by TCP, and it resets the connection
Prints one line for each run that left anything in MAILDIR, and the number of runs.
"""
import os
import socket
import struct
import subprocess
import sys

from converse import Server


def connection(tcp):
    if not tcp:
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        return client, server.accept()[0]


def run(how, dialogue, at, command):
    client, theirs = connection(how == "reset")
    server = Server(command, client, theirs, stderr=subprocess.DEVNULL)
    data = dialogue.index(b"DATA\r\n") + 6
    if how == "eof":
        server.say(dialogue[:at])
        client.shutdown(socket.SHUT_WR)
        server.end()
        return
    server.say(dialogue[:data])
    client.sendall(dialogue[data:at])
    if how == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    server.child.wait()


def main():
    how, file, maildir, command = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    with open(file, "rb") as stream:
        dialogue = stream.read()
    first = dialogue.index(b"DATA\r\n") + 6 if how != "eof" else 0
    before = 0
    for at in range(first, len(dialogue) + 1):
        run(how, dialogue, at, command)
        there = sum(len(files) for _, _, files in os.walk(maildir))
        if there != before:
            print(f"{there - before} at {at} of {len(dialogue)}")
            before = there
    print(f"{len(dialogue) + 1 - first} runs")


main()
