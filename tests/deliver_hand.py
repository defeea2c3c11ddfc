"""deliver_hand.py MESSAGE STEPS CMD ... -- be the other end of deliver -c HAND.

STEPS, separated by blanks, each printed with what it gave:
  alone        "a" to it, before it starts; only the first step
  hear         one octet from the program; "-" when it has hung up
  say:X        one octet to it
  next:TEXT    a packet with the message, TEXT and a NUL; "/" in TEXT is a NUL
  bare:TEXT    the same without the message
  close        hang up
  look         the output of the shell function `look`, one line
  kill-writer  SIGKILL to the child of the program; its first: the keeper, where it has one
  kill-last    SIGKILL to its last child
  signal:NAME  that signal to its process group
  kill-guard   SIGKILL to the program itself
  end          its exit status; -9 after SIGKILL
  end-writer   wait for its child, which has outlived it
"""
import ctypes
import os
import signal
import socket
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 10


def child_of(pid, which=0):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return int(file.read().split()[which])


class Deliver:
    def __init__(self, message, alone, command):
        self.message = message
        self.ours, its = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self.ours.settimeout(PATIENCE)
        if alone:
            self.ours.send(b"a")
        hand = its.fileno()
        command = [str(hand) if word == "HAND" else word for word in command]
        with open(message, "rb") as stdin:
            self.process = subprocess.Popen(command, stdin=stdin, stderr=subprocess.DEVNULL,
                                            pass_fds=[hand], start_new_session=True)
        its.close()
        self.writer = None

    def step(self, what):
        if what == "hear":
            return self.ours.recv(1).decode() or "-"
        if what.startswith("say:"):
            self.ours.send(what[4:].encode())
        elif what == "alone":
            pass
        elif what.startswith(("next:", "bare:")):
            text = what[5:].replace("/", "\0").encode() + b"\0"
            with open(self.message, "rb") as file:
                socket.send_fds(self.ours, [text], [file.fileno()] if what[0] == "n" else [])
        elif what == "close":
            self.ours.close()
        elif what == "look":
            return subprocess.run(["bash", "-c", "look"], check=True, text=True,
                                  capture_output=True).stdout.strip()
        elif what == "kill-writer":
            os.kill(child_of(self.process.pid), signal.SIGKILL)
        elif what == "kill-last":
            os.kill(child_of(self.process.pid, -1), signal.SIGKILL)
        elif what.startswith("signal:"):
            os.killpg(self.process.pid, getattr(signal, "SIG" + what[7:]))
        elif what == "kill-guard":
            self.writer = child_of(self.process.pid)
            self.process.kill()
            self.process.wait()
        elif what == "end":
            return str(self.process.wait(PATIENCE))
        elif what == "end-writer":
            signal.alarm(PATIENCE)  # ends us, and with the handshake the writer
            return str(os.waitstatus_to_exitcode(os.waitpid(self.writer, 0)[1]))
        else:
            sys.exit(f"no such step: {what}")
        return ""


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # the writer becomes our child
    steps = sys.argv[2].split()
    deliver = Deliver(sys.argv[1], steps[0] == "alone", sys.argv[3:])
    for what in steps:
        try:
            print(f"{what} {deliver.step(what)}".strip(), flush=True)
        except OSError as error:
            print(what, error.strerror or "timeout", flush=True)


main()
