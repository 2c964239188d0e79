#!/usr/bin/env python3
"""Records what ansible's modules return for the tasks of `results/*.yml`, for `tests/results.rs` to compare with.

    python3 -m venv /tmp/ansible && /tmp/ansible/bin/pip install 'ansible==12.*'
    sudo unshare -m /tmp/ansible/bin/python tests/parity/record_results.py [NAME ...]

Each file is a list of tasks; they run in turn, and what each registers is one line of `results/NAME.json`. Root has to
run it, in a mount namespace: accounts and the like are changed in a copy of /etc.
"""

import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent / "results"
DROPPED = {"invocation", "exception", "warnings", "deprecations", "discovered_interpreter_python"}
VARYING = {
    "ansible_job_id", "start", "end", "delta", "elapsed", "atime", "mtime", "ctime", "birthtime", "inode", "dev", "blocks", "block_size",
    "attr_flags", "attributes", "version", "date", "server", "connection", "keep_alive", "mimetype", "charset", "stop",
}  # fmt: skip
HIDDEN = [
    (re.compile(r"/\S*/\.?(ansible[-_.]|source|rplay)[^\s'\"]*"), "TEMPORARY"),
    (re.compile(r"Paused for 1\.\d+"), "Paused for 1.0"),
    (re.compile(r"\.\d+\.\d{4}-\d\d-\d\d@[\d:]+~"), "BACKUP"),
]


def play(tasks):
    """The tasks as a play that keeps what each registers."""
    blocks = re.split(r"(?m)^(?=- )", tasks)[1:]
    lines = [f"- hosts: all\n  gather_facts: false\n  tasks:\n"]
    for number, block in enumerate(blocks):
        block = block.rstrip("\n") + f"\n  register: r{number}\n  ignore_errors: true\n"
        lines.append("".join(f"  {line}\n" for line in block.splitlines()))
    names = ", ".join(f"r{number}" for number in range(len(blocks)))
    lines.append(f'  - copy: {{content: "{{{{ [{names}] | to_json }}}}", dest: "{{{{ out }}}}"}}\n    diff: false\n')
    return "".join(lines)


def plain(value, here, key=None):
    """The value without what no two runs have in common."""
    if key in VARYING and value not in (None, ""):
        return "VARIES"
    if isinstance(value, dict):
        value = {name.replace(here[0], "HERE"): plain(item, here, name) for name, item in value.items() if name not in DROPPED}
        if value.get("state") == "directory" and "size" in value:
            value["size"] = "VARIES"
        return value
    if isinstance(value, list):
        return [plain(item, here) for item in value]
    if isinstance(value, str):
        value = value.replace(here[0], "HERE").replace(here[1], "SERVER").replace(here[2], "DIRECTORY")
        for pattern, word in HIDDEN:
            value = pattern.sub(word, value)
    return value


class Server(http.server.BaseHTTPRequestHandler):
    answers = json.loads((HERE / "server.json").read_text())
    protocol_version = "HTTP/1.0"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length).decode()
        answer = self.answers.get(self.path.split("?")[0], {"status": 404, "body": "missing"})
        body = answer.get("body", "").replace("REQUEST", f"{self.command} {sent}").encode()
        self.send_response(answer.get("status", 200))
        for name, text in answer.get("headers", {}).items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = answer

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for path in sorted(HERE.glob("*.yml")):
        if sys.argv[1:] and path.stem not in sys.argv[1:]:
            continue
        with tempfile.TemporaryDirectory(prefix="results-") as directory:
            directory = pathlib.Path(directory)
            for name in ("etc", "work", "files", "templates"):
                (directory / name).mkdir()
            subprocess.run(["cp", "-a", "/etc/.", directory / "etc"], check=True)
            for name in ("passwd", "group", "shadow", "gshadow"):
                (directory / "etc" / name).write_text((HERE / "etc" / name).read_text() if (HERE / "etc" / name).exists() else "")
            subprocess.run(["mount", "--bind", directory / "etc", "/etc"], check=True)
            (directory / "play.yml").write_text(play(path.read_text()))
            (directory / "hosts").write_text("a ansible_connection=local\n")
            (directory / "templates/t.j2").write_text("x={{ x | default(1) }}\n")
            (directory / "files/f.txt").write_text("a file\n")
            (directory / "files/s.sh").write_text("#!/bin/sh\necho ran $1\n")
            (directory / "files/fails.sh").write_text("#!/bin/sh\necho oh >&2\nexit 4\n")
            more = {"here": str(directory / "work"), "server": address, "out": str(directory / "out.json")}
            command = ["ansible-playbook", "-i", "hosts", "play.yml", "-e", json.dumps(more)]
            command += ["-e", f"ansible_python_interpreter={sys.executable}"]
            env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
            env |= {"ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
            program = pathlib.Path(sys.executable).with_name(command[0])
            done = subprocess.run([program, *command[1:]], cwd=directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            subprocess.run(["umount", "-l", "/etc"], check=True)
            if os.environ.get("SHOW") or not (directory / "out.json").exists():
                print(done.stdout, done.stderr)
            results = json.loads((directory / "out.json").read_text())
            results = plain(results, (str(directory / "work"), address, str(directory)))
            text = "".join(json.dumps(result, sort_keys=True) + "\n" for result in results)
            path.with_suffix(".json").write_text(text)
            print(path.stem, len(results))


main()
