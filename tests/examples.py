"""The examples of manual pages, as files.

examples.py DIR PAGE ...

Each literal block of each PAGE, and each line of its own that has a mark, becomes a directory
DIR/PAGE-NNN with the files block (as a reader sees it), marks (the comments right before it), mark (the
first of them), see (what stands behind "see " in them) and section (its title)."""
import os
import re
import sys

directory, *pages = sys.argv[1:]
PART = re.compile(r'^\.S[hs] "?(?P<title>[^"\n]*)"?$'
                  r'|(?P<marks>(?:^\.\\" [^\n]*\n)*)^\.Bd [^\n]*\n(?P<block>.*?)^\.Ed'
                  r'|(?P<marks1>(?:^\.\\" [^\n]*\n)+)^\.Dl (?P<line>[^\n]*\n)', re.M | re.S)


def shown(source):
    for escaped, character in ((r"\(dq", '"'), (r"\e", "\\"), (r"\&", ""), (r"\-", "-")):
        source = source.replace(escaped, character)
    return source


for page in pages:
    section, count = "", 0
    with open(page) as f:
        text = f.read()
    for part in PART.finditer(text):
        if part["title"] is not None:
            section = shown(part["title"])
            continue
        count += 1
        where = f"{directory}/{os.path.basename(page)}-{count:03}"
        os.mkdir(where)
        marks = [line[4:] for line in (part["marks"] or part["marks1"] or "").splitlines()]
        for name, content in (
                ("block", shown(part["block"] or part["line"])),
                ("marks", "".join(mark + "\n" for mark in marks)),
                ("mark", (marks or ["none"])[0] + "\n"),
                ("see", "".join(mark[4:] + "\n" for mark in marks if mark.startswith("see "))),
                ("section", section + "\n")):
            with open(f"{where}/{name}", "w") as f:
                f.write(content)
