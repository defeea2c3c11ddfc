"""deliver_read.py MBOX DIR -- read an mbox as mboxrd has it, each message into the files DIR/1 ...

A strict reader: the file begins with a postmark, each postmark but the first follows an empty line,
the file ends with an empty line; anything else is an error.
"""
import re
import sys

POSTMARK = re.compile(
    rb"From \S+ (Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    rb" [ 123]\d \d\d:\d\d:\d\d \d{4}\n")
QUOTED = re.compile(rb">+From ")


def main():
    with open(sys.argv[1], "rb") as file:
        lines = file.read().split(b"\n")
    if lines.pop() != b"":
        sys.exit("the last line does not end")
    messages = []
    empty = True
    for line in lines:
        if line.startswith(b"From "):
            if not POSTMARK.fullmatch(line + b"\n"):
                sys.exit(f"not a postmark: {line[:100]!r}")
            if not empty:
                sys.exit(f"no empty line before {line[:100]!r}")
            messages.append([])
        elif not messages:
            sys.exit("does not begin with a postmark")
        else:
            messages[-1].append(line[1:] if QUOTED.match(line) else line)
        empty = line == b""
    for number, message in enumerate(messages, 1):
        if message.pop() != b"":
            sys.exit(f"message {number} does not end in an empty line")
        with open(f"{sys.argv[2]}/{number}", "wb") as out:
            out.write(b"".join(line + b"\n" for line in message))


main()
