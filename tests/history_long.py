"""history_long.py PROGRAM ... -- say lines of mebibytes to the program; print its replies, and by how much
its session's memory has grown at its most.
"""
import subprocess, sys, time

p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

def peak():
    child = open(f"/proc/{p.pid}/task/{p.pid}/children").read().split()[0]
    status = open(f"/proc/{child}/status").read()
    return int(status.split("VmHWM:")[1].split()[0])

def line(octets):
    p.stdin.write(octets + b"\r\n")
    p.stdin.flush()
    return p.stdout.readline()

p.stdout.readline()
replies = [line(b"NOOP " + b"x" * 200000)]
before = peak()
replies += [line(b"x" * (1 << 20)), line(b"NOOP " + b"x" * (1 << 23)), line(b"NOOP")]
print("grown", peak() - before, "kB")
replies += [line(b"QUIT")]
p.wait()
for reply in replies:
    print(reply.decode().rstrip())
