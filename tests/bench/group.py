"""Control groups: what a server and all that it starts use of processor and memory, the kernel's share
included.

Every group lies below the one that this process is in, so that no server leaves the limits that it is
under.  Both versions are known; where the needed controllers are in neither, there is nothing to measure
by, and the figures are None."""
import os


def hierarchies():
    """Controller: directory of the present group.  "" is version 2."""
    mounts = {}
    with open("/proc/mounts") as file:
        for line in file:
            _, top, kind, options = line.split()[:4]
            if kind == "cgroup2":
                mounts.setdefault("", top)
            elif kind == "cgroup":
                for name in options.split(","):
                    mounts.setdefault(name, top)
    found = {}
    with open("/proc/self/cgroup") as file:
        for line in file:
            _, names, path = line.rstrip("\n").split(":", 2)
            for name in names.split(","):
                if name in mounts:
                    found[name] = mounts[name] + path.rstrip("/")
    return found


class Group:
    def __init__(self, name):
        self.parts = {}
        there = hierarchies()
        # Version 2 only where nothing is in version 1: systemd makes there what it finds here.
        first = [controller for controller in ("cpuacct", "memory") if controller in there]
        for controller in first or [""]:
            part = os.path.join(there.get(controller, "/nowhere"), name)
            try:
                os.mkdir(part)
                self.parts[controller] = part
            except OSError:
                pass

    def enter(self):
        """To be called by a new process, which with all its children is then in it."""
        for part in self.parts.values():
            with open(part + "/cgroup.procs", "w") as file:
                file.write("0")

    def _read(self, controller, name):
        try:
            with open("%s/%s" % (self.parts[controller], name)) as file:
                return file.read()
        except (KeyError, OSError):
            return None

    def cpu(self):
        """Seconds of a processor so far."""
        text = self._read("cpuacct", "cpuacct.usage")
        if text is not None:
            return int(text) / 1e9
        text = self._read("", "cpu.stat")
        return text and int(text.split()[1]) / 1e6

    def memory(self):
        """Octets at present."""
        text = self._read("memory", "memory.usage_in_bytes") or self._read("", "memory.current")
        return text and int(text)

    def processes(self):
        """Of it and of the groups that somebody made below it."""
        found = set()
        for part in self.parts.values():
            for directory, _, _ in os.walk(part):
                try:
                    with open(directory + "/cgroup.procs") as file:
                        found.update(int(pid) for pid in file.read().split())
                except OSError:  # it has just been removed
                    pass
        return found

    def remove(self):
        for part in self.parts.values():
            for directory, _, _ in os.walk(part, topdown=False):
                os.rmdir(directory)
