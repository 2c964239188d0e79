"""How time and memory grow: the same play with 10, 100, 1,000 and 10,000 of something."""

import json
import math
import shutil

from engine_works import Project
from tools import dump
from works import NotDone, must

SIZES = (10, 100, 1000, 10_000)
# Steeper than this between the two largest sizes is no longer in proportion.
STEEPEST = 1.3


def play(directory, hosts, **rest):
    """A play without connections."""
    names = {f"h{n:05}": {} for n in range(hosts)}
    (directory / "hosts.json").write_text(json.dumps({"all": {"hosts": names}}))
    parts = {"hosts": "all", "gather_facts": False, "connection": "local"} | rest
    (directory / "play.yml").write_text(dump([parts]))


def debug(text, **rest):
    return {"name": "said", "ansible.builtin.debug": {"msg": text}} | rest


def said(out, text):
    must(text in out, f"`{text}` was not said")


class Tasks:
    title = "tasks"

    def write(self, directory, size, target):
        play(directory, 1, tasks=[debug(f"task {n} of {{{{ inventory_hostname }}}}") for n in range(size)])

    def check(self, out, size, target):
        said(out, f"task {size - 1} of h00000")


class Hosts:
    title = "hosts"

    def write(self, directory, size, target):
        tasks = [
            {"name": "set", "ansible.builtin.set_fact": {"mine": "{{ inventory_hostname | upper }}"}},
            debug("{{ mine }} of {{ groups['all'] | length }}", when="mine is defined"),
        ]
        play(directory, size, tasks=tasks)

    def check(self, out, size, target):
        said(out, f"H{size - 1:05} of {size}")


class Items:
    title = "items of a loop"

    def write(self, directory, size, target):
        play(directory, 1, tasks=[debug("item {{ item }}", loop=f"{{{{ range({size}) | list }}}}")])

    def check(self, out, size, target):
        said(out, f"item {size - 1}")


class Files:
    title = "files of a loop, over ssh"

    def write(self, directory, size, target):
        host = target.hosts(1)[0]
        target.clean([host])
        shared = {
            "ansible_host": host.address,
            "ansible_user": "root",
            "ansible_ssh_common_args": f"-F {target.client_config}",
        }
        task = {
            "name": "touched",
            "ansible.builtin.file": {"path": f"{host.directory}/{{{{ item }}}}", "state": "touch"},
            "loop": f"{{{{ range({size}) | list }}}}",
        }
        (directory / "hosts.json").write_text(json.dumps({"all": {"hosts": {host.name: shared}}}))
        (directory / "play.yml").write_text(dump([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))

    def check(self, out, size, target):
        found = len(list(target.hosts(1)[0].directory.iterdir()))
        must(found == size, f"{found} files and not {size}")


class Variables:
    title = "variables, each read"

    def write(self, directory, size, target):
        names = [f"v{n}" for n in range(size)]
        # Every tenth is plain, the others are templates over the one before.
        values = {name: n if n % 10 == 0 else f"{{{{ v{n - 1} | int + 1 }}}}" for n, name in enumerate(names)}
        text = "{% set sum = namespace(of=0) %}" + "".join(
            f"{{% set sum.of = sum.of + ({name} | int) %}}" for name in names
        )
        play(directory, 1, vars=values, tasks=[debug(text + "sum {{ sum.of }}")])

    def check(self, out, size, target):
        said(out, f"sum {size * (size - 1) // 2}")


class Roles(Project):
    title = "roles of three tasks, listed"
    options = ("--list-tasks",)

    def __init__(self):
        pass

    def write(self, directory, size, target):
        self.roles, self.each = size, 3
        self.write_playbook(directory)

    def check(self, out, size, target):
        super().check([], out)


class Facts:
    title = "hosts with all their facts"
    sizes = (10, 100, 1000)

    def write(self, directory, size, target):
        text = "{{ ansible_facts | length > 20 }} {{ ansible_facts.kernel }} {{ inventory_hostname }}"
        play(directory, size, gather_facts=True, tasks=[debug(text)])

    def check(self, out, size, target):
        import platform

        said(out, f"True {platform.release()} h{size - 1:05}")


def measure(bench, rounds):
    tool = bench.tools["rplay"]
    found = {}
    for kind in (Tasks(), Hosts(), Items(), Files(), Variables(), Roles(), Facts()):
        print(f"\n{kind.title}\n{'':>9}{'wall s':>9}{'CPU s':>9}{'MB own':>9}{'ms CPU each':>13}")
        points = []
        for size in getattr(kind, "sizes", SIZES):
            costs = []
            # The last is for memory.
            for look in [False] * rounds + [True]:
                bench.part()
                directory = bench.work / "case"
                shutil.rmtree(directory, ignore_errors=True)
                directory.mkdir()
                kind.write(directory, size, bench.target)
                out = bench.work / "out"
                argv = [*tool.program(), "-i", "hosts.json", "-f", "50", "play.yml", *getattr(kind, "options", ())]
                cost = bench.sides.run(argv, tool.env, directory, out, look)
                text = out.read_text(errors="replace")
                if cost.code:
                    raise NotDone(f"{kind.title}, {size}: it ended with {cost.code}\n{text[-2000:]}")
                kind.check(text, size, bench.target)
                costs.append(cost)
            point = {
                "size": size,
                "wall": min(cost.wall for cost in costs[:-1]),
                "cpu": min(cost.cpu for cost in costs[:-1]),
                "memory": costs[-1].own,
            }
            points.append(point)
            print(
                f"{size:>9,}{point['wall']:>9.2f}{point['cpu']:>9.2f}{point['memory'] / 1e6:>9.0f}"
                f"{point['cpu'] * 1000 / size:>13.3f}",
                flush=True,
            )
        small, large = points[-2:]
        steep = {
            key: math.log(max(large[key], 1e-3) / max(small[key], 1e-3)) / math.log(large["size"] / small["size"])
            for key in ("cpu", "memory")
        }
        print(f"  grows with the power {steep['cpu']:.2f} (time) and {steep['memory']:.2f} (memory)", end="")
        print("  MORE THAN IN PROPORTION" if max(steep.values()) > STEEPEST else "")
        found[kind.title] = {"points": points, "steep": steep}
    return found
