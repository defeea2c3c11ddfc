"""Run a program on a terminal, and be the person in front of it.

terminal.py SCREEN PROGRAM [ARG ...]

Each line of standard input is "PATTERN: KEYS": when the terminal has shown something that PATTERN is
found in since the last keys, KEYS are typed, with escapes as in Python.  What was shown comes to the
file SCREEN, without what moves and colours it.  The exit status is the program's, or 99 when it did
neither show what was waited for nor end within 60 s."""
import ast
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

MOVES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>78M]")
todo = [re.fullmatch("(.*): (.*)\n", line).groups() for line in sys.stdin]
child, terminal = pty.fork()
if child == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[2], sys.argv[2:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
deadline = time.monotonic() + 60
shown, since = b"", 0
while True:
    readable, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
    try:
        octets = os.read(terminal, 65536) if readable else b""
    except OSError:  # nobody has it any more
        octets = b""
    if not octets:
        break
    shown += octets
    while todo and re.search(todo[0][0].encode(), MOVES.sub(b"", shown[since:])):
        since = len(shown)
        os.write(terminal, ast.literal_eval(f'"{todo.pop(0)[1]}"').encode())
with open(sys.argv[1], "wb") as f:
    f.write(MOVES.sub(b"", shown).replace(b"\r\n", b"\n"))
if not readable:
    os.kill(child, signal.SIGKILL)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
if todo or not readable:
    print("not shown:", todo or "the end", file=sys.stderr)
    status = 99
sys.exit(status)
