"""What was measured, as tables."""

from statistics import median

NAMES = ("rplay", "limit", "ansible", "mitogen", "pyinfra")


def total(cost):
    return cost["controller"] + cost["target"]


def ratios(results, tool, of):
    """rplay's share of the limit, or how many times another tool takes, in the rounds that both were in."""
    ours = {cost["round"]: of(cost) for cost in results["rplay"]["rounds"]}
    theirs = {cost["round"]: of(cost) for cost in results[tool]["rounds"]}
    pairs = [(ours[n], theirs[n]) for n in ours if n in theirs]
    if not pairs:
        return None
    return median(o / t if tool == "limit" else t / o for o, t in pairs)


def met(tool, ratio, goal):
    return ratio <= goal if tool == "limit" else ratio >= goal


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
                sign = "<=" if row["tool"] == "limit" else ">="
                line += f"  {sign} {row['goal']:g}: {('missed', 'one of two', 'met')[sum(both)]}"
        print(line, flush=True)


def write(results):
    raise SystemExit("not there yet")
