"""What was measured, as tables: on the terminal and in the documentation."""

import json
import os
import platform
from pathlib import Path
from statistics import median

import chart
from cases import CHART, all_cases

NAMES = ("rplay", "native", "before", "limit", "ansible", "mitogen", "pyinfra")
# How many times these rplay takes; of all others how many times they take what rplay does.
LEAST = ("limit", "native")


def total(cost):
    return cost["controller"] + cost["target"]


def ratios(results, tool, of, ours="rplay"):
    """rplay's share of the limit, or how many times another tool takes, in the rounds that both were in."""
    ours = {cost["round"]: of(cost) for cost in results[ours]["rounds"]}
    theirs = {cost["round"]: of(cost) for cost in results[tool]["rounds"]}
    pairs = [(ours[n], theirs[n]) for n in ours if n in theirs]
    if not pairs:
        return None
    return median(o / t if tool in LEAST else t / o for o, t in pairs)


def met(tool, ratio, goal):
    return ratio <= goal if tool in LEAST else ratio >= goal


def rows(case, results):
    for name in NAMES:
        if name not in results:
            continue
        found = results[name]
        costs = found["rounds"]
        row = {"tool": name, "runs": len(costs)}
        for key, of in (("wall", lambda c: c["wall"]), ("controller", lambda c: c["controller"]),
                        ("target", lambda c: c["target"]), ("cpu", total)):
            row[key] = median(map(of, costs))
            row[f"{key}_least"] = min(map(of, costs))
        row["trips"] = found.get("trips")
        row["memory"] = found.get("memory")
        if name != "rplay" and "rplay" in results:
            row["wall_ratio"] = ratios(results, name, lambda c: c["wall"])
            row["cpu_ratio"] = ratios(results, name, total)
            row["goal"] = case.goals.get(name)
            if name != "limit" and "limit" in results:
                row["wall_limit"] = ratios(results, name, lambda c: c["wall"], "limit")
                row["cpu_limit"] = ratios(results, name, total, "limit")
        yield row


def number(value, digits=2):
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.{digits}f}" if value < 10 else f"{value:.1f}"


def megabytes(row):
    memory = row["memory"]
    if not memory:
        return "-", "-", "-"
    return tuple(f"{memory[key] / 1e6:.0f}" for key in ("own", "ssh", "hosts"))


def show(case, results):
    print(f"\r\033[K\n{case.name}: {case.title}")
    print(
        f"{'':9}{'wall s':>14}{'CPU s':>14}{'here':>8}{'hosts':>8}{'MB own':>8}{'ssh':>6}{'hosts':>7}{'trips':>7}"
        f"{'x wall':>9}{'x CPU':>9}  goal"
    )
    for row in rows(case, results):
        own, ssh, hosts = megabytes(row)
        line = (
            f"{row['tool']:9}{number(row['wall_least']) + ' ' + number(row['wall']):>14}"
            f"{number(row['cpu_least']) + ' ' + number(row['cpu']):>14}"
            f"{number(row['controller']):>8}{number(row['target']):>8}{own:>8}{ssh:>6}{hosts:>7}"
            f"{'-' if row['trips'] is None else row['trips']:>7}"
        )
        if "wall_ratio" in row and row["wall_ratio"]:
            line += f"{number(row['wall_ratio']):>9}{number(row['cpu_ratio']):>9}"
            if row["goal"]:
                both = [met(row["tool"], row[f"{kind}_ratio"], row["goal"]) for kind in ("wall", "cpu")]
                sign = "<=" if row["tool"] in LEAST else ">="
                line += f"  {sign} {row['goal']:g}: {('missed', 'one of two', 'met')[sum(both)]}"
        print(line, flush=True)


def write(results, growth):
    """Into the documentation, together with what was measured at other times."""
    here = Path(__file__).parent
    docs = here.parent.parent / "docs"
    kept = here / "results.json"
    stored = json.loads(kept.read_text()) if kept.exists() else {"cases": {}, "growth": {}}
    stored["machine"] = f"{os.cpu_count()} processors, Linux {platform.release().split('-')[0]}"
    stored["cases"] |= {name: {t: f for t, f in tools.items() if t != "before"} for name, tools in results.items()}
    stored["growth"] |= growth
    kept.write_text(json.dumps(shorter(stored), indent=1) + "\n")
    cases, growth = stored["cases"], stored["growth"]
    by_name = {case.name: case for case in all_cases()}
    if pictured := [by_name[name] for name in CHART if name in cases]:
        (docs / "bench.svg").write_text(chart.bars(pictured, cases))
    parts = {"ratios": ratio_table(cases), "python": python_table(cases), "costs": cost_table(cases)}
    if growth:
        (docs / "growth.svg").write_text(chart.lines(growth))
        parts["growth"] = growth_table(growth)
    page = docs / "performance.md"
    text = page.read_text()
    for name, table in parts.items():
        begin, end = f"<!-- {name}: written by tests/bench/run --write -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin, 1)
        text = before + begin + "\n" + table + "\n" + end + rest.split(end, 1)[1]
    page.write_text(text)


def shorter(value):
    """No more digits than were measured."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: shorter(part) for key, part in value.items()}
    return [shorter(part) for part in value] if isinstance(value, list) else value


def ratio_table(results):
    lines = ["| | rplay, s | limit | ansible | mitogen | pyinfra |", "|---|---|---|---|---|---|"]
    for case in all_cases():
        if case.name not in results or case.is_python:
            continue
        found = {row["tool"]: row for row in rows(case, results[case.name])}
        cells = []
        for tool in ("limit", "ansible", "mitogen", "pyinfra"):
            row = found.get(tool)
            if not row or row["wall_ratio"] is None:
                cells.append("")
                continue
            shown = []
            for kind in ("wall", "cpu"):
                ratio, goal = row[f"{kind}_ratio"], row["goal"]
                word = number(ratio, 2 if tool == "limit" else 1)
                if goal and not met(tool, ratio, goal):
                    beyond = (row.get(f"{kind}_limit") or goal) < goal
                    word = f"**{word}**" + ("†" if beyond else "")
                shown.append(word)
            goal = f" ({'≤' if tool == 'limit' else '≥'} {row['goal']:g})" if row["goal"] else ""
            cells.append(" / ".join(shown) + goal)
        ours = found["rplay"]
        lines.append(f"| {case.title} | {number(ours['wall'])} / {number(ours['cpu'])} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def python_table(results):
    lines = ["| | rplay, s | native module | ansible | mitogen | MB on the host |", "|---|---|---|---|---|---|"]
    for case in all_cases():
        if case.name not in results or not case.is_python:
            continue
        found = {row["tool"]: row for row in rows(case, results[case.name])}
        cells = []
        for tool in ("native", "ansible", "mitogen"):
            row = found.get(tool)
            shown = []
            for kind in ("wall", "cpu"):
                ratio = row and row[f"{kind}_ratio"]
                if ratio is not None:
                    word = number(ratio, 1)
                    shown.append(word if not row["goal"] or met(tool, ratio, row["goal"]) else f"**{word}**")
            goal = f" (≥ {row['goal']:g})" if shown and row["goal"] else ""
            cells.append(" / ".join(shown) + goal)
        ours = found["rplay"]
        cells.append(megabytes(ours)[2] if case.hosts == 1 else "")
        lines.append(f"| {case.title} | {number(ours['wall'])} / {number(ours['cpu'])} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cost_table(results):
    head = ["limit", "rplay", "ansible", "mitogen", "pyinfra"]
    lines = [f"| | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for case in all_cases():
        if case.name not in results or case.is_python:
            continue
        found = {row["tool"]: row for row in rows(case, results[case.name])}
        cells = []
        for tool in head:
            row = found.get(tool)
            if not row or not row["memory"]:
                cells.append("")
                continue
            own, ssh, _ = megabytes(row)
            trips = f"; {row['trips']}" if row["trips"] else ""
            cells.append(f"{own} + {ssh}{trips}")
        if any(cells):
            lines.append(f"| {case.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def growth_table(growth):
    lines = ["| | 10 | 100 | 1,000 | 10,000 | power |", "|---|---|---|---|---|---|"]
    for title, kind in growth.items():
        cells = [f"{number(point['cpu'])} s, {point['memory'] / 1e6:.0f} MB" for point in kind["points"]]
        cells += [""] * (4 - len(cells))
        steep = kind["steep"]
        lines.append(f"| {title} | {' | '.join(cells)} | {steep['cpu']:.2f}, {steep['memory']:.2f} |")
    return "\n".join(lines) + "\n"
