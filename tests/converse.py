"""converse.py [-e] CMD ... -- a client that waits where it must.

CMD is run with one socket as its descriptors 0 and 1 (with -e: and 2).  Each line of standard input
is said when the one before has its reply, and the lines of a message all at once; what is heard goes
to standard output.  The exit status is the command's.
"""
import socket
import subprocess
import sys


class Server:
    """The other end of CMD's socket; `heard` are all octets so far."""

    def __init__(self, command, client, server, **how):
        self.client = client
        self.child = subprocess.Popen(command, stdin=server, stdout=server, **how)
        server.close()
        client.settimeout(30)
        self.heard = b""

    def reply(self):
        """The next reply's last line; empty at the end of the connection."""
        at = len(self.heard)
        while True:
            line = self.heard[at:].split(b"\n")[0] + b"\n"
            if self.heard[at:].find(b"\n") >= 0:
                at += len(line)
                if line[3:4] != b"-":
                    return line
                continue
            octets = self.client.recv(1)
            if not octets:
                return b""
            self.heard += octets

    def say(self, octets):
        """Say what may begin and end anywhere, but begins with a command."""
        text = False
        self.reply()
        for line in octets.splitlines(True):
            self.client.sendall(line)
            if line.endswith(b"\r\n") and (not text or line == b".\r\n"):
                text = self.reply().startswith(b"354")

    def end(self):
        """To the end of the connection; the command's exit status."""
        while octets := self.client.recv(65536):
            self.heard += octets
        return self.child.wait()


def main():
    command, how = sys.argv[1:], {}
    ours, theirs = socket.socketpair()
    if command[0] == "-e":
        command, how = command[1:], {"stderr": theirs}
    server = Server(command, ours, theirs, **how)
    try:
        server.say(sys.stdin.buffer.read())
        status = server.end()
    except OSError:
        status = server.child.wait()
    sys.stdout.buffer.write(server.heard)
    return status


if __name__ == "__main__":
    sys.exit(main())
