"""A program other than deliver that uses an mbox, with locks as Debian policy 11.6 has them.

deliver_lock.py hold fcntl|dot|both MBOX     take the locks, say "held", give them back at the end
                                             of standard input
deliver_lock.py append MBOX MESSAGE ...      append each, taking and giving back both locks
"""
import fcntl
import os
import sys
import time


def take_dot(path):
    try:
        os.close(os.open(path + ".lock", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return True
    except FileExistsError:
        return False


def take_both(file, path):
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if take_dot(path):
                return
            fcntl.lockf(file, fcntl.LOCK_UN)
        except BlockingIOError:
            pass
        time.sleep(0.001)


def hold(kind, path):
    with open(path, "ab") as file:
        if kind == "both":
            take_both(file, path)
        elif kind == "fcntl":
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif not take_dot(path):
            sys.exit("there is a dot lock already")
        print("held", flush=True)
        sys.stdin.read()
        if kind != "fcntl":
            os.unlink(path + ".lock")


def append(path, messages):
    for name in messages:
        with open(name, "rb") as message:
            octets = message.read()
        with open(path, "ab") as file:
            take_both(file, path)
            # In two writes, so that somebody without a lock would come in between.
            file.write(b"From reference Thu Jan  1 00:00:00 1970\n")
            file.flush()
            time.sleep(0.001)
            file.write(octets + b"\n")
            file.flush()
            os.unlink(path + ".lock")


if sys.argv[1] == "hold":
    hold(*sys.argv[2:])
else:
    append(sys.argv[2], sys.argv[3:])
