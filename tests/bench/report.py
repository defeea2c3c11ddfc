"""What was measured, as tables: the medians over the rounds, the ratios, and whether the goals are met.

A ratio is the median of the rounds' ratios: in a round all peers had the same machine."""
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
QUEUES = ["postfix", "opensmtpd", "exim", "exim-inetd"]
FLOORS = ["floor-bare", "floor-jailed"]
MIB = 1024 * 1024
# What is "flat" and "linear": a quarter more over the whole range.
FLAT = 1.25


class Figures:
    """Lines of table, place, case, peer, round, measure and value, which run writes."""

    def __init__(self, lines):
        self.values = {}
        for line in lines:
            *key, turn, measure, value = line.rstrip("\n").split("\t")
            self.values.setdefault((*key, measure), {})[int(turn)] = float(value)

    def some(self, position, **where):
        """The places (1), cases (2) or peers (3) that there are, in the order in which they came."""
        fixed = {{"table": 0, "place": 1}[name]: value for name, value in where.items()}
        return list(dict.fromkeys(key[position] for key in self.values
                                  if all(key[i] == value for i, value in fixed.items())))

    def median(self, *key):
        values = self.values.get(key)
        return statistics.median(values.values()) if values else None

    def ratio(self, table, place, case, measure, one, other):
        a = self.values.get((table, place, case, one, measure), {})
        b = self.values.get((table, place, case, other, measure), {})
        ratios = [a[turn] / b[turn] for turn in a if turn in b]
        return statistics.median(ratios) if ratios else None

    def best(self, table, place, case, measure):
        """The mail system that is best at it."""
        there = [(self.median(table, place, case, peer, measure), peer) for peer in QUEUES]
        there = [pair for pair in there if pair[0] is not None]
        return (min if measure == "cpu" else max)(there)[1] if there else None

    def against_best(self, table, place, case, measure):
        best = self.best(table, place, case, measure)
        return best and self.ratio(table, place, case, measure, "ours", best)


def number(value):
    if value is None:
        return "-"
    return "%.0f" % value if value >= 100 else "%.3g" % value if value >= 10 else "%.2f" % value


class Table:
    def __init__(self, title, columns, numbers=True):
        self.title, self.columns, self.rows, self.numbers = title, columns, [], numbers

    def row(self, name, values):
        self.rows.append([name] + [value if isinstance(value, str) else number(value) for value in values])

    def plain(self):
        rows = [[""] + self.columns] + self.rows
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["  ".join(cell.rjust(width) if i and self.numbers else cell.ljust(width)
                           for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]
        return "\n".join([self.title] + ["  " + line for line in lines]) + "\n"

    def markdown(self):
        lines = ["| " + " | ".join(row) + " |" for row in [[""] + self.columns] + self.rows]
        lines.insert(1, "|---|" + ("---:|" if self.numbers else "---|") * len(self.columns))
        return "\n".join([self.title, ""] + lines) + "\n"


def short(case):
    kind, _, parallel = case.partition("-")
    return "%s, %s" % (kind, parallel)


def against(it, out, table, measure, columns):
    """Rows below those of the peers: what is ours against the others.  A column is a place and a case."""
    peers = it.some(3, table=table)
    if "ours" not in peers:
        return
    if any(peer in QUEUES for peer in peers):
        out.row("ours / best peer", [it.against_best(table, *column, measure) for column in columns])
    for floor in FLOORS:
        if floor in peers:
            out.row("ours / " + floor, [it.ratio(table, *column, measure, "ours", floor) for column in columns])


def by_peer(it, table, place, measure, title):
    """A row for each peer, a column for each case."""
    cases = it.some(2, table=table, place=place)
    out = Table(title, [short(case) for case in cases])
    for peer in it.some(3, table=table, place=place):
        out.row(peer, [it.median(table, place, case, peer, measure) for case in cases])
    against(it, out, table, measure, [(place, case) for case in cases])
    return out


def race(it):
    for place in it.some(1, table="race"):
        yield by_peer(it, "race", place, "rate", "Messages of 4 KiB a second, delivered, %s; one or many to a "
                      "connection, and how many connections" % place)
        yield by_peer(it, "race", place, "cpu", "CPU seconds for 1,000 of them, %s" % place)
        queues = [peer for peer in QUEUES if peer in it.some(3, table="race", place=place)]
        if queues:
            cases = it.some(2, table="race", place=place)
            out = Table("Replies of 250 a second by who queues first, %s" % place, [short(case) for case in cases])
            for peer in queues:
                out.row(peer, [it.median("race", place, case, peer, "replied") for case in cases])
            yield out


def one_of_each(it):
    """What is one figure for a peer and a place."""
    for table, case, measure, title in (
            ("large", "one-1", "rate", "Messages of 25 MiB a second, one connection after the other"),
            ("banner", "banner", "us", "From connect to the greeting, in microseconds"),
            ("idle", "idle", "kb", "Memory of each of 1,000 idle connections, the kernel's included, in KB")):
        places = it.some(1, table=table)
        if not places:
            continue
        out = Table(title, places)
        for peer in it.some(3, table=table):
            out.row(peer, [it.median(table, place, case, peer, measure) for place in places])
        if measure == "rate":
            against(it, out, table, measure, [(place, case) for place in places])
        yield out


GROWTH = {"connections": "connections, one message to each", "files": "files in new/, 10 connections with many messages",
          "octets": "octets of a message, one connection with many"}


def growth(it):
    for place in it.some(1, table="growth"):
        cases = it.some(2, table="growth", place=place)
        for what, title in GROWTH.items():
            mine = [case for case in cases if case.startswith(what)]
            if not mine:
                continue
            out = Table("How ours grows, %s: %s" % (place, title), [case.split("-")[1] for case in mine])
            get = [(it.median("growth", place, case, "ours", "rate"),
                    it.median("growth", place, case, "ours", "cpu")) for case in mine]
            out.row("messages a second", [rate for rate, _ in get])
            out.row("CPU ms a message", [cpu for _, cpu in get])
            if what == "octets":
                out.row("CPU ms a MiB", [cpu and cpu / int(case.split("-")[1]) * MIB
                                         for case, (_, cpu) in zip(mine, get)])
            yield out


def grown(it, place, what):
    """The CPU time of a message where it is greatest, over that of the least load; for sizes that of an
    octet, from 1 MiB up, where what a message costs as such no longer shows."""
    values = []
    for case in it.some(2, table="growth", place=place):
        kind, _, size = case.partition("-")
        cpu = it.median("growth", place, case, "ours", "cpu")
        if kind != what or cpu is None:
            continue
        if what != "octets":
            values.append(cpu)
        elif int(size) >= MIB:
            values.append(cpu / int(size))
    return max(values[1:]) / values[0] if len(values) > 1 else None


def goals(it):
    """Text, what is measured, the bar, and whether it must be at least that."""
    def best(place, case, measure):
        name = it.best("race", place, case, measure)
        return "best peer (%s)" % name, it.against_best("race", place, case, measure)

    for place, bar in (("tmpfs", 2), ("disk", 1.7)):
        whom, ratio = best(place, "many-10", "rate")
        yield "rate, many a connection, 10 connections, %s / %s" % (place, whom), ratio, 3, True
        for case in ("one-10", "one-50"):
            text = "rate, one a connection, %s connections, %s" % (case[4:], place)
            whom, ratio = best(place, case, "rate")
            yield "%s / %s" % (text, whom), ratio, bar, True
            yield "%s / floor-jailed" % text, it.ratio("race", place, case, "rate", "ours", "floor-jailed"), 0.8, True
        for case in ("one-10", "many-10"):
            whom, ratio = best(place, case, "cpu")
            yield "CPU, %s a connection, 10 connections, %s / %s" % (case[:-3], place, whom), ratio, 0.45, False
        yield ("time of 25 MiB, %s / floor-jailed" % place,
               it.ratio("large", place, "one-1", "seconds", "ours", "floor-jailed"), 1.3, False)
        for what, title in (("connections", "CPU of a message, from 1 to 500 connections"),
                            ("files", "CPU of a message, from 10 to 100,000 files in new/"),
                            ("octets", "CPU of an octet, from 1 to 25 MiB")):
            yield "%s, %s, most / first" % (title, place), grown(it, place, what), FLAT, False
    yield "KB of an idle connection", it.median("idle", "tmpfs", "idle", "ours", "kb"), 170, False


def judged(it):
    judgements, unknown = [], 0
    for text, value, bar, least in goals(it):
        if value is None:
            unknown += 1
            continue
        met = value >= bar if least else value <= bar
        judgements.append((text, [value, "%s %g" % (">=" if least else "<=", bar), "met" if met else "missed"]))
    out = Table("Goals" + (" (%d more are not measured here)" % unknown if unknown else ""), ["measured", "goal", ""])
    for judgement in judgements:
        out.row(*judgement)
    return out


def promises(it):
    """What each peer says by 250, as its script has it."""
    out = Table("What 250 means", [""], numbers=False)
    for peer in it.some(3, table="race"):
        with open(os.path.join(HERE, "peers", peer)) as file:
            out.row(peer, [next(line[7:].strip() for line in file if line.startswith("# 250: "))])
    if out.rows:
        yield out


def tables(it):
    yield from race(it)
    yield from promises(it)
    yield from one_of_each(it)
    yield from growth(it)
    if judged(it).rows:
        yield judged(it)


# Those that the picture shows, in its order.
PLOTTED = ["ours", "postfix", "opensmtpd", "exim", "exim-inetd", "floor-bare", "floor-jailed"]


def plot(it, data, out):
    """The race with 10 connections as SVG; nothing where it was not run, or there is no gnuplot."""
    peers = [peer for peer in PLOTTED if peer in it.some(3, table="race")]
    with open(data, "w") as file:
        for place in it.some(1, table="race"):
            for case, label in (("one-10", "one a connection"), ("many-10", "many a connection")):
                values = [it.median("race", place, case, peer, measure) for peer in peers for measure in ("rate", "cpu")]
                if any(value is not None for value in values):
                    print('"%s, %s"' % (label, place), *["%.6g" % (value or 0) for value in values], file=file)
    if os.path.getsize(data) == 0:
        return
    try:
        subprocess.run(["gnuplot", "-e", "data='%s'; peers='%s'; out='%s'" % (data, " ".join(peers), out),
                        os.path.join(HERE, "plot.gp")], check=True)
    except FileNotFoundError:
        print("there is no gnuplot, and so no picture", file=sys.stderr)


def show(directory, head):
    """Of DIRECTORY/bench/figures: print the tables below a line that says when, where and how, and write
    them as Markdown to bench.md, and the picture to bench/race.svg."""
    with open(directory + "/bench/figures") as file:
        it = Figures(file)
    print(head)
    with open(directory + "/bench.md", "w") as out:
        out.write(head + "\n")
        for table in tables(it):
            print("\n" + table.plain(), end="")
            out.write("\n" + table.markdown())
    plot(it, directory + "/bench/plot", directory + "/bench/race.svg")
