"""Records what ansible-core answers to expressions: `python record_values.py > values.csv`.

Run it with the Python of an ansible-core 2.19 and passlib. The expressions stand in `values.txt`, one a line; a line that begins with
`T ` is a template file, in JSON. The variables are those of `values_vars.json`.

A row: expression, Python's name of the type (`error`, or empty for a template file), the value in JSON or the message.
"""

import csv
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
# How the message of a failed task begins.
PREFIX = re.compile(
    r"^Task failed: Finalization of task args for 'ansible.builtin.debug' failed: Error while resolving value for 'msg': "
)
# What 2.19 calls its own kinds of the usual types.
TYPES = {"_AnsibleTagged(Int|Str|Float)": None, "_AnsibleLazyTemplate(Dict|List)": None}


def plain(message):
    message = re.sub(r"ansible\._internal\._templating\._lazy_containers\.", "", PREFIX.sub("", message))
    return re.sub("|".join(TYPES), lambda found: (found[1] or found[2]).lower(), message)


def main():
    cases = [line for line in (HERE / "values.txt").read_text().splitlines() if line and not line.startswith("# ")]
    with tempfile.TemporaryDirectory() as place:
        directory = pathlib.Path(place)
        tasks = []
        for at, case in enumerate(cases):
            if case.startswith("T "):
                (directory / f"{at}.j2").write_text(json.loads(case[2:]))
                tasks.append({"debug": {"msg": f"{{{{ lookup('template', '{directory}/{at}.j2') }}}}"}})
            else:
                tasks.append({"debug": {"msg": ["{{ %s }}" % case]}})
            tasks[-1] |= {"register": f"value{at}", "ignore_errors": True}
            if not case.startswith("T "):
                kind = {"debug": {"msg": "{{ (%s) | type_debug }}" % case}, "register": f"kind{at}"}
                tasks.append(kind | {"when": f"value{at} is success", "ignore_errors": True})
        pairs = ", ".join(f"[value{at}, kind{at} | default({{}})]" for at in range(len(cases)))
        answers = directory / "answers.json"
        tasks.append({"copy": {"dest": str(answers), "content": "{{ [%s] | to_json }}" % pairs}})
        play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
        play["vars"] = json.loads((HERE / "values_vars.json").read_text())
        play["vars"]["ansible_python_interpreter"] = sys.executable
        (directory / "play.yml").write_text(json.dumps([play], ensure_ascii=False))
        subprocess.run(
            [pathlib.Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-c", "local", directory / "play.yml"],
            env=os.environ | {"ANSIBLE_DEPRECATION_WARNINGS": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        results = json.loads(answers.read_text())
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["expression", "type", "answer"])
    for case, (value, kind) in zip(cases, results):
        if value.get("failed"):
            writer.writerow([case, "error", plain(value["msg"])])
        elif case.startswith("T "):
            writer.writerow([case, "", json.dumps(value["msg"])])
        else:
            writer.writerow([case, kind.get("msg"), json.dumps(value["msg"][0])])


main()
