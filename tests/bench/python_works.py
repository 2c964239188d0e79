"""Work written in Python: modules and plugins that rplay has not natively, or runs as if it had not."""

from tools import dump
from works import Work, must

# A module of a collection, put into `library/` so that rplay does not take its own of that name.
MODULE = "community/general/plugins/modules/ini_file.py"


def collections():
    """Where the collections of the bench's environment are."""
    import ansible_collections

    return list(ansible_collections.__path__)[0]


class Collection(Work):
    """Options of an ini file, in tasks of their own or in one loop."""

    native = False

    def __init__(self, count, looped=False):
        self.count, self.looped = count, looped

    def tasks(self):
        def task(name, option):
            args = {"path": "{{ directory }}/settings.ini", "section": "main", "option": option, "value": "some value", "mode": "0644"}
            return {"name": name, "community.general.ini_file" if self.native else "ini_file": args}

        if self.looped:
            return [task("options", "option{{ item }}") | {"loop": f"{{{{ range({self.count}) | list }}}}"}]
        return [task(f"task {n}", f"option{n}") for n in range(self.count)]

    def write_playbook(self, directory):
        if not self.native:
            library = directory / "library"
            library.mkdir()
            with open(f"{collections()}/{MODULE}") as source:
                (library / "ini_file.py").write_text(source.read())
        super().write_playbook(directory)

    def check_host(self, host):
        lines = (host.directory / "settings.ini").read_text().split("\n")
        found = [line for line in lines if line.endswith("= some value")]
        must(len(found) == self.count, f"{host.name}: {len(found)} of {self.count} options")


FILTER = """\
class FilterModule:
    def filters(self):
        return {"shouted": lambda text, times=1: text.upper() + "!" * times}
"""


class Filter(Work):
    """A filter of the project's own, called so many times: in one template, and in a loop."""

    def __init__(self, count):
        self.count = count

    def tasks(self):
        calls = "".join("{{ 'word %d' | shouted(2) }}\n" % n for n in range(self.count // 2))
        return [
            {"name": "one text", "ansible.builtin.copy": {"content": calls, "dest": "{{ directory }}/text"}},
            {
                "name": "loop",
                "ansible.builtin.set_fact": {"last": "{{ item | string | shouted }}"},
                "loop": f"{{{{ range({self.count - self.count // 2}) | list }}}}",
            },
            {"name": "last", "ansible.builtin.copy": {"content": "{{ last }}", "dest": "{{ directory }}/last"}},
        ]

    def write_playbook(self, directory):
        (directory / "filter_plugins").mkdir()
        (directory / "filter_plugins/texts.py").write_text(FILTER)
        super().write_playbook(directory)

    def check_host(self, host):
        half = self.count // 2
        lines = (host.directory / "text").read_text().splitlines()
        must(lines == [f"WORD {n}!!" for n in range(half)], f"{host.name}: {len(lines)} lines: {lines[:1]}")
        last = (host.directory / "last").read_text()
        must(last == f"{self.count - half - 1}!", f"{host.name}: {last!r}")


CALLBACK = """\
from collections import Counter
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "counted"

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.counts[task.get_name()] += 0

    def v2_runner_on_ok(self, result):
        self.counts[(getattr(result, "task", None) or result._task).get_name()] += 1

    def v2_playbook_on_stats(self, stats):
        self._display.display("counted %d in %d tasks" % (sum(self.counts.values()), len(self.counts)))
"""


class Callback(Work):
    """Tasks without a module on local hosts; a callback plugin counts their results."""

    def __init__(self, count):
        self.count = count

    def tasks(self):
        return [{"name": f"task {n}", "ansible.builtin.set_fact": {"number": n}} for n in range(self.count)]

    def write_playbook(self, directory):
        (directory / "callback_plugins").mkdir()
        (directory / "callback_plugins/counted.py").write_text(CALLBACK)
        play = {"hosts": "all", "gather_facts": False, "connection": "local", "tasks": self.tasks()}
        (directory / "play.yml").write_text(dump([play]))

    def check(self, hosts, out):
        must(f"counted {self.count * len(hosts)} in {self.count} tasks" in out, "the callback has not counted all results")
