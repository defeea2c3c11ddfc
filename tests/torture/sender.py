"""sender.py [-a] PORT LEDGER CLIENTS RECIPIENT ... -- clients that send mail to 127.0.0.1, and keep a ledger.

CLIENTS at a time send new messages, each to one to three of the recipients, until SIGTERM; then each
ends with the message that it is at.  Messages that are refused or not answered are left to -a: it sends
each message of the ledger that has no 250 again, and one more to all the recipients, once, and fails
unless all were taken.  A connection carries up to five messages.
"""
import random
import signal
import socket
import sys
import threading
import time

import mail

TURNS = 5       # messages a connection
PATIENCE = 120  # s for any reply: longer than deliver waits for a lock
PAUSE = 0.02    # s after a no, or a disk that stays full makes more refusals than a listener lets in


class Refused(Exception):
    """The reply that is not what was hoped for."""


class Session:
    """One connection, through EHLO."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.replies = self.socket.makefile("rb")
        self.expect(b"220")
        self.socket.sendall(b"EHLO client.test\r\n")
        self.expect(b"250")

    def expect(self, code):
        """The next reply's last line, if it has that code."""
        while True:
            line = self.replies.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError
            if line[3:4] != b"-":
                break
        if not line.startswith(code):
            raise Refused(line.decode().strip())
        return line.decode().strip()

    def send(self, number, recipients):
        """The reply after the dot."""
        envelope = [b"MAIL FROM:<%s>" % (mail.SENDER % number).encode()]
        envelope += [b"RCPT TO:<%s@mx.test>" % name.encode() for name in recipients]
        self.socket.sendall(b"".join(line + b"\r\n" for line in envelope))
        for _ in envelope:
            self.expect(b"250")
        self.socket.sendall(b"DATA\r\n")
        self.expect(b"354")
        lines = mail.text(number).split(b"\n")[:-1]
        self.socket.sendall(b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
                            + b".\r\n")
        return self.expect(b"250")

    def end(self):
        self.replies.close()
        self.socket.close()


class Work:
    """What is to be sent, shared by the clients: pairs of a number and its recipients."""

    def __init__(self, items):
        self.items = iter(items)
        self.lock = threading.Lock()
        self.over = False

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            if self.over:
                raise StopIteration
            return next(self.items)

    def stop(self, *_):
        self.over = True


def client(port, ledger, work):
    session, turns = None, 0
    for number, recipients in work:
        ledger.note(number, "to", ",".join(recipients))
        try:
            session = session or Session(port)
            ledger.note(number, session.send(number, recipients))
            turns += 1
        except Refused as reply:
            ledger.note(number, reply)
            time.sleep(PAUSE)
            turns = TURNS
        except OSError:
            ledger.note(number, "gone")
            turns = TURNS
        if turns == TURNS:
            if session:
                session.end()
            session, turns = None, 0
    if session:
        session.end()


def new(first, recipients):
    number = first
    while True:
        yield number, random.sample(recipients, random.randint(1, min(3, len(recipients))))
        number += 1


def again(messages, recipients):
    yield from ((number, message.recipients) for number, message in messages.items() if not message.answered)
    yield max(messages, default=0) + 1, recipients


def main():
    repeat = sys.argv[1] == "-a"
    port, path, clients, *recipients = sys.argv[2:] if repeat else sys.argv[1:]
    ledger = mail.Ledger(path)
    messages, *_ = mail.read_ledger(path)
    work = Work(again(messages, recipients) if repeat else new(max(messages, default=0) + 1, recipients))
    signal.signal(signal.SIGTERM, work.stop)
    threads = [threading.Thread(target=client, args=(int(port), ledger, work)) for _ in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    messages, *_ = mail.read_ledger(path)
    sys.exit(repeat and not all(message.answered for message in messages.values()))


main()
