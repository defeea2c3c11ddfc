"""history_race.py DIR VICTIM PLACE -- change what DIR/box and DIR/Maildir/new are, until DIR/stop is there.

Each is by turns itself, nothing, and a link to what is another's: VICTIM, a file that everybody may write, and
PLACE, a directory.  DIR/box is VICTIM's second name, too, and a FIFO.
"""
import os
import random
import sys

directory, victim, place = sys.argv[1:]
box, new = os.path.join(directory, "box"), os.path.join(directory, "Maildir", "new")


def own():
    os.close(os.open("next", os.O_WRONLY | os.O_CREAT, 0o600))


FILES = (own, lambda: os.symlink(victim, "next"), lambda: os.link(victim, "next"), lambda: os.mkfifo("next"))


def change_file():
    random.choice(FILES)()
    os.rename("next", box)
    if os.path.lexists("next"):  # both were names of one file
        os.unlink("next")
    if random.random() < 0.2:
        os.unlink(box)


def change_directory():
    os.rename(new, "kept")
    if random.random() < 0.8:
        os.symlink(place, new)
        os.unlink(new)
    os.rename("kept", new)


os.chdir(directory)
turns = 0
while not os.path.exists("stop"):
    change_file()
    change_directory()
    turns += 1
print(turns)
