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
    report::{CallbackSetup, Callbacks, Reader},
    secrets::Secrets,
    source::Problems,
};
use serde_json::{Value as Json, json};

use crate::{args::run::RunArgs, output};

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

/// What writes to standard output by itself.
const OF_PLAYBOOKS: [&str; 1] = ["default"];
const OF_ADHOC: [&str; 3] = ["default", "minimal", "oneline"];

/// The report of playbooks, with the plugins that are enabled or lie beside them.
///
/// # Errors
/// The plugin that is to write to standard output cannot be loaded.
pub(crate) fn of_playbooks(
    args: &RunArgs,
    config: &Config,
    secrets: &Arc<Secrets>,
    playbooks: &[PathBuf],
    own: Box<dyn Reader>,
) -> Result<Box<dyn Reader>, Problems> {
    let mut folders: Vec<PathBuf> = playbooks.iter().filter_map(|path| path.parent()).map(absolute).collect();
    folders.dedup();
    let stdout = foreign(config, &OF_PLAYBOOKS);
    load(args, config, secrets, &folders, stdout, true, own)
}

/// The report of `adhoc`, which calls plugins only where the settings say so.
///
/// # Errors
/// As [`of_playbooks`].
pub(crate) fn of_adhoc(
    args: &RunArgs,
    config: &Config,
    secrets: &Arc<Secrets>,
    folder: &Path,
    own: Box<dyn Reader>,
) -> Result<Box<dyn Reader>, Problems> {
    match *config.load_callback_plugins {
        true => load(args, config, secrets, &[absolute(folder)], foreign(config, &OF_ADHOC), false, own),
        false => Ok(own),
    }
}

/// Whether standard output has the own report of playbooks.
pub(crate) fn is_own(config: &Config) -> bool {
    foreign(config, &OF_PLAYBOOKS).is_none()
}

/// The name of the plugin for standard output, if it is not built in.
fn foreign(config: &Config, native: &[&str]) -> Option<String> {
    let name = &config.stdout_callback.value;
    let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
    (!native.contains(&short)).then(|| name.clone())
}

fn load(
    args: &RunArgs,
    config: &Config,
    secrets: &Arc<Secrets>,
    folders: &[PathBuf],
    stdout: Option<String>,
    is_playbook: bool,
    own: Box<dyn Reader>,
) -> Result<Box<dyn Reader>, Problems> {
    let enabled = config.callbacks_enabled.value.as_deref().unwrap_or_default();
    let beside = folders.iter().map(|folder| folder.join("callback_plugins"));
    let has_files = || beside.chain(config.callback_plugins.0.iter().cloned()).any(|folder| has_plugins(&folder));
    if args.only_looks() || stdout.is_none() && enabled.is_empty() && !has_files() {
        return Ok(own);
    }
    let pythons = Pythons::new(config.ansible_python.value.clone());
    let core = match (pythons.core(), &stdout) {
        (Ok(core), _) => core,
        (Err(error), Some(name)) => {
            let (name, why) = (name.clone(), error.to_string());
            return Err(CallbackPluginError::NoCore { name, why, help: CoreError::help() }.into());
        }
        (Err(error), None) => {
            let what = match enabled {
                [] => "the callback plugins beside the playbook".to_owned(),
                enabled => format!("the callback plugins {}", enabled.join(", ")),
            };
            output::aside(&format!("[WARNING]: {what} are not called: {error}\n"));
            return Ok(own);
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
        folders: folders.iter().map(|folder| folder.display().to_string()).collect(),
        options,
        diff: args.diff || *config.diff_always,
        playbook: (!is_playbook).then_some("__adhoc_playbook__"),
        patience: limits::program_time(),
    };
    match Callbacks::load(&setup, own, secrets) {
        Ok(reader) => Ok(reader),
        Err(error) => match stdout {
            Some(name) => Err(CallbackPluginError::NotLoaded { name, why: error.why }.into()),
            None => {
                output::aside(&format!("[WARNING]: callback plugins are not called: {}\n", error.why));
                Ok(error.own)
            }
        },
    }
}

fn has_plugins(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| name.ends_with(".py") && name != "__init__.py")
}

fn absolute(folder: impl AsRef<Path>) -> PathBuf {
    let folder = folder.as_ref();
    match folder.as_os_str().is_empty() {
        true => std::env::current_dir().unwrap_or_default(),
        false => std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()),
    }
}

/// The command line as plugins find it in `context.CLIARGS`.
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
        "become_user": becoming.become_user.as_ref().unwrap_or(&config.become_user.value),
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
