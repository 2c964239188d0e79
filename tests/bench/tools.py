"""What is measured: rplay, the limit, and the others. Each knows how to do a case's work."""

import json
import os
import sys
import shlex
from pathlib import Path

import yaml


class Tool:
    def __init__(self, target):
        self.target = target
        bin = Path(sys.executable).parent
        self.bin = bin
        self.env = {
            "PATH": f"{bin}:{os.environ['PATH']}",
            "HOME": str(target.work / "home"),
            "XDG_RUNTIME_DIR": str(target.work / "run"),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
        }

    def write(self, directory, case, hosts):
        """Puts what the tool reads into the directory."""


class Playbooks(Tool):
    """Those who read playbooks read the same ones."""

    # Whether it takes the playbook for rplay's native modules, where the work has two.
    native = False

    def write(self, directory, case, hosts):
        shared = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.target.work / "user_key"),
            "ansible_ssh_common_args": f"-F {self.target.client_config}",
            # Looking for Python would cost Ansible another round trip.
            "ansible_python_interpreter": self.target.python,
        }
        of_hosts = {
            host.name: {"ansible_host": host.address, "ansible_port": host.port, "directory": str(host.directory)}
            for host in hosts
        }
        (directory / "hosts.json").write_text(json.dumps({"all": {"hosts": of_hosts, "vars": shared}}))
        case.work.native = self.native
        case.work.write_playbook(directory)


class Rplay(Playbooks):
    name = "rplay"
    variable = "RPLAY"

    def __init__(self, target):
        super().__init__(target)
        # The Python with ansible-core and the collections is the one that the others use.
        self.env |= {"RPLAY_ANSIBLE_PYTHON": sys.executable}

    def program(self):
        return [os.environ[self.variable]]

    def argv(self, case):
        program = self.program()
        if case.command == "inventory":
            return [*program, "inventory", "-i", case.work.inventory, "--list"]
        return [*program, "-i", case.work.inventory, "-f", "50", "play.yml", *case.options]


class Before(Rplay):
    """Another rplay, to see what a change has brought."""

    name = "before"
    variable = "RPLAY_BEFORE"


class Native(Rplay):
    """rplay with its native module in the place of the one in Python."""

    name = "native"
    native = True


class Ansible(Playbooks):
    name = "ansible"

    def __init__(self, target):
        super().__init__(target)
        self.env |= {
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(target.work / "run/cp"),
            "ANSIBLE_LOCAL_TEMP": str(target.work / "home/tmp"),
        }

    def argv(self, case):
        if case.command == "inventory":
            return [self.bin / "ansible-inventory", "-i", case.work.inventory, "--list"]
        return [self.bin / "ansible-playbook", "-i", case.work.inventory, "-f", "50", "play.yml", *case.options]


class Mitogen(Ansible):
    name = "mitogen"

    def __init__(self, target):
        super().__init__(target)
        import ansible_mitogen

        self.env |= {
            "ANSIBLE_STRATEGY": "mitogen_linear",
            "ANSIBLE_STRATEGY_PLUGINS": str(Path(ansible_mitogen.__file__).parent / "plugins/strategy"),
        }


class Pyinfra(Tool):
    name = "pyinfra"

    def write(self, directory, case, hosts):
        lines = ["hosts = ["]
        for host in hosts:
            data = {
                "ssh_hostname": host.address,
                "ssh_port": host.port,
                "ssh_user": "root",
                "ssh_key": str(self.target.work / "user_key"),
                "ssh_allow_agent": False,
                "ssh_look_for_keys": False,
                # Its reader of known_hosts knows no patterns.
                "ssh_strict_host_key_checking": "no",
                "ssh_known_hosts_file": "/dev/null",
                "directory": str(host.directory),
            }
            lines.append(f"    ({host.name!r}, {data!r}),")
        (directory / "inventory.py").write_text("\n".join([*lines, "]", ""]))
        case.work.write_deploy(directory)

    def argv(self, case):
        return [self.bin / "pyinfra", "-y", "inventory.py", "deploy.py"]


class Limit(Tool):
    """No tool: `ssh HOST sh -s` for each host with a script by hand, all side by side."""

    name = "limit"

    def write(self, directory, case, hosts):
        lines = ["pids="]
        for host in hosts:
            script = case.work.limit(host, case.again)
            content = case.work.limit_content(case.again)
            ssh = f"ssh -F {self.target.client_config} -p {host.port} {host.address}"
            path = directory / f"{host.name}.sh"
            if content is None:
                path.write_text(script)
                lines.append(f"{ssh} sh -s <{path} & pids=\"$pids $!\"")
            else:
                # The script's content follows on the same stream, so the script itself is the command.
                (directory / "content").write_bytes(content)
                lines.append(f"{ssh} {shlex.quote(script)} <{directory}/content & pids=\"$pids $!\"")
        lines += ["for pid in $pids; do wait $pid || exit 1; done", ""]
        (directory / "all.sh").write_text("\n".join(lines))

    def argv(self, case):
        return ["sh", "all.sh"]


ALL = {tool.name: tool for tool in (Rplay, Native, Before, Limit, Ansible, Mitogen, Pyinfra)}


def dump(plays):
    return yaml.safe_dump(plays, sort_keys=False, width=200)
