"""The work of each case: as a playbook, for pyinfra, as a script by hand; and whether it has been done."""

import hashlib
import io
import os
import platform
import random
import socket
import tarfile

from tools import dump


class NotDone(Exception):
    pass


def must(condition, what):
    if not condition:
        raise NotDone(what)


class Work:
    """A play without facts of some tasks, unless a kind of work says otherwise."""

    facts = False
    # Tools write the hosts into this one.
    inventory = "hosts.json"

    def tasks(self):
        raise NotImplementedError

    def write_playbook(self, directory):
        play = {"hosts": "all", "gather_facts": self.facts, "tasks": self.tasks()}
        (directory / "play.yml").write_text(dump([play]))

    def write_deploy(self, directory):
        (directory / "deploy.py").write_text(self.deploy())

    def limit_content(self, again):
        return None

    def check(self, hosts, out):
        for host in hosts:
            self.check_host(host)


class Small(Work):
    """Small tasks, each a command that leaves something behind."""

    def __init__(self, count):
        self.count = count

    def tasks(self):
        return [
            {"name": f"task {n}", "ansible.builtin.command": f"touch {{{{ directory }}}}/{n}"} for n in range(self.count)
        ]

    def deploy(self):
        lines = ["from pyinfra import host", "from pyinfra.operations import server", "directory = host.data.directory"]
        for n in range(self.count):
            lines.append(f"server.shell(name='task {n}', commands=[f'touch {{directory}}/{n}'])")
        return "\n".join(lines) + "\n"

    def limit(self, host, again):
        return "set -e\n" + "".join(f"touch {host.directory}/{n}\n" for n in range(self.count))

    def check_host(self, host):
        found = set(os.listdir(host.directory))
        must(found == {str(n) for n in range(self.count)}, f"{host.name}: {len(found)} of {self.count} files")


class Facts(Work):
    """All facts of a host, and a file written from some."""

    def tasks(self):
        text = (
            "{{ ansible_facts.hostname }} {{ ansible_facts.kernel }} {{ ansible_facts.architecture }} "
            "{{ ansible_facts.distribution | lower }} {{ ansible_facts.processor_vcpus }}\n"
        )
        return [
            {"name": "facts", "ansible.builtin.setup": {}},
            {"name": "written", "ansible.builtin.copy": {"content": text, "dest": "{{ directory }}/facts"}},
        ]

    def deploy(self):
        # What Ansible's setup looks at, as far as pyinfra has a fact for it.
        return """\
from io import StringIO
from pyinfra import host
from pyinfra.facts import hardware, server
from pyinfra.operations import files
for fact in (server.Mounts, server.Date, server.Users, server.Locales, server.Selinux, server.OsRelease,
             hardware.BlockDevices, hardware.Memory, hardware.NetworkDevices):
    host.get_fact(fact)
words = [host.get_fact(server.Hostname), host.get_fact(server.KernelVersion), host.get_fact(server.Arch),
         host.get_fact(server.LinuxDistribution)['release_meta']['ID'], str(host.get_fact(hardware.Cpus))]
files.put(name='written', src=StringIO(' '.join(words) + '\\n'), dest=f'{host.data.directory}/facts')
"""

    def limit(self, host, again):
        return f"""\
set -e
. /etc/os-release
{{ cat /proc/cpuinfo /proc/meminfo /proc/mounts /proc/uptime /etc/passwd /proc/cmdline; df -P; ip addr; ip route
   ls /sys/block /sys/class/net; env; date; id; }} >/dev/null
echo "$(hostname -s) $(uname -r) $(uname -m) $ID $(nproc)" >{host.directory}/facts
"""

    def check_host(self, host):
        release = dict(line.strip().split("=", 1) for line in open("/etc/os-release") if "=" in line)
        words = [
            socket.gethostname().split(".")[0],
            platform.release(),
            platform.machine(),
            release["ID"].strip('"'),
            str(os.cpu_count()),
        ]
        text = (host.directory / "facts").read_text()
        must(text == " ".join(words) + "\n", f"{host.name}: {text!r} and not {words}")


class Loop(Work):
    """One task, looped over so many files."""

    def __init__(self, count):
        self.count = count

    def tasks(self):
        return [
            {
                "name": "touched",
                "ansible.builtin.file": {"path": "{{ directory }}/{{ item }}", "state": "touch"},
                "loop": f"{{{{ range({self.count}) | list }}}}",
            }
        ]

    def deploy(self):
        return f"""\
from pyinfra import host
from pyinfra.operations import files
for n in range({self.count}):
    files.file(name=f'touched {{n}}', path=f'{{host.data.directory}}/{{n}}', touch=True)
"""

    def limit(self, host, again):
        return f"cd {host.directory} && touch $(seq 0 {self.count - 1})\n"

    check_host = Small.check_host


TEMPLATE = """\
# {{ title | upper }} {{ page }}
{% for server in servers | sort %}
server {{ server }} weight={{ loop.index * page }}{{ ' backup' if loop.last else '' }};
{% endfor %}
names = {{ servers | sort | join(',') | replace('-', '_') }}
"""
SERVERS = [f"web-{n:02}" for n in range(20)]
PAGES, LINES = 30, 10


def page(number):
    """What TEMPLATE comes to."""
    lines = [f"# THE PAGES {number}"]
    for n, server in enumerate(SERVERS, 1):
        lines.append(f"server {server} weight={n * number}{' backup' if n == len(SERVERS) else ''};")
    lines.append(f"names = {','.join(SERVERS).replace('-', '_')}")
    return "\n".join(lines) + "\n"


class Files(Work):
    """A directory, 30 templates, 30 files, one of them of 10 MB, and 10 lines in a file."""

    def __init__(self):
        source = random.Random(4)
        sizes = [10_000_000] + [source.randrange(100, 20_000) for _ in range(PAGES - 1)]
        self.files = {f"f{n}": source.randbytes(size) for n, size in enumerate(sizes)}
        self.expected = self.files | {f"page{n}": page(n).encode() for n in range(PAGES)}
        self.settings = [f"key{n} = {n * n}" for n in range(LINES)]
        self.expected["settings"] = "".join(f"{line}\n" for line in self.settings).encode()
        self.digests = {name: hashlib.sha256(content).hexdigest() for name, content in self.expected.items()}

    def write_sources(self, directory):
        for name, content in self.files.items():
            (directory / name).write_bytes(content)
        (directory / "page.j2").write_text(TEMPLATE)

    def tasks(self):
        app = "{{ directory }}/app"
        return [
            {"name": "directory", "ansible.builtin.file": {"path": app, "state": "directory"}},
            {
                "name": "templates",
                "ansible.builtin.template": {"src": "page.j2", "dest": f"{app}/page{{{{ page }}}}"},
                "vars": {"title": "the pages", "servers": SERVERS[::-1]},
                "loop": f"{{{{ range({PAGES}) | list }}}}",
                "loop_control": {"loop_var": "page"},
            },
            {
                "name": "files",
                "ansible.builtin.copy": {"src": "{{ item }}", "dest": f"{app}/{{{{ item }}}}"},
                "loop": list(self.files),
            },
        ] + [
            {
                "name": f"line {n}",
                "ansible.builtin.lineinfile": {
                    "path": f"{app}/settings",
                    "regexp": f"^key{n} =",
                    "line": line,
                    "create": True,
                },
            }
            for n, line in enumerate(self.settings)
        ]

    def write_playbook(self, directory):
        self.write_sources(directory)
        super().write_playbook(directory)

    def write_deploy(self, directory):
        self.write_sources(directory)
        super().write_deploy(directory)

    def deploy(self):
        return f"""\
from pyinfra import host
from pyinfra.operations import files
app = f'{{host.data.directory}}/app'
files.directory(name='directory', path=app)
servers = {SERVERS[::-1]!r}
for page in range({PAGES}):
    files.template(name=f'page {{page}}', src='page.j2', dest=f'{{app}}/page{{page}}', page=page, servers=servers,
                   title='the pages', jinja_env_kwargs={{'trim_blocks': True}})
for n in range({len(self.files)}):
    files.put(name=f'file {{n}}', src=f'f{{n}}', dest=f'{{app}}/f{{n}}')
files.file(name='settings', path=f'{{app}}/settings')
for n, line in enumerate({self.settings!r}):
    files.line(name=f'line {{n}}', path=f'{{app}}/settings', line=f'^key{{n}} =.*', replace=line)
"""

    def limit(self, host, again):
        app = f"{host.directory}/app"
        lines = "".join(
            f"grep -qxF {line!r} settings || echo {line!r} >>settings\n" for line in self.settings
        )
        if again:
            sums = "".join(f"{self.digests[name]}  {name}\n" for name in self.expected)
            return f"set -e\ncd {app}\nsha256sum --status -c <<'END'\n{sums}END\n{lines}"
        return f"set -e\nmkdir {app}\ncd {app}\ntar -xf -\ntouch settings\n{lines}"

    def limit_content(self, again):
        if again:
            return None
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, content in self.expected.items():
                if name != "settings":
                    entry = tarfile.TarInfo(name)
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
        return packed.getvalue()

    def check_host(self, host):
        for name, digest in self.digests.items():
            content = (host.directory / "app" / name).read_bytes()
            must(hashlib.sha256(content).hexdigest() == digest, f"{host.name}: {name} is not as it should be")
