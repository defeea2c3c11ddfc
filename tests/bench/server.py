"""One peer that runs: its script, its control group, its mailbox."""
import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import time

from group import Group

HERE = os.path.dirname(os.path.abspath(__file__))
PARTS = os.path.join(HERE, "../../.build/parts")
LOAD = os.path.join(HERE, "../../.build/bench/load")
SOURCE = PARTS + "/usr/sbin/smtp-source"
OLD = "old."  # how the names of files begin that lie in new/ before
LIBRARIES = ":".join([PARTS + "/usr/lib/postfix"] + glob.glob(PARTS + "/usr/lib/*-linux-gnu"))
ALICE = 2001  # as in peer.sh
UNAVAILABLE = 69  # sysexits.h
PATIENCE = 120  # seconds for anything that ends by itself: a peer's backlog on a slow disk


class Failure(Exception):
    pass


class Absent(Exception):
    """It cannot be started on this machine."""


def script(name):
    return os.path.join(HERE, "peers", name)


def missing(name):
    """Why this peer cannot be started here, or None."""
    it = subprocess.run([script(name), "ready"], stdout=subprocess.PIPE, text=True)
    return it.stdout.strip() or "it is not ready" if it.returncode != 0 else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(condition, what, pause=0.02):
    """Wait until that is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise Failure(what)
        time.sleep(pause)


def output(command):
    """What a client prints, who must end well and without a word of warning."""
    try:
        it = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, timeout=PATIENCE, env={"LD_LIBRARY_PATH": LIBRARIES})
    except subprocess.TimeoutExpired:
        raise Failure("%s takes too long" % os.path.basename(command[0]))
    if it.returncode != 0 or it.stderr:
        raise Failure(it.stderr.strip())
    return it.stdout


class Server:
    """Started when it is made."""

    def __init__(self, name, place):
        self.name = name
        self.dir = os.path.join(place, name)
        os.mkdir(self.dir)
        self.new = self.dir + "/box/new"
        self.old = 0  # files in it that did not come just now
        self.port = free_port()
        self.group = Group("smtp-stdio-bench-%d-%s" % (os.getpid(), name))
        self.log = self.dir + ".log"
        with open(self.log, "wb") as log:
            # A process group of its own: Postfix signals the whole of it.
            self.process = subprocess.Popen([script(name), "start", self.dir, str(self.port)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            process_group=0, preexec_fn=self.group.enter)

    def ready(self):
        """Wait until it serves."""
        try:
            until(self.greets, "it does not greet")
        except Failure as failure:
            with open(self.log, errors="replace") as log:
                said = log.read()[-1000:].strip()
            if self.process.poll() == UNAVAILABLE:
                raise Absent(said)
            raise Failure("%s: %s" % (failure, said))

    def greets(self):
        if self.process.poll() is not None:
            raise Failure("it has ended")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                heard = s.recv(3)
                s.sendall(b"QUIT\r\n")
                return heard == b"220"
        except OSError:
            return False

    def stop(self):
        """SIGTERM, time to clear up, and for what is left in the group SIGKILL."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

        def none():
            for pid in self.group.processes():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return not self.group.processes()
        until(none, "it does not end")
        self.group.remove()
        shutil.rmtree(self.dir)

    def cpu(self):
        """Seconds of a processor so far, when nothing is going on any more."""
        before = self.group.cpu()
        if before is None:
            return None
        for _ in range(200):
            time.sleep(0.01)
            now = self.group.cpu()
            if now - before < 0.0002:
                return now
            before = now
        return before

    def arrived(self):
        return sum(1 for _ in os.scandir(self.new)) - self.old

    def empty(self, octets):
        """Remove what came, and see that every message has at least so many and is alice's.

        smtp-source counts lines of 80 octets with CRLF, and a file has LF."""
        for entry in os.scandir(self.new):
            if entry.name.startswith(OLD):
                continue
            it = entry.stat()
            if it.st_size < octets * 78 // 80 or it.st_uid != ALICE:
                raise Failure("%s has %d octets and is of uid %d" % (entry.path, it.st_size, it.st_uid))
            os.unlink(entry.path)

    @contextlib.contextmanager
    def filled(self, files):
        """Another mailbox stands in for this one, with so many files in new/.  It is made once."""
        box, other, aside = self.dir + "/box", "%s/box-%d" % (self.dir, files), self.dir + "/aside"
        if not os.path.exists(other):
            owner = os.stat(box)
            for name in ("", "/tmp", "/new", "/cur"):
                os.mkdir(other + name)
                os.chown(other + name, owner.st_uid, owner.st_gid)
            for i in range(files):
                open("%s/new/%s%d" % (other, OLD, i), "x").close()
            os.sync()
        os.rename(box, aside)
        os.rename(other, box)
        self.old = files
        try:
            yield
        finally:
            self.old = 0
            os.rename(box, other)
            os.rename(aside, box)

    def receive(self, messages, parallel, many, octets):
        """That load: seconds to the last reply, to the last message, and of a processor.

        Both times begin before smtp-source is started.  The last message came when new/ was changed
        the last time."""
        used = self.cpu()
        begin = time.time()
        output([SOURCE, "-s", str(parallel), "-m", str(messages), "-l", str(octets),
                "-M", "client.test", "-f", "a@client.test", "-t", "alice@mx.test"]
               + ["-d"] * many + ["127.0.0.1:%d" % self.port])
        replied = time.time() - begin
        until(lambda: self.arrived() >= messages, "not all messages arrived")
        delivered = os.stat(self.new).st_mtime - begin
        if used is not None:
            used = self.cpu() - used
        return replied, delivered, used

    def banner(self, count):
        """Microseconds from connect to the greeting."""
        return float(output([LOAD, "banner", str(self.port), str(count)]))

    def idle(self, count):
        """Octets that each of so many greeted and idle connections takes."""
        self.cpu()
        before = self.group.memory()
        if before is None:
            return None
        it = subprocess.Popen([LOAD, "idle", str(self.port), str(count)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
        try:
            if not it.stdout.readline():
                raise Failure("not all of %d connections are greeted" % count)
            self.cpu()
            return (self.group.memory() - before) / count
        finally:
            it.stdin.close()
            it.wait()
            it.stdout.close()
