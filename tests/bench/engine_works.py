"""Work for which no host is needed: it shows the engine itself."""

import json

from tools import dump
from works import Work, must


class Conditions(Work):
    """set_fact, debug and assert in turn: templates, conditions, variables of hosts."""

    def __init__(self, count):
        self.count = count

    def write_playbook(self, directory):
        # That connection is not used either.
        play = {"hosts": "all", "gather_facts": False, "connection": "local", "vars": {"step": 1}}
        (directory / "play.yml").write_text(dump([play | {"tasks": self.tasks()}]))

    def tasks(self):
        kinds = (
            lambda n: {"ansible.builtin.set_fact": {"total": "{{ total | default(0) | int + step }}"}},
            lambda n: {"ansible.builtin.debug": {"msg": "{{ inventory_hostname | upper }} {{ total }}"}},
            lambda n: {"ansible.builtin.assert": {"that": [f"total | int == {n // 3 + 1}"], "quiet": True}},
        )
        end = {"name": "end", "ansible.builtin.debug": {"msg": "end of {{ inventory_hostname }}: {{ total }}"}}
        return [{"name": f"task {n}"} | kinds[n % 3](n) for n in range(self.count - 1)] + [end]

    def check(self, hosts, out):
        total = (self.count - 2) // 3 + 1
        for host in hosts:
            must(f"end of {host.name}: {total}" in out, f"{host.name} did not come to {total}")


class Project(Work):
    """Roles with tasks, variables, handlers and templates in their arguments; only listed."""

    def __init__(self, roles, each):
        self.roles, self.each = roles, each

    def write_playbook(self, directory):
        names = [f"role{n:05}" for n in range(self.roles)]
        for name in names:
            role = directory / "roles" / name
            tasks = [
                {
                    "name": f"task {n} of {name}",
                    "ansible.builtin.copy": {"content": f"{{{{ {name}_text }}}} {n}\n", "dest": f"/tmp/{name}/{n}"},
                    "when": f"{name}_wanted | bool",
                    "notify": f"{name} again",
                    "tags": [f"t{n % 5}"],
                }
                for n in range(self.each)
            ]
            handlers = [{"name": f"{name} again", "ansible.builtin.command": "true"}]
            defaults = {f"{name}_text": f"{{{{ {name}_name }}}} says", f"{name}_name": name, f"{name}_wanted": True}
            for part, content in (("tasks", tasks), ("handlers", handlers), ("defaults", defaults)):
                (role / part).mkdir(parents=True)
                (role / part / "main.yml").write_text(dump(content))
        (directory / "hosts.json").write_text(json.dumps({"all": {"hosts": {"web1": {}}}}))
        (directory / "play.yml").write_text(dump([{"hosts": "all", "gather_facts": False, "roles": names}]))

    def check(self, hosts, out):
        found = sum(" : task " in line for line in out.splitlines())
        must(found == self.roles * self.each, f"{found} tasks listed and not {self.roles * self.each}")


class Inventory(Work):
    """Hosts in groups of a hundred, each with variables of its own and of its group."""

    inventory = "hosts"

    def __init__(self, count):
        self.count = count

    def write_playbook(self, directory):
        lines = []
        for n in range(self.count):
            if n % 100 == 0:
                lines.append(f"[group{n // 100:03}]")
            lines.append(f"host{n:05} ansible_host=10.0.{n // 250}.{n % 250 + 1} rack={n // 20} weight={n % 7}")
        for n in range(0, self.count, 100):
            lines += [f"[group{n // 100:03}:vars]", f"zone=z{n // 1000}", f"port={8000 + n // 100}"]
        (directory / self.inventory).write_text("\n".join(lines) + "\n")

    def check(self, hosts, out):
        found = json.loads(out[out.index("{") :])["_meta"]["hostvars"]
        must(len(found) == self.count, f"{len(found)} hosts and not {self.count}")
        last = self.count - 1
        expected = {
            "ansible_host": f"10.0.{last // 250}.{last % 250 + 1}",
            "rack": last // 20,
            "weight": last % 7,
            "zone": f"z{last // 1000}",
            "port": 8000 + last // 100,
        }
        must(found[f"host{last:05}"] == expected, f"{found[f'host{last:05}']} and not {expected}")
