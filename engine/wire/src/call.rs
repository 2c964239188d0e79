//! Calls, batches, and the messages in both directions.

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
    /// Set for background jobs; the outcome then only says that the job has started.
    pub background: Option<Background>,
}

/// A background job (`async`), which outlives the agent. Its ID identifies it later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Background {
    /// Also the name of the file that its outcome is written to.
    pub id: String,
    /// Time limit.
    pub seconds: u64,
}

/// How a call is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mode {
    /// Check mode: plan, but change nothing.
    pub check: bool,
    /// Check mode is this call's alone; the run itself makes changes.
    pub own_check: bool,
    /// Return the differences.
    pub diff: bool,
    /// Bytes of a process's output that are kept; 0 means the default.
    pub max_output: u64,
    /// Bytes that a side of a difference may have to be shown; 0 means the default.
    pub max_diff: u64,
}

/// Calls that are sent together, of one task or of consecutive tasks. Each outcome is sent as soon as its call has
/// ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Chosen by the controller, unique within a connection.
    pub id: u64,
    /// Run in order.
    pub stages: Vec<Stage>,
}

/// The calls of one task. They run in order, up to `parallel` of them concurrently, even if some fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The user to run as; `None` is the login user.
    pub become_user: Option<Become>,
    pub calls: Vec<Call>,
    /// Number of concurrent calls; at least 1.
    pub parallel: u32,
    /// If a call of this stage fails, later stages do not start.
    pub required: bool,
}

impl Batch {
    /// The number of calls. Their indexes continue through all stages of a batch.
    pub fn len(&self) -> usize {
        self.stages.iter().map(|stage| stage.calls.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.stages.iter().all(|stage| stage.calls.is_empty())
    }
}

/// Another user on the same host. The agent starts a second agent as that user, once, and forwards batches to it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Become {
    /// `sudo`, `su`, ...
    pub method: String,
    pub user: String,
    /// The program to use instead of the one the method is named after.
    pub exe: Option<String>,
    /// Flags instead of the method's defaults.
    pub flags: Option<String>,
    /// Passed on the program's standard input, never as an argument.
    pub password: Option<String>,
    /// Words before the colon of the prompts at which su is given the password; none stand for any words.
    pub prompts: Vec<String>,
    /// The working directory of the program.
    pub chdir: Option<String>,
    /// The command of a become plugin, for methods that the agent does not know.
    pub plugin: Option<BecomePlugin>,
}

impl Become {
    /// A user by a method, with the method's defaults.
    pub fn new(method: impl Into<String>, user: impl Into<String>) -> Become {
        Become {
            method: method.into(),
            user: user.into(),
            exe: None,
            flags: None,
            password: None,
            prompts: Vec::new(),
            chdir: None,
            plugin: None,
        }
    }

    /// The flags, or Ansible's defaults: sudo sets the other user's home directory, and reads passwords from its
    /// standard input.
    pub fn flags(&self) -> &str {
        self.flags.as_deref().unwrap_or(if self.method == "sudo" { "-H -S" } else { "" })
    }

    /// The command that starts an agent, as a log tells it: with the agent's name instead of its path.
    pub fn told(&self) -> String {
        if let Some(plugin) = &self.plugin {
            return plugin.command.replace(AGENT_PATH, "rplay");
        }
        let program = self.exe.as_deref().unwrap_or(&self.method);
        let user = &self.user;
        let rest = match self.method.as_str() {
            "su" => format!("{user} -c 'exec rplay agent'"),
            _ if self.password.is_some() => format!("-u {user} -- rplay agent"),
            _ => format!("-n -u {user} -- rplay agent"),
        };
        [program, self.flags(), &rest].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// What a become plugin on the controller prepared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BecomePlugin {
    /// A command for `/bin/sh`, in which [`AGENT_PATH`] stands for the path of the agent's executable.
    pub command: String,
    /// The prompt at which the password is wanted.
    pub prompt: Option<String>,
    /// Messages of the program that mean that the password is wrong.
    pub failed: Vec<String>,
    /// Messages that mean that it needs a password and got none.
    pub missing: Vec<String>,
}

/// The word in [`BecomePlugin::command`] that the agent replaces by its path.
pub const AGENT_PATH: &str = "RPLAY_AGENT_PATH";

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
    /// The next piece of a blob that the agent asked for; `last` marks the final one.
    Blob {
        sha256: String,
        #[serde(with = "serde_bytes")]
        piece: Vec<u8>,
        last: bool,
    },
    /// The blob is not available (its file changed or was removed on the controller).
    NoBlob {
        sha256: String,
        reason: String,
    },
    /// Cancel this batch: kill running processes and start nothing more.
    Cancel {
        batch: u64,
    },
    /// A heartbeat, sent regularly to an agent that ends when the controller is silent.
    Here,
    /// The controller is about to be suspended (Ctrl-Z) and sends `Here` when it resumes. Until then the agent
    /// tolerates its silence.
    Away,
}

/// From the agent to the controller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// The first frame: identifies the agent.
    Hello { user: String, uid: u32, pid: u32 },
    /// The outcome of call `index` of a batch. Each call gets exactly one, unless `Stopped` is sent.
    Outcome { batch: u64, index: u32, outcome: Outcome },
    /// The remaining calls of a batch were not started and never will be, because of the outcome of an earlier stage.
    Stopped { batch: u64 },
    /// Request for a blob.
    Want { sha256: String },
    /// A piece of an `Outcome` that is too long for one frame. `failed` and `holds_up` repeat the outcome's fields, for
    /// agents that forward the pieces without decoding them.
    Part {
        batch: u64,
        index: u32,
        #[serde(with = "serde_bytes")]
        piece: Vec<u8>,
        last: bool,
        failed: bool,
        holds_up: bool,
    },
    /// The next piece of the file that call `index` sends, before its outcome, and the number of bytes left after it.
    Content {
        batch: u64,
        index: u32,
        #[serde(with = "serde_bytes")]
        piece: Vec<u8>,
        left: u64,
    },
}
