//! How long tasks or roles took (`ansible.posix.profile_tasks`, `ansible.posix.profile_roles`): a line at each task, and
//! a table at the end.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{Addition, filled, heading};
use crate::event::{Event, TaskStarted};

/// What the times are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileOf {
    Tasks,
    /// Tasks outside roles count under their action.
    Roles,
}

/// The order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Descending,
    Ascending,
    /// As they ran.
    None,
}

pub struct Profile {
    of: ProfileOf,
    order: Order,
    /// Maximum number of rows in the table.
    most: Option<usize>,
    summary_only: bool,
    begun: Instant,
    last: Instant,
    rows: Vec<(String, Duration)>,
    /// The rows of roles.
    known: HashMap<String, usize>,
    /// The row of the running task.
    running: Option<usize>,
}

impl Profile {
    pub fn new(of: ProfileOf, order: Order, most: Option<usize>, summary_only: bool) -> Self {
        let now = Instant::now();
        let (rows, known) = (Vec::new(), HashMap::new());
        Profile { of, order, most, summary_only, begun: now, last: now, rows, known, running: None }
    }

    /// The line at the start of a task, or at the end: the time of day, and how long the last task and all tasks took.
    fn step(&mut self) -> String {
        let now = Instant::now();
        let took = now - std::mem::replace(&mut self.last, now);
        if let Some((_, sum)) = self.running.take().and_then(|row| self.rows.get_mut(row)) {
            *sum += took;
        }
        let clock = jiff::ZonedDateTime::now().strftime("%A %d %B %Y  %H:%M:%S %z").to_string();
        filled(&format!("{clock} ({})       {}", exact(took), exact(now - self.begun)), '*')
    }

    fn row(&mut self, task: &TaskStarted) -> usize {
        let name = match (self.of, &task.about.role) {
            (ProfileOf::Tasks, _) => task.name.trim(),
            (ProfileOf::Roles, Some((role, _))) => role,
            (ProfileOf::Roles, None) => &task.action,
        };
        if let Some(row) = self.known.get(name).filter(|_| self.of == ProfileOf::Roles) {
            return *row;
        }
        self.known.insert(name.to_owned(), self.rows.len());
        self.rows.push((name.to_owned(), Duration::ZERO));
        self.rows.len() - 1
    }

    fn table(&mut self) -> String {
        let step = self.step();
        let (title, is_tasks) = match self.of {
            ProfileOf::Tasks => ("TASKS RECAP", true),
            ProfileOf::Roles => ("ROLES RECAP", false),
        };
        let total = self.rows.iter().map(|(_, took)| *took).sum();
        match self.order {
            Order::Descending => self.rows.sort_by_key(|(_, took)| std::cmp::Reverse(*took)),
            Order::Ascending => self.rows.sort_by_key(|(_, took)| *took),
            Order::None => {}
        }
        let mut lines = vec![heading(title), step, filled("", '=')];
        let rows = self.rows.iter().take(self.most.unwrap_or(usize::MAX));
        lines.extend(rows.map(|(name, took)| entry(name, *took)));
        if !is_tasks {
            lines.extend([filled("", '~'), entry("total", total)]);
        }
        lines.join("\n")
    }
}

impl Addition for Profile {
    fn read(&mut self, event: &Event) -> Result<Option<String>, String> {
        Ok(match event {
            Event::TaskStarted(task) => {
                let line = self.step();
                self.running = Some(self.row(task));
                (!self.summary_only).then_some(line)
            }
            Event::RunEnded(_) => Some(self.table()),
            _ => None,
        })
    }
}

/// `Name of a task ------ 1.20s`
fn entry(name: &str, took: Duration) -> String {
    let took = format!(" {:.2}s", took.as_secs_f64());
    let dashes = 70usize.saturating_sub(name.chars().count() + 1);
    format!("{name} {}{took:->9}", "-".repeat(dashes))
}

/// `0:00:01.203`
fn exact(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, time.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_ansibles_widths() {
        assert_eq!(
            entry("Several", Duration::from_millis(10_410)),
            "Several ---------------------------------------------------------------- 10.41s"
        );
        assert_eq!(entry(&"x".repeat(90), Duration::from_millis(40)), format!("{} --- 0.04s", "x".repeat(90)));
        assert_eq!(exact(Duration::from_millis(3_723_004)), "1:02:03.004");
        assert_eq!(filled("", '=').len(), 80);
    }
}
