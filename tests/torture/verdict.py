"""verdict.py LEDGER DIR -- do the mailboxes below DIR hold what the clients were told?

Every message that was answered by 250 is whole in each of its mailboxes; how often, is between the
number of its 250s and that with the attempts that the client had no answer to.  A refused one is
nowhere, but that a disk that stopped may have kept those that were under way.  A Maildir has whole
messages only.  An mbox reads as postmark, message, empty line from its first octet, but that each cut
or stop may have torn the one that was being appended: what is there of it is then its beginning.

Prints the words, each with its number:
  acked      messages answered by 250
  found      copies of them, of so many
  lost       copies of them that are missing
  open       messages whose clients had no answer
  shown      of these, there in a mailbox or more
  kept       messages that were refused, and are there
  twice      copies beyond the first, of whichever message
  torn       pieces of messages in mboxes
  tmp        files in tmp/
and a line for each violation; ends with 1 if there is any.
"""
import os
import re
import sys
from collections import Counter

import mail

POSTMARK = re.compile(
    rb"(?:\A|(?<=\n\n))From (\S+) (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    rb" [ 123]\d \d\d:\d\d:\d\d \d{4}\n")
ADDED = re.compile(
    rb"Return-Path: <(m\d+@client\.test)>\n(?:Delivered-To: \S+@mx\.test\n)+Received: .*\n(?:\t.*\n|        .*\n)*")
QUOTED = re.compile(rb"^(>*From )", re.MULTILINE)
NUMBER = re.compile(rb"m(\d+)@client\.test\Z")


def number_of(sender):
    match = NUMBER.match(sender)
    return int(match[1]) if match else None


def delivered(octets, quote):
    """Of a message in a mailbox: its number, the octets that were sent, and those that are there."""
    added = ADDED.match(octets)
    if not added:
        return None, b"", octets
    number = number_of(added[1])
    want = mail.text(number)
    if quote:
        want = QUOTED.sub(rb">\1", want) + b"\n"
    return number, want, octets[added.end():]


class Box:
    """What one mailbox holds."""

    def __init__(self):
        self.numbers = Counter()  # whole messages
        self.torn = []            # of those that are not: the number, if it can be read, and where
        self.mixed = []           # what is not even the beginning of one
        self.tmp = 0

    def read_maildir(self, path):
        for place in "new", "cur":
            for name in os.listdir(f"{path}/{place}"):
                with open(f"{path}/{place}/{name}", "rb") as file:
                    number, want, there = delivered(file.read(), False)
                if number and there == want:
                    self.numbers[number] += 1
                else:
                    self.mixed.append(f"{place}/{name}")
        self.tmp = len(os.listdir(f"{path}/tmp"))

    def read_mbox(self, path):
        with open(path, "rb") as file:
            octets = file.read()
        marks = list(POSTMARK.finditer(octets))
        starts = [mark.start() for mark in marks] + [len(octets)]
        if starts[0] > 0:
            self.torn.append((None, "octets before the first postmark"))
        for mark, end in zip(marks, starts[1:]):
            self.read_entry(mark, octets[mark.end():end], f"octets {mark.start()} to {end}")

    def read_entry(self, mark, octets, where):
        number, want, there = delivered(octets, True)
        if number and there.startswith(want):
            self.numbers[number] += 1
            if there != want:  # and the begin of a postmark, or blocks that were never written
                self.torn.append((None, where))
        else:
            self.torn.append((number_of(mark[1]), where))
            # The next delivery adds the line feeds that it lacks.
            rest = there.rstrip(b"\n\0")
            if number and not want.startswith(rest) and not re.fullmatch(rb"\t.*", rest):  # of Received
                self.mixed.append(where)

    def read(self, path):
        if os.path.isdir(path):
            self.read_maildir(path)
        elif os.path.exists(path):
            self.read_mbox(path)


def judge(messages, cuts, stopped, boxes):
    """The counts, and what is wrong."""
    count, wrong, kept = Counter(), [], {}
    for number, message in messages.items():
        count["acked"] += message.answered > 0
        count["open"] += message.open > 0
        copies = [(path, boxes[path].numbers.pop(number, 0))
                  for name in message.recipients for path in sorted(boxes) if path.split("/")[0] == name]
        count["shown"] += message.open > 0 and any(n > message.answered for _, n in copies)
        for path, n in copies:
            count["of"] += message.answered > 0
            count["found"] += message.answered > 0 and n > 0
            count["twice"] += max(n - 1, 0)
            if n < message.answered:
                count["lost"] += 1
                wrong.append(f"message {number} is lost in {path}")
            elif n > message.answered + message.open:
                kept.setdefault(number, []).append(
                    f"message {number} is {n} times in {path}: {message.answered} answered, "
                    f"{message.refused} refused, {message.open} open")
                if n > message.answered + message.open + message.refused:
                    stopped = 0  # no refusal explains it
    count["kept"] = len(kept)
    if len(kept) > stopped:
        wrong += sum(kept.values(), [])
    for path, box in boxes.items():
        count["torn"] += len(box.torn)
        count["tmp"] += box.tmp
        wrong += [f"message {number} is in {path}, and was not sent there" for number in box.numbers]
        wrong += [f"{path}: {where}: not a message of ours" for where in box.mixed]
        wrong += [f"{path}: {where}: torn message {number} had its 250, or was refused"
                  for number, where in box.torn if number is not None and not messages[number].open
                  and not (stopped and messages[number].refused)]
        if len(box.torn) > cuts:
            wrong.append(f"{path}: {len(box.torn)} torn after {cuts} cuts")
    return count, wrong


def main():
    messages, cuts, stopped = mail.read_ledger(sys.argv[1])
    boxes = {}
    for name in {name for message in messages.values() for name in message.recipients}:
        for kind in mail.boxes(name):
            boxes[f"{name}/{kind}"] = box = Box()
            box.read(f"{sys.argv[2]}/{name}/{kind}")
    count, wrong = judge(messages, cuts, stopped, boxes)
    print(*(f"{word} {count[word]}" for word in ("acked", "of", "found", "lost", "open", "shown", "kept", "twice", "torn", "tmp")))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    sys.exit(bool(wrong))


main()
