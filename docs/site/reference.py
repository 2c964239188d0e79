"""The pages of the site that rplay writes itself: what its executable says, and the messages in its source."""

import json
import os
import re
import subprocess

COMMANDS = ["", "adhoc", "inventory", "doc", "config", "why", "vault", "galaxy", "console", "pull", "self"]


class Executable:
    """rplay, asked in an empty directory without settings of a user or a Python with ansible-core."""

    def __init__(self, path, directory):
        self.path, self.directory = str(path), directory
        directory.mkdir(parents=True, exist_ok=True)

    def says(self, *args):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.directory), "NO_COLOR": "1", "RPLAY_ANSIBLE_PYTHON": "/nonexistent"}
        done = subprocess.run([self.path, *args], cwd=self.directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"rplay {' '.join(args)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def json(self, *args):
        return json.loads(self.says(*args))


def pages(root, executable, empty):
    """All pages: their names and texts."""
    rplay = Executable(executable, empty)
    made = modules(rplay)
    for kind, title in (("filter", "Filters"), ("test", "Tests"), ("lookup", "Lookups")):
        made[f"{kind}s.md"] = plugins(rplay, kind, title)
    made["keywords.md"] = keywords(rplay)
    made["settings.md"] = settings(rplay, root)
    made["commands.md"] = commands(rplay)
    made["messages.md"] = messages(root)
    made["examples.md"] = examples(root)
    return made


def shown(text):
    """A text in a page: what looks like HTML or a template is shown as written."""
    parts = re.split(r"(`[^`]*`)", str(text))
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;").replace("{{", "{&#123;") for part in parts)


def cell(text):
    return shown(text).replace("|", "\\|").replace("\n", " ")


def code(text):
    """Short text as code in a table."""
    text = str(text).replace("|", "\\|").replace("\n", " ")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def joined(description):
    return " ".join(description) if isinstance(description, list) else str(description or "")


def modules(rplay):
    listed = rplay.json("doc", "-j", "-l")
    docs = rplay.json("doc", "-j", *sorted(listed))
    made = {}
    index = ["# Modules\n", f"These {len(docs)} modules are built in and need no Python. Other modules run too:",
             "[Content in Python](../python.md).\n", "| module | what it does |", "|---|---|"]
    for name, entry in sorted(docs.items(), key=lambda pair: pair[0].rsplit(".", 1)[-1]):
        short = name.rsplit(".", 1)[-1]
        doc = entry["doc"]
        summary = joined(doc.get("short_description") or doc["description"])
        index.append(f"| [{short}]({short}.md) | {cell(summary)} |")
        if f"modules/{short}.md" in made:
            raise SystemExit(f"two modules are called {short}")
        made[f"modules/{short}.md"] = module(name, entry)
    made["modules/index.md"] = "\n".join(index) + "\n"
    return made


def module(name, entry):
    doc = entry["doc"]
    text = [f"# {name}\n", shown(joined(doc["description"])) + "\n"]
    options = doc.get("options") or {}
    if options:
        text += ["## Arguments\n", "| argument | type | default | meaning |", "|---|---|---|---|"]
    for argument, option in options.items():
        default = "**required**" if option.get("required") else code(option["default"]) if option.get("default") not in (None, "") else ""
        meaning = cell(joined(option.get("description")))
        if choices := option.get("choices"):
            meaning += " One of: " + ", ".join(code(choice) for choice in choices) + "."
        if aliases := option.get("aliases"):
            meaning += " Also called " + ", ".join(code(alias) for alias in aliases) + "."
        text.append(f"| `{argument}` | {cell(option.get('type', ''))} | {default} | {meaning} |")
    text.append("\nEvery task also takes [keywords](../keywords.md) such as `when`, `loop` and `register`.\n")
    if examples := entry.get("examples"):
        text.append(f"## Examples\n\n```yaml\n{examples.strip()}\n```\n")
    if results := entry.get("return"):
        text += ["## Results\n", "| result | type | meaning |", "|---|---|---|"]
        for result, what in results.items():
            text.append(f"| `{result}` | {cell(what.get('type', ''))} | {cell(joined(what.get('description')))} |")
        text.append("")
    return "\n".join(text)


def plugins(rplay, kind, title):
    listed = rplay.json("doc", "-t", kind, "-j", "-l")
    docs = rplay.json("doc", "-t", kind, "-j", *(name.removeprefix("ansible.builtin.") for name in listed))
    others = {}
    for name, entry in docs.items():
        if main := entry["doc"].get("alias_of"):
            others.setdefault(main, []).append(name)
    text = [f"# {title}\n", f"These {title.lower()} are built in. Others, from collections, ansible-core or your own directories, run too:",
            "[Content in Python](python.md).\n"]
    for name, entry in docs.items():
        doc = entry["doc"]
        if doc.get("alias_of"):
            continue
        text.append(f"## {name}\n")
        if name in others:
            text.append("Also called " + ", ".join(code(other) for other in others[name]) + ".\n")
        text.append(shown(joined(doc["description"])) + "\n")
        if doc.get("arguments"):
            text.append(f"Arguments: {code(doc['arguments'])}\n")
        if entry.get("examples"):
            gives = entry.get("return")
            result = "" if gives is None else f"\n-> {json.dumps(gives)}"
            text.append(f"```text\n{entry['examples']}{result}\n```\n")
    return "\n".join(text)


def keywords(rplay):
    listed = rplay.json("doc", "-t", "keyword", "-j", "-l")
    docs = rplay.json("doc", "-t", "keyword", "-j", *sorted(listed))
    text = ["# Keywords\n", "The keys of plays, roles, blocks, tasks and handlers.\n",
            "| keyword | of | type | meaning |", "|---|---|---|---|"]
    for name, doc in docs.items():
        text.append(f"| `{name}` | {', '.join(doc['applies_to']).lower()} | {doc['type']} | {cell(doc['description'])} |")
    return "\n".join(text) + "\n"


def settings(rplay, root):
    """Every setting of ansible-core with what rplay makes of it, and rplay's own."""
    entry = re.compile(r'((?:^    ///.*\n)*)^    (\w+): ([^=]+) = ([^;]*?),\s*\[([^\]]*)\],\s*\[([^\]]*)\];', re.M)
    known = {}
    for found in entry.finditer((root / "engine/core/config/settings.rs").read_text()):
        doc = " ".join(line.strip().removeprefix("///").strip() for line in found[1].splitlines())
        keys, variables = re.findall(r'"([^"]+)"', found[5]), re.findall(r'"([^"]+)"', found[6])
        for name in keys + variables:
            known[name] = (doc, keys, variables, found[4])
    text = ["# Settings\n",
            "Settings are read from `ansible.cfg` and from the environment. `rplay config list` shows the values that hold and",
            "where each comes from. Ansible ignores the section `[rplay]` of `ansible.cfg`.\n"]
    by_effect = {}
    for block in re.split(r"^(?=[A-Z_]+:$)", rplay.says("config", "list"), flags=re.M)[1:]:
        fields = dict(re.findall(r"^  (\w+): (.*)$", block, re.M))
        name = block.split(":", 1)[0]
        group = "rplay" if name.startswith("RPLAY_") else fields["effect"]
        by_effect.setdefault(group, []).append((name, fields))
    if "rplay" not in by_effect:
        raise SystemExit("`rplay config list` shows no setting of rplay's own")
    first = {"rplay": "rplay's own", "works": "Settings of Ansible that work"}
    for effect, entries in sorted(by_effect.items(), key=lambda pair: (pair[0] not in first, pair[0])):
        title = first.get(effect, effect[0].upper() + effect[1:])
        text += [f"\n## {title}\n", "| setting | `ansible.cfg` | environment | default | meaning |", "|---|---|---|---|---|"]
        for name, fields in sorted(entries):
            keys = [key for key in fields["ini"].split(", ") if key]
            variables = [variable for variable in fields["env"].split(", ") if variable]
            doc = next((known[key][0] for key in keys + variables if key in known), "")
            default = code(fields["default"]) if fields["default"] not in ("None", "") else ""
            text.append(f"| `{name}` | {', '.join(map(code, keys))} | {', '.join(map(code, variables))} | {default} | {cell(doc)} |")
    return "\n".join(text) + "\n"


def commands(rplay):
    text = ["# Commands\n", "What each command prints with `--help`. Under the names of Ansible's tools it takes their options.\n"]
    for name in COMMANDS:
        title = f"rplay {name}".strip()
        helped = rplay.says(*([name] if name else []), "--help")
        text += [f"## {title}\n", f"```text\n{helped.strip()}\n```\n"]
    return "\n".join(text)


def literal(source, at):
    """The string literal that begins at or after `at`, and where it ends."""
    found = re.compile(r'\s*"((?:[^"\\]|\\.)*)"', re.S).match(source, at)
    if not found:
        return None, at
    text = re.sub(r"\\\n\s*", "", found[1])
    return re.sub(r"\\(.)", lambda escape: {"n": "\n", "t": "\t"}.get(escape[1], escape[1]), text), found.end()


def messages(root):
    """The errors in the source that have a place or a help of their own."""
    variant = re.compile(r"((?:^ *#\[(?:error|diagnostic)\(.*?\)\]\n|^ *///[^\n]*\n)+)^ *(\w+)(?: \{([^\n{}]*\}|.*?^ *\})|\(|,)", re.M | re.S)
    parts = {}
    for path in sorted((root / "engine").rglob("*.rs")):
        source = path.read_text()
        if "#[error(" not in source:
            continue
        for found in variant.finditer(source):
            attributes, fields = found[1], found[3] or ""
            at = attributes.find("#[error(")
            message, _ = literal(attributes, at + len("#[error(")) if at >= 0 else (None, 0)
            if not message or re.fullmatch(r"\{\w*\}", message):
                continue
            at = attributes.find("help(")
            advice, _ = literal(attributes, at + len("help(")) if at >= 0 else (None, 0)
            if advice is None and "#[help]" in fields or advice and re.fullmatch(r"\{\w+\}", advice):
                advice = "*the help depends on the case*"
            elif advice is not None:
                advice = cell(advice)
            part = path.relative_to(root / "engine").parts
            part = part[1] if part[0] == "core" else part[0]
            parts.setdefault(part.removesuffix(".rs"), {})[message] = advice or ""
    if sum(map(len, parts.values())) < 100:
        raise SystemExit("the messages were not found in the source; have the error types changed?")
    text = ["# Messages\n", "The errors of rplay itself, with the help that is shown below them. `{name}` stands for what the case is",
            "about. Results of tasks have Ansible's messages. [Examples](examples.md) shows them as they look.\n"]
    for part, found in sorted(parts.items()):
        text += [f"## {TITLES.get(part, part)}\n", "| message | help |", "|---|---|"]
        text += [f"| {code(message)} | {advice} |" for message, advice in sorted(found.items(), key=lambda pair: pair[0].lower())]
        text.append("")
    return "\n".join(text)


TITLES = {"cli": "Command line", "syntax": "Playbooks and YAML", "plan": "Tasks, roles and imports", "inventory": "Inventory",
          "template": "Templates", "config": "Settings", "vault": "Vault", "link": "Connections", "run": "Runs", "vars": "Variables",
          "galaxy": "Collections: `rplay galaxy`", "collections": "Collections", "actions": "Actions", "external": "Content in Python and other languages",
          "python": "Python on the controller", "docs": "Documentation", "agent": "Agent", "modules": "Modules", "report": "Reports",
          "contract": "Modules: arguments", "tencent": "Tencent Cloud", "wire": "Protocol", "source": "Files", "limits": "Limits"}


def examples(root):
    """What a person sees when something is wrong: the snapshots of the tests."""
    text = ["# Examples of errors\n", "What rplay shows when something is wrong, taken from its tests.\n"]
    for title, directory in (("Runs", "tests/errors"), ("Playbooks", "tests/syntax")):
        text.append(f"## {title}\n")
        for path in sorted((root / directory).glob("*.snap")):
            content = path.read_text().split("---\n", 2)[2].rstrip()
            if not content or content == "fine":
                continue
            name = path.name.removesuffix(".snap").split("@")[-1].removesuffix(".yml").replace("-", " ")
            text += [f"### {name[0].upper()}{name[1:]}\n", f"~~~text\n{content}\n~~~\n"]
    return "\n".join(text)
