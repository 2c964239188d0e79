//! What became of a call.

use serde::{Deserialize, Serialize};

use crate::{Map, bounds};

/// The result of one call. A failed one is an `Outcome` too: its data is still there to be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub changed: bool,
    /// Set when nothing was done on purpose; says why.
    pub skipped: Option<String>,
    pub failure: Option<Failure>,
    #[serde(deserialize_with = "bounds::list::deserialize")]
    pub diff: Vec<Diff>,
    /// What was changed, or in check mode would be, one phrase each: "create directory /srv".
    #[serde(deserialize_with = "bounds::list::deserialize")]
    pub changes: Vec<String>,
    /// What `register` keeps: rc, stdout, stat ... without `changed`, `failed`, `msg` of a failure.
    #[serde(with = "bounds::map")]
    pub data: Map,
    /// Facts for the host (without the prefix `ansible_`), from setup, service_facts and the like.
    #[serde(with = "bounds::map")]
    pub facts: Map,
    #[serde(deserialize_with = "bounds::list::deserialize")]
    pub warnings: Vec<String>,
    /// It may change the tasks after it in a way that only the controller can tell: nothing more of its batch is begun
    /// before that has heard it.
    pub holds_up: bool,
    /// Microseconds on the host.
    pub micros: u64,
}

impl Outcome {
    /// A failed outcome and nothing else.
    pub fn failed(failure: Failure) -> Self {
        let mut outcome = Outcome::default();
        outcome.fail(failure);
        outcome
    }

    /// Turns this outcome into a failed one; the failure's data joins what is there.
    pub fn fail(&mut self, mut failure: Failure) {
        self.data.extend(std::mem::take(&mut failure.data));
        self.failure = Some(failure);
    }
}

/// Why a call failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// One sentence, as Ansible's `msg`.
    pub msg: String,
    /// The argument at fault, so that the controller can point at it.
    pub arg: Option<String>,
    /// What to write or do instead.
    pub help: Option<String>,
    /// The host cannot be reached any more, or the other identity not taken.
    pub unreachable: bool,
    /// Nothing was done before it came to this. Only the agent needs to know.
    #[serde(skip)]
    pub not_begun: bool,
    /// Joins the outcome's data: rc, stdout, stderr ...
    #[serde(with = "bounds::map")]
    pub data: Map,
}

impl Failure {
    pub fn new(msg: impl Into<String>) -> Self {
        Failure { msg: msg.into(), ..Failure::default() }
    }

    /// Names the argument that is to blame.
    pub fn arg(mut self, name: impl Into<String>) -> Self {
        self.arg = Some(name.into());
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Nothing was done before it came to this.
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

/// One thing before and after.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    pub before_header: String,
    pub after_header: String,
    pub before: String,
    pub after: String,
}

impl Diff {
    /// The text of a file at `path`, before and after.
    pub fn text(path: &str, before: impl Into<String>, after: impl Into<String>) -> Self {
        Diff {
            before_header: path.to_owned(),
            after_header: path.to_owned(),
            before: before.into(),
            after: after.into(),
        }
    }
}
