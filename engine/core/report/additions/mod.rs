//! Additions to the output of a run, by the names of Ansible's callbacks (`callbacks_enabled`): times, files.

mod junit;
mod log_plays;
mod profile;
mod timer;
mod tree;

pub use junit::{Junit, JunitOptions};
pub use log_plays::LogPlays;
pub use profile::{Order, Profile, ProfileOf};
pub use timer::Timer;
pub use tree::Tree;

use super::{Reader, formats::is_named};
use crate::event::Event;

/// Reads events after the output has shown them.
pub trait Addition: Send {
    /// The text to show after the event, if any.
    ///
    /// # Errors
    /// If it cannot do its work; the message becomes a warning, and the run goes on.
    fn read(&mut self, event: &Event) -> Result<Option<String>, String>;
}

/// The kinds of additions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    Junit,
    LogPlays,
    ProfileRoles,
    ProfileTasks,
    Timer,
    Tree,
}

const ADDITIONS: [(&str, &str, Added); 6] = [
    ("ansible.builtin", "junit", Added::Junit),
    ("ansible.builtin", "tree", Added::Tree),
    ("ansible.posix", "profile_roles", Added::ProfileRoles),
    ("ansible.posix", "profile_tasks", Added::ProfileTasks),
    ("ansible.posix", "timer", Added::Timer),
    ("community.general", "log_plays", Added::LogPlays),
];

impl Added {
    /// The addition of this name, with or without its collection.
    pub fn of(name: &str) -> Option<Added> {
        let is_named = |(collection, short, _): &&(&str, &str, Added)| is_named(name, collection, short);
        ADDITIONS.iter().find(is_named).map(|(_, _, added)| *added)
    }
}

/// An output with additions.
pub struct WithAdditions {
    own: Box<dyn Reader>,
    additions: Vec<Box<dyn Addition>>,
}

impl WithAdditions {
    pub fn new(own: Box<dyn Reader>, additions: Vec<Box<dyn Addition>>) -> Self {
        WithAdditions { own, additions }
    }
}

impl Reader for WithAdditions {
    fn read(&mut self, event: &Event) {
        self.own.read(event);
        for addition in &mut self.additions {
            match addition.read(event) {
                Ok(None) => {}
                Ok(Some(text)) => self.own.read(&Event::Message { text: text.into() }),
                Err(message) => self.own.read(&Event::Warning { message: message.into(), place: None }),
            }
        }
    }

    fn rest(&mut self) {
        self.own.rest();
    }

    fn wants_invocations(&self) -> bool {
        self.own.wants_invocations()
    }

    fn tick(&mut self) {
        self.own.tick();
    }

    fn clear(&mut self) {
        self.own.clear();
    }
}

/// A text filled with a character to the width of Ansible's headings.
fn filled(text: &str, with: char) -> String {
    const WIDTH: usize = 79;
    let space = if text.is_empty() { "" } else { " " };
    let missing = WIDTH.saturating_sub(text.chars().count() + space.len());
    format!("{text}{space}{} ", with.to_string().repeat(missing))
}

/// A heading after the recap.
fn heading(text: &str) -> String {
    format!("\n{text} {}", "*".repeat(79usize.saturating_sub(text.chars().count())))
}
