"""An sshd of one's own: its keys and its configuration, for scripts that need hosts."""

import shutil
import subprocess
from pathlib import Path

CONFIG = """\
Port {port}
ListenAddress {address}
HostKey {work}/host_key
AuthorizedKeysFile {work}/user_key.pub
PidFile none
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
LogLevel ERROR
"""


def make_keys(work: Path):
    """Makes the keys of the server and of the user in a directory. Returns the server's, as it stands in known_hosts."""
    for key in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / key], check=True)
    return " ".join((work / "host_key.pub").read_text().split()[:2])


def configuration(work: Path, address: str, port: int, more: str):
    """The text of sshd_config for a server with these keys; `more` are further lines."""
    return CONFIG.format(work=work, address=address, port=port) + more


def command(config: Path):
    """What starts the server in the foreground."""
    # sshd separates privileges in this directory, which its service would make.
    Path("/run/sshd").mkdir(exist_ok=True)
    return [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", config]
