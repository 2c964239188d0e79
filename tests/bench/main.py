"""Measures cases in rounds: in each, every tool does the work once, and the work is looked at."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import growth
import report
from cases import CASES, REMOTE, all_cases
from measure import Sides
from target import Target
from tools import ALL
from works import NotDone

# A tool that has taken so long in a round has no part in the next.
SLOW = 20.0
# Seconds each way while round trips are counted.
LOOK_DELAY = 0.015


class Relay:
    def __init__(self, delay, rate):
        argv = [sys.executable, Path(__file__).with_name("relay.py"), str(delay), str(rate)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def trips(self):
        """Of the host with the most, since the last question."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return max(json.loads(self.process.stdout.readline()).values(), default=0)

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Bench:
    def __init__(self, work, options):
        self.work = work
        self.options = options
        self.sides = Sides()
        self.target = Target(work, self.sides.target)
        if self.sides.target.how != "cgroup":
            self.sides.target.root = self.target.process.pid
            self.sides.controller.besides.add(self.target.process.pid)
        self.relay = None
        self.results, self.growth = {}, {}
        self.tools = {name: ALL[name](self.target) for name in options.only}

    def relay_of(self, delay, rate):
        if self.relay and self.relay[0] != (delay, rate):
            self.relay[1].stop()
            self.relay = None
        if not self.relay:
            self.relay = ((delay, rate), Relay(delay, rate))
            if self.sides.controller.how != "cgroup":
                self.sides.controller.besides.add(self.relay[1].process.pid)
        return self.relay[1]

    def part(self):
        """Ends all connections."""
        self.sides.end_controllers()
        self.sides.wait_for_hosts(self.target.process.pid)

    def visit(self, tool, case, look=False):
        """One run of a case and of those that go on from it: pairs of name and cost."""
        self.part()
        for run in (case, *case.follows):
            relayed = run.delay or (look and run.hosts <= 10)
            relay = self.relay_of(run.delay or LOOK_DELAY, run.rate) if relayed else None
            hosts = self.target.hosts(run.hosts, bool(relayed))
            directory = self.work / "case"
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            if run.new:
                for home in ("target", "home"):
                    shutil.rmtree(self.work / home)
                    (self.work / home).mkdir(mode=0o700)
            if not run.again:
                self.target.clean(hosts)
            if not run.kept:
                self.part()
            if relay:
                relay.trips()
            self.target.configure_client(run.key_exchange)
            tool.write(directory, run, hosts)
            out = self.work / "out"
            cost = self.sides.run(tool.argv(run), tool.env, directory, out, look)
            text = out.read_text(errors="replace")
            try:
                if cost.code != 0:
                    raise NotDone(f"it ended with {cost.code}")
                run.work.check(hosts, text)
            except (NotDone, OSError) as error:
                kept = Path(tempfile.mkdtemp(prefix=f"rplay-bench-{tool.name}-{run.name}-")) / "out"
                shutil.copy(out, kept)
                sys.exit(f"{tool.name} has not done {run.name}: {error}\n{text[-2000:]}\nall it said: {kept}")
            yield run, cost, relay.trips() if relay else None

    def measure(self, case):
        tools = [
            tool
            for name, tool in self.tools.items()
            if (name in case.tools or name == "before") and (self.options.full or name not in case.slow)
        ]
        slow = set()
        for number in range(self.options.rounds):
            shift = number % len(tools)
            for tool in tools[shift:] + tools[:shift]:
                if tool.name in slow:
                    continue
                for run, cost, _ in self.visit(tool, case):
                    self.record(run, tool, number, cost)
                    if cost.wall > SLOW:
                        slow.add(tool.name)
        for tool in tools:
            if case.look and (self.options.full or not self.took(case, tool) > 3 * SLOW):
                for run, cost, trips in self.visit(tool, case, look=True):
                    found = self.results[run.name][tool.name]
                    found["memory"] = {"own": cost.own, "ssh": cost.ssh, "hosts": cost.hosts}
                    found["trips"] = trips
        for run in (case, *case.follows):
            report.show(run, self.results[run.name])

    def took(self, case, tool):
        return max(cost["wall"] for cost in self.results[case.name][tool.name]["rounds"])

    def record(self, run, tool, number, cost):
        found = self.results.setdefault(run.name, {}).setdefault(tool.name, {"rounds": []})
        found["rounds"].append(
            {"round": number, "wall": cost.wall, "controller": cost.controller, "target": cost.target}
        )
        print(f"\r\033[K{run.name} {number + 1} {tool.name} {cost.wall:.2f} s", end="", file=sys.stderr, flush=True)

    def warm_up(self):
        """Everybody has been on the host before, and has their byte code compiled."""
        for tool in self.tools.values():
            for _ in self.visit(tool, CASES[0]):
                pass

    def stop(self):
        if self.relay:
            self.relay[1].stop()
        self.sides.end_controllers()
        self.target.stop()
        self.sides.wait_for_hosts(0)
        self.sides.remove()


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[*REMOTE, "native"])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", type=Path, help="where the results go")
    options = parser.parse_args()
    if "RPLAY_BEFORE" in os.environ and "before" not in options.only:
        options.only.append("before")
    known = {case.name for case in all_cases()}
    unknown = set(options.cases) - known | set(options.only) - set(ALL)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known | set(ALL)))}")
    if options.rounds < 1:
        parser.error("at least one round")
    return options


def main():
    options = arguments()
    if options.list:
        for case in all_cases():
            print(f"{case.name:14}{case.title}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = Path(tempfile.mkdtemp(prefix="rplay-bench-"))
    bench = Bench(work, options)
    begun = time.monotonic()
    try:
        print(f"CPU by {bench.sides.target.how}; {os.cpu_count()} processors; load {os.getloadavg()[0]:.1f}")
        bench.warm_up()
        if options.growth:
            bench.growth = growth.measure(bench, min(options.rounds, 3))
        listed = options.cases or [case.name for case in CASES if not options.growth]
        chosen = []
        for name in listed:
            case = next(c for c in CASES if name in (c.name, *(f.name for f in c.follows)))
            if case not in chosen:
                chosen.append(case)
        for case in chosen:
            bench.measure(case)
            if options.json:
                options.json.write_text(json.dumps(bench.results, indent=1))
            if options.write:
                report.write(bench.results, bench.growth)
        print(f"\n{time.monotonic() - begun:.0f} s in all; load {os.getloadavg()[0]:.1f}")
        if options.write and options.growth:
            report.write(bench.results, bench.growth)
    finally:
        bench.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
