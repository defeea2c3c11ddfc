"""next_client.py STEPS CMD ... -- a client of smtp-stdio that looks at the delivers that run for it.

STEPS, separated by blanks, each printed with what it gave:
  to:NAME,...    a message for these; the code of its reply
  begin:NAME     the same, but the reply is not read
  reply          which is read here
  to-other:NAME  messages for it, until another deliver runs than did first; the codes of their replies, each once
  who            the delivers that run: a letter for each, in the order in which they were first seen; or "-"
  gone           wait until none does
  run:N          wait until N of them run
  stop, kill     SIGSTOP or SIGKILL to all of them
  at-work        wait until the monitor waits for one of them; as root
  kill-first     SIGKILL to the one that was started first
  stopped, dead  wait until all of them are
  no-room        none of them may have another descriptor
  kill-session   SIGKILL to the session
  meanwhile      run $MEANWHILE
  quit           QUIT, and the exit status
"""
import os
import signal
import socket
import subprocess
import sys
import time

from converse import Server

PATIENCE = 10
POLL = 7  # poll(2)'s number on x86-64


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def name(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def state(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


class Client:
    def __init__(self, command):
        ours, theirs = socket.socketpair()
        self.server = Server(command, ours, theirs)
        self.seen = []
        self.count = 0
        self.server.say(b"LHLO client.test\r\n" if "-l" in command else b"EHLO client.test\r\n")

    def delivers(self):
        return [pid for pid in children(self.server.child.pid) if name(pid) == "deliver"]

    def ask(self, line):
        self.server.client.sendall(line.encode() + b"\r\n")
        return self.server.reply().decode()[:3]

    def begin(self, names):
        self.count += 1
        for line in [f"MAIL FROM:<s{self.count}@client.test>"] + [f"RCPT TO:<{n}@mx.test>" for n in names.split(",")]:
            code = self.ask(line)
            if code != "250":
                sys.exit(f"{line}: {code}")
        self.ask("DATA")
        self.server.client.sendall(f"Subject: {self.count}\r\n\r\nText {self.count}.\r\n.\r\n".encode())

    def until(self, come):
        end = time.monotonic() + PATIENCE
        while not come():
            if time.monotonic() > end:
                return "never"
            time.sleep(0.005)
        return ""

    @staticmethod
    def take_room(pid):
        """As whose it is: root may not have the right."""
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            uid = int(next(line for line in file if line.startswith("Uid:")).split()[1])
        whose = {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}
        subprocess.run(["prlimit", "--pid", str(pid), "--nofile=0:0"], check=True, **whose)

    def at_work(self):
        with open(f"/proc/{self.server.child.pid}/syscall", encoding="ascii") as file:
            call = file.read().split()
        return call[0] == str(POLL) and int(call[2], 16) == 3  # its words, the handshake, and the session

    def step(self, what):
        verb, _, rest = what.partition(":")
        if verb in ("to", "begin"):
            self.begin(rest)
        if verb in ("to", "reply"):
            return self.server.reply().decode()[:3] or "-"
        if verb == "to-other":
            first, codes, end = self.delivers(), set(), time.monotonic() + PATIENCE
            while self.delivers() in (first, []) and time.monotonic() < end:
                codes.add(self.step("to:" + rest))
            return " ".join(sorted(codes))
        if verb == "who":
            found = self.delivers()
            self.seen += [pid for pid in found if pid not in self.seen]
            return "".join(sorted(chr(ord("A") + self.seen.index(pid)) for pid in found)) or "-"
        if verb == "gone":
            return self.until(lambda: not self.delivers())
        if verb in ("stop", "kill"):
            for pid in self.delivers():
                os.kill(pid, signal.SIGSTOP if verb == "stop" else signal.SIGKILL)
        elif verb == "meanwhile":
            subprocess.run(["sh", "-c", os.environ["MEANWHILE"]], check=True)
        elif verb in ("stopped", "dead"):
            return self.until(lambda: all(state(pid) == ("T" if verb == "stopped" else "Z") for pid in self.delivers()))
        elif verb == "kill-first":
            os.kill(min(self.delivers()), signal.SIGKILL)
        elif verb == "no-room":
            for pid in self.delivers():
                self.take_room(pid)
        elif verb == "at-work":
            return self.until(self.at_work)
        elif verb == "run":
            return self.until(lambda: len(self.delivers()) == int(rest))
        elif verb == "kill-session":
            os.kill(next(pid for pid in children(self.server.child.pid) if name(pid) == "smtp-stdio"), signal.SIGKILL)
        elif verb == "quit":
            self.server.client.sendall(b"QUIT\r\n")
            return str(self.server.end())
        elif verb != "begin":
            sys.exit(f"no such step: {what}")
        return ""


def main():
    client = Client(sys.argv[2:])
    for what in sys.argv[1].split():
        print(f"{what} {client.step(what)}".strip(), flush=True)


main()
