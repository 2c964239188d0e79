"""What is measured, over how many hosts, and what was hoped for."""

from dataclasses import dataclass, field

from engine_works import Conditions, Inventory, Project
from python_works import Callback, Collection, Filter
from works import Facts, Files, Loop, Small, Work

# Those that make the picture.
CHART = ("w1", "w1-50", "w1-50-kept", "w2", "w3", "w4", "w4-again", "w5", "w6-run-10", "w7", "w8-200")
REMOTE = ("rplay", "limit", "ansible", "mitogen", "pyinfra")
# What is written in Python: beside rplay's native module, and those who run it too.
PYTHON = ("rplay", "native", "ansible", "mitogen")


@dataclass
class Case:
    name: str
    title: str
    work: Work
    hosts: int = 1
    # At most so many times the limit; at least so many times less than the others.
    goals: dict = field(default_factory=dict)
    tools: tuple = REMOTE
    # Run on what the run before has left: its connections, its files.
    kept: bool = False
    again: bool = False
    # The user's ssh is told to use this key exchange, and not its default one.
    key_exchange: str = ""
    # Nothing of a tool is on the hosts yet.
    new: bool = False
    # Seconds each way.
    delay: float = 0.0
    # Bytes a second, in each direction; 0 for as many as there can be.
    rate: float = 0.0
    # Tools that only a full run has the time for.
    slow: tuple = ()
    # Memory and round trips get a pass of their own.
    look: bool = True
    command: str = "play"
    options: tuple = ()
    # Cases that each visit goes on with.
    follows: tuple = ()

    @property
    def is_python(self):
        """Whether it shows work written in Python, which has a table of its own."""
        return self.name.startswith("p")


def goals(limit=None, ansible=None, mitogen=None, pyinfra=None):
    given = {"limit": limit, "ansible": ansible, "mitogen": mitogen, "pyinfra": pyinfra}
    return {tool: goal for tool, goal in given.items() if goal}


def python_case(name, title, work, hosts, slow=()):
    """A module in Python on new hosts, and the same work again."""
    more = {"hosts": hosts, "goals": goals(ansible=15, mitogen=1), "tools": PYTHON, "slow": slow}
    again = Case(f"{name}-again", "the same: second run", work, again=True, **more)
    return Case(name, f"{title}: first run", work, new=True, follows=(again,), **more)


CASES = [
    Case("w1", "one small task, 1 host, cold", Small(1), 1, goals(1.3, 10, 15, 6)),
    Case("w1-new", "the same, nothing of the tool on the host yet", Small(1), 1, goals(2.0), new=True, look=False),
    Case(
        "w1-new-slow",
        "the same, over a line of 1 MB/s",
        Small(1),
        1,
        new=True,
        rate=1e6,
        delay=0.001,
        look=False,
    ),
    Case(
        "w1-50-new",
        "one small task, 50 hosts, nothing of the tool on them yet",
        Small(1),
        50,
        goals(1.5),
        new=True,
        look=False,
        slow=("mitogen",),
    ),
    Case(
        "w1-50",
        "one small task, 50 hosts, cold",
        Small(1),
        50,
        goals(1.1, 4, None, 0.5),
        slow=("mitogen",),
        follows=(
            Case(
                "w1-50-kept",
                "the same again, connections kept",
                Small(1),
                50,
                goals(0.3, 15, None, 2),
                kept=True,
                slow=("mitogen",),
            ),
        ),
    ),
    Case(
        "w1-50-curve",
        "one small task, 50 hosts, cold, with pyinfra's key exchange",
        Small(1),
        50,
        goals(1.1, None, None, 0.5),
        tools=("rplay", "limit", "pyinfra"),
        key_exchange="curve25519-sha256",
    ),
    Case("w2", "facts, 1 host", Facts(), 1, goals(1.3, 15, 20, 6)),
    Case("w3", "100 small tasks, 1 host", Small(100), 1, goals(1.2, 200, 40, 8)),
    Case("w3-10", "100 small tasks, 10 hosts", Small(100), 10, goals(1.2, 200, 40, 8), slow=("ansible", "mitogen")),
    Case(
        "w4",
        "directory, 30 templates, 30 files, 10 lines: first run",
        Files(),
        1,
        goals(1.5, 150, 20, 12),
        follows=(Case("w4-again", "the same: second run", Files(), 1, goals(1.3, 150, 20, 12), again=True),),
    ),
    Case("w5", "one loop of 200 files", Loop(200), 1, goals(1.2, 300, 50, 50)),
    Case(
        "w6-run-10",
        "200 tasks without a module, 10 local hosts",
        Conditions(200),
        10,
        goals(ansible=500),
        tools=("rplay", "ansible", "mitogen"),
        slow=("mitogen",),
    ),
    Case(
        "w6-run",
        "200 tasks without a module, 100 local hosts",
        Conditions(200),
        100,
        goals(ansible=500),
        tools=("rplay", "ansible"),
        slow=("ansible",),
    ),
    Case(
        "w6-run-report",
        "the same with `--report`",
        Conditions(200),
        100,
        tools=("rplay",),
        options=("--report", "report.html"),
    ),
    Case(
        "w6-tasks",
        "a project of 5,000 tasks in 100 roles listed",
        Project(100, 50),
        0,
        goals(ansible=100),
        tools=("rplay", "ansible"),
        options=("--list-tasks",),
    ),
    Case(
        "w6-hosts",
        "an inventory of 10,000 hosts listed",
        Inventory(10_000),
        0,
        goals(ansible=100),
        tools=("rplay", "ansible"),
        command="inventory",
    ),
    Case("w7", "100 small tasks, 5 hosts, 30 ms away", Small(100), 5, goals(1.3, 60, 20, 8), delay=0.015),
    Case("w8-200", "10 small tasks, 200 hosts", Small(10), 200, goals(1.1, 25, None, 1.2), slow=("ansible", "mitogen")),
    Case(
        "w8-500", "10 small tasks, 500 hosts", Small(10), 500, goals(1.1, 25, None, 1.2), slow=("ansible", "mitogen")
    ),
    python_case("p1", "100 tasks of a collection's module, 1 host", Collection(100), 1),
    python_case("p1-10", "100 tasks of a collection's module, 10 hosts", Collection(100), 10, slow=("ansible", "mitogen")),
    python_case("p2", "a loop of 200 of a collection's module, 1 host", Collection(200, looped=True), 1),
    Case(
        "p3",
        "100 calls of a filter in Python",
        Filter(100),
        1,
        goals(ansible=1, mitogen=1),
        tools=("rplay", "ansible", "mitogen"),
    ),
    Case(
        "p4",
        "a callback plugin over 5,000 results",
        Callback(50),
        100,
        goals(ansible=15),
        tools=("rplay", "ansible"),
    ),
]


def all_cases():
    for case in CASES:
        yield case
        yield from case.follows
