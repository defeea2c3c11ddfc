"""hostile_fuzz.py SEED SESSIONS PROGRAM -- speak to the monitor as a session that was taken over would.

Each of so many sessions is the real program, started by root.  Its session's end of the pair is taken from it
(pidfd_getfd(2)), and packets go to the monitor by it: what an honest session may say in any order, mutated,
too long, too many, with descriptors.  A model of the monitor says what each packet has to come to; what the
monitor does otherwise is a violation, and so is anything that is left behind.  Run by tests/hostile_fuzz
below a root directory of its own, which has the tree that tests/hostile_fuzz makes.
"""
import array
import ctypes
import hashlib
import os
import random
import re
import signal
import socket
import sys
import time

import hostile_model as model

TREE = "/srv/hostile"
LIBC = ctypes.CDLL(None, use_errno=True)
PIDFD_GETFD = 438  # the same on every architecture
PR_SET_CHILD_SUBREAPER = 36
SILENT = 0.004  # of all sessions; each of these takes 3 s
PATIENCE = 15  # s; more than any session here may take


class Violation(Exception):
    """What the monitor did and must not."""


def expect(true, *what):
    if not true:
        raise Violation(" ".join(str(w) for w in what))


# ---- the tree ------------------------------------------------------------------------------------

# Mailboxes and notes: what a delivery may change.
OURS = re.compile(TREE + r"/(users/[a-z]+/(Maildir|mbox)|files/dave|notes)(/|$|\.lock$)")


def look(path):
    st = os.lstat(path)
    text = b""
    if os.path.isfile(path) and not os.path.islink(path):
        with open(path, "rb") as file:
            text = hashlib.sha256(file.read()).digest()
    return st.st_mode, st.st_uid, st.st_gid, st.st_nlink, st.st_ino, text


def walk(top):
    for path, directories, names in os.walk(top):
        for name in directories + names:
            yield os.path.join(path, name)


def snapshot():
    return {path: look(path) for path in walk(TREE) if not OURS.match(path)}


def holdings():
    """Each mailbox's messages: {(user, box): [octets]}; and what is not a message is a violation."""
    found = {}
    for user in model.USERS:
        for box, top in ("Maildir", f"{TREE}/users/{user}/Maildir"), ("file", f"{TREE}/files/{user}"):
            for path in list(walk(top)) if os.path.isdir(top) else []:
                where = path[len(top) + 1:].split("/")
                if os.path.isdir(path) or where == ["maildirsize"]:
                    continue
                st = os.lstat(path)
                expect(where[0] == "new" and len(where) == 2, "left behind:", path)
                expect((st.st_uid, st.st_mode & 0o7777) == (model.USERS[user], 0o600), "whose?", path)
                with open(path, "rb") as file:
                    found.setdefault((user, box), []).append(file.read())
                os.unlink(path)
        path = f"{TREE}/users/{user}/mbox"
        expect(not os.path.exists(path + ".lock"), "left behind:", path + ".lock")
        if os.path.exists(path):
            st = os.lstat(path)
            expect((st.st_uid, st.st_mode & 0o7777) == (model.USERS[user], 0o600), "whose?", path)
            with open(path, "rb") as file:
                found[user, "mbox"] = model.read_mbox(file.read())
            os.unlink(path)
    size = f"{TREE}/users/carol/Maildir/maildirsize"
    with open(size, "w", encoding="ascii") as file:
        file.write(model.QUOTA)
    return found


def clear():
    """What a session has left is not the next one's."""
    for find in holdings, notes:
        try:
            find()
        except Violation:
            pass
    while left := children(os.getpid()):
        for pid in left:
            os.kill(int(pid), signal.SIGKILL)
            os.waitpid(int(pid), 0)


def notes():
    """What the commands wrote down: [(name, uid, groups, descriptors, arguments, message)]."""
    found = []
    for name in os.listdir(f"{TREE}/notes"):
        path = f"{TREE}/notes/{name}"
        with open(path, "rb") as file:
            text = file.read()
        os.unlink(path)
        head, _, message = text.partition(b"\n\n")
        lines = head.decode("utf-8", "surrogateescape").split("\n")
        expect(len(lines) >= 4, "a command's note is not whole", text[:200])
        found.append((lines[0], int(lines[1]), lines[2].split(), lines[3].split(), [a[1:-1] for a in lines[4:]], message))
    return found


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()


# ---- one session ---------------------------------------------------------------------------------


class Session:
    """The program, and its session's place in it."""

    def __init__(self, program, kind, settings):
        self.client, theirs = socket.socketpair()
        self.client.settimeout(PATIENCE)
        self.log = os.memfd_create("log")
        argv = [program, "-C", f"{TREE}/etc/{settings}.conf"]
        self.pid = os.posix_spawn(program, argv, {}, file_actions=[
            (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0), (os.POSIX_SPAWN_DUP2, theirs.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, self.log, 2)])
        theirs.close()
        self.heard = self.client.recv(1000)
        expect(self.heard == b"220 mx.test %s\r\n" % (b"LMTP" if kind == "lmtp" else b"ESMTP"), self.heard)
        self.inner = int(children(self.pid)[0])
        self.pidfd = os.pidfd_open(self.inner)
        fd = LIBC.syscall(PIDFD_GETFD, self.pidfd, 3, 0)
        if fd < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        signal.pidfd_send_signal(self.pidfd, signal.SIGSTOP)  # or it would have a word of its own when time is over
        self.pair = socket.socket(fileno=fd)
        self.pair.settimeout(PATIENCE)

    def descriptors(self):
        return sorted(int(fd) for fd in os.listdir(f"/proc/{self.pid}/fd"))

    def send(self, packet, gifts):
        """False: the monitor is gone."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", gifts))] if gifts else []
        try:
            self.pair.sendmsg([packet], ancillary)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def answer(self):
        try:
            return self.pair.recv(70000)
        except ConnectionResetError:
            return b""

    def stop(self):
        """Whatever it does."""
        self.pair.close()
        self.client.close()
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def logged(self):
        return os.pread(self.log, 1 << 20, 0)

    def end(self):
        """Hang up; the client's last words, and the log's lines."""
        self.pair.close()
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGCONT)
        except ProcessLookupError:
            pass
        try:
            self.client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            while octets := self.client.recv(65536):
                self.heard += octets
        except ConnectionResetError:
            pass
        until = time.monotonic() + PATIENCE
        while not (gone := os.waitpid(self.pid, os.WNOHANG))[0]:
            expect(time.monotonic() < until, "the monitor does not end")
            time.sleep(0.0005)
        self.client.close()
        text = self.logged()
        expect(gone[1] == 0, "the monitor ended with", gone[1])
        # The keeper of a quota outlives its deliver for a moment.
        try:
            while True:
                if os.waitpid(-1, os.WNOHANG) == (0, 0):
                    expect(time.monotonic() < until, "a process is left behind")
                    time.sleep(0.0005)
        except ChildProcessError:
            pass
        return self.heard.partition(b"\r\n")[2], text


GIFTS = (0, 1, 5)


def fall_silent(session, monitor):
    """The clock ends it."""
    expect(session.answer() == b"", "answered, and not timed out")
    monitor.timed_out = True


def speak(rng, session, monitor, silent, seen):
    """One session; a Violation, or nothing."""
    due = []  # outcomes whose answers are not read yet
    flooding = rng.random() < 0.03
    gone = False

    def read_all():
        while due:
            outcome = due.pop(0)
            said = session.answer()
            if not said:
                expect(monitor.killed, "no answer to", outcome)
                return False
            monitor.heard(outcome, said)
        return True

    for packet in model.packets(rng, monitor, flooding):
        gifts = [os.open("/etc/passwd", os.O_RDONLY) for _ in range(rng.choice(GIFTS))] if rng.random() < 0.05 else []
        gone = not session.send(packet, gifts)
        for fd in gifts:
            os.close(fd)
        outcome = monitor.takes(packet)
        seen[outcome.what] = seen.get(outcome.what, 0) + 1
        if gone:
            expect(monitor.killed, "the monitor is gone before", packet[:60])
            break
        if outcome.replies:
            due.append(outcome)
        if due and (outcome.undecided or rng.random() < 0.7 or len(due) > 50) and not read_all():
            break
        if monitor.killed:
            break
    read_all()
    if monitor.killed:
        expect(session.answer() == b"", "answered, and not killed:", monitor.killed)
    elif not gone and monitor.state in model.ALLOWED["V"]:
        # A question that is answered: all before it is done.
        session.send(b"Va@b", [])
        expect(session.answer()[:1] in (b"Y", b"N"), "a sound session is not served")
        others = [pid for pid in children(session.pid) if pid != str(session.inner)]
        expect(len(others) <= 1, "children", others)
        # A deliver that waits for another message: its words, the handshake, and it.
        fds, most = session.descriptors(), 4 + (monitor.state == "BODY") + 3 * len(others)
        expect(fds[:4] == [0, 1, 2, 3] and len(fds) <= most, "descriptors", fds)
        if silent and monitor.state in ("IDLE", "FROM"):  # where it has no message's time
            fall_silent(session, monitor)
    words, log = session.end()
    judge(monitor, words, log)


LINE = re.compile(rb"(\w[\w-]*) session=[0-9a-f]+\.[0-9a-f]+ client=local [ -~]+")


def judge(monitor, words, log):
    lines = [LINE.fullmatch(line) for line in log.split(b"\n")[:-1]]
    expect(all(lines) and (not log or log.endswith(b"\n")), "the log is not of lines")
    events = [line.group(1).decode() for line in lines]
    expect(not set(events) & {"jail", "ended", "error", "stopped"} - monitor.may_log, "the log")
    expect(events.count("killed") == bool(monitor.killed), "one line for a violation:", monitor.killed)
    if monitor.killed:
        expect(f'why="{monitor.killed}"'.encode() in log, "another reason than", monitor.killed)
        last = b"" if monitor.gave_up else b"421 4.3.0 service not available; closing\r\n"
        expect(words == last, "last words", words)
    else:
        last = b"421 4.4.2 too slow, or too long; closing\r\n" if monitor.timed_out else b""
        expect(words == last, "last words", words)
    expect(events.count("timeout") == monitor.timed_out, "timeout", monitor.timed_out)
    expect(events.count("gave-up") == (monitor.gave_up and 1), "gave-up")
    expect(events.count("refused") == monitor.refused, "refused", monitor.refused)
    monitor.settle(holdings(), notes(), expect)


def main():
    seed, count, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    holdings()
    before, seen, bad = snapshot(), {}, 0
    for number in range(count):
        rng = random.Random(f"{seed}.{number}")
        kind = rng.choice(model.KINDS)
        silent = rng.random() < SILENT
        session = Session(program, kind, kind + "-hasty" * silent)
        try:
            speak(rng, session, model.Monitor(kind), silent, seen)
            after = snapshot()
            expect(after == before, "changed:", set(after.items()) ^ set(before.items()))
        except (Violation, OSError, AssertionError, ValueError) as fault:
            bad += 1
            print(f"seed {seed} session {number} ({kind}): {type(fault).__name__}: {fault}"[:3000])
            print(session.logged().decode("utf-8", "replace")[-2000:], flush=True)
            if bad == 10:
                break
            session.stop()
            clear()
            before = snapshot()
        os.close(session.log)
        os.close(session.pidfd)
    print(" ".join(f"{what}={seen[what]}" for what in sorted(seen)))
    print(f"{count} sessions, {sum(seen.values())} packets, {bad} violations")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
