//! What is asked of an agent, and what it answers.

use serde::{Deserialize, Serialize};

use crate::{Map, Outcome, bounds};

/// One module with its rendered arguments, for one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The module's short name (`apt`, not `ansible.builtin.apt`).
    pub module: String,
    #[serde(with = "bounds::map")]
    pub args: Map,
    pub mode: Mode,
    /// Added to the environment of every process that the module starts.
    pub environment: Vec<(String, String)>,
    /// Set for work that goes on by itself: the outcome then only says that it has begun.
    pub background: Option<Background>,
}

/// Work in the background, which outlives the agent and is asked for by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Background {
    /// Names the file that its outcome is written to.
    pub id: String,
    /// How long it may take.
    pub seconds: u64,
}

/// How a call is to be carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mode {
    /// Plan only, change nothing.
    pub check: bool,
    /// Send the differences along.
    pub diff: bool,
    /// How much of the text that a process prints is kept, in bytes; 0 is the default.
    pub max_output: u64,
}

/// Calls that go out together: one task's, or those of several tasks that follow each other. Each answer is
/// sent as soon as it is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Chosen by the controller, unique within one connection.
    pub id: u64,
    /// One after the other.
    pub stages: Vec<Stage>,
}

/// The calls of one task. They run in order, `parallel` of them side by side, whether one fails or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// As whom to run; `None` is the login user.
    pub become_user: Option<Become>,
    pub calls: Vec<Call>,
    /// How many calls may run at a time; at least 1.
    pub parallel: u32,
    /// Once a call of this stage has failed, the stages after it are not begun.
    pub required: bool,
}

impl Batch {
    /// How many calls it has; they are counted through all stages.
    pub fn len(&self) -> usize {
        self.stages.iter().map(|stage| stage.calls.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.stages.iter().all(|stage| stage.calls.is_empty())
    }
}

/// Another identity on the same host. The agent starts a second agent under it, once, and passes
/// batches on.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Become {
    /// `sudo`, `su`, ...
    pub method: String,
    pub user: String,
    /// The program to use instead of the method's own name.
    pub exe: Option<String>,
    /// Flags instead of the method's default ones.
    pub flags: Option<String>,
    /// Goes to the program's standard input, never to its arguments.
    pub password: Option<String>,
    /// The folder in which the program starts.
    pub chdir: Option<String>,
}

impl std::fmt::Debug for Become {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Become")
            .field("method", &self.method)
            .field("user", &self.user)
            .field("exe", &self.exe)
            .field("flags", &self.flags)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .finish()
    }
}

/// From the controller to the agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    Batch(Batch),
    /// The next piece of a blob that the agent asked for; `last` ends it.
    Blob {
        sha256: String,
        #[serde(with = "serde_bytes")]
        piece: Vec<u8>,
        last: bool,
    },
    /// The blob cannot be had (its file changed or went away on the controller).
    NoBlob {
        sha256: String,
        reason: String,
    },
    /// Stop this batch: kill what it started, begin nothing more of it.
    Cancel {
        batch: u64,
    },
    /// The controller is there: said from time to time to an agent that was told after how much silence it is not.
    Here,
    /// The controller is about to be stopped (Ctrl-Z), and will say `Here` when it goes on. Its silence means
    /// nothing until then.
    Away,
}

/// From the agent to the controller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// The first frame: who answers, from where.
    Hello { user: String, uid: u32, pid: u32 },
    /// The outcome of call `index` of a batch. Every call of a batch gets exactly one, unless `Stopped` comes.
    Outcome { batch: u64, index: u32, outcome: Outcome },
    /// The calls of a batch that have no outcome yet were not begun and never will be, because of what became
    /// of a stage before them.
    Stopped { batch: u64 },
    /// Send this blob.
    Want { sha256: String },
    /// Takes the place of an `Outcome` that is too long for one frame: its encoding, in pieces. `failed` and `holds_up`
    /// say what the outcome says, for whoever passes the pieces on without looking into them.
    Part {
        batch: u64,
        index: u32,
        #[serde(with = "serde_bytes")]
        piece: Vec<u8>,
        last: bool,
        failed: bool,
        holds_up: bool,
    },
    /// The next piece of the file that call `index` sends, before its outcome; so many bytes are left after it.
    Content {
        batch: u64,
        index: u32,
        #[serde(with = "serde_bytes")]
        piece: Vec<u8>,
        left: u64,
    },
}
