"""deliver_read.py MBOX DIR -- read an mbox as mboxrd has it, each message into the files DIR/1 ...

A strict reader: the file begins with a postmark, each postmark but the first follows an empty line,
the file ends with an empty line; anything else is an error.
"""
import re
import sys

POSTMARK = re.compile(
    rb"From \S+ (Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    rb" [ 123]\d \d\d:\d\d:\d\d \d{4}\n")
BEGIN = re.compile(rb"^From ", re.MULTILINE)
QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)


def messages(mbox):
    """The messages of an mbox, its octets.  Raises ValueError."""
    begins = [match.start() for match in BEGIN.finditer(mbox)]
    if mbox and begins[:1] != [0]:
        raise ValueError("does not begin with a postmark")
    for number, (begin, end) in enumerate(zip(begins, begins[1:] + [len(mbox)]), 1):
        postmark = POSTMARK.match(mbox, begin)
        if postmark is None:
            raise ValueError(f"not a postmark: {mbox[begin:begin + 100]!r}")
        message = mbox[postmark.end():end]
        if message != b"\n" and not message.endswith(b"\n\n"):
            raise ValueError(f"message {number} does not end in an empty line")
        yield QUOTED.sub(rb"\1", message[:-1])


def main():
    with open(sys.argv[1], "rb") as file:
        mbox = file.read()
    try:
        for number, message in enumerate(messages(mbox), 1):
            with open(f"{sys.argv[2]}/{number}", "wb") as out:
                out.write(message)
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
