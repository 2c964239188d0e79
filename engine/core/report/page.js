"use strict";
(() => {
const run = JSON.parse(document.getElementById("data").textContent);
const WORDS = { o: "ok", c: "changed", s: "skipped", f: "failed", i: "ignored", u: "unreachable", v: "ignored" };
const hosts = run.hosts.map((host) => host.name);
const main = document.getElementById("main");

/* All text reaches the page as text: what hosts say is data. */
function make(tag, about, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(about || {})) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...inside.filter((part) => part !== null && part !== undefined));
  return made;
}
function time(ms) {
  if (ms < 1000) return ms + " ms";
  if (ms < 60000) return (ms / 1000).toFixed(ms < 10000 ? 2 : 1) + " s";
  const s = Math.round(ms / 1000);
  return s < 3600 ? Math.floor(s / 60) + " min " + (s % 60) + " s" : Math.floor(s / 3600) + " h " + (Math.floor(s / 60) % 60) + " min";
}
function short(text, most) { return text.length > most ? text.slice(0, most - 1) + "\u2026" : text; }
function plural(n, word) { return n + " " + word + (n === 1 ? "" : "s"); }
function names(list, most) {
  const shown = list.slice(0, most).map((at) => hosts[at]);
  return shown.join(", ") + (list.length > most ? " and " + (list.length - most) + " more" : "");
}
const parts = document.getElementById("parts");
function part(id, title) {
  parts.append(make("a", { href: "#" + id }, title));
  const section = make("section", { id, "aria-label": title }, make("h2", {}, title));
  main.append(section);
  return section;
}

/* Each task with its results, and the time of each host. */
const spent = new Array(hosts.length).fill(0);
const tasks = run.tasks.map((task, index) => {
  const who = task.hosts || run.plays[task.play].hosts;
  const counts = {};
  let end = task.start, sum = 0, slowest = -1, longest = -1;
  who.forEach((host, at) => {
    const word = WORDS[task.status[at]];
    counts[word] = (counts[word] || 0) + 1;
    const took = task.took[at];
    spent[host] += took;
    sum += took;
    end = Math.max(end, task.start + task.starts[at] + took);
    if (took > longest) { longest = took; slowest = host; }
  });
  return { ...task, index, who, counts, end, sum, slowest, longest: Math.max(longest, 0), wall: end - task.start };
});

/* Head. */
const bad = run.hosts.filter((host) => host.failed > 0 || host.unreachable > 0).length;
const verdict = !run.complete ? "interrupted" : run.exit_code !== 0 ? "failed" : run.check ? "check passed" : "succeeded";
const title = (run.playbooks.join(", ") || "rplay run");
document.title = title + " \u2013 " + verdict;
const colour = verdict === "failed" || verdict === "interrupted" ? "failed" : "ok";
document.getElementById("title").append(" ", make("span", { class: "pill", style: "color: var(--" + colour + ")" }, verdict));
document.getElementById("title").firstChild.textContent = title;
const facts = [["started", run.started], ["took", time(run.elapsed_ms)], ["inventory", short(run.inventory.join(" "), 60) || "none"],
  ["hosts", String(hosts.length)], ["limit", run.limit && short(run.limit, 60)], ["tags", run.tags.join(", ")], ["without tags", run.skip_tags.join(", ")],
  ["mode", run.check ? "check, nothing was changed" : null], ["forks", String(run.forks)], ["exit code", String(run.exit_code)],
  ["by", run.controller], ["in", short(run.directory, 60)], ["settings", run.config && short(run.config, 60)], ["rplay", run.rplay]];
for (const [name, value] of facts) if (value) document.getElementById("facts").append(make("li", {}, name + " ", make("b", {}, value)));

const total = { changed: 0, failed: 0, unreachable: 0 };
let results = 0;
for (const task of tasks) results += task.who.length;
for (const host of run.hosts) for (const key of Object.keys(total)) if (host[key] > 0) total[key] += 1;
const count = make("div", { class: "count" });
const tile = (n, word, tone) => count.append(make("div", {}, make("b", tone && n ? { style: "color: var(--" + tone + ")" } : {}, String(n)), make("span", {}, word)));
tile(hosts.length, "hosts"); tile(tasks.length, "tasks"); tile(results, "results");
tile(total.changed, "hosts changed", "changed"); tile(total.failed, "hosts failed", "failed"); tile(total.unreachable, "hosts unreachable", "unreachable");
main.append(count);

/* Failures. */
function place(at) { return at ? at.file + ":" + at.line : ""; }
if (run.failures.length) {
  const section = part("failures", "Failures (" + run.failures.length + ")");
  run.failures.forEach((failure, index) => {
    const task = tasks[failure.task];
    const body = make("div", {});
    body.append(make("p", { class: "small soft" }, "on " + names(failure.hosts, 40) + (failure.place ? " \u00b7 " + place(failure.place) : "")
      + (failure.item !== null ? " \u00b7 item " + failure.item : "")));
    if (failure.excerpt.length) {
      const source = make("pre", { class: "source", tabindex: "0", "aria-label": "Source" });
      for (const line of failure.excerpt) source.append(make("span", line.line === failure.place.line ? { class: "hit" } : {}, String(line.line).padStart(5) + "  " + line.text));
      body.append(source);
    }
    if (failure.help) body.append(make("p", {}, "Help: " + failure.help));
    if (failure.result) body.append(make("pre", { tabindex: "0", "aria-label": "Result" }, failure.result));
    const shown = failure.message.split("\n")[0];
    section.append(make("details", index < 5 && failure.status !== "ignored" ? { open: "" } : {}, make("summary", {},
      make("b", { style: "color: var(--" + failure.status + ")" }, failure.status), " ", make("span", { class: "soft" }, task ? task.name : ""), " \u2014 " + shown + " ",
      make("span", { class: "soft small" }, "(" + plural(failure.hosts.length, "host") + ")")), body));
  });
  if (run.left_out.failures) section.append(make("p", { class: "soft" }, plural(run.left_out.failures, "more failure") + " left out for size."));
}

/* Time line. */
{
  const section = part("time", "Where the time went");
  const told = make("p", { id: "told", class: "small", role: "status" }, "Arrow keys or the pointer show a result.");
  const chart = make("div", { id: "chart", class: "card" });
  const canvas = make("canvas", { tabindex: "0", role: "img", "aria-label": "Time line; arrow keys move from result to result", "aria-describedby": "told" });
  chart.append(canvas);
  let byHost = hosts.length <= 200;
  const whole = Math.max(run.elapsed_ms, 1);
  const ofHost = hosts.map(() => []);
  tasks.forEach((task) => task.who.forEach((host, at) => ofHost[host].push([task.index, at])));
  let selected = null, LEFT = 170, row = 16, width = 1000;
  const colours = {};
  const rows = () => byHost ? hosts.length : tasks.length;
  function inRow(r) { return byHost ? ofHost[r] : tasks[r].who.map((_, at) => [r, at]); }
  function draw() {
    const style = getComputedStyle(document.documentElement);
    for (const word of ["ok", "changed", "skipped", "failed", "ignored", "unreachable", "ink", "soft", "line", "accent"]) colours[word] = style.getPropertyValue("--" + word).trim();
    const n = Math.max(rows(), 1);
    row = n <= 60 ? 18 : n <= 200 || !byHost ? 14 : 6;
    width = Math.max(chart.clientWidth - 2, 400);
    LEFT = row >= 10 ? Math.min(220, width * 0.25) : 0;
    const height = n * row + 22, scale = Math.min(window.devicePixelRatio || 1, height * width > 8e6 ? 1 : 2);
    canvas.width = width * scale; canvas.height = height * scale;
    canvas.style.width = width + "px"; canvas.style.height = height + "px";
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = "11px system-ui, sans-serif"; pen.textBaseline = "middle";
    const x = (ms) => LEFT + (width - LEFT - 8) * ms / whole;
    const ten = 10 ** Math.floor(Math.log10(whole / 5));
    const step = [1, 2, 5, 10].map((k) => Math.max(k * ten, 1)).find((ms) => whole / ms <= 8);
    for (let ms = 0; ms <= whole; ms += step) {
      const at = x(ms);
      pen.fillStyle = colours.line; pen.fillRect(at, 0, 1, height);
      pen.fillStyle = colours.soft; pen.textAlign = ms === 0 ? "left" : at > width - 40 ? "right" : "center";
      pen.fillText(ms % 1000 || !ms ? ms + " ms" : ms / 1000 + " s", at, height - 10);
    }
    pen.textAlign = "left";
    for (let r = 0; r < rows(); r++) {
      const top = r * row;
      if (LEFT) {
        pen.fillStyle = colours.ink;
        let label = byHost ? hosts[r] : tasks[r].name;
        while (label.length > 4 && pen.measureText(label).width > LEFT - 12) label = label.slice(0, -2).replace(/\u2026?$/, "") + "\u2026";
        pen.fillText(label, 6, top + row / 2);
      }
      const list = inRow(r);
      /* Rows of tasks: a bar for the whole, and in it the hosts by how they ended. */
      if (!byHost) {
        const task = tasks[r];
        const from = x(task.start), size = Math.max(x(task.end) - from, 2);
        let at = from;
        for (const word of ["ok", "skipped", "changed", "ignored", "unreachable", "failed"]) {
          const piece = size * (task.counts[word] || 0) / Math.max(task.who.length, 1);
          pen.fillStyle = colours[word]; pen.fillRect(at, top + 1, piece, row - 2); at += piece;
        }
        continue;
      }
      for (const [t, at] of list) {
        const task = tasks[t], from = x(task.start + task.starts[at]);
        pen.fillStyle = colours[WORDS[task.status[at]]];
        pen.fillRect(from, top + 1, Math.max(x(task.start + task.starts[at] + task.took[at]) - from - 0.5, 1.2), row - (row > 8 ? 2 : 1));
      }
    }
    if (selected) {
      const [t, at] = selected.cell, task = tasks[t];
      const from = byHost ? x(task.start + task.starts[at]) : x(task.start), to = byHost ? from + Math.max(x(task.took[at]) - x(0), 2) : Math.max(x(task.end), from + 2);
      pen.strokeStyle = colours.accent; pen.lineWidth = 2; pen.strokeRect(from - 1, selected.row * row, to - from + 2, row);
    }
  }
  function tell() {
    if (!selected) return;
    const [t, at] = selected.cell, task = tasks[t];
    told.textContent = byHost ? hosts[task.who[at]] + ": " + task.name + " \u2014 " + WORDS[task.status[at]] + ", " + time(task.took[at]) + ", after " + time(task.start + task.starts[at])
      : task.name + " \u2014 " + time(task.wall) + " on " + plural(task.who.length, "host") + "; slowest " + (hosts[task.slowest] || "none") + ", " + time(task.longest);
  }
  function choose(r, which) {
    r = Math.min(Math.max(r, 0), rows() - 1);
    const list = inRow(r);
    if (!list.length) { if (selected && r !== selected.row) selected.row = r; return; }
    which = Math.min(Math.max(which, 0), list.length - 1);
    selected = { row: r, which, cell: list[which] };
    draw(); tell();
  }
  canvas.addEventListener("keydown", (key) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-20, 0], PageDown: [20, 0], Home: [-1e9, 0], End: [1e9, 0] }[key.key];
    if (!step) return;
    key.preventDefault();
    selected ? choose(selected.row + step[0], selected.which + step[1]) : choose(0, 0);
    if (selected) {
      const top = selected.row * row;
      if (top < chart.scrollTop) chart.scrollTop = top;
      if (top + row > chart.scrollTop + chart.clientHeight) chart.scrollTop = top + row - chart.clientHeight;
    }
  });
  canvas.addEventListener("click", (click) => {
    const box = canvas.getBoundingClientRect(), r = Math.floor((click.clientY - box.top) / row);
    if (r >= rows() || r < 0) return;
    const at = ((click.clientX - box.left) - LEFT) / (width - LEFT - 8) * whole;
    let best = 0, least = Infinity;
    inRow(r).forEach(([t, k], index) => {
      const task = tasks[t], from = task.start + task.starts[k], to = from + task.took[k];
      const far = at < from ? from - at : at > to ? at - to : 0;
      if (far < least) { least = far; best = index; }
    });
    choose(r, best);
  });
  const press = (label, value) => make("button", { class: "plain", type: "button", "aria-pressed": String(byHost === value), onclick: (click) => {
    byHost = value; selected = null;
    for (const button of tools.children) button.setAttribute("aria-pressed", String(button === click.currentTarget));
    draw();
  } }, label);
  const tools = make("div", { class: "tools" }, press("By host", true), press("By task", false));
  const legend = make("div", { class: "legend" });
  for (const word of ["ok", "changed", "skipped", "ignored", "failed", "unreachable"]) legend.append(make("span", {}, make("i", { style: "background: var(--" + word + ")" }), word));
  section.append(tools, chart, legend, told);
  draw();
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

/* Tables that sort by a click on a head or Enter. */
function table(section, all, items, first) {
  const columns = all.filter((column, at) => at === first || !column.tone || items.some((item) => column.of(item) > 0));
  const body = make("tbody", {});
  const heads = columns.map((column) => make("th", { class: column.number ? "n" : null, scope: "col" }, make("button", { type: "button", onclick: () => sort(column) }, column.title)));
  let by = columns[first], down = true;
  function sort(column) {
    down = by === column ? !down : Boolean(column.number);
    by = column;
    fill();
  }
  const filter = make("input", { type: "search", placeholder: "Filter", "aria-label": "Filter", oninput: () => fill() });
  function fill() {
    heads.forEach((head, at) => columns[at] === by ? head.setAttribute("aria-sort", down ? "descending" : "ascending") : head.removeAttribute("aria-sort"));
    const wanted = filter.value.toLowerCase();
    const shown = items.filter((item) => !wanted || String(columns[0].of(item)).toLowerCase().includes(wanted));
    shown.sort((a, b) => { const x = by.of(a), y = by.of(b); return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1); });
    body.replaceChildren(...shown.map((item) => make("tr", {}, ...columns.map((column) => {
      const value = column.of(item), text = column.show ? column.show(value, item) : String(value);
      return make("td", { class: column.number ? "n" : "name", style: column.tone ? "color: var(--" + (value > 0 ? column.tone : "line") + ")" : null }, text);
    }))));
  }
  fill();
  section.append(make("div", { class: "tools" }, filter), make("div", { class: "card wide" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), body)));
}
const number = (title, of, about) => ({ title, of, number: true, ...about });
const counted = (word) => number(word, (task) => task.counts[word] || 0, { tone: word });
table(part("tasks", "Tasks"), [
  { title: "task", of: (task) => task.name },
  number("took", (task) => task.wall, { show: time }),
  number("sum of hosts", (task) => task.sum, { show: time }),
  number("longest", (task) => task.longest, { show: (ms, task) => time(ms) + (task.slowest >= 0 && hosts.length > 1 ? " (" + hosts[task.slowest] + ")" : "") }),
  counted("ok"), counted("changed"), counted("skipped"), counted("failed"), counted("unreachable"), counted("ignored"),
  { title: "place", of: (task) => task.place },
], tasks, 1);
const field = (word) => number(word, (host) => host[word], { tone: word === "rescued" ? "ok" : word });
table(part("hosts", "Hosts"), [
  { title: "host", of: (host) => host.name },
  field("failed"), field("unreachable"), field("changed"), field("ok"), field("skipped"), field("rescued"), field("ignored"),
  number("time of its tasks", (host) => spent[host.index], { show: time }),
], run.hosts.map((host, index) => ({ ...host, index })), 1);

/* Diffs, warnings, statistics. */
if (run.diffs.length) {
  const section = part("diffs", "Differences (" + run.diffs.length + ")");
  for (const diff of run.diffs) {
    const text = make("pre", { class: "diff", tabindex: "0", "aria-label": "Difference" });
    for (const line of diff.text.split("\n")) text.append(make("span", { class: line.startsWith("+") ? "plus" : line.startsWith("-") ? "minus" : line.startsWith("@") ? "head" : null }, line));
    section.append(make("details", {}, make("summary", {}, tasks[diff.task].name + " ", make("span", { class: "soft small" }, "on " + names(diff.hosts, 6))), make("div", {}, text)));
  }
  if (run.left_out.diffs) section.append(make("p", { class: "soft" }, plural(run.left_out.diffs, "more difference") + " left out for size."));
}
if (run.warnings.length) {
  const section = part("warnings", "Warnings (" + run.warnings.length + ")");
  for (const warning of run.warnings) section.append(make("p", { class: "small" }, warning.message, warning.place ? make("span", { class: "soft" }, " (" + warning.place + ")") : null));
}
if (run.custom_stats.length) {
  const section = part("stats", "Statistics");
  for (const stats of run.custom_stats) section.append(make("p", { class: "small soft" }, stats.host || "whole run"), make("pre", { tabindex: "0" }, JSON.stringify(stats.data, null, 2)));
}
})();
