//! Options of a run, from the command line and the configuration.

use std::{collections::HashMap, path::PathBuf};

use crate::{
    collections::Mismatch,
    inventory::{Matched, SourceRules},
    link::Secret,
    vars::Lenience,
};

/// Options of a run, from the command line and the configuration.
pub struct Options {
    pub check: bool,
    pub diff: bool,
    /// Bytes that a file may have to be shown in a diff; 0 means the default.
    pub max_diff: u64,
    pub forks: usize,
    pub verbosity: u8,
    /// Say more about how a play goes on.
    pub debug: bool,
    pub debugger: DebuggerOptions,
    /// The highest level of details that something shows: the output, or a log.
    pub details: u8,
    /// Whether results contain the arguments of their modules (`invocation`).
    pub invocations: bool,
    /// The hosts that `--limit` allows.
    pub allowed: Option<Matched>,
    /// How to treat a pattern that matches no hosts.
    pub host_pattern_mismatch: Mismatch,
    pub force_handlers: bool,
    /// Whether notifying an unknown handler fails the task; otherwise it is a warning.
    pub error_on_missing_handler: bool,
    pub start_at: Option<String>,
    /// Ask before each task (`--step`).
    pub step: bool,
    /// Fact gathering for plays that do not set `gather_facts`: `implicit` (when first read) or `explicit`.
    pub gather: bool,
    /// `smart`: facts that an earlier play gathered are not gathered again.
    pub keep_facts: bool,
    /// Where facts are kept between runs, if anywhere.
    pub fact_caching: Option<FactCaching>,
    pub any_errors_fatal: bool,
    /// Whether the variables of a role are only visible in the role.
    /// Whether plays see no variables of roles, if a setting says so.
    pub private_role_vars: Option<bool>,
    pub no_log: bool,
    /// The strategy of plays without one.
    pub strategy: String,
    /// Whether calls of several tasks or items may be sent together.
    pub batch: bool,
    /// Time limit in seconds for tasks without a `timeout` of their own.
    pub task_timeout: Option<u32>,
    pub connection: Defaults,
    pub inventory_sources: Vec<String>,
    /// Directory of job results on hosts, if not the default.
    pub async_dir: Option<String>,
    /// Seconds; with 0, tasks with `async` and without `poll` run in the background.
    pub poll_interval: u32,
    pub source_rules: SourceRules,
    pub deprecation_warnings: bool,
    /// Whether facts are variables of their own, too (`inject_facts_as_vars`).
    pub inject_facts: bool,
    /// The shell of `raw` on hosts (`executable`).
    pub shell: String,
    /// Deprecated behaviour that is still accepted.
    pub lenience: Vec<Lenience>,
    /// Whether the hosts that a playbook lost are written to a file, and where.
    pub retry_files: Option<RetryFiles>,
}

/// When results are shown to a person who may run tasks again.
#[derive(Clone, Copy, Debug)]
pub struct DebuggerOptions {
    /// At every failure, also without the keyword `debugger`.
    pub enabled: bool,
    /// Failures that are ignored are none.
    pub passes_over_ignored: bool,
}

impl Default for DebuggerOptions {
    fn default() -> Self {
        DebuggerOptions { enabled: false, passes_over_ignored: true }
    }
}

impl Default for Options {
    /// Ansible's defaults.
    fn default() -> Self {
        Options {
            check: false,
            diff: false,
            max_diff: 0,
            forks: 50,
            verbosity: 0,
            debug: false,
            debugger: DebuggerOptions::default(),
            details: 0,
            invocations: false,
            allowed: None,
            host_pattern_mismatch: Mismatch::Warning,
            force_handlers: false,
            error_on_missing_handler: true,
            start_at: None,
            step: false,
            gather: true,
            keep_facts: false,
            fact_caching: None,
            private_role_vars: None,
            any_errors_fatal: false,
            no_log: false,
            strategy: "linear".to_owned(),
            batch: true,
            task_timeout: None,
            connection: Defaults::default(),
            inventory_sources: Vec::new(),
            async_dir: None,
            poll_interval: 15,
            source_rules: SourceRules::default(),
            deprecation_warnings: true,
            inject_facts: true,
            shell: "/bin/sh".to_owned(),
            lenience: vec![Lenience::EmbeddedTemplates],
            retry_files: None,
        }
    }
}

/// Where the names of lost hosts are written, for `--limit @FILE`.
#[derive(Clone, Debug)]
pub struct RetryFiles {
    /// Instead of the directory of the playbook.
    pub directory: Option<PathBuf>,
}

/// Where facts are kept between runs.
#[derive(Clone, Debug)]
pub struct FactCaching {
    /// `jsonfile`, which is native, or the name of a cache plugin in Python, which reads its settings itself.
    pub plugin: String,
    /// The directory of `jsonfile`.
    pub directory: Option<PathBuf>,
    /// What the names of its files begin with.
    pub prefix: String,
    /// Seconds after which cached facts are no longer used; 0 for never.
    pub timeout: u32,
    /// Whether cached facts are removed before the first play.
    pub flush: bool,
}

/// Defaults for what neither a variable nor a keyword sets.
#[derive(Clone, Debug)]
pub struct Defaults {
    pub connection: Option<String>,
    pub user: Option<String>,
    pub port: Option<u16>,
    pub private_key_file: Option<PathBuf>,
    /// The private key itself, and its passphrase.
    pub private_key: Option<Secret>,
    pub key_passphrase: Option<Secret>,
    /// Replaces rplay's own options for connection sharing.
    pub ssh_args: Vec<String>,
    pub common_args: Vec<String>,
    pub extra_args: Vec<String>,
    pub password: Option<Secret>,
    pub check_host_key: bool,
    /// Connection timeout in seconds.
    pub timeout: u32,
    /// Number of connection retries.
    pub retries: u32,
    pub ssh_executable: Option<String>,
    pub pkcs11_provider: Option<String>,
    pub become_: bool,
    pub become_method: Option<String>,
    pub become_user: Option<String>,
    pub become_exe: Option<String>,
    pub become_flags: Option<String>,
    pub become_password: Option<Secret>,
    /// Defaults of a single become method, by name; they take precedence over the general ones.
    pub methods: HashMap<&'static str, MethodDefaults>,
    /// Words of su's prompts; none stand for any.
    pub su_prompts: Vec<String>,
}

impl Default for Defaults {
    /// Ansible's defaults.
    fn default() -> Self {
        Defaults {
            connection: None,
            user: None,
            port: None,
            private_key_file: None,
            private_key: None,
            key_passphrase: None,
            ssh_args: Vec::new(),
            common_args: Vec::new(),
            extra_args: Vec::new(),
            password: None,
            check_host_key: true,
            timeout: 10,
            retries: 0,
            ssh_executable: None,
            pkcs11_provider: None,
            become_: false,
            become_method: None,
            become_user: None,
            become_exe: None,
            become_flags: None,
            become_password: None,
            methods: HashMap::new(),
            su_prompts: Vec::new(),
        }
    }
}

/// Settings of one become plugin (`ANSIBLE_SUDO_USER`, `[su_become_plugin]` ...).
#[derive(Clone, Debug, Default)]
pub struct MethodDefaults {
    pub user: Option<String>,
    pub exe: Option<String>,
    pub flags: Option<String>,
    pub password: Option<Secret>,
    /// The directory in which sudo starts.
    pub chdir: Option<String>,
}
