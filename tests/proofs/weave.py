"""weave.py CONTRACTS HEADER SOURCE DIR -- copy header and source to DIR with their contracts put in.

CONTRACTS has a block for each function: "NAME:", then, indented, what it requires and ensures; behind
it "loop N:" for each of its loops, counted from 1 as they stand in the text, and "at BEGIN:" for a line
that begins so.  "preamble:" goes before the first contract in the header.  All of it is ACSL, a comment
to every compiler: what is proved is what is built.
The contract of a function that is in the header goes there, where its callers' proofs find it.  A block
without its place, and a loop without its block, are errors.
"""
import os
import re
import sys

HEAD = re.compile(r"(?:(\w+)|loop (\d+)|at (.*)):\n")
PROTOTYPE = re.compile(r"[a-z][\w ]*?\W(\w+)\(")
DEFINITION = re.compile(r"(\w+)\((?!.*;)")
LOOP = re.compile(r"\t+(for|while|do)\b(?!.*\);$)")  # not the end of a do


def read(path):
    blocks, function = {}, None
    with open(path) as lines:
        for line in lines:
            head = HEAD.fullmatch(line)
            if head:
                function = head[1] or function
                key = (function, head[3] or int(head[2] or 0))
                if key in blocks:
                    sys.exit(f"{path}: {key} twice")
                blocks[key] = []
            elif line.strip():
                blocks[key].append(line)
    return blocks


def acsl(block):
    return ["/*@\n", *block, "*/\n"]


def header(lines, blocks):
    for line in lines:
        found = PROTOTYPE.match(line)
        if found and (found[1], 0) in blocks:
            if ("preamble", 0) in blocks:
                yield from acsl(blocks.pop(("preamble", 0)))
            yield from acsl(blocks.pop((found[1], 0)))
        yield line


def source(path, lines, blocks):
    function, loops = None, 0
    for i, line in enumerate(lines):
        begin = i + 1 < len(lines) and DEFINITION.match(lines[i + 1])
        if begin:
            function, loops = begin[1], 0
            if (function, 0) in blocks:
                yield from acsl(blocks.pop((function, 0)))
        elif function and LOOP.match(line):
            loops += 1
            if (function, loops) not in blocks:
                sys.exit(f"{path}:{i + 1}: loop {loops} of {function} has no invariant")
            yield from acsl(blocks.pop((function, loops)))
        for key in [k for k in blocks if k[0] == function and isinstance(k[1], str)]:
            if line.strip().startswith(key[1]):
                yield from acsl(blocks.pop(key))
        yield line


contracts, *paths, to = sys.argv[1:]
blocks = read(contracts)
for path in paths:
    with open(path) as text:
        lines = text.readlines()
    woven = header(lines, blocks) if path.endswith(".h") else source(path, lines, blocks)
    with open(os.path.join(to, os.path.basename(path)), "w") as out:
        out.writelines(list(woven))
if blocks:
    sys.exit(f"{contracts}: no such place: {sorted(blocks, key=str)}")
