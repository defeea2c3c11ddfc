"""durability_order.py TRACE DIR -- what strace -f -y saw of a delivery, one step a line.

A step of deliver stands where the call has ended, a reply to the client where its write begins; so
whatever stands before a reply had happened by then.  DIR is cut off the paths, the name of a file
in a Maildir is FILE, a step that is repeated at once stands once.
"""
import re
import sys

CALL = re.compile(r"(\d+) +(\w+)\((.*)")
RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)")
AT = re.compile(r"\d+<([^>]*)>")


def step(name, text, top):
    """What a call that has ended did below `top`, or None."""
    paths = [path for path in AT.findall(text) if path.startswith(top)]
    if not paths or not text.rstrip().split(" = ")[-1].isdigit():
        return None
    if name == "linkat":
        return f"link {paths[1]}/FILE".replace(top, "")
    if name in ("write", "fsync", "syncfs"):
        path = re.sub(r"/(tmp|new)/[^/]+$", r"/\1/FILE", paths[0])
        return f"{'sync' if name == 'fsync' else name} {path}".replace(top, "")
    return None


def main():
    top = sys.argv[2].rstrip("/") + "/"
    begun, steps = {}, []
    with open(sys.argv[1], encoding="latin-1") as trace:
        for line in trace:
            found = None
            if match := CALL.match(line):
                pid, name, text = match.groups()
                reply = re.match(r'1<[^>]*>, "(250 2\.0\.0 [^ ]* delivered|4\d\d)', text)
                if name == "write" and reply:
                    found = f"reply {reply[1][:3]}"
                elif "<unfinished ...>" in text:
                    begun[pid] = text
                else:
                    found = step(name, text, top)
            elif match := RESUMED.match(line):
                pid, name, text = match.groups()
                found = step(name, begun.pop(pid, "") + text, top)
            if found and (not steps or steps[-1] != found):
                steps.append(found)
    print("\n".join(steps))


main()
