//! Tasks that need the controller: some are done here, some end in a call to an agent.

mod blobs;

pub use blobs::{BlobData, Blobs};

use std::sync::Arc;

use indexmap::IndexMap;
use rplay_modules::wire::{self, Diff, Map};

use crate::{
    plan::{Project, Task},
    vars::{Layer, Scope, Value},
};

/// Rendered arguments by name; omitted ones are not there.
pub type Rendered = IndexMap<Arc<str>, Value>;

/// What an action may look at.
pub struct Context<'a> {
    pub task: &'a Task,
    pub scope: &'a Arc<Scope>,
    pub host: &'a Arc<str>,
    pub project: &'a Project,
    pub blobs: &'a Blobs,
    pub check: bool,
    pub diff: bool,
    /// The number of `-v`.
    pub verbosity: u8,
}

/// What an action comes to: either it is done, or an agent is to be asked.
pub enum Act {
    Done(Answer),
    Call(Ask),
}

/// A call as far as the action decides it.
pub struct Ask {
    pub module: &'static str,
    pub args: Map,
    /// What is still to be done with the outcome.
    pub after: After,
}

/// What happens on the controller once the agent has answered.
#[derive(Debug, Default)]
pub enum After {
    #[default]
    Nothing,
    /// Write the content that came back to this file (`fetch`).
    Keep { path: std::path::PathBuf },
}

/// The result of a task on a host before the task's own conditions are applied.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub changed: bool,
    pub skipped: Option<String>,
    pub failed: bool,
    pub unreachable: bool,
    /// What `register` keeps.
    pub data: IndexMap<Arc<str>, Value>,
    pub diff: Vec<Diff>,
    pub warnings: Vec<Arc<str>>,
    /// Where the blame lies, when it is known more exactly than by an argument.
    pub place: Option<crate::source::Span>,
    /// The argument to blame, for the place of an error.
    pub blame: Option<String>,
    pub help: Option<String>,
    /// Shown without `-v`.
    pub verbose_always: bool,
    pub effects: Vec<Effect>,
    pub micros: u64,
}

/// What a task does to the run itself.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Variables of the host, and facts too when they are to be cached.
    SetFacts { vars: Layer, cacheable: bool },
    /// Facts from the host, without the prefix `ansible_`.
    Facts(IndexMap<Arc<str>, Value>),
    IncludeVars(Layer),
    AddHost { name: String, groups: Vec<String>, vars: Layer },
    GroupBy { group: String, parents: Vec<String> },
    Stats { data: IndexMap<Arc<str>, Value>, per_host: bool, aggregate: bool },
}

impl Answer {
    /// Failed, with one sentence.
    pub fn failed(msg: impl Into<String>) -> Self {
        Answer::default().and_failed(msg)
    }

    pub fn and_failed(mut self, msg: impl Into<String>) -> Self {
        self.failed = true;
        self.set("msg", Value::from(msg.into()));
        self
    }

    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.data.insert(key.into(), value.into());
    }

    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.set(key, value);
        self
    }

    /// What an agent answered.
    pub fn from_outcome(outcome: wire::Outcome) -> Self {
        let mut answer = Answer {
            changed: outcome.changed,
            skipped: outcome.skipped,
            diff: outcome.diff,
            warnings: outcome.warnings.into_iter().map(Arc::from).collect(),
            micros: outcome.micros,
            ..Answer::default()
        };
        answer.data =
            outcome.data.into_iter().map(|(key, value)| (Arc::from(key), crate::vars::from_wire(value))).collect();
        if !outcome.facts.is_empty() {
            let facts = outcome.facts.into_iter().map(|(k, v)| (Arc::from(k), crate::vars::from_wire(v)));
            answer.effects.push(Effect::Facts(facts.collect()));
        }
        if let Some(failure) = outcome.failure {
            answer.failed = true;
            answer.unreachable = failure.unreachable;
            answer.blame = failure.arg;
            answer.help = failure.help;
            answer.set("msg", failure.msg);
        }
        // Whatever has lines is given as lines too, as Ansible does.
        for name in ["stdout", "stderr"] {
            let lines = format!("{name}_lines");
            if let Some(text) = answer.data.get(name).and_then(|value| value.as_str().map(str::to_owned))
                && !answer.data.contains_key(lines.as_str())
            {
                answer.set(&lines, text.lines().map(Value::from).collect::<Vec<_>>());
            }
        }
        answer
    }
}
