"""Runs the plays of this directory twice under ansible-playbook and under rplay, and compares them task by task.

Each engine has a host of its own. What must agree: the tasks, their states, all that their results hold but what no two
runs have in common, the recap; and the second run changes nothing.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Keys whose values no two runs have in common, or that tell only how the engine works.
DROPPED = {
    "invocation", "exception", "_ansible_no_log", "_ansible_delegated_vars", "discovered_interpreter_python",
    "start", "end", "delta", "elapsed", "atime", "mtime", "ctime", "birthtime", "inode", "dev", "device", "finished_at",
    "execution_time_ms", "warnings", "deprecations", "ansible_job_id", "results_file", "pid", "started", "finished", "cmd_time", "stime",
}  # fmt: skip
# What an engine of containers gives each object, and what tells that rplay's native module has made it.
DROPPED |= {
    "Id", "GraphDriver", "HostnamePath", "HostsPath", "LogPath", "ResolvConfPath", "Pid", "SandboxID", "SandboxKey",
    "EndpointID", "NetworkID", "MacAddress", "IPAddress", "Gateway", "Subnet", "Hostname", "NFd", "NGoroutines", "RepoTags",
    "Aliases", "Containers", "actions", "rplay.config", "rplay.spec", "AttachStdout", "AttachStderr", "Options",
}  # fmt: skip
# What is random in keys and certificates.
DROPPED |= {"modulus", "x", "y", "serial_number", "public_key_fingerprints", "fingerprints", "value", "authority_key_identifier", "subject_key_identifier"}
# Their sizes depend on the times in them.
COMPRESSED = (".gz", ".bz2", ".xz", ".zip")
HIDDEN = [
    (re.compile(r"(/\S*)?/\.?(ansible[-_.]|rplay|source)[^\s'\",:]*"), "TEMPORARY"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"\b\d{14}Z\b"), "TIME"),
    (re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n?", re.S), r"PEM \1"),
    (re.compile(r"\b([0-9a-f]{2}:){7,}[0-9a-f]{2}\b", re.I), "FINGERPRINT"),
    (re.compile(r"copied, [0-9.]+ s, [0-9.]+ .?B/s"), "COPIED"),
    (re.compile(r"SHA256:[A-Za-z0-9+/]{43}"), "FINGERPRINT"),
    (re.compile(r"AAAA[A-Za-z0-9+/=]{40,}"), "KEY"),
]


def plain(value, names):
    """The value without what no two runs have in common; `names` are pairs of a text and its replacement."""
    if isinstance(value, dict):
        kept = {name: item for name, item in value.items() if name not in DROPPED}
        if str(kept.get("dest", "")).endswith(COMPRESSED):
            kept.pop("size", None)
        if str(kept.get("dest", "")).endswith(".crt") or str(kept.get("filename", "")).endswith(".p12"):
            for key in ("checksum", "md5sum", "size", "content"):
                kept.pop(key, None)
        if "daemon_reload" in value or "enabled" in value:
            # What systemd tells of a service.
            kept.pop("status", None)
        if isinstance(kept.get("expanded_paths"), list):
            # In the order of the file system.
            kept["expanded_paths"] = sorted(kept["expanded_paths"])
        kept = {hide(name, names): plain(item, names) for name, item in kept.items()}
        return {name: item for name, item in kept.items() if not (isinstance(item, str) and item.endswith("TEMPORARY"))}
    if isinstance(value, list):
        return [item for item in (plain(one, names) for one in value) if item != "TEMPORARY"]
    return hide(value, names) if isinstance(value, str) else value


def told(record):
    """The warnings and deprecations in a record, without what concerns an engine's own directories or its modules' code."""
    for line in record.read_text().splitlines():
        result = json.loads(line).get("result") or {}
        for entry in [result, *(item for item in result.get("results") or () if isinstance(item, dict))]:
            for one in [*(entry.get("warnings") or ()), *(entry.get("deprecations") or ())]:
                text = one["msg"] if isinstance(one, dict) else one
                if not any(word in text for word in ("remote_tmp", "as temporary directory", "to `exit_json` or `fail_json`")):
                    yield text


def hide(text, names):
    for before, after in names:
        text = text.replace(before, after)
    for pattern, word in HIDDEN:
        text = pattern.sub(word, text)
    return text


def unmarked(value):
    """An inventory as ansible-inventory prints it, without its marks of what is no template."""
    if isinstance(value, dict):
        return value["__ansible_unsafe"] if list(value) == ["__ansible_unsafe"] else {k: unmarked(v) for k, v in value.items()}
    return [unmarked(item) for item in value] if isinstance(value, list) else value


def differences(ours, theirs, place=""):
    """The places where two values differ, with both sides."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys(), key=str):
            if key not in ours:
                yield f"{place}.{key}", "(none)", theirs[key]
            elif key not in theirs:
                yield f"{place}.{key}", ours[key], "(none)"
            else:
                yield from differences(ours[key], theirs[key], f"{place}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (mine, yours) in enumerate(zip(ours, theirs)):
            yield from differences(mine, yours, f"{place}[{number}]")
    # Integers beyond 128 bits are text in rplay.
    elif isinstance(theirs, int) and abs(theirs) >= 2**127 and ours == str(theirs):
        return
    elif ours != theirs or type(ours) is not type(theirs):
        yield place, ours, theirs


class Engine:
    def __init__(self, name, argv, host, options):
        self.name, self.argv, self.host, self.options = name, argv, host, options
        self.directory = options.work / name
        self.directory.mkdir(parents=True, exist_ok=True)

    def environment(self):
        env = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "RPLAY_"))}
        return env | {
            "ANSIBLE_CONFIG": str(HERE / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_HOME": str(self.directory / "home"),
            "HOME": str(self.directory),
            "LC_ALL": "C.UTF-8",
            "RPLAY_ANSIBLE_PYTHON": self.options.python,
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "PATH": f"{Path(self.options.python).parent}:{os.environ['PATH']}",
        }

    def run(self, play, number, more={}):
        """One run of a play: its records, what it said, how long it took."""
        record = self.directory / f"{play}.{number}.json"
        record.unlink(missing_ok=True)
        variables = {"prefix": f"proof-{self.name}", "fetched": str(self.directory / "fetched"), "image": self.options.image}
        host = self.host | {"ansible_python_interpreter": "/usr/bin/python3"}
        inventory = self.directory / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": {"target": host}}}))
        env = self.environment() | {"PROOF_RECORD": str(record)} | more
        begun = time.monotonic()
        done = subprocess.run(
            [*self.argv, "-i", inventory, f"{play}.yml", "-e", json.dumps(variables)],
            cwd=HERE, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        (self.directory / f"{play}.{number}.out").write_text(done.stdout)
        wall = time.monotonic() - begun
        if not record.exists():
            sys.exit(f"{self.name} has not run {play}:\n{done.stdout}")
        names = [(str(self.directory), "DIRECTORY"), (variables["prefix"], "PREFIX"), *self.options.names[self.name]]
        return [plain(json.loads(line), names) for line in record.read_text().splitlines()], done, wall


def compare(play, number, ours, theirs):
    found = 0
    for mine, yours in zip(ours, theirs):
        # Facts are compared elsewhere: those of two hosts differ.
        if mine.get("task") == "Gathering Facts":
            continue
        for place, left, right in differences(mine, yours):
            found += 1
            print(f"      {play} {number}: {mine.get('task')} {place}\n        rplay    {json.dumps(left)[:600]}\n        ansible  {json.dumps(right)[:600]}")
    if len(ours) != len(theirs):
        found += 1
        print(f"      {play} {number}: {len(ours)} results and not {len(theirs)}")
    return found


def prove(play, engines):
    """The number of differences."""
    found = 0
    for number in (1, 2):
        with ThreadPoolExecutor(2) as pool:
            (ours, mine, fast), (theirs, yours, slow) = pool.map(lambda engine: engine.run(play, number), engines)
        found += compare(play, number, ours, theirs)
        said = " ".join(mine.stdout.replace("\\n", " ").split())
        for text in sorted(set(told(engines[1].directory / f"{play}.{number}.json"))):
            if " ".join(text.split()) not in said:
                found += 1
                print(f"      {play} {number}: rplay does not say: {text}")
        if mine.returncode != yours.returncode:
            found += 1
            print(f"      {play} {number}: ends with {mine.returncode} and not {yours.returncode}\n{mine.stdout[-1500:]}\n{yours.stdout[-1500:]}")
        changed = ours[-1]["hosts"]["target"]["changed"] if ours and ours[-1].get("hosts") else None
        if number == 2 and changed != 0:
            found += 1
            tasks = [entry.get("task") for entry in ours if entry.get("result", {}).get("changed")]
            print(f"      {play}: the second run changes {changed}: {tasks}")
        print(f"{'ok  ' if not found else 'FAIL'}  {play}, run {number}: {len(ours)} results, rplay {fast:.1f} s, ansible {slow:.1f} s", flush=True)
    return found


def inventory(engines):
    """The differences between what both engines make of the inventory of plugins."""
    found = []
    for engine in engines:
        argv = [str(Path(engine.options.python).parent / "ansible-inventory")] if engine.name == "ansible" else [*engine.argv, "inventory"]
        if engine.name == "ansible":
            argv = [engine.options.python, *argv]
        sources = [word for name in ("containers.docker.yml", "constructed.yml") for word in ("-i", f"inventory/{name}")]
        done = subprocess.run([*argv, *sources, "--list"], cwd=HERE, env=engine.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            print(f"      inventory: {engine.name} ends with {done.returncode}: {done.stderr}")
            return 1
        found.append(unmarked(json.loads(done.stdout)))
    number = 0
    for place, left, right in differences(*found):
        number += 1
        print(f"      inventory: {place}\n        rplay    {json.dumps(left)[:600]}\n        ansible  {json.dumps(right)[:600]}")
    hosts = found[0].get("_meta", {}).get("hostvars", {})
    print(f"{'FAIL' if number or not hosts else 'ok  '}  inventory: {len(hosts)} hosts, {len(found[0])} groups", flush=True)
    return number + (not hosts)


def ara(engines):
    """The differences between what ara has recorded of both engines' runs."""
    found = []
    for engine in engines:
        database = engine.directory / "ara.sqlite"
        database.unlink(missing_ok=True)
        setup = [engine.options.python, "-m", "ara.setup.callback_plugins"]
        plugins = subprocess.run(setup, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        more = {
            "ANSIBLE_CALLBACK_PLUGINS": plugins,
            "ARA_BASE_DIR": str(engine.directory),
            "ARA_DATABASE_NAME": str(database),
            "ARA_API_CLIENT": "offline",
            "ARA_LOG_LEVEL": "ERROR",
        }
        engine.run("recorded", "ara", more)
        kinds = {}
        for kind in ("playbook", "play", "task", "host", "result"):
            argv = [str(Path(engine.options.python).parent / "ara"), kind, "list", "-f", "json"]
            done = subprocess.run(argv, env=engine.environment() | more, capture_output=True, text=True)
            rows = json.loads(done.stdout or "[]")
            kept = ("status", "name", "action", "tasks", "results", "hosts", "plays", "ok", "changed", "failed", "skipped", "unreachable", "handler")
            kinds[kind] = sorted((json.dumps({key: row[key] for key in kept if key in row}) for row in rows))
        found.append(kinds)
    number = 0
    for place, left, right in differences(*found):
        number += 1
        print(f"      ara: {place}\n        rplay    {left}\n        ansible  {right}")
    count = {kind: len(rows) for kind, rows in found[0].items()}
    print(f"{'FAIL' if number or not count['result'] else 'ok  '}  ara: {count}", flush=True)
    return number + (not count["result"])


OTHERS = {"inventory": inventory, "ara": ara}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("plays", nargs="*")
    parser.add_argument("--rplay", required=True)
    parser.add_argument("--python", required=True, help="the Python that has ansible")
    parser.add_argument("--host", action="append", required=True, help="for each engine: its host's variables, in JSON")
    parser.add_argument("--image", default="", help="a Docker image with a shell")
    parser.add_argument("--work", type=Path, help="where records and outputs go")
    options = parser.parse_args()
    kept = options.work
    options.work = kept or Path(tempfile.mkdtemp(prefix="rplay-proof-"))
    hosts = [json.loads(text) for text in options.host]
    options.names = {"rplay": [(hosts[0]["ansible_host"], "ADDRESS")], "ansible": [(hosts[1]["ansible_host"], "ADDRESS")]}
    playbook = [options.python, str(Path(options.python).parent / "ansible-playbook")]
    engines = [Engine("rplay", [options.rplay], hosts[0], options), Engine("ansible", playbook, hosts[1], options)]
    passed = failed = 0
    for play in options.plays or [*sorted(path.stem for path in HERE.glob("*.yml") if path.stem != "recorded"), *OTHERS]:
        if OTHERS[play](engines) if play in OTHERS else prove(play, engines):
            failed += 1
        else:
            passed += 1
    if not kept:
        shutil.rmtree(options.work, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
