"""Records what ansible-core answers to conditions: `python record_conditions.py > conditions.csv`.

Run it with the Python of an ansible-core 2.19. The conditions stand in `conditions.txt`, one a line in JSON; a
line `[NAME, CONDITION]` is evaluated with a setting: `broken` with ALLOW_BROKEN_CONDITIONALS, `plain` without
ALLOW_EMBEDDED_TEMPLATES. The variables are those of `jinja_vars.json` and of VARS below.

A row: number, mode (`c`, `c-broken`, `c-plain`), condition, kind (`bool` or `error`), answer.
"""

import csv
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
SETTINGS = {
    "": {},
    "broken": {"ANSIBLE_ALLOW_BROKEN_CONDITIONALS": "1"},
    "plain": {"ANSIBLE_ALLOW_EMBEDDED_TEMPLATES": "0"},
}
# Templates among the variables, which JSON cannot mark as such.
TEMPLATES = {"cond_x": "{{ cond_text }}", "cond_true": "{{ cond_number == 1 }}"}
FIRST = 3000


def answers(conditions):
    """The answers of this process, whose settings come from its environment."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar, trust_as_template
    from ansible.utils.display import Display

    for name in ("warning", "deprecated"):
        setattr(Display, name, lambda self, *args, **named: None)
    variables = json.loads((HERE / "jinja_vars.json").read_text())
    variables |= json.loads((HERE / "conditions_vars.json").read_text())
    variables |= {name: trust_as_template(text) for name, text in TEMPLATES.items()}
    templar = Templar(loader=DataLoader(), variables=variables)
    for condition in conditions:
        try:
            written = trust_as_template(condition) if isinstance(condition, str) else condition
            yield "bool", json.dumps(templar.evaluate_conditional(written))
        except Exception as error:
            yield "error", type(error).__name__


def main():
    if len(sys.argv) > 1:
        json.dump(list(answers(json.load(sys.stdin))), sys.stdout)
        return
    lines = [json.loads(line) for line in (HERE / "conditions.txt").read_text().splitlines() if line.strip()]
    cases = [line if isinstance(line, list) else ["", line] for line in lines]
    found = {}
    for setting, environment in SETTINGS.items():
        numbers = [number for number, (name, _) in enumerate(cases) if name == setting]
        done = subprocess.run(
            [sys.executable, __file__, "answer"],
            input=json.dumps([cases[number][1] for number in numbers]),
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found |= dict(zip(numbers, json.loads(done.stdout)))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["id", "mode", "template", "type", "result"])
    for number, (setting, condition) in enumerate(cases):
        kind, answer = found[number]
        mode = f"c-{setting}" if setting else "c"
        writer.writerow([FIRST + number, mode, json.dumps(condition), kind, answer])


main()
