"""Charts as SVG, readable on light and on dark pages."""

import math
from html import escape
from statistics import median

STYLE = """\
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .small { font-size: 11px; fill: #57606a }
.axis { stroke: #8c959f; stroke-width: 1; opacity: .45 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9da7b1 } }
</style>
"""
COLOURS = {
    "limit": "#8b949e",
    "rplay": "#e5532d",
    "pyinfra": "#3fa66b",
    "mitogen": "#9d6bd1",
    "ansible": "#3b82d6",
}


def svg(width, height, parts, title):
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">\n<title>{escape(title)}</title>\n'
    )
    return head + STYLE + "\n".join(parts) + "\n</svg>\n"


def text(x, y, words, kind="", anchor="start"):
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind} text-anchor="{anchor}">{escape(words)}</text>'


def seconds(value):
    if value >= 60:
        return f"{value / 60:.1f} min"
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def bars(cases, results):
    """A group of bars for each case: CPU time, which a busy machine does not falsify, to a logarithmic scale."""
    left, right, bar, gap = 16, 760, 11, 14
    x0, x1 = left + 84, right - 60
    used = {
        case.name: {
            tool: median(cost["controller"] + cost["target"] for cost in results[case.name][tool]["rounds"])
            for tool in COLOURS
            if tool in results[case.name]
        }
        for case in cases
    }
    every = [cpu for group in used.values() for cpu in group.values()]
    low = 10 ** math.floor(math.log10(min(every)))
    high = 10 ** math.ceil(math.log10(max(every)))

    def at(value):
        return x0 + (x1 - x0) * math.log(value / low) / math.log(high / low)

    parts, y = [text(left, 22, "Seconds of CPU, controller and hosts together, to a logarithmic scale: shorter is better", "title")], 44
    top = y - 8
    for case in cases:
        parts.append(text(left, y + 8, case.title, "title"))
        y += 16
        for tool, cpu in used[case.name].items():
            parts.append(text(x0 - 6, y + bar - 2, tool, "small", "end"))
            width = max(at(cpu) - x0, 1)
            parts.append(
                f'<rect x="{x0}" y="{y}" width="{width:.1f}" height="{bar}" rx="2" fill="{COLOURS[tool]}"/>'
            )
            parts.append(text(x0 + width + 5, y + bar - 2, seconds(cpu), "small"))
            y += bar + 3
        y += gap
    lines, tick = [], low
    while tick <= high * 1.001:
        lines.append(f'<line x1="{at(tick):.1f}" y1="{top}" x2="{at(tick):.1f}" y2="{y - gap}" class="axis"/>')
        lines.append(text(at(tick), y + 4, f"{tick:g} s", "small", "middle"))
        tick *= 10
    parts[1:1] = lines
    parts.append(text(left, y + 24, "limit: one ssh for each host with a script by hand that does the same work", "small"))
    return svg(right, y + 36, parts, "CPU time of rplay and others")


def lines(growth):
    """CPU time over size, both logarithmic: a line of this slope is in proportion."""
    width, height, x0, y0, x1, y1 = 760, 420, 56, 372, 560, 40
    points = [point for kind in growth.values() for point in kind["points"]]
    sizes = [point["size"] for point in points]
    low, high = 1e-3, 10 ** math.ceil(math.log10(max(point["cpu"] for point in points)))

    def at(size, cpu):
        x = x0 + (x1 - x0) * math.log(size / min(sizes)) / math.log(max(sizes) / min(sizes))
        y = y0 - (y0 - y1) * math.log(max(cpu, low) / low) / math.log(high / low)
        return x, y

    parts = [text(16, 22, "CPU seconds of rplay and its agents over so many ...", "title")]
    size = min(sizes)
    while size <= max(sizes):
        x, _ = at(size, low)
        parts.append(f'<line x1="{x:.1f}" y1="{y0}" x2="{x:.1f}" y2="{y1}" class="axis"/>')
        parts.append(text(x, y0 + 18, f"{size:,}", "small", "middle"))
        size *= 10
    cpu = low
    while cpu <= high * 1.001:
        _, y = at(min(sizes), cpu)
        parts.append(f'<line x1="{x0}" y1="{y:.1f}" x2="{x1}" y2="{y:.1f}" class="axis"/>')
        parts.append(text(x0 - 6, y + 4, f"{cpu:g} s", "small", "end"))
        cpu *= 10
    colours = ["#e5532d", "#3b82d6", "#3fa66b", "#9d6bd1", "#c98a12", "#1b9e9e", "#d6568f"]
    for n, (title, kind) in enumerate(growth.items()):
        colour = colours[n % len(colours)]
        where = [at(point["size"], point["cpu"]) for point in kind["points"]]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in where)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in where]
        y = 56 + 20 * n
        parts.append(f'<rect x="578" y="{y - 9}" width="10" height="10" rx="2" fill="{colour}"/>')
        parts.append(text(594, y, title, "small"))
    return svg(width, height, parts, "how the time of rplay grows")
