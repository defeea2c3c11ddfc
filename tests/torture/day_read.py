"""day_read.py HOMES MBOXES LOG RECORD ... -- hold what a day's clients were told against mailboxes and log.

A user has HOMES/USER/Maildir, or MBOXES/USER; LOG is what the service has logged; a RECORD is what
day.c has written.  Prints a line for each thing that is not as it must be, and a table; its last line
is the number of the first.
"""
import collections
import os
import re
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import deliver_read

# What deliver and the monitor put on top.
TRACE = re.compile(
    rb"Return-Path: <([^>\n]*)>\n"
    rb"(?:Delivered-To: u\d\d(?:\+\d+)?@here\.test\n)+"
    rb"Received: from client\.test \(\[127\.1\.0\.\d+\]\)\n"
    rb"\tby here\.test with E?SMTP id [0-9a-f.]+(?:\n\tfor <u\d\d(?:\+\d+)?@here\.test>)?;\n"
    rb"\t.*\n")
# What clients like these bring about, the listener's own life included.
EVENTS = {"delivered", "refused", "gave-up", "timeout", "listening", "stopping", "stopped"}
# A mailbox may be locked for as long as deliver waits, on a machine that is busy; not often.
LOCKED = re.compile(r'failed .* reply="4\.2\.0 mailbox is locked"$|said .* text="4\.2\.0 mailbox is locked/')
LOCKED_SHARE = 1000  # so that one of so many messages is put off
SHOWN = 20  # of one kind

Message = collections.namedtuple("Message", "state size sum mailboxes")


class Report:
    def __init__(self):
        self.total = 0
        self.counts = collections.Counter()

    def wrong(self, kind, text):
        self.total += 1
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN:
            print(f"violation: {kind}: {text}")

    def row(self, name, number, *kinds):
        print(f"{name:<60} {number:>10,} {sum(self.counts[kind] for kind in kinds):>10,}")


def read_records(paths):
    messages = {}
    for path in paths:
        with open(path) as file:
            for line in file:
                ident, state, size, sum_, mailboxes = line.split()
                messages[ident + "@client.test"] = Message(
                    state, int(size), int(sum_, 16), mailboxes.split(","))
    return messages


def read_maildir(maildir, report):
    for name in ("tmp", "new", "cur"):
        place = os.path.join(maildir, name)
        for file in sorted(os.listdir(place)) if os.path.isdir(place) else []:
            if name == "tmp":
                report.wrong("left over", os.path.join(place, file))
            else:
                with open(os.path.join(place, file), "rb") as stream:
                    yield stream.read()


def read_mbox(mbox, report):
    with open(mbox, "rb") as stream:
        try:
            yield from deliver_read.messages(stream.read())
        except ValueError as error:
            report.wrong("no mbox", f"{mbox}: {error}")


def read_mailboxes(homes, mboxes, report):
    """A user and a message as it lies there, for each."""
    for user in sorted(os.listdir(homes)):
        for text in read_maildir(os.path.join(homes, user, "Maildir"), report):
            yield user, text
    for user in sorted(os.listdir(mboxes)):
        for text in read_mbox(os.path.join(mboxes, user), report):
            yield user, text


def hold_against_mailboxes(messages, mailboxes, report):
    """How often each message lies in the mailbox of each user, and the octets of all; what lies there
    must be known, and whole."""
    found = collections.Counter()
    octets = 0
    for user, text in mailboxes:
        octets += len(text)
        trace = TRACE.match(text)
        if trace is None:
            report.wrong("not whole", f"in the mailbox of {user}: {text[:200]!r}")
            continue
        sender = trace.group(1).decode()
        message = messages.get(sender)
        if message is None or message.state in ("never", "later") or user not in message.mailboxes:
            report.wrong("visible", f"{sender} in the mailbox of {user}")
            continue
        found[sender, user] += 1
        body = text[trace.end():]
        if len(body) != message.size or zlib.crc32(body) != message.sum:
            report.wrong("not whole", f"{sender} in the mailbox of {user}: "
                         f"{len(body)} octets of {message.size}")
    return found, octets


def hold_against_replies(messages, found, report):
    """The messages that are there; of those with a 250, and of those without, each copy."""
    arrived, certain, perhaps = set(), 0, 0
    for sender, message in messages.items():
        copies = [found[sender, user] for user in message.mailboxes]
        for user, count in zip(message.mailboxes, copies):
            if message.state == "there" and count == 0:
                report.wrong("lost", f"{sender} in the mailbox of {user}")
            if count > 1:
                report.wrong("doubled", f"{sender} in the mailbox of {user}: {count}")
        if message.state == "perhaps" and 0 < sum(map(bool, copies)) < len(copies):
            report.wrong("in some mailboxes only", sender)
        if any(copies):
            arrived.add(sender)
        if message.state == "there":
            certain += len(copies)
        else:
            perhaps += sum(copies)
    return arrived, certain, perhaps


def hold_against_log(path, arrived, report):
    delivered, events = collections.Counter(), collections.Counter()
    with open(path, errors="replace") as file:
        for line in file:
            event = line.split(" ", 1)[0]
            events[event] += 1
            sender = re.search(" from=<([^>]*)>", line)
            if event == "delivered":
                delivered[sender.group(1)] += 1
            elif event not in EVENTS and not LOCKED.match(line):
                report.wrong("log", line.rstrip())
    for sender in delivered.keys() | arrived:
        if delivered[sender] != (sender in arrived):
            report.wrong("log counts otherwise",
                         f"{sender}: {delivered[sender]} lines for {int(sender in arrived)} deliveries")
    return sum(delivered.values()), events


def main():
    report = Report()
    homes, mboxes, log = sys.argv[1:4]
    messages = read_records(sys.argv[4:])
    found, octets = hold_against_mailboxes(
        messages, read_mailboxes(homes, mboxes, report), report)
    arrived, certain, perhaps = hold_against_replies(messages, found, report)
    delivered, events = hold_against_log(log, arrived, report)
    report.row("copies of messages whose 250 was read: there", certain, "lost")
    report.row("copies of those whose client had vanished: all or none", perhaps,
               "in some mailboxes only")
    report.row("copies in all: once", found.total(), "doubled")
    report.row("octets in mailboxes: as they were sent", octets, "not whole", "no mbox")
    later = sum(m.state == "later" for m in messages.values())
    if later * LOCKED_SHARE > len(messages) + LOCKED_SHARE:
        report.wrong("locked", f"{later} of {len(messages)} messages were put off")
    report.row(f"messages put off by a lock: at most one of {LOCKED_SHARE}", later, "locked")
    report.row("messages that must not be there: are not",
               sum(m.state in ("never", "later") for m in messages.values()), "visible")
    report.row("lines \"delivered\" in the log: one for each message", delivered,
               "log counts otherwise")
    report.row("other lines: " + ", ".join(
        f"{n} {event}" for event, n in sorted(events.items()) if event != "delivered"),
        events.total() - delivered, "log")
    report.row("files in tmp", 0, "left over")
    print(report.total)


if __name__ == "__main__":
    main()
