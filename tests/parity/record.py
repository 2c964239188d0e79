#!/usr/bin/env python3
"""Records what ansible-core does in the cases of `cases.yml` and `plays.yml`, for `tests/parity.rs` to compare with.

    python3 -m venv /tmp/ansible && /tmp/ansible/bin/pip install 'ansible-core==2.19.*'
    /tmp/ansible/bin/python tests/parity/record.py /tmp/ansible/bin/ansible-playbook [NAME ...]

Without names it runs all cases, else those whose key contains one of the words. Writes `records.txt`.
"""

import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
CASES = ("cases.yml", "plays.yml")
HOSTS = "abc"
PROBE = 'debug: {msg: "{{ ansible_play_hosts | join }} {{ ansible_play_batch | join }} {{ ansible_play_hosts_all | join }} {{ play_hosts | join }}"}'
FAILS = "failed_when: inventory_hostname in dying"
MACROS = {
    "<all>": "hosts: all\n  gather_facts: false",
    "<next>": "- hosts: all\n  gather_facts: false\n  tasks: [{name: next, <probe>}]",
    "<probe>": PROBE,
    "<alive>": 'raw: "true", changed_when: false',
}
DEATHS = {
    "failed": {
        "<die>": f"debug: {{msg: x}}, {FAILS}",
        "<die changed>": f"debug: {{msg: x}}, changed_when: true, {FAILS}",
        "<die async>": f'command: "true", {FAILS}',
    },
    "unreachable": {
        "<die>": 'raw: "true", changed_when: false',
        "<die changed>": 'raw: "true", changed_when: true',
        "<die async>": 'command: "true"',
    },
}


def expand(text, kind):
    """The text with the macros replaced."""
    for table in (MACROS, DEATHS[kind]):
        for name, value in table.items():
            text = text.replace(name, value)
    return text


def inventory(kind, who):
    """The hosts; those that cannot be reached have a port where nobody listens."""
    lines = []
    for host in HOSTS:
        dead = kind == "unreachable" and host in who
        lines.append(f"{host} ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1" if dead else f"{host} ansible_connection=local")
    return "\n".join(lines) + f"\n[all:vars]\ndying={list(who)!r}\n"


RESULT = re.compile(r"^(ok|changed|skipping|fatal|failed): \[([a-z])(?: -> [^\]]*)?\](?:: (FAILED|UNREACHABLE)!)?(.*)$")
BANNER = re.compile(r"^(PLAY|TASK|RUNNING HANDLER) \[(.*)\] \**$")
STATUS = {"skipping": "skipped", "fatal": "failed"}


def told(output, code):
    """What a run shows, told shortly: the order of its tasks, and for each host what became of them."""
    hosts = {}
    order = []
    counts = {}
    task = ""
    lines = iter(output.splitlines())
    last = None
    for line in lines:
        if banner := BANNER.match(line):
            kind, name = banner.groups()
            name = name.rsplit(" : ", 1)[-1]
            task = "*" + name if kind == "RUNNING HANDLER" else name
            if kind == "PLAY":
                order.append("PLAY")
            continue
        if line.startswith("NO MORE HOSTS LEFT"):
            # Sometimes it is told twice.
            if order[-1:] != ["NO MORE HOSTS LEFT"]:
                order.append("NO MORE HOSTS LEFT")
        elif line.startswith("PLAY RECAP"):
            for line in lines:
                if found := re.match(r"^([a-z]) +: (.*)$", line):
                    shown = [word for word in found[2].split() if not word.endswith("=0")]
                    counts[found[1]] = " ".join(shown)
        elif found := re.match(r"^FAILED - RETRYING: \[([a-z])\]", line):
            hosts.setdefault(found[1], []).append([task, "retrying", ""])
        elif found := re.match(r"^included: .* for ([a-z](?:, [a-z])*)", line):
            for host in found[1].split(", "):
                hosts.setdefault(host, []).append([task, "included", ""])
        elif line.startswith("...ignoring"):
            if last:
                last[1] += " ignored"
        elif found := RESULT.match(line):
            word, host, how, rest = found.groups()
            status = "unreachable" if how == "UNREACHABLE" else STATUS.get(word, word)
            item = re.search(r"\(item=([^)]*)\)", rest)
            text = ""
            if rest.endswith("{"):
                for line in lines:
                    if found := re.match(r'^    "msg": "?(.*?)"?,?$', line):
                        text = found[1]
                    if line.startswith("}"):
                        break
            last = [task, (f"item {item[1]} " if item else "") + status, text if status in ("ok", "changed") else ""]
            hosts.setdefault(host, []).append(last)
            if not order or order[-1] != task:
                order.append(task)
    shown = [(f"exit {code}: " + ", ".join(order)).rstrip()]
    for host in sorted(set(hosts) | set(counts)):
        results = ["{} {} {}".format(*entry).strip() for entry in hosts.get(host, [])]
        shown.append(f"{host} ({counts.get(host, '')}) " + " | ".join(results))
    return shown


def combinations(cases):
    for case in cases:
        for kind in case.get("kinds", ["failed", "unreachable"]):
            for who in case["who"]:
                yield f"{case['name']}, {kind} {who}", case, kind, who


def run(program, case, kind, who):
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        files = {"ansible.cfg": "", "play.yml": case["play"], **case.get("files", {})}
        for name, text in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(expand(text, kind))
        (directory / "hosts").write_text(inventory(kind, who))
        env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        env |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOST_KEY_CHECKING": "0"}
        env |= {"ANSIBLE_HOME": str(directory / "home"), "LC_ALL": "C.UTF-8"}
        command = [program, "-i", "hosts", "play.yml", "-e", f"ansible_python_interpreter={sys.executable}", *shlex.split(case.get("args", ""))]
        done = subprocess.run(command, cwd=directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if os.environ.get("SHOW"):
            print(done.stdout, done.stderr)
        lines = told(done.stdout, done.returncode)
        if not case.get("order", True) or "strategy: free" in case["play"] or "host_pinned" in case["play"]:
            words = lines[0].split(": ")[1].split(", ")
            lines[0] = f"exit {done.returncode}: " + ", ".join(w for w in words if w in ("PLAY", "NO MORE HOSTS LEFT"))
        return lines


def main():
    program, words = sys.argv[1], sys.argv[2:]
    records = HERE / "records.txt"
    cases = [case for name in CASES for case in yaml.safe_load((HERE / name).read_text())]
    known = {}
    if records.exists():
        for block in records.read_text().split("## ")[1:]:
            key, *lines = block.strip().splitlines()
            known[key] = lines
    wanted = list(combinations(cases))
    keys = [key for key, *_ in wanted]
    assert len(set(keys)) == len(keys), "two cases have one name"
    known = {key: known[key] for key in known if key in keys}

    def write():
        text = "".join(f"## {key}\n" + "\n".join(known[key]) + "\n" for key in keys if key in known)
        records.write_text("What ansible-core 2.19 does, written by record.py.\n" + text)

    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        chosen = [w for w in wanted if not words or any(word in w[0] for word in words)]
        if os.environ.get("MISSING"):
            chosen = [w for w in chosen if w[0] not in known]
        jobs = {pool.submit(run, program, *rest): key for key, *rest in chosen}
        for done, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            known[jobs[job]] = job.result()
            if done % 20 == 0:
                write()
    write()
    print(f"{len(known)} records")


main()
