//! Live lines at the bottom of a terminal: what is running, on how many hosts, since when, how far it is, what failed.
//!
//! They are written below the output while the run waits, and removed before anything else is written, so they never
//! scroll the output away.

use std::{
    collections::{HashMap, HashSet},
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use indexmap::IndexSet;

use super::{Reader, columns};
use crate::{
    event::{Deliveries, Event, HostResult, OnTheWay, Status, TaskId},
    secrets::Secrets,
    visible::one_line,
};

/// A task that ends sooner needs no lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// Minimum time between redraws while events keep coming.
const PACE: Duration = Duration::from_millis(200);

/// Maximum number of hosts named on a line.
const NAMED: usize = 4;

/// The terminal.
pub struct Screen {
    pub out: Box<dyn Write + Send>,
    /// Its current columns and rows.
    pub size: Box<dyn Fn() -> (usize, usize) + Send>,
    pub colour: bool,
    /// Agents being sent to hosts.
    pub deliveries: Arc<Deliveries>,
}

/// An output with live lines below it.
pub struct Live {
    own: Box<dyn Reader>,
    screen: Screen,
    secrets: Arc<Secrets>,
    /// Hosts that are running a task, and since when.
    running: HashMap<(TaskId, Arc<str>), Instant>,
    /// The number of hosts in the play, and of those that have finished the last task.
    hosts: usize,
    task: Option<TaskId>,
    done: HashSet<Arc<str>>,
    failed: IndexSet<Arc<str>>,
    unreachable: IndexSet<Arc<str>>,
    /// The widths of the lines that are on the screen.
    drawn: Vec<usize>,
    last: Instant,
    /// Something else is about to write, such as a prompt: nothing is drawn until the next event.
    is_held: bool,
}

impl Live {
    pub fn new(own: Box<dyn Reader>, screen: Screen, secrets: Arc<Secrets>) -> Self {
        Live {
            own,
            screen,
            secrets,
            running: HashMap::new(),
            hosts: 0,
            task: None,
            done: HashSet::new(),
            failed: IndexSet::new(),
            unreachable: IndexSet::new(),
            drawn: Vec::new(),
            last: Instant::now(),
            is_held: false,
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::PlayStarted(play) => {
                self.hosts = play.hosts.len();
                self.task = None;
                self.running.clear();
            }
            Event::TaskStarted(task) => {
                self.task = Some(task.id);
                self.done.clear();
            }
            Event::HostStarted { task, host } => {
                self.running.insert((*task, host.clone()), Instant::now());
            }
            Event::HostDone { task, result } => self.host_done(*task, result),
            Event::Included { task, hosts, .. } => {
                for host in hosts {
                    self.running.remove(&(*task, host.clone()));
                }
            }
            Event::RunEnded(_) => self.running.clear(),
            _ => {}
        }
    }

    fn host_done(&mut self, task: TaskId, result: &HostResult) {
        self.running.remove(&(task, result.host.clone()));
        if self.task == Some(task) {
            self.done.insert(result.host.clone());
        }
        match result.status {
            Status::Failed => {
                self.failed.insert(result.host.clone());
            }
            Status::Unreachable => {
                self.unreachable.insert(result.host.clone());
            }
            _ => {}
        }
    }

    /// The lines to show now: none while tasks end quickly.
    fn lines(&self, now: Instant) -> Vec<String> {
        let Some(oldest) = self.running.values().min().filter(|since| now - **since >= PATIENCE) else {
            return Vec::new();
        };
        let mut hosts: Vec<(&Arc<str>, &Instant)> =
            self.running.iter().map(|((_, host), since)| (host, since)).collect();
        // The slowest host comes first.
        hosts.sort_unstable_by_key(|(host, since)| (**since, (*host).clone()));
        let count = hosts.len();
        let shown = named(hosts.into_iter().map(|(host, _)| host), count);
        let mut first = format!("running for {} on {}", minutes(now - *oldest), self.text(&shown));
        if self.hosts > 1 && count + self.done.len() > 1 {
            first += &format!("; {} of {} hosts done", self.done.len(), self.hosts);
        }
        let mut lines = vec![self.coloured(&first, "\x1b[2m")];
        if let Some(OnTheWay { hosts, sent, all }) = self.screen.deliveries.now() {
            let to = if hosts == 1 { "a host".to_owned() } else { format!("{hosts} hosts") };
            let [sent, all] = [sent, all].map(|bytes| bytes as f64 / 1e6);
            lines.push(self.coloured(&format!("sending the agent to {to}: {sent:.1} of {all:.1} MB"), "\x1b[2m"));
        }
        let lost = [("failed", &self.failed), ("unreachable", &self.unreachable)];
        let lost: Vec<String> = lost
            .into_iter()
            .filter(|(_, hosts)| !hosts.is_empty())
            .map(|(word, hosts)| format!("{word}: {}", self.text(&named(hosts.iter(), hosts.len()))))
            .collect();
        if !lost.is_empty() {
            lines.push(self.coloured(&lost.join("; "), "\x1b[0;31m"));
        }
        lines
    }

    fn text(&self, text: &str) -> String {
        one_line(&self.secrets.mask(text)).into_owned()
    }

    fn coloured(&self, text: &str, code: &str) -> String {
        match self.screen.colour {
            true => format!("{code}{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn draw(&mut self) {
        if self.is_held {
            return;
        }
        self.last = Instant::now();
        let (width, rows) = (self.screen.size)();
        let mut lines = self.lines(self.last);
        // With very few rows, one line is enough.
        if rows < 6 {
            lines.truncate(1);
        }
        if lines.is_empty() && self.drawn.is_empty() {
            return;
        }
        let mut text = self.removal(width);
        let lines: Vec<String> = lines.iter().map(|line| columns::cut(line, width.saturating_sub(1))).collect();
        text += &lines.join("\n");
        self.drawn = lines.iter().map(|line| columns::of(line)).collect();
        let _ = self.screen.out.write_all(text.as_bytes());
        let _ = self.screen.out.flush();
    }

    /// The control sequence that removes the lines from the screen; if it has become narrower, they take more rows.
    fn removal(&mut self, width: usize) -> String {
        let rows: usize = self.drawn.drain(..).map(|line| line.div_ceil(width.max(1)).max(1)).sum();
        match rows {
            0 => String::new(),
            1 => "\r\x1b[J".to_owned(),
            more => format!("\r\x1b[{}A\x1b[J", more - 1),
        }
    }

    fn remove(&mut self) {
        if self.drawn.is_empty() {
            return;
        }
        let width = (self.screen.size)().0;
        let text = self.removal(width);
        let _ = self.screen.out.write_all(text.as_bytes());
        let _ = self.screen.out.flush();
    }
}

impl Reader for Live {
    fn read(&mut self, event: &Event) {
        self.is_held = false;
        self.note(event);
        // An event that shows nothing leaves the lines in place.
        if !matches!(event, Event::HostStarted { .. }) {
            self.remove();
        }
        self.own.read(event);
    }

    fn rest(&mut self) {
        self.own.rest();
        if self.last.elapsed() >= PACE {
            self.draw();
        }
    }

    fn tick(&mut self) {
        self.own.tick();
        self.draw();
    }

    fn wants_invocations(&self) -> bool {
        self.own.wants_invocations()
    }

    fn clear(&mut self) {
        self.remove();
        self.is_held = true;
        self.own.clear();
    }
}

/// `a, b, c and 5 more`
fn named<'h>(hosts: impl Iterator<Item = &'h Arc<str>>, count: usize) -> String {
    let most = if count <= NAMED { NAMED } else { NAMED - 1 };
    let names: Vec<&str> = hosts.take(most).map(|host| &**host).collect();
    match count - names.len() {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests;
