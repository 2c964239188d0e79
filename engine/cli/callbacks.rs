//! Which callback plugins written in Python a run has, and how they are started.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use miette::Diagnostic;
use rplay::{
    config::Config,
    limits,
    python::{self, CoreError, Pythons},
    report::{Added, CallbackSetup, Callbacks, Format, Log, Reader},
    secrets::Secrets,
    source::Problems,
};
use serde_json::{Value as Json, json};

use crate::{args::run::RunArgs, formats, output};

#[derive(Debug, thiserror::Error, Diagnostic)]
enum CallbackPluginError {
    #[error("the callback plugin `{name}` is not built in, and no ansible-core can run it: {why}")]
    NoCore {
        name: String,
        why: String,
        #[help]
        help: &'static str,
    },
    #[error("the callback plugin `{name}` cannot be loaded: {why}")]
    NotLoaded { name: String, why: String },
}

/// Formats for the results of ad-hoc tasks that need no Python.
const OF_ADHOC: [Format; 3] = [Format::Default, Format::Minimal, Format::OneLine];

/// The report of playbooks, from the settings: a built-in format with additions, or plugins in Python.
///
/// # Errors
/// If the plugin for standard output cannot be loaded, or a setting of a format is invalid.
pub(crate) fn of_playbooks(
    args: &RunArgs,
    config: &Config,
    secrets: &Arc<Secrets>,
    log: Option<Arc<Log>>,
    playbooks: &[PathBuf],
) -> Result<Box<dyn Reader>, Problems> {
    let mut directories: Vec<PathBuf> = playbooks.iter().filter_map(|path| path.parent()).map(absolute).collect();
    directories.dedup();
    let own = formats::reader(args, config, secrets, log)?;
    load(args, config, secrets, &directories, foreign(config, &directories, |_| true), true, own)
}

/// The report of `adhoc`, which calls plugins only if the settings enable that.
///
/// # Errors
/// Same as [`of_playbooks`].
pub(crate) fn of_adhoc(
    args: &RunArgs,
    config: &Config,
    secrets: &Arc<Secrets>,
    directory: &Path,
    own: Box<dyn Reader>,
) -> Result<Box<dyn Reader>, Problems> {
    let directories = [absolute(directory)];
    match *config.load_callback_plugins {
        true => {
            let stdout = foreign(config, &directories, |format| OF_ADHOC.contains(&format));
            load(args, config, secrets, &directories, stdout, false, own)
        }
        false => Ok(own),
    }
}

/// The name of the plugin for standard output, unless it is built in. A plugin of the user's takes precedence.
fn foreign(config: &Config, directories: &[PathBuf], is_native: impl Fn(Format) -> bool) -> Option<String> {
    let name = &config.stdout_callback.value;
    let is_native = Format::of(name).is_some_and(is_native) && !has_own(config, directories, name);
    (!is_native).then(|| name.clone())
}

/// Whether a plugin directory contains a plugin of this short name.
fn has_own(config: &Config, directories: &[PathBuf], name: &str) -> bool {
    plugin_directories(config, directories).any(|directory| directory.join(format!("{name}.py")).exists())
}

fn plugin_directories(config: &Config, directories: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    let beside: Vec<PathBuf> = directories.iter().map(|directory| directory.join("callback_plugins")).collect();
    beside.into_iter().chain(config.callback_plugins.0.clone())
}

fn load(
    args: &RunArgs,
    config: &Config,
    secrets: &Arc<Secrets>,
    directories: &[PathBuf],
    stdout: Option<String>,
    is_playbook: bool,
    own: Box<dyn Reader>,
) -> Result<Box<dyn Reader>, Problems> {
    if args.only_looks() {
        return Ok(own);
    }
    let enabled = config.callbacks_enabled.value.as_deref().unwrap_or_default();
    // If one needs Python, all are called through Python, in order.
    let (native, others): (Vec<&String>, Vec<&String>) =
        enabled.iter().partition(|name| Added::of(name).is_some() && !has_own(config, directories, name));
    let added = |own| formats::with_additions(config, secrets, &native, own);
    let has_files = || plugin_directories(config, directories).any(|directory| has_plugins(&directory));
    if stdout.is_none() && others.is_empty() && !has_files() {
        return added(own);
    }
    let pythons = Pythons::new(config.ansible_python.value.clone());
    let core = match (pythons.core(), &stdout) {
        (Ok(core), _) => core,
        (Err(error), Some(name)) => {
            let (name, why) = (name.clone(), error.to_string());
            return Err(CallbackPluginError::NoCore { name, why, help: CoreError::help() }.into());
        }
        (Err(error), None) => {
            let what = match others.is_empty() {
                true => "the callback plugins beside the playbook".to_owned(),
                false => format!("the callback plugins {}", others.into_iter().cloned().collect::<Vec<_>>().join(", ")),
            };
            output::aside(&format!("[WARNING]: {what} are not called: {error}\n"));
            return added(own);
        }
    };
    let mut options = options(args, config, is_playbook);
    secrets.mask_data(&mut options);
    let (program, versions) = python::CALLBACKS;
    let setup = CallbackSetup {
        python: &core.python,
        program,
        versions,
        stdout: stdout.as_deref(),
        additional: true,
        directories: directories.iter().map(|directory| directory.display().to_string()).collect(),
        options,
        playbook: (!is_playbook).then_some("__adhoc_playbook__"),
        patience: limits::program_time(),
    };
    match Callbacks::load(&setup, own, secrets) {
        Ok(reader) => Ok(reader),
        Err(error) => match stdout {
            Some(name) => Err(CallbackPluginError::NotLoaded { name, why: error.why }.into()),
            None => {
                output::aside(&format!("[WARNING]: callback plugins are not called: {}\n", error.why));
                added(error.own)
            }
        },
    }
}

fn has_plugins(directory: &Path) -> bool {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    files
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| name.ends_with(".py") && name != "__init__.py")
}

fn absolute(directory: impl AsRef<Path>) -> PathBuf {
    let directory = directory.as_ref();
    match directory.as_os_str().is_empty() {
        true => std::env::current_dir().unwrap_or_default(),
        false => std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned()),
    }
}

/// The command line in the form of `context.CLIARGS`.
fn options(args: &RunArgs, config: &Config, is_playbook: bool) -> Json {
    let playbooks: Vec<String> = args.playbooks.iter().map(|path| path.display().to_string()).collect();
    let (connection, becoming) = (&args.connection, &args.becoming);
    let mut options = json!({
        "verbosity": args.sources.verbose.max(*config.verbosity as u8),
        "check": args.check,
        "diff": args.diff || *config.diff_always,
        "forks": args.forks.number(config.forks.value),
        "inventory": config.inventory_sources(&args.sources.inventory),
        "subset": args.limit,
        "tags": if args.tags.is_empty() { vec!["all".to_owned()] } else { args.tags.clone() },
        "skip_tags": args.skip_tags,
        "extra_vars": args.sources.extra_vars,
        "start_at_task": args.start_at_task,
        "force_handlers": args.force_handlers,
        "flush_cache": args.flush_cache,
        "connection": connection.connection.as_deref().unwrap_or("ssh"),
        "remote_user": connection.user,
        "private_key_file": connection.private_key,
        "timeout": connection.timeout.unwrap_or(*config.timeout),
        "become": becoming.become_ || *config.become_,
        "become_method": becoming.become_method.as_ref().unwrap_or(&config.become_method.value),
        "become_user": becoming.become_user,
        "listhosts": false,
        "listtasks": false,
        "listtags": false,
        "syntax": false,
        "step": false,
        "module_path": null,
        "ask_pass": connection.ask_pass,
        "become_ask_pass": becoming.ask_become_pass,
        "vault_ids": [],
    });
    if is_playbook {
        options["args"] = Json::from(playbooks);
    }
    options
}
