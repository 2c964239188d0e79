//! The result of a call, as the agent reports it.

use serde::{Deserialize, Serialize};

use crate::{Map, bounds};

/// The result of one call. A failed call has an `Outcome` too, and its data remains readable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub changed: bool,
    /// The reason, if nothing was done on purpose.
    pub skipped: Option<String>,
    pub failure: Option<Failure>,
    #[serde(deserialize_with = "bounds::list::deserialize")]
    pub diff: Vec<Diff>,
    /// The changes made, or in check mode the changes that would be made, one phrase each: "create directory /srv".
    #[serde(deserialize_with = "bounds::list::deserialize")]
    pub changes: Vec<String>,
    /// The data that `register` stores: rc, stdout, stat ... without `changed`, `failed` and the `msg` of a failure.
    #[serde(with = "bounds::map")]
    pub data: Map,
    /// Facts about the host (without the prefix `ansible_`), from setup, service_facts and similar modules.
    #[serde(with = "bounds::map")]
    pub facts: Map,
    #[serde(deserialize_with = "bounds::list::deserialize")]
    pub warnings: Vec<String>,
    /// Whether the outcome may affect later tasks in a way that only the controller can tell. If so, the rest of the
    /// batch does not start until the controller has seen it.
    pub holds_up: bool,
    /// Duration on the host in microseconds.
    pub micros: u64,
}

impl Outcome {
    /// A failed outcome without other data.
    pub fn failed(failure: Failure) -> Self {
        let mut outcome = Outcome::default();
        outcome.fail(failure);
        outcome
    }

    /// Marks this outcome as failed and merges the failure's data into its own.
    pub fn fail(&mut self, mut failure: Failure) {
        self.data.extend(std::mem::take(&mut failure.data));
        self.failure = Some(failure);
    }
}

/// Why a call failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// One sentence; Ansible's `msg`.
    pub msg: String,
    /// The argument that caused it, so that the controller can point at it.
    pub arg: Option<String>,
    /// How to fix it.
    pub help: Option<String>,
    /// Whether the host became unreachable, or privilege escalation failed.
    pub unreachable: bool,
    /// Whether the call failed before it did anything. Not transmitted: only the agent needs to know.
    #[serde(skip)]
    pub not_begun: bool,
    /// Becomes part of the outcome's data: rc, stdout, stderr ...
    #[serde(with = "bounds::map")]
    pub data: Map,
}

impl Failure {
    pub fn new(msg: impl Into<String>) -> Self {
        Failure { msg: msg.into(), ..Failure::default() }
    }

    /// The failure of a host that cannot be reached, or can no longer be reached.
    pub fn unreachable(msg: impl Into<String>) -> Self {
        Failure { unreachable: true, ..Failure::new(msg) }
    }

    /// Names the argument that caused the failure.
    pub fn arg(mut self, name: impl Into<String>) -> Self {
        self.arg = Some(name.into());
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says that the call failed before it did anything.
    pub fn not_begun(mut self) -> Self {
        self.not_begun = true;
        self
    }

    pub fn data(mut self, data: Map) -> Self {
        self.data.extend(data);
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.msg)
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::new(error.to_string())
    }
}

/// One item before and after a change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    pub before_header: String,
    pub after_header: String,
    pub before: String,
    pub after: String,
}

impl Diff {
    /// The text of a file before and after a change.
    pub fn text(path: &str, before: impl Into<String>, after: impl Into<String>) -> Self {
        Diff {
            before_header: path.to_owned(),
            after_header: path.to_owned(),
            before: before.into(),
            after: after.into(),
        }
    }
}
