"""mail.py -- the messages of the rigs, by number, and what is said of them in a ledger.

A message's number is in its return path (m17@client.test), so that it can be told even where it has no
octet of its own.

A ledger has a line for each event, in their order:
  17 to m1,x1           a client begins to send number 17 to these
  17 250 2.0.0 ...      its reply, or the first that refused it: the last the client read of it
  17 gone               the connection ended before
  cut                   the power goes: what is refused from here on, nobody has said
  on                    and it is back
  stops 4               the disk stops in the middle of so many deliveries at most, and each hears of it
A line is one write(2) to a file open for appending: so whatever its writers do, none is torn.
"""
import os
import random

CUT, ON, STOPS = "cut", "on", "stops"
SENDER = "m%d@client.test"
# Octets: none, a line, some around the blocks of deliver's output and of file systems, a letter, an
# attachment.  The weights keep the stream fast, that a cut falls into many deliveries.
SIZES = [(0, 0, 1), (1, 80, 2), (500, 3000, 5), (4000, 4200, 2), (8000, 17000, 2), (20000, 120000, 1)]
LINES = 13  # that are repeated: more than fit into a block that comes twice


def text(number):
    """The message of that number, with LF at its line ends: a header, and lines that want quoting."""
    dice = random.Random(number)
    least, most, _ = dice.choices(SIZES, [weight for _, _, weight in SIZES])[0]
    size = dice.randint(least, most)
    if size == 0:
        return b""
    header = b"Subject: message %d\n\n" % number
    starts = [b"", b"From ", b">From ", b">>From me ", b".", b"..", b"\n"]
    block = b"".join(b"%sline %d of message %d %s\n" % (dice.choice(starts), n, number, b"x" * dice.randint(0, 60))
                     for n in range(LINES))
    body = block * (size // len(block) + 1)
    return header + body[:size] + b"\nthis ends message %d\n" % number


def boxes(recipient):
    """Where mail for that name goes: in its own directory a Maildir (m...), an mbox (b...), or both (x...)."""
    return {"m": ["Maildir"], "b": ["box"], "x": ["Maildir", "box"]}[recipient[0]]


class Ledger:
    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def note(self, *words):
        os.write(self.fd, (" ".join(map(str, words)) + "\n").encode())


class Message:
    """What the ledger says of one: its recipients, and how its attempts ended."""

    def __init__(self, recipients):
        self.recipients = recipients
        self.answered = 0  # 250
        self.refused = 0   # 4xx, 5xx
        self.open = 0      # no answer, or none that a client could have read


def read_ledger(path):
    """The messages by number, how many cuts there were, disks that stop included, and in how many
    deliveries these stopped."""
    messages, under_way, cuts, stopped, power = {}, set(), 0, 0, True
    with open(path, encoding="latin-1") as ledger:
        for line in ledger:
            words = line.split()
            if words[0] == CUT:
                cuts, power = cuts + 1, False
            elif words[0] == ON:
                power = True
                for number in under_way:
                    messages[number].open += 1
                under_way.clear()
            elif words[0] == STOPS:
                cuts, stopped = cuts + 1, stopped + int(words[1])
            elif words[1] == "to":
                messages.setdefault(int(words[0]), Message(words[2].split(",")))
                under_way.add(int(words[0]))
            else:
                message = messages[int(words[0])]
                under_way.discard(int(words[0]))
                if words[1] == "250":
                    message.answered += 1
                elif words[1] == "gone" or not power:
                    message.open += 1
                else:
                    message.refused += 1
    for number in under_way:
        messages[number].open += 1
    return messages, cuts, stopped
