"""The table of tests/coverage.

coverage_table.py EXPLANATIONS JUDGED ... <LCOV

LCOV is what llvm-cov says of every program, one after the other; JUDGED are the files of which each line
is to be reached or explained.  The form of EXPLANATIONS stands in that file.  The exit status is 1 if a
line is neither, or what is explained is not there."""
import os.path
import re
import sys
from collections import Counter

explanations, *judged = sys.argv[1:]
DIRECTORIES = ("smtp-stdio", "deliver", "sandbox")


def read_counts(lcov):
    """{file: {line: how often}}, of all programs together."""
    counts, lines = {}, None
    for text in lcov:
        if text.startswith("SF:"):
            *_, directory, name = os.path.normpath(text[3:].strip()).split("/")
            lines = counts.setdefault(f"{directory}/{name}", {}) if directory in DIRECTORIES else {}
        elif text.startswith("DA:"):
            line, count = map(int, text[3:].split(",")[:2])
            lines[line] = lines.get(line, 0) + count
    return {file: lines for file, lines in counts.items() if lines}


def read_source(file):
    """(function, text) of each line, from 1."""
    source, function, inside = [("", "")], "", False
    for text in open(file):
        begin = re.match(r"(\w+)\(", text)
        function = begin[1] if begin else function
        inside = inside or text.startswith("{")
        source.append((function if inside else "", text.strip()))
        inside = inside and not text.startswith("}")
    return source


def read_explanations(path):
    """{(file, function, text): where it stands}."""
    explained, place = {}, None
    for number, text in enumerate(open(path), 1):
        if text[0] == "\t":
            explained[(*place, text.strip())] = f"{path}:{number}"
        elif text[0] not in "#\n":
            place = text.split(":")[0].split()
    return explained


def main():
    counts, explained = read_counts(sys.stdin), read_explanations(explanations)
    table, wrong, there, used = {}, [], set(), set()
    for file in sorted(counts):
        source, numbers = read_source(file), Counter()
        there.update((file, *line) for line in source)
        for line, count in sorted(counts[file].items()):
            key = (file, *source[line])
            kind = "reached" if count else "explained" if key in explained else "neither"
            numbers.update(("lines", kind))
            if kind == "explained":
                used.add(key)
            if kind == "neither" and file in judged:
                wrong.append(f"{file}:{line}: {source[line][0]}: {source[line][1]}")
        for row in [file, "all of these"] if file in judged else [f"others in {file.split('/')[0]}/"]:
            table.setdefault(row, Counter()).update(numbers)
    wrong += [f"{file}: no program has it" for file in judged if file not in counts]
    wrong += [f"{where}: is not there" for key, where in explained.items() if key not in there]
    columns = ("lines", "reached", "explained", "neither")
    print(f"{'':28}", *(f"{column:>10}" for column in columns))
    for row in sorted(table, key=lambda row: (row == "all of these", "others" in row, row)):
        print(f"{row:28}", *(f"{table[row][column]:10}" for column in columns))
    for key, where in explained.items():
        if key in there - used:
            print(f"note: {where}: was reached")
    print("".join(text + "\n" for text in wrong), end="")
    sys.exit(1 if wrong else 0)


main()
