"""What systemd does for a socket unit with Accept=no.

activate.py NAME=FAMILY ... -- PROGRAM [ARG ...]

Opens a socket for each, prints its address, and runs PROGRAM with them.  At each line of standard
input PROGRAM gets SIGTERM, and when it has ended it is started anew with the same sockets.  The exit
status is that of the last PROGRAM."""
import fcntl
import os
import signal
import socket
import sys


def listening(s, address):
    s.bind(address)
    s.listen(4096)
    return s


LOCAL = ("127.0.0.1", 0)
ABSTRACT = "\0smtp-listen-test-%d" % os.getpid()
FAMILIES = {
    "tcp4": lambda name: listening(socket.socket(), LOCAL),
    "tcp6": lambda name: listening(socket.socket(socket.AF_INET6), ("::1", 0)),
    "unix": lambda name: listening(socket.socket(socket.AF_UNIX), os.path.abspath(name)),
    "abstract": lambda name: listening(socket.socket(socket.AF_UNIX), ABSTRACT),
    # what no SMTP server can listen on
    "udp": lambda name: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "silent": lambda name: socket.socket(),
    "connected": lambda name: socket.socketpair()[0],
    "packets": lambda name: listening(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET), ABSTRACT),
    "file": lambda name: open("/dev/null"),
}

split = sys.argv.index("--")
kinds = [kind.split("=") for kind in sys.argv[1:split]]
program = sys.argv[split + 1:]
sockets = [FAMILIES[family](name) for name, family in kinds]
for s in sockets:
    at = s.getsockname() if hasattr(s, "getsockname") else ""
    print(at[1] if isinstance(at, tuple) else at, flush=True)


def run():
    pid = os.fork()
    if pid > 0:
        return pid
    high = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 100) for s in sockets]
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i)
    os.environ.update(LISTEN_FDS=str(len(high)), LISTEN_PID=str(os.getpid()),
                      LISTEN_FDNAMES=":".join(name for name, _ in kinds))
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.execv(program[0], program)


def end(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


pid = run()
for line in sys.stdin:
    os.kill(pid, signal.SIGTERM)
    status = end(pid)
    if status != 0:
        sys.exit("ended with %d" % status)
    pid = run()
sys.exit(end(pid))
