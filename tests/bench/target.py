"""The hosts: one sshd of our own, an address and a directory for each host."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sshd"))
import own_sshd  # noqa: E402 - its directory is in the path only now

SSHD_CONFIG = """\
MaxStartups 4096
MaxSessions 1000
LoginGraceTime 600
SetEnv HOME={work}/target
Subsystem sftp internal-sftp
"""

CLIENT_CONFIG = """\
Host *
    User root
    IdentityFile {work}/user_key
    IdentitiesOnly yes
    UserKnownHostsFile {work}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    ConnectTimeout 600
    LogLevel ERROR
"""


@dataclass(frozen=True)
class Host:
    number: int
    directory: Path
    # 22 is sshd itself, 2222 the relay before it.
    port: int = 22

    @property
    def name(self):
        return f"h{self.number:04}"

    @property
    def address(self):
        return f"127.77.{self.number // 250}.{self.number % 250 + 1}"


class Target:
    """All hosts, until `stop`."""

    def __init__(self, work: Path, group):
        self.work = work
        self.cleaned = 0
        self.client_config = work / "ssh_config"
        self.python = os.path.realpath(Path(sys.base_prefix) / "bin/python3")
        for directory in ("target", "hosts", "home", "run"):
            (work / directory).mkdir(mode=0o700, exist_ok=True)
        public = own_sshd.make_keys(work)
        (work / "known_hosts").write_text("".join(f"{names} {public}\n" for names in ("*", "[*]:*")))
        config = own_sshd.configuration(work, "0.0.0.0", 22, SSHD_CONFIG.format(work=work))
        (work / "sshd_config").write_text(config)
        self.configure_client()
        self.process = subprocess.Popen(
            own_sshd.command(work / "sshd_config"),
            stderr=(work / "sshd.log").open("wb"),
            preexec_fn=group.enter,
            env={"PATH": os.environ["PATH"]},
        )
        self.wait()

    def configure_client(self, key_exchange=""):
        """What a user has in ~/.ssh/config: the same for all tools that use ssh."""
        more = f"    KexAlgorithms {key_exchange}\n" if key_exchange else ""
        self.client_config.write_text(CLIENT_CONFIG.format(work=self.work) + more)

    def wait(self):
        host = self.hosts(1)[0]
        for _ in range(50):
            time.sleep(0.1)
            tried = subprocess.run(["ssh", "-F", self.client_config, host.address, "true"], stderr=subprocess.DEVNULL)
            if tried.returncode == 0:
                return
        sys.exit(f"sshd does not answer: {(self.work / 'sshd.log').read_text()}")

    def hosts(self, count, relayed=False):
        return [Host(n, self.work / "hosts" / f"h{n:04}", 2222 if relayed else 22) for n in range(count)]

    def clean(self, hosts):
        """Empty directories, on the target's side. What was there stays until the end: ext4 is slow to make files
        for five seconds after others were removed."""
        self.cleaned += 1
        (self.work / "hosts").rename(self.work / f"done{self.cleaned}")
        (self.work / "hosts").mkdir()
        for host in hosts:
            host.directory.mkdir()

    def stop(self):
        self.process.terminate()
        self.process.wait()
