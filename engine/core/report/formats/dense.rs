//! One line for each play, and for each task that changed something or failed (`community.general.dense`). On a
//! terminal, the line of the running task is overwritten in place.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::Output;
use crate::{
    event::{Event, HostResult, Recap, Status, TaskId, TaskStarted},
    report::{Reader, columns, values},
};

/// What happened on a host, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Skipped,
    Ok,
    Changed,
    Ignored,
    Failed,
    Unreachable,
}

impl Rank {
    fn of(status: Status) -> Rank {
        match status {
            Status::Skipped => Rank::Skipped,
            Status::Ok => Rank::Ok,
            Status::Changed => Rank::Changed,
            Status::Ignored | Status::UnreachableIgnored => Rank::Ignored,
            Status::Failed => Rank::Failed,
            Status::Unreachable => Rank::Unreachable,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Rank::Skipped => "\x1b[0;36m",
            Rank::Ok => "\x1b[0;32m",
            Rank::Changed => "\x1b[0;33m",
            Rank::Ignored | Rank::Failed => "\x1b[0;31m",
            Rank::Unreachable => "\x1b[1;31m",
        }
    }

    /// The word for the rank where there are no colours.
    fn word(self) -> &'static str {
        match self {
            Rank::Skipped => " (skipped)",
            Rank::Ok => "",
            Rank::Changed => " (changed)",
            Rank::Ignored => " (ignored)",
            Rank::Failed => " (failed)",
            Rank::Unreachable => " (unreachable)",
        }
    }
}

/// A task and its results so far.
struct Line {
    head: String,
    name: String,
    hosts: IndexMap<String, Rank>,
    /// Why hosts failed.
    failures: Vec<String>,
}

pub struct Dense {
    output: Output,
    colour: bool,
    /// The terminal's columns, if the line of the running task may be overwritten.
    columns: Option<usize>,
    plays: usize,
    tasks: usize,
    handlers: usize,
    lines: HashMap<TaskId, Line>,
    /// The task on the last line of the screen.
    shown: Option<TaskId>,
}

impl Dense {
    /// `columns` are those of the terminal, if there is one.
    pub fn new(output: Output, colour: bool, columns: Option<usize>) -> Self {
        let (plays, tasks, handlers) = (0, 0, 0);
        Dense { output, colour, columns, plays, tasks, handlers, lines: HashMap::new(), shown: None }
    }

    fn task(&mut self, task: &TaskStarted) {
        self.end_line();
        let (number, word) = match task.handler {
            true => (&mut self.handlers, "handler"),
            false => (&mut self.tasks, "task"),
        };
        *number += 1;
        let head = format!("{word} {number}");
        let name = self.output.name(task.name.trim());
        self.lines.insert(task.id, Line { head, name, hosts: IndexMap::new(), failures: Vec::new() });
        self.shown = Some(task.id);
        self.draw();
    }

    fn result(&mut self, task: TaskId, result: &HostResult) {
        // Hosts run at their own pace: the line of another task ends.
        if self.shown != Some(task) {
            self.end_line();
            self.shown = Some(task);
        }
        let host = self.output.name(&result.host);
        let rank = Rank::of(result.status);
        let msg = result.data.get_attr("msg").ok().filter(|msg| !msg.is_undefined() && !msg.is_none());
        let msg = self.output.name(&msg.map(|msg| values::label(&msg)).unwrap_or_default());
        let Some(line) = self.lines.get_mut(&task) else { return };
        if rank >= Rank::Ignored {
            line.failures.push(format!("  {host}: {msg}"));
        }
        let known = line.hosts.entry(host).or_insert(rank);
        *known = (*known).max(rank);
        self.draw();
    }

    fn text(&self, line: &Line) -> String {
        let mut text = format!("{} ({}):", line.head, line.name);
        for (host, rank) in &line.hosts {
            match self.colour {
                true => text += &format!(" {}{host}\x1b[0m", rank.code()),
                false => text += &format!(" {host}{}", rank.word()),
            }
        }
        text
    }

    /// Writes the line of the running task over the last one.
    fn draw(&mut self) {
        let Some(columns) = self.columns else { return };
        let Some(line) = self.shown.and_then(|task| self.lines.get(&task)) else { return };
        // A wrapped line cannot be overwritten.
        let text = columns::cut(&self.text(line), columns.saturating_sub(1));
        self.output.draw(&format!("\r\x1b[K{text}"));
    }

    /// Keeps the line of the last task if it changed something or failed.
    fn end_line(&mut self) {
        if self.columns.is_some() && self.shown.is_some() {
            self.output.draw("\r\x1b[K");
        }
        let Some(mut line) = self.shown.take().and_then(|task| self.lines.remove(&task)) else { return };
        if line.hosts.values().any(|rank| *rank >= Rank::Changed) {
            let mut text = self.text(&line);
            for failure in line.failures.drain(..) {
                text.push('\n');
                text += &failure;
            }
            self.output.write(&(text + "\n"));
        }
    }

    fn recap(&mut self, recap: &Recap) {
        self.end_line();
        for (host, counts) in &recap.hosts {
            let host = self.output.name(host);
            self.output.write(&format!("{host}: {counts}\n"));
        }
    }
}

impl Reader for Dense {
    fn read(&mut self, event: &Event) {
        match event {
            Event::PlayStarted(play) => {
                self.end_line();
                self.plays += 1;
                (self.tasks, self.handlers) = (0, 0);
                self.lines.clear();
                let name = self.output.name(&play.name.trim().to_uppercase());
                self.output.write(&format!("PLAY {}: {name}\n", self.plays));
            }
            Event::NoHosts { .. } => self.output.write("skipping: no hosts matched\n"),
            Event::TaskStarted(task) => self.task(task),
            Event::ItemDone { task, result, .. } | Event::HostDone { task, result } => self.result(*task, result),
            Event::Warning { message, place } => {
                self.clear();
                self.output.warning(message, place.as_ref());
                self.draw();
            }
            Event::Message { text } | Event::Verbose { text } => {
                self.clear();
                self.output.message(text);
            }
            Event::RunEnded(recap) => self.recap(recap),
            _ => {}
        }
    }

    fn rest(&mut self) {
        self.output.flush();
    }

    fn clear(&mut self) {
        if self.columns.is_some() && self.shown.is_some() {
            self.output.draw("\r\x1b[K");
        }
    }
}
