#!/usr/bin/env python3
"""Faults at random moments of a play over three hosts.

    faults.py --binary RPLAY [--count 500] [--seed N] [--work DIR]

Each host is an sshd of its own with a directory of its own. A round runs a play that copies, edits, unpacks and runs
commands, and at a random moment something dies: the controller, an agent, an sshd session, an ssh master; or it is
frozen for a while, or interrupted; or a link says nothing for longer than the agent waits; or, as root, the disk of a
host or the controller's directory for temporary files is full. Then, for every round:

- no file is half-written: each one is absent, as it was, or as it is to be (but for members of archives, which the
  host's own tar writes);
- nothing is left behind: no process of ours, no temporary file beside a destination or with the controller;
- the controller ends in bounded time and prints no panic;
- the next run completes, and the one after it changes nothing.

Prints a line for each loss, then a table; the exit code is 1 if anything was lost.
"""

import argparse
import collections
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sshd"))
import own_sshd  # noqa: E402 - its directory is in the path only now

HOSTS = 3
# Seconds that a host has to notice that its controller is gone, and to clean up.
SETTLE = 15
# Seconds after which a run counts as hanging.
PATIENCE = 90
# `link_timeout` of a run whose link is cut, and seconds after which its agent must have ended: half as many more, and
# some for a busy machine.
LINK_TIMEOUT = 2
SILENCE = 9
# What a host's disk and the controller's directory hold, where they can be mounted.
DISK = "64m"

SSHD_CONFIG = """\
MaxStartups 200
SetEnv HOME={home} XDG_CACHE_HOME={home}/.cache
"""

PLAY = """\
- hosts: all
  gather_facts: false
  vars:
    names: "{{ range(12) | map('regex_replace', '^', 'f') | list }}"
  tasks:
    - name: directory
      file: {path: "{{ directory }}/d", state: directory, mode: "0750"}
    - name: large files
      copy: {src: "{{ item }}", dest: "{{ directory }}/{{ item }}", mode: "0640"}
      loop: [large1, large2]
    - name: templates
      template: {src: t.j2, dest: "{{ directory }}/d/{{ item }}", backup: false}
      loop: "{{ names }}"
    - name: a command with children
      shell: sleep 0.2 & sleep 0.2; wait; echo done > {{ directory }}/ran.tmp && mv {{ directory }}/ran.tmp {{ directory }}/ran
      args: {creates: "{{ directory }}/ran"}
    - name: lines
      lineinfile: {path: "{{ directory }}/lines", line: "line {{ item }}", create: true}
      loop: [1, 2, 3, 4, 5]
    - name: block
      blockinfile: {path: "{{ directory }}/lines", block: "in the\\nblock"}
    - name: archive
      unarchive: {src: a.tar.gz, dest: "{{ directory }}/d"}
      notify: told
    - name: content
      copy: {content: "{{ 'x' * 300000 }}", dest: "{{ directory }}/content"}
  handlers:
    - name: told
      copy: {content: "told", dest: "{{ directory }}/told"}
"""


class Disk:
    """A directory that can be full, if this user may mount one."""

    def __init__(self, path: Path):
        path.mkdir(parents=True)
        self.path = path
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", path]
        self.mounted = os.geteuid() == 0 and subprocess.run(mount, stderr=subprocess.DEVNULL).returncode == 0
        self.filler = path / "filler"

    def fill(self):
        with open(self.filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass

    def clear(self):
        self.filler.unlink(missing_ok=True)

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path])


class Host:
    def __init__(self, work: Path, number: int, port: int):
        self.name = f"host{number}"
        self.port = port
        self.home = work / self.name
        self.disk = Disk(self.home / "disk")
        self.directory = self.disk.path / "files"
        self.directory.mkdir()
        config = work / f"{self.name}.sshd"
        config.write_text(own_sshd.configuration(work, "127.0.0.1", port, SSHD_CONFIG.format(home=self.home)))
        self.config = config
        self.sshd = None

    def start(self):
        self.sshd = subprocess.Popen(
            own_sshd.command(self.config),
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )

    def agents(self):
        return [pid for pid, line in processes() if "agent" in line[1:] and self.owns(pid)]

    def sessions(self):
        return [pid for pid, line in children_of(self.sshd.pid)]

    def owns(self, pid):
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return f"HOME={self.home}\0".encode() in environ + b"\0"

    def everything(self):
        """Every process that the host runs for us."""
        return [(pid, line) for pid, line in processes() if self.owns(pid)]


def processes():
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                line = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")[:-1]
            except OSError:
                continue
            yield int(entry), [word.decode(errors="replace") for word in line]


def children_of(parent):
    for pid, line in processes():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == parent:
            yield pid, line


def kill(pid, how):
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass


class Attack:
    def __init__(self, options, work: Path):
        self.options = options
        self.work = work
        self.random = random.Random(options.seed)
        public = own_sshd.make_keys(work)
        base = self.random.randrange(20000, 30000)
        self.hosts = [Host(work, n, base + n) for n in range(HOSTS)]
        (work / "known_hosts").write_text("".join(f"[127.0.0.1]:{host.port} {public}\n" for host in self.hosts))
        self.play = work / "play"
        self.play.mkdir()
        (self.play / "play.yml").write_text(PLAY)
        (self.play / "t.j2").write_text("{{ item }} of {{ inventory_hostname }}\n" * 40)
        for name in ("large1", "large2"):
            (self.play / name).write_bytes(self.random.randbytes(4 << 20))
        tree = self.play / "tree"
        tree.mkdir()
        for n in range(20):
            (tree / f"a{n}").write_bytes(self.random.randbytes(40_000))
        names = sorted(path.name for path in tree.iterdir())
        subprocess.run(["tar", "-czf", self.play / "a.tar.gz", "-C", tree, *names], check=True)
        common = f"-o UserKnownHostsFile={work}/known_hosts -o IdentityFile={work}/user_key -o IdentitiesOnly=yes"
        lines = [
            f"{host.name} ansible_host=127.0.0.1 ansible_port={host.port} directory={host.directory}" for host in self.hosts
        ]
        (self.play / "hosts").write_text(
            "\n".join(lines) + f"\n[all:vars]\nansible_user=root\nansible_ssh_common_args='{common}'\n"
        )
        self.disk = Disk(work / "controller")
        self.home = self.disk.path
        self.lost = []
        self.table = collections.Counter()

    def start(self, **more):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "NO_COLOR": "1",
            **more,
        }
        return subprocess.Popen(
            [self.options.binary, "-i", "hosts", "play.yml"],
            cwd=self.play,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def end(self, process):
        try:
            output, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            return "hangs", output.decode(errors="replace")
        return process.returncode, output.decode(errors="replace")

    def contents(self, host):
        """What is in the directory of a host: digests by path."""
        found = {}
        for path in sorted(host.directory.rglob("*")):
            if path.is_file():
                found[str(path.relative_to(host.directory))] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def reset(self):
        for host in self.hosts:
            shutil.rmtree(host.directory)
            host.directory.mkdir()

    # The faults: each a function that does it, and what it may leave of the run.
    def faults(self):
        host = self.random.choice(self.hosts)

        def each(pids, how):
            for pid in pids:
                kill(pid, how)

        def freeze(pids):
            each(pids, signal.SIGSTOP)
            time.sleep(self.random.uniform(0.1, 1.0))
            each(pids, signal.SIGCONT)

        def masters():
            return [pid for pid, line in processes() if "ssh" in line[:1] and str(self.work) in " ".join(line)]

        def cut(run):
            """The agent ends although nobody tells it that its controller is out of reach."""
            sessions = host.sessions()
            each(sessions, signal.SIGSTOP)
            until = time.monotonic() + SILENCE
            while host.agents() and time.monotonic() < until:
                time.sleep(0.05)
            if host.agents() and run.poll() is None:
                self.lose("an agent without a link goes on", "link cut")
            each(sessions, signal.SIGCONT)

        faults = {
            "controller killed": lambda run: kill(run.pid, signal.SIGKILL),
            "controller interrupted": lambda run: kill(run.pid, signal.SIGINT),
            "controller terminated": lambda run: kill(run.pid, signal.SIGTERM),
            "controller hung up": lambda run: kill(run.pid, signal.SIGHUP),
            "controller frozen": lambda run: freeze([run.pid]),
            "agent killed": lambda run: each(host.agents(), signal.SIGKILL),
            "agent terminated": lambda run: each(host.agents(), signal.SIGTERM),
            "agent frozen": lambda run: freeze(host.agents()),
            "session killed": lambda run: each(host.sessions(), signal.SIGKILL),
            "ssh master killed": lambda run: each(masters(), signal.SIGKILL),
            "all processes of a host killed": lambda run: each([pid for pid, _ in host.everything()], signal.SIGKILL),
            "link cut": cut,
        }
        if host.disk.mounted and self.disk.mounted:
            faults["disk of a host full"] = lambda run: host.disk.fill()
            faults["disk of the controller full"] = lambda run: self.disk.fill()
        return faults

    def lose(self, what, fault, detail=""):
        self.lost.append((self.round, what))
        print(f"lost: {what} after {fault} (round {self.round}, seed {self.options.seed}) {detail}", flush=True)

    def settle(self):
        """Waits until no process of ours is left on a host but sshd's own."""
        until = time.monotonic() + SETTLE
        while True:
            left = [(pid, line) for host in self.hosts for pid, line in host.everything() if "sshd" not in line[0]]
            if not left or time.monotonic() > until:
                return left
            time.sleep(0.05)

    def expected(self):
        self.reset()
        begun = time.monotonic()
        code, output = self.end(self.start())
        if code != 0:
            sys.exit(f"the play does not work without a fault: {code}\n{output}")
        self.duration = time.monotonic() - begun
        self.own = set(os.listdir(self.home))
        return {host.name: self.contents(host) for host in self.hosts}

    def one(self, number, wanted):
        self.round = number
        self.reset()
        # Some rounds change what is there already.
        before = {host.name: {} for host in self.hosts}
        if number % 2:
            for host in self.hosts:
                (host.directory / "d").mkdir()
                (host.directory / "lines").write_text("before\nline 1\n")
                (host.directory / "large1").write_text("old")
                (host.directory / "d" / "f3").write_text("old")
            before = {host.name: self.contents(host) for host in self.hosts}
        fault, act = self.random.choice(sorted(self.faults().items()))
        run = self.start(**({"RPLAY_LINK_TIMEOUT": str(LINK_TIMEOUT)} if fault == "link cut" else {}))
        time.sleep(self.random.uniform(0, self.duration * 1.1))
        act(run)
        code, output = self.end(run)
        for disk in (self.disk, *(host.disk for host in self.hosts)):
            disk.clear()
        if code == "hangs":
            self.lose("the run hangs", fault, output[-500:])
        if "panicked" in output or code in (101, 134, -6, -11):
            self.lose("a panic", fault, output[-2000:])
        for pid, line in self.settle():
            self.lose("an orphan", fault, " ".join(line)[:200])
            kill(pid, signal.SIGKILL)
        for name in set(os.listdir(self.home)) - self.own:
            if fault != "controller killed":
                self.lose("a temporary file of the controller", fault, name)
            self.own.add(name)
        for host in self.hosts:
            for path, digest in self.contents(host).items():
                if ".rplay-" in path or path.endswith(".tmp") and path != "ran.tmp":
                    # Whoever is killed cannot clean up; the next agent does, after a day.
                    if "killed" not in fault:
                        self.lose("a temporary file", fault, f"{host.name}:{path}")
                    continue
                fine = {wanted[host.name].get(path), before[host.name].get(path)}
                # The host's own tar writes members in place; the next run compares and unpacks again.
                unpacked = path.startswith("d/a")
                if digest not in fine and path not in ("lines", "ran.tmp") and not unpacked:
                    self.lose("a half-written file", fault, f"{host.name}:{path}")
                if path == "lines" and not (host.directory / path).read_bytes().endswith(b"\n"):
                    self.lose("a half-written file", fault, f"{host.name}:{path}")
        code, output = self.end(self.start())
        if code != 0:
            self.lose("the next run", fault, f"{code} {output[-1500:]}")
        for host in self.hosts:
            got = {path: digest for path, digest in self.contents(host).items() if ".rplay-" not in path}
            want = dict(wanted[host.name])
            # A handler that was notified before the end is not notified again, as in Ansible.
            got.pop("told", None), want.pop("told", None)
            if number % 2:
                got.pop("lines", None), want.pop("lines", None)
            if got != want:
                self.lose("the end state", fault, f"{host.name}: {sorted(set(got.items()) ^ set(want.items()))[:3]}")
        if number % 5 == 0:
            code, output = self.end(self.start())
            if code != 0 or any(f"changed={n}" in output for n in range(1, 40)):
                self.lose("a second run changes something", fault, output[-800:])
        self.table[fault] += 1

    def run(self):
        for host in self.hosts:
            host.start()
        time.sleep(0.5)
        try:
            wanted = self.expected()
            for number in range(self.options.count):
                self.one(number, wanted)
        except KeyboardInterrupt:
            print(f"interrupted in round {self.round}", flush=True)
        finally:
            for host in self.hosts:
                host.sshd.terminate()
                host.sshd.wait()
                for pid, _ in host.everything():
                    kill(pid, signal.SIGKILL)
            for pid, line in processes():
                if line and line[0].startswith("ssh") and str(self.work) in " ".join(line):
                    kill(pid, signal.SIGTERM)
            for disk in (self.disk, *(host.disk for host in self.hosts)):
                disk.unmount()
        print(f"\n{'fault':<34}{'tried':>7}")
        for fault, count in sorted(self.table.items()):
            print(f"{fault:<34}{count:>7}")
        for what, count in collections.Counter(what for _, what in self.lost).items():
            print(f"  lost: {what:<26}{count:>7}")
        tried, lost = self.table.total(), len({number for number, _ in self.lost})
        print(f"{'':<6}{'tried':>10} {'survived':>10} {'lost':>6}")
        print(f"{'all':<6}{tried:>10} {tried - lost:>10} {lost:>6}")
        return 1 if self.lost else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=os.path.abspath)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {options.seed}", flush=True)
    # Either way sshds end, disks are unmounted, and the table is shown.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="rplay-attack-", dir="/var/tmp") as work:
        os.chmod(work, 0o755)
        return Attack(options, Path(work)).run()


if __name__ == "__main__":
    sys.exit(main())
