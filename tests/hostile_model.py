"""hostile_model.py -- what the monitor may do, stated anew.

README.md's table of letters, request.h's data and smtp-stdio.conf(5)'s addresses, for the settings that
tests/hostile_tree makes; and the packets that are tried on it.
"""
import re

KINDS = ("smtp", "lmtp", "mbox", "command")
USERS = {"alice": 2001, "bob": 2002, "carol": 2003, "dave": 2004}
FORWARDER, FILTERER = 1, 8  # Debian's daemon and mail
QUOTA = "3000S\n0 0\n"  # carol's
MOST = 180000  # octets of a packet that the kernel takes (net.core.wmem_default)
SIZE, RECIPIENTS, MESSAGES, SESSION_SIZE = 65536, 4, 5, 200000  # as in the settings
LETTERS = b"HFRBEXVLNP"

# ---- addresses -----------------------------------------------------------------------------------

ALIASES = {"team": ["alice", "bob", "carol"], "away": [">"], "both": ["alice", ">"], "pipe": ["|"], "file": ["dave/file"]}
NEVER = {"gone": "M", "never": "N", "full": "L", "broken": "N", "self": "L"}  # the last is two, of whom one does not exist


def find(address):
    """The verdict, and the places: a user's mailbox, by the user's name and extension, a file as "dave/file", ">"
    elsewhere, "|" an alias's command."""
    if address.lower() == b"postmaster":
        address += b"@mx.test"
    local, _, domain = address.lower().rpartition(b"@")
    if domain != b"mx.test":
        return "N", []
    name = local.decode("utf-8", "replace")
    for name in (name, name.partition("+")[0]):
        if name in NEVER:
            return NEVER[name], []
        if name in ALIASES:
            return ("F" if ALIASES[name] == [">"] else "Y"), ALIASES[name]
        if name in USERS:
            # Her mailbox may have a folder of that name: it counts as another.  None begins with a dot.
            return "Y", [name if "+." in local.decode() else local.decode()]
    if name in ("postmaster", "root"):
        return "Y", ["alice"]
    return "N", []


WORD = re.compile(rb"[A-Za-z0-9._+=\x80-\xff-]+@[^@]*|postmaster", re.IGNORECASE)


def is_host(text):
    return re.fullmatch(rb"[A-Za-z0-9.:_\[\]-]{1,255}", text) is not None


def is_mailbox(text, name_only=False):
    local, at, domain = text.rpartition(b"@")
    if not at:
        return 1 <= len(text) <= 255 and (name_only or text.lower() == b"postmaster")
    if not 1 <= len(local) <= 255 or not 1 <= len(domain) <= 255:
        return False
    if len(domain) > 2 and domain[:1] == b"[" and domain[-1:] == b"]":
        return re.fullmatch(rb"[!-~]+", domain) is not None
    return re.fullmatch(rb"[A-Za-z0-9.:_\[\]\x80-\xff-]+", domain) is not None


def is_printable(text):
    """Of UTF-8."""
    try:
        return all(" " <= c <= "~" or c >= "\u00a0" for c in text.decode("utf-8"))
    except UnicodeDecodeError:
        return False


# ---- the monitor ---------------------------------------------------------------------------------


class Outcome:
    """What a packet comes to."""

    def __init__(self, what, verdicts="", act=None):
        self.what, self.verdicts, self.act = what, verdicts, act
        self.replies = bool(verdicts)
        # The model goes on by what is answered.
        self.undecided = len(verdicts) > 1

    def __repr__(self):
        return f"{self.what} ({self.verdicts})"


TURN, LIMIT, MALFORMED = "a request is out of turn", "a request is beyond the limits", "a packet is malformed"
ALLOWED = {
    "H": ("IDLE",), "F": ("IDLE",), "R": ("FROM", "RCPT"), "B": ("RCPT", "BODY"), "E": ("RCPT", "BODY", "EACH"),
    "X": ("IDLE", "FROM", "RCPT", "BODY"), "V": ("IDLE", "FROM", "RCPT", "BODY"), "L": ("IDLE", "FROM", "RCPT", "BODY"),
    "N": ("IDLE", "FROM", "RCPT", "BODY"), "P": ("IDLE", "FROM", "RCPT", "BODY")}
BOUNDS = {"H": (1, 261), "F": (4, 524), "R": (1, 511), "V": (1, 511), "L": (1, 511), "B": (1, 65536), "N": (1, 1),
          "E": (0, 0), "X": (0, 0), "P": (0, 0)}


class Monitor:
    """Its state, and what has to be in the mailboxes at the end."""

    def __init__(self, kind):
        self.kind, self.lmtp = kind, kind == "lmtp"
        self.state, self.killed, self.gave_up, self.timed_out = "IDLE", None, False, False
        self.messages, self.total, self.refused = 0, 0, 0
        self.may_log = {"error"}  # of what cannot be looked up
        self.delivered = []  # [places, sender, octets, verdict or "?"]
        self.forget()
        self.sender = b""

    def forget(self):
        self.recipients, self.body, self.next, self.answered = [], b"", 0, {}

    def kill(self, why):
        self.killed = why
        return Outcome("killed: " + why)

    def takes(self, packet):
        if not packet:
            return self.kill("a packet is empty")
        if len(packet) > 65537:
            return self.kill("a packet is too long")
        letter, data = chr(packet[0]), packet[1:]
        if letter not in BOUNDS or not BOUNDS[letter][0] <= len(data) <= BOUNDS[letter][1] or not self.fits(letter, data):
            return self.kill(MALFORMED)
        if self.state not in ALLOWED[letter]:
            return self.kill(TURN)
        return getattr(self, "take_" + letter)(data) or self.kill(LIMIT)

    @staticmethod
    def fits(letter, data):
        if letter == "H":
            return re.fullmatch(rb"[ -~]+", data) is not None
        if letter == "F":
            m = re.fullmatch(rb"[0-3] (0|[1-9][0-9]{0,9}) (.{0,511})", data, re.DOTALL)
            return m is not None and int(m.group(1)) <= 1 << 30 and is_printable(m.group(2))
        if letter in "RVL":
            return is_printable(data)
        return letter != "N" or data in (b"c", b"r", b"s", b"e", b"m", b"o", b"h", b"b", b"f")

    def take_H(self, data):
        word, _, name = data.partition(b" ")
        return Outcome("hello") if word in ((b"LMTP",) if self.lmtp else (b"SMTP", b"ESMTP")) and is_host(name) else None

    def take_F(self, data):
        form, size, path = data.split(b" ", 2)
        self.form, self.declared = int(form), int(size)
        if (self.messages >= MESSAGES or self.declared > SIZE or (path and not is_mailbox(path)) or
                (not self.form & 1 and not path.isascii())):
            return None
        self.forget()
        self.sender = path
        if self.kind == "command" and path.startswith(b"-"):
            return Outcome("sender", "N")
        self.messages += 1
        self.state = "FROM"
        return Outcome("sender", "Y")

    def kind_of(self, place):
        return place if place in "|>" else "|" if self.kind == "command" and "/" not in place else "box"

    def kinds(self, places):
        return {self.kind_of(place) for place in places}

    def take_R(self, data):
        if len(self.recipients) >= RECIPIENTS or not is_mailbox(data) or (not self.form & 1 and not data.isascii()):
            return None
        verdict, places = find(data)
        if self.kind == "command" and [self.kind_of(p) != "box" for p in places].count(True) > 1:
            verdict, places = "L", []  # an alias of two commands
        if self.kind == "command" and [p.partition("+")[0] in USERS for p in places] == [True] and not WORD.fullmatch(data):
            verdict, places = "N", []  # the local-part becomes a word of the command
        new, old = self.kinds(places), self.kinds([p for r in self.recipients for p in r])
        if verdict in "YF" and not self.lmtp and ("|" in new and old & {"|", ">"} or ">" in new and "|" in old):
            verdict = "L"
        elif verdict in "YF" and ">" in new and (self.sender.startswith(b"-") or self.form & 2):
            verdict = "N"
        elif verdict in "YF" and self.kind in ("smtp", "lmtp") and "carol" in places and self.declared > 0:
            verdict = "YL" if self.declared <= 3000 else "L"  # by what she has already
        elif verdict in "YF" and b"+no" in data.lower():
            verdict = "N"  # the check's
        outcome = Outcome("recipient " + verdict, verdict, lambda said: self.found(places, said))
        if not outcome.undecided:
            self.found(places, verdict)
            outcome.act = None
        return outcome

    def found(self, places, verdict):
        if verdict in "YF":
            self.recipients.append(places)
            self.state = "RCPT"
        else:
            self.refused += 1

    def take_B(self, data):
        self.body += data
        self.total += len(data)
        if len(self.body) > SIZE or self.total > SESSION_SIZE:
            return None
        self.state = "BODY"
        return Outcome("body")

    def take_E(self, _):
        first = self.state != "EACH"
        fate = "Y"
        if first:
            self.filtered = "N" if b"REFUSE" in self.body else "D" if b"DISCARD" in self.body else None
        if self.filtered:
            fate = "N" if self.filtered == "N" else "Y"
        if not self.lmtp:
            outcome = Outcome("end", fate) if self.filtered else self.deliver(self.recipients)
            self.state = "IDLE"
            self.forget()
            return outcome
        this = self.next
        self.next += 1
        if self.filtered:
            outcome = Outcome("end", fate)
        elif this in self.answered:
            outcome = self.answered[this]
        else:
            places = self.recipients[this]
            shared = len(places) == 1 and self.kinds(places) == {"box"}  # one copy for all who have that mailbox
            same = [i for i in range(this, len(self.recipients)) if i == this or (
                shared and i not in self.answered and self.mailboxes(self.recipients[i]) == self.mailboxes(places))]
            outcome = self.deliver([self.recipients[i] for i in same])
            for i in same:
                self.answered[i] = outcome
        self.state = "EACH" if self.next < len(self.recipients) else "IDLE"
        if self.state == "IDLE":
            self.forget()
        return outcome

    def mailboxes(self, places):
        """An mbox has no folders, and nobody here has any in a Maildir; a command is given each name."""
        return [p if self.kind == "command" else p.partition("+")[0] for p in places]

    def deliver(self, recipients):
        places = []
        for place in (p for r in recipients for p in self.mailboxes(r)):
            if place == ">" or place not in places:
                places.append(place)
        entry = [places, self.sender, self.body, "Y"]
        self.delivered.append(entry)
        # Her quota may be used up, and then nobody has it.
        if "carol" in places and self.kind in ("smtp", "lmtp"):
            entry[3] = "?"
            return Outcome("end", "YL", lambda said: entry.__setitem__(3, said))
        return Outcome("end", "Y")

    def take_X(self, _):
        self.forget()
        self.state = "IDLE"
        return Outcome("reset")

    def take_V(self, data):
        return Outcome("verify", "YLNFM" if self.kind == "smtp" else "Y") if is_mailbox(data, True) else None

    def take_L(self, data):
        return Outcome("expand", "YLNFM" if self.kind == "smtp" else "N") if is_mailbox(data, True) else None

    def take_N(self, data):
        if data not in b"cr":
            self.state, self.gave_up = "DONE", True
        return Outcome("note")

    def take_P(self, _):
        return Outcome("pause", "Y")

    def heard(self, outcome, said):
        assert re.fullmatch(rb"[YNLFM][ -~]{0,400}", said), said
        verdict = chr(said[0])
        if verdict not in outcome.verdicts:
            raise ValueError(f"answered {said!r}, not {outcome}")
        if outcome.act:
            outcome.act(verdict)

    def settle(self, holdings, notes, expect):
        """All that is found in the mailboxes, and that the commands have noted, is what was delivered."""
        want = {}
        commands = []
        for number, (places, sender, body, fate) in enumerate(self.delivered):
            for place in places:
                if self.kind_of(place) != "box":
                    commands.append((place.partition("+")[0], sender, body, fate, number))
                else:
                    user, _, file = place.partition("+")[0].partition("/")
                    box = (user, file or ("mbox" if self.kind == "mbox" else "Maildir"))
                    want.setdefault(box, []).append((sender, body, fate))
        for box in set(want) | set(holdings):
            self.compare(box, want.get(box, []), holdings.get(box, []), expect)
        self.compare_notes(commands, notes, expect)

    @staticmethod
    def compare(box, want, found, expect):
        found = [take_apart(text) for text in found]
        for sender, body, fate in sorted(want, key=lambda w: "Y?LN".index(w[2])):
            last = (sender, body + b"\n")  # an mbox ends each line
            if (sender, body) in found or (box[1] == "mbox" and last in found):
                expect(fate in "Y?", box, "has what was refused:", body[:60])
                found.remove((sender, body) if (sender, body) in found else last)
            else:
                expect(fate in "?LN", box, "has not what was delivered:", sender, len(body), body[:60])
        expect(not found, box, "has what was not sent to it:", str(found)[:1500])

    def compare_notes(self, commands, notes, expect):
        for name, uid, groups, fds, arguments, message in notes:
            expect(fds == ["0", "1", "2", "3"], name, "has descriptors", fds)
            expect(uid != 0 and set(groups) == {str(uid)}, name, "is", uid, groups)
            if name in ("filter", "check"):
                expect(uid == FILTERER, name, "is", uid)
                continue
            place = ">" if name == "forward" else "|" if name == "pipe" else arguments[2]
            expect(uid == (FORWARDER if place in "|>" else USERS.get(place)), name, "is", uid, "for", place)
            text = take_apart(b"Return-Path: <>\nDelivered-To: x\n" + message)[1]
            same = [c for c in commands if c[0] == place and c[2] == text and
                    (place == "|" or c[1] == arguments[0].encode("utf-8", "surrogateescape"))]
            expect(same, name, "was given what was not sent to it:", arguments, text[:60])
            commands.remove(same[0])
            if place == ">":  # the other addresses are its arguments
                commands = [c for c in commands if not (c[0] == ">" and c[4] == same[0][4])]
        # A command is not run where a mailbox could not have its copy.
        expect(all(c[3] in "?LN" for c in commands), "was not given:", [(c[0], c[1], len(c[2])) for c in commands])


OURS = re.compile(rb"Return-Path: <([^\n]*)>\n(?:Delivered-To: [^\n]*\n)+Received: from [^\n]*\n\tby mx\.test with [A-Z0-9]* "
                  rb"id [0-9a-f.]+(?:\n\tfor <[^\n]*>)?;\n\t[A-Z][^\n]*\n", re.DOTALL)


def take_apart(text):
    """Sender and body; or what is not whole, as it is."""
    m = OURS.match(text)
    return (m.group(1), text[m.end():]) if m else (b"?", text)


def read_mbox(text):
    """Entries, unquoted; the first is not a message if it does not begin as one."""
    if not text.startswith(b"From "):
        return [text]
    entries = re.split(rb"(?:\A|(?<=\n\n))From [^\n]*\n", text)[1:]
    return [re.sub(rb"(?m)^>(>*From )", rb"\1", entry[:-1]) for entry in entries]


# ---- packets -------------------------------------------------------------------------------------

NAMES = [b"alice", b"bob", b"carol", b"dave", b"team", b"away", b"both", b"pipe", b"file",
         b"gone", b"never", b"full", b"broken", b"self", b"nobody", b"postmaster", b"root", b"Alice", b"alice+x", b"bob+no",
         b"bob+..", b"../alice", b"alice/", b"%u", b"-x", b"alice\\", b"j\xc3\xb6rg"]
HOSTS = [b"mx.test", b"MX.test", b"elsewhere.test", b"mx.test.", b"..", b"[1.2.3.4]", b"m\xc3\xbc.test", b"mx test", b"-x"]
JUNK = [b"", b"\0", b"\n", b"\r\n", b"\t", b"\x7f", b"\x80", b"\xc2\x80", b"\xc3", b"\xff", b" ", b"@", b"'", b"\"", b"%n",
        b"${x}", b"/../", b"\x1b[2J", b"x" * 300]
TEXTS = [b"hello\n", b"From x\n", b">From x\n", b".\n", b"\0\1\2", b"\r\n", b"\xff" * 100, b"x" * 3000, b"\n\n", b"no end",
         b"Delivered-To: <alice@mx.test>\n", b"REFUSE\n", b"DISCARD\n"]


def address(rng):
    host = b"mx.test" if rng.random() < 0.85 else rng.choice(HOSTS)
    return (rng.choice(NAMES[:9]) if rng.random() < 0.6 else rng.choice(NAMES)) + b"@" + host


def message(rng, monitor, large):
    if monitor.state == "RCPT":
        text = b"T: %x\n\n" % rng.getrandbits(64)
    else:
        text = b""
    for _ in range(rng.randrange(4)):
        chosen = rng.choice(TEXTS)
        if chosen[:2] in (b"RE", b"DI") and rng.random() < 0.7:
            continue
        text += chosen
    if large:
        text += b"y" * rng.choice([20000, 50000, 60000])
    return text or b"more\n"


def sound(rng, letter, monitor, large):
    """A packet that an honest session could send."""
    if letter == "H":
        return (b"HLMTP " if monitor.lmtp else rng.choice([b"HSMTP ", b"HESMTP "])) + rng.choice([b"me", b"client.test", b"[::1]"])
    if letter == "F":
        path = rng.choice([b"", b"a@b", b"\"x y\"@c.test", b"-x@c.test", b"<>,;|@c.test", b"a@[1.2.3.4]"])
        return b"F%d %d %s" % (rng.choice([0, 0, 0, 1, 2, 3]), rng.choice([0, 0, 0, 100, 2999, 3001, 65536]), path)
    if letter in "RVL":
        return letter.encode() + address(rng)
    if letter == "B":
        return b"B" + message(rng, monitor, large)
    if letter == "N":
        return b"N" + (b"c" if rng.random() < 0.9 else rng.choice([b"r", b"s", b"e", b"m", b"o", b"h", b"b", b"f"]))
    return letter.encode()


def mutated(rng, packet):
    at = rng.randrange(len(packet) + 1)
    how = rng.randrange(8)
    if how == 0:
        return packet[:at]
    if how == 1:
        return packet[:at] + rng.choice(JUNK) + packet[at:]
    if how == 2 and packet:
        at %= len(packet)
        return packet[:at] + bytes([packet[at] ^ 1 << rng.randrange(8)]) + packet[at + 1:]
    if how == 3:
        return bytes([rng.randrange(256)]) + packet[1:]
    if how == 4:
        return (packet + packet[1:] * rng.choice([1, 5, 600]))[:MOST]
    if how == 5:
        return packet[:1] + b"x" * rng.choice([0, 1, 255, 256, 261, 262, 511, 512, 524, 525, 65535, 65536, 65537, 65538, 100000, 150000])
    if how == 6:
        return packet[:1] + bytes(rng.randrange(256) for _ in range(rng.randrange(40)))
    return bytes(rng.randrange(256) for _ in range(rng.randrange(80)))


# What an honest session would most likely say next.
NEXT = {"IDLE": "FFFFHX", "FROM": "RRRRRX", "RCPT": "RRBBBE", "BODY": "BEEEEX", "EACH": "EEEEEE", "DONE": "XVE"}


def packets(rng, monitor, flooding):
    """Packets, until there have been enough; the monitor's state is looked at between them."""
    wild, left, large = rng.choice([0.0, 0.02, 0.1, 0.5]), rng.choice([3, 10, 30, 60]), rng.random() < 0.1
    while left > 0:
        left -= 1
        if rng.random() < wild:
            letter = chr(rng.choice(LETTERS))
        elif rng.random() < 0.05:
            letter = rng.choice("VLN")
        else:
            letter = rng.choice(NEXT[monitor.state])
        if letter == "P" and rng.random() < 0.98:
            letter = "X"  # which takes no second
        packet = sound(rng, letter, monitor, large)
        if rng.random() < wild / 2:
            packet = mutated(rng, packet)
        for _ in range(rng.choice([50, 200]) if flooding and packet != b"P" and rng.random() < 0.2 else 1):
            yield packet
