"""Running a command, and what it cost: wall time, CPU on both sides, memory."""

import ctypes
import os
import resource
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
# sshd takes leave of a client a little later than the client of it.
SETTLE = 0.15


def group(name):
    """All processes of one side: a cgroup where we can make one, else those that descend from one of ours."""
    for base in (Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup/cpu,cpuacct"), Path("/sys/fs/cgroup")):
        usable = (base / "cgroup.procs").exists() and any((base / f).exists() for f in ("cpuacct.usage", "cpu.stat"))
        try:
            if usable:
                return Cgroup(base / f"rplay-bench-{os.getpid()}-{name}")
        except OSError:
            pass
    return Tree()


class Cgroup:
    how = "cgroup"

    def __init__(self, directory):
        directory.mkdir()
        self.directory = directory
        self.enter_at = str(directory / "cgroup.procs")

    def enter(self):
        """In the child, before it becomes the command."""
        with open(self.enter_at, "w") as procs:
            procs.write("0")

    def cpu(self):
        usage = self.directory / "cpuacct.usage"
        if usage.exists():
            return int(usage.read_text()) / 1e9
        return int((self.directory / "cpu.stat").read_text().split()[1]) / 1e6

    def pids(self):
        return [int(pid) for pid in (self.directory / "cgroup.procs").read_text().split()]

    def remove(self):
        for _ in range(50):
            try:
                return self.directory.rmdir()
            except OSError:
                time.sleep(0.1)


class Tree:
    """Without cgroups: all that descends from one child of ours. Daemons come back to us as their reaper."""

    how = "process tree"

    def __init__(self):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.ended = 0.0
        self.besides = set()

    def enter(self):
        pass

    def pids(self):
        children = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                children.setdefault(stat(entry)[1], []).append(int(entry))
            except OSError:
                pass
        found, todo = [], [getattr(self, "root", None) or os.getpid()]
        while todo:
            for child in children.get(todo.pop(), ()):
                if child not in self.besides:
                    found.append(child)
                    todo.append(child)
        return found

    def cpu(self):
        if not getattr(self, "root", None):
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            return used.ru_utime + used.ru_stime
        ticks = 0
        for pid in [self.root, *self.pids()]:
            try:
                ticks += sum(stat(pid)[11:15])
            except OSError:
                pass
        return ticks / os.sysconf("SC_CLK_TCK")

    def remove(self):
        pass


def stat(pid):
    """/proc/PID/stat after the name, numbered as there less three: 1 parent, 11-14 CPU of it and its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [0] + [int(field) for field in fields[1:]]


@dataclass
class Cost:
    code: int
    wall: float
    controller: float
    target: float
    # Bytes at the peak, if looked at.
    own: int = 0
    ssh: int = 0
    hosts: int = 0

    @property
    def cpu(self):
        return self.controller + self.target


class Sides:
    """The two sides of every run."""

    def __init__(self):
        self.controller, self.target = group("controller"), group("target")

    def run(self, argv, env, directory, out, look=False, timeout=7200):
        """`look` samples memory, which costs time of its own."""
        before = self.controller.cpu(), self.target.cpu()
        done = threading.Event()
        peaks = [0, 0, 0]
        with open(out, "wb") as output:
            begun = time.monotonic()
            process = subprocess.Popen(
                [str(word) for word in argv],
                cwd=directory,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=self.controller.enter,
            )
            if look:
                sampler = threading.Thread(target=self.sample, args=(done, peaks))
                sampler.start()
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            wall = time.monotonic() - begun
        done.set()
        if look:
            sampler.join()
        time.sleep(SETTLE)
        if self.controller.how != "cgroup":
            self.end_controllers()
        return Cost(code, wall, self.controller.cpu() - before[0], self.target.cpu() - before[1], *peaks)

    def sample(self, done, peaks):
        while not done.is_set():
            begun = time.monotonic()
            own = ssh = agents = 0
            for pid in self.controller.pids():
                name, size = pss(pid)
                if name == "ssh":
                    ssh += size
                elif name == "exe":
                    # rplay's agents for local connections are hosts.
                    agents += size
                else:
                    own += size
            hosts = agents + sum(pss(pid)[1] for pid in self.target.pids())
            for i, now in enumerate((own, ssh, hosts)):
                peaks[i] = max(peaks[i], now)
            # Looking takes no more than a third of the time.
            done.wait(max(0.003, 2 * (time.monotonic() - begun)))

    def end_controllers(self):
        """Ends what runs left behind: ssh's masters."""
        for _ in range(200):
            pids = self.controller.pids()
            if not pids:
                return
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGTERM)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
            if self.controller.how != "cgroup":
                for pid in pids:
                    try:
                        os.waitpid(pid, os.WNOHANG)
                    except ChildProcessError:
                        pass
        raise SystemExit(f"processes of a run do not end: {self.controller.pids()}")

    def wait_for_hosts(self, sshd):
        """Until sshd has parted from everybody."""
        for _ in range(200):
            if len([pid for pid in self.target.pids() if pid != sshd]) == 0:
                return
            time.sleep(0.02)

    def remove(self):
        self.controller.remove()
        self.target.remove()


def pss(pid):
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return name, int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return "", 0
