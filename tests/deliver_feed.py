"""deliver_feed.py MESSAGE CUTS CMD ... -- run CMD with the message as its standard input, in pieces.

Standard input is a packet socket: each read of the program gets one piece, however fast it is.
CUTS is "octets" (one run, a piece for each octet), "each" (a run for each place where the message
can be cut in two), or "A-B" (the same, for the places A to B).  Prints the number of runs for each
exit status, as "STATUS: N".
"""
import collections
import socket
import subprocess
import sys


def run(pieces, command):
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = subprocess.Popen(command, stdin=its, stderr=subprocess.DEVNULL)
    its.close()
    try:
        for piece in pieces:
            ours.send(piece)
    except OSError:
        pass  # it has ended; its status tells
    ours.close()
    return child.wait()


def main():
    with open(sys.argv[1], "rb") as file:
        message = file.read()
    cuts, command = sys.argv[2], sys.argv[3:]
    if cuts == "octets":
        ways = [[message[i:i + 1] for i in range(len(message))]]
    else:
        first, last = (1, len(message) - 1) if cuts == "each" else map(int, cuts.split("-"))
        most = 65536
        ways = []
        for at in range(first, last + 1):
            begin = [message[i:min(i + most, at)] for i in range(0, at, most)]
            end = [message[i:i + most] for i in range(at, len(message), most)]
            ways.append(begin + end)
    count = collections.Counter(run(pieces, command) for pieces in ways)
    for status in sorted(count):
        print(f"{status}: {count[status]}")


main()
