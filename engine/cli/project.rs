//! Where a project's files and plugins are, according to the settings.

use std::{path::PathBuf, sync::Arc};

use rplay::{
    collections::Collections,
    config::Config,
    event::{Event, Sink},
    external,
    inventory::SourceRules,
    plan::Project,
    python::{InventoryPlugins, VarsSettings},
    report::Channel,
    source::Span,
};

use crate::args::run::RunArgs;

/// Where vars plugins are.
pub(crate) fn vars_settings(config: &Config) -> VarsSettings {
    VarsSettings { directories: config.vars_plugins.0.clone(), enabled: config.vars_plugins_enabled.value.clone() }
}

/// How to read inventory sources; plugins may be next to the playbooks.
pub(crate) fn source_rules(
    args: &RunArgs,
    config: &Config,
    playbooks: &[PathBuf],
    directory: Option<&PathBuf>,
) -> SourceRules {
    let mut directories: Vec<PathBuf> = playbooks.iter().filter_map(|path| path.parent()).map(PathBuf::from).collect();
    directories.extend(directory.cloned());
    directories.dedup();
    let plugins = InventoryPlugins::new(
        config.ansible_python.value.clone(),
        directories,
        !args.flush_cache,
        vars_settings(config),
    )
    .with_extra(args.sources.extra_vars.clone())
    .with_verbosity(args.sources.verbose.max(*config.verbosity as u8));
    SourceRules { plugins: Some(Arc::new(plugins)), ..config.source_rules() }
}

/// The project, with the paths of its files from the settings.
pub(crate) fn project(
    config: &Config,
    module_path: &[String],
    vault: &Arc<rplay::vault::Vault>,
    channel: &Arc<Channel>,
) -> Arc<Project> {
    let vault = vault.clone();
    let decrypt = Box::new(move |source: &Arc<rplay::source::Source>| vault.open(source.clone()));
    let told = channel.clone();
    let warn = Box::new(move |message: String, place: Option<Span>| {
        told.send(Event::Warning { message: message.into(), place });
    });
    let filters = config.plugin_filters_cfg.value.clone().unwrap_or_else(|| "/etc/ansible/plugin_filters.yml".into());
    let (rejected, told) = external::Rejected::read(&filters);
    if let Some(message) = told {
        warn(message, None);
    }
    let python = config.ansible_python.value.clone();
    let collections = Collections::new(config.collections_path.0.clone(), *config.collections_scan_sys_path)
        .with_interpreter(python.clone());
    let mismatch = *config.collections_on_ansible_version_mismatch;
    let project = Project::new(config.roles_path.0.clone(), decrypt, warn);
    let project = project.with_collections(Arc::new(collections), mismatch, *config.deprecation_warnings);
    let project = project.checking_groups(*config.validate_action_group_metadata);
    // Directories from the command line come first.
    let named =
        module_path.iter().flat_map(|directories| directories.split(':')).filter(|directory| !directory.is_empty());
    let library = named.map(rplay::files::filled_in).chain(config.library.0.iter().cloned()).collect();
    Arc::new(project.with_external(external::Settings {
        library,
        module_utils: config.module_utils.0.clone(),
        roles: config.roles_path.0.clone(),
        filter_plugins: config.filter_plugins.0.clone(),
        test_plugins: config.test_plugins.0.clone(),
        lookup_plugins: config.lookup_plugins.0.clone(),
        action_plugins: config.action_plugins.0.clone(),
        rejected,
        become_plugins: config.become_plugins.0.clone(),
        ansible_python: python,
        interpreter: config.interpreter_python.value.clone(),
        remote_tmp: config.remote_tmp.value.clone(),
        tracebacks: tracebacks(&config.display_traceback),
        lenient_utf8: !*config.module_strict_utf8_response,
    }))
}

/// The events for which modules return their traceback.
fn tracebacks(written: &[String]) -> Vec<String> {
    let has = |word: &str| written.iter().any(|event| event == word);
    let all = ["error", "warning", "deprecated", "deprecated_value"];
    all.into_iter().filter(|event| !has("never") && (has("always") || has(event))).map(str::to_owned).collect()
}
