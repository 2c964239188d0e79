//! Runs playbooks: from the command line to the exit code.

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use miette::Diagnostic;
use rplay::{
    collections::Collections,
    config::{Config, Gathering},
    event::{Event, Sink},
    external,
    inventory::{Inventory, Limit, Matched, SourceRules},
    link::{LinkOptions, Links},
    plan::{Play, Project, Resolver, TagSelection},
    python::{InventoryPlugins, VarsSettings},
    report::{Channel, Log, Reader, RunAbout, RunReport},
    run::{Defaults, FactCaching, MethodDefaults, Options, Run},
    secrets::Secrets,
    source::{Problems, Source, Span},
    vars::{Lenience, extra_vars},
};

use crate::{
    args::{Cli, run::RunArgs},
    callbacks, diagnostics, ending, formats, listing, passwords,
    prompt::Person,
    trace,
};

#[derive(Debug, thiserror::Error, Diagnostic)]
enum RunError {
    #[error("{0}")]
    Usage(String),
    #[error("cannot start the threads for host connections: {0}")]
    Links(std::io::Error),
}

/// Creates a report that masks secrets and also writes to a log.
type NewReader = dyn FnOnce(&Config, &Arc<Secrets>, Option<Arc<Log>>) -> Box<dyn Reader>;

/// The plays to run.
pub(crate) enum Plays {
    /// The files on the command line.
    Files,
    /// Plays that are not in a file, with their own report.
    Text { source: Arc<Source>, folder: PathBuf, reader: Box<NewReader> },
}

/// Runs plays and returns the exit code.
pub(crate) fn run(args: &RunArgs, plays: Plays) -> Result<u8, Problems> {
    let (config, warnings) = Config::load()?;
    if args.connection.scp_extra_args.is_some() || args.connection.sftp_extra_args.is_some() {
        let message = "--scp-extra-args and --sftp-extra-args have no effect: rplay sends files over the connection of \
            ssh itself; use --ssh-extra-args";
        crate::output::aside(&format!("[WARNING]: {message}\n"));
    }
    if *config.link_timeout == 0 {
        rplay::link::release_stops();
    }
    rplay::vars::set_managed(&config.ansible_managed);
    for name in rplay::template::enable_extensions(&config.jinja2_extensions) {
        let said = format!("[WARNING]: the Jinja extension {name} is not supported; templates that use it fail\n");
        crate::output::aside(&said);
    }
    let log = log(&config);
    diagnostics::look_like(*config.diagnostics);
    diagnostics::show(&warnings);
    let secrets = diagnostics::secrets().clone();
    if args.sources.verbose.max(*config.verbosity as u8) >= trace::VERBOSITY {
        trace::start(secrets.clone());
    }
    let vault = passwords::vault(&args.sources.passwords, &config, &secrets)?;
    let (playbooks, text, reader) = match plays {
        Plays::Files => {
            let files = Cli::playbooks(args).map_err(|error| RunError::Usage(error.to_string()))?;
            let reader = callbacks::of_playbooks(args, &config, &secrets, log, &files)?;
            (files, None, reported(args, &config, &secrets, reader)?)
        }
        Plays::Text { source, folder, reader } => {
            let own = reader(&config, &secrets, log);
            let reader = callbacks::of_adhoc(args, &config, &secrets, &folder, own)?;
            (Vec::new(), Some((source, folder)), reader)
        }
    };
    let sources = config.inventory_sources(&args.sources.inventory);

    let mut problems = Problems::default();
    let mut exit_code = None;
    let extra = extra_vars(&args.sources.extra_vars, &vault).unwrap_or_else(|found| {
        problems.0.extend(found.0);
        // Ansible exits with 1 if such a file does not exist.
        let mut files = args.sources.extra_vars.iter().filter_map(|arg| arg.strip_prefix('@'));
        let all_there = files.all(|path| std::path::Path::new(path).exists());
        exit_code = Some(if all_there { diagnostics::UNREADABLE } else { 1 });
        Default::default()
    });
    let rules = source_rules(args, &config, &playbooks, text.as_ref().map(|(_, folder)| folder));
    let mut inventory = Inventory::load(&sources, vault.clone(), &rules).unwrap_or_else(|found| {
        problems.0.extend(found.0);
        Inventory::default()
    });
    let channel = Arc::new(Channel::new(reader));
    for warning in std::mem::take(&mut inventory.warnings) {
        channel.send(Event::Warning { message: warning.into(), place: None });
    }
    let project = project(&config, &args.module_path, &vault, &channel);
    let resolver = Resolver {
        project,
        tags: TagSelection {
            only: if args.tags.is_empty() { config.tags_run.value.clone() } else { args.tags.clone() },
            skip: if args.skip_tags.is_empty() { config.tags_skip.value.clone() } else { args.skip_tags.clone() },
        },
        extra: Arc::new(extra),
        base: Arc::default(),
    };
    let mut resolved: Vec<(PathBuf, Vec<Arc<Play>>)> = Vec::new();
    for written in playbooks {
        let named = written.to_str().and_then(|name| resolver.project.collections.playbook(name));
        let path = named.map_or(written, |(path, _)| path);
        match resolver.playbook(&path) {
            Ok(plays) => resolved.push((path, plays)),
            Err(found) => problems.0.extend(found.0),
        }
    }
    for play in resolved.iter().flat_map(|(_, plays)| plays) {
        problems.0.extend(resolver.project.check_vars_files(play).0);
    }
    let is_text = text.is_some();
    if let Some((source, folder)) = text {
        match resolver.playbook_text(&source, &folder) {
            Ok(plays) => resolved.push((folder, plays)),
            Err(found) => problems.0.extend(found.0),
        }
    }
    // All errors are reported together, before any host is touched.
    if !problems.is_empty() {
        channel.flush();
        let exit_code = exit_code.unwrap_or_else(|| rplay::plan::exit_code(&problems));
        return Ok(diagnostics::end(&problems, exit_code));
    }
    let allowed = match &args.limit {
        Some(limit) => Some(Limit::parse(limit)?.allowed(&inventory)?),
        None => None,
    };
    if inventory.hosts().len() == 0 && !is_text {
        let message = "provided hosts list is empty, only localhost is available. Note that the implicit localhost \
            does not match 'all'";
        channel.send(Event::Warning { message: message.into(), place: None });
    }
    if args.only_looks() {
        channel.flush();
        listing::show(args, &resolved, &inventory, allowed.as_ref())?;
        // The process ends here; freeing them would take a tenth of the total time.
        std::mem::forget((resolved, resolver, inventory));
        return Ok(0);
    }
    // What another format or a plugin writes may be JSON.
    if args.announces && !is_text && formats::is_for_people(&config) {
        let text = announcement(args, &sources, &resolved, &inventory, allowed.as_ref()).into();
        channel.send(Event::Message { text });
    }
    let options = options(args, &config, &sources, rules, allowed, &secrets)?;
    let stall = Duration::from_secs(u64::from(config.stall_timeout.value.max(1)));
    let agent_build = Some(rplay_agent::BUILD.to_owned());
    let link_options = LinkOptions { stall, silence: *config.link_timeout, agent_build, ..LinkOptions::default() };
    let links = Links::new(link_options).map_err(RunError::Links)?;
    let person = Box::new(Person { report: channel.clone(), secrets: secrets.clone() });
    let run = Run::new(options, resolver, inventory, links, vault, channel.clone(), person);
    ending::watch(&run, &channel);
    let result = run.playbooks(&resolved);
    ending::run_is_over();
    channel.flush();
    Ok(match result {
        Ok(recap) => recap.exit_code(),
        Err(error) => diagnostics::end(&error.problems, error.exit_code),
    })
}

/// What is about to happen, in one line.
fn announcement(
    args: &RunArgs,
    sources: &[String],
    playbooks: &[(PathBuf, Vec<Arc<Play>>)],
    inventory: &Inventory,
    allowed: Option<&Matched>,
) -> String {
    let all = inventory.hosts().len();
    let hosts = if all == 1 { "1 host".to_owned() } else { format!("{all} hosts") };
    let hosts = match (&args.limit, allowed) {
        (Some(limit), Some(allowed)) => format!("{} of {hosts} by --limit {limit}", allowed.hosts.len()),
        _ => hosts,
    };
    let inventory = match sources {
        [] => "none".to_owned(),
        sources => sources.join(" "),
    };
    let names: Vec<String> = playbooks.iter().map(|(path, _)| path.display().to_string()).collect();
    let check = if args.check { ", check mode: nothing is changed" } else { "" };
    rplay::visible::one_line(&format!("inventory {inventory} ({hosts}), playbook {}{check}", names.join(" ")))
        .into_owned()
}

/// The report, and those that `--report` writes to files.
fn reported(
    args: &RunArgs,
    config: &Config,
    secrets: &Arc<Secrets>,
    own: Box<dyn Reader>,
) -> Result<Box<dyn Reader>, Problems> {
    if args.report.is_empty() || args.only_looks() {
        return Ok(own);
    }
    let about = RunAbout {
        version: env!("CARGO_PKG_VERSION"),
        inventory: config.inventory_sources(&args.sources.inventory),
        limit: args.limit.clone(),
        tags: args.tags.clone(),
        skip_tags: args.skip_tags.clone(),
        forks: args.forks.number(config.forks.value),
        check: args.check,
    };
    let report = RunReport::new(own, args.report.clone(), about, secrets).map_err(RunError::Usage)?;
    Ok(Box::new(report))
}

/// Where vars plugins are.
pub(crate) fn vars_settings(config: &Config) -> VarsSettings {
    VarsSettings { directories: config.vars_plugins.0.clone(), enabled: config.vars_plugins_enabled.value.clone() }
}

/// How sources of the inventory are read; plugins may stand beside the playbooks.
pub(crate) fn source_rules(
    args: &RunArgs,
    config: &Config,
    playbooks: &[PathBuf],
    folder: Option<&PathBuf>,
) -> SourceRules {
    let mut folders: Vec<PathBuf> = playbooks.iter().filter_map(|path| path.parent()).map(PathBuf::from).collect();
    folders.extend(folder.cloned());
    folders.dedup();
    let plugins =
        InventoryPlugins::new(config.ansible_python.value.clone(), folders, !args.flush_cache, vars_settings(config));
    SourceRules { plugins: Some(Arc::new(plugins)), ..config.source_rules() }
}

/// The log that the configuration names. As in Ansible, a run goes on without one that cannot be written.
fn log(config: &Config) -> Option<Arc<Log>> {
    let path = config.log_path.value.as_deref()?;
    match Log::open(path) {
        Ok(log) => {
            let log = Arc::new(log);
            diagnostics::log_to(log.clone());
            Some(log)
        }
        Err(message) => {
            eprintln!("[WARNING]: {message}");
            None
        }
    }
}

/// The files of a project: what the settings say of where they lie.
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
    // What the command line names comes first.
    let named = module_path.iter().flat_map(|folders| folders.split(':')).filter(|folder| !folder.is_empty());
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
    }))
}

/// The events of whose place modules are to tell.
fn tracebacks(written: &[String]) -> Vec<String> {
    let has = |word: &str| written.iter().any(|event| event == word);
    let all = ["error", "warning", "deprecated", "deprecated_value"];
    all.into_iter().filter(|event| !has("never") && (has("always") || has(event))).map(str::to_owned).collect()
}

/// The options of a run, from the command line and the settings.
///
/// # Errors
/// Arguments for ssh cannot be split, or a password cannot be read.
pub(crate) fn options(
    args: &RunArgs,
    config: &Config,
    sources: &[String],
    source_rules: SourceRules,
    allowed: Option<rplay::inventory::Matched>,
    secrets: &Secrets,
) -> Result<Options, Problems> {
    let (connection, becoming) = (&args.connection, &args.becoming);
    let words = |text: &str| shell_words::split(text).map_err(|error| RunError::Usage(format!("`{text}`: {error}")));
    let ssh_args = config.ssh_args.value.as_deref().map_or_else(|| Ok(Vec::new()), words)?;
    let common = connection.ssh_common_args.as_ref().or(config.ssh_common_args.value.as_ref());
    let common_args = common.map_or_else(|| Ok(Vec::new()), |text| words(text))?;
    let extra = connection.ssh_extra_args.as_ref().or(config.ssh_extra_args.value.as_ref());
    let login_file =
        connection.connection_password_file.as_deref().or(config.connection_password_file.value.as_deref());
    let password = passwords::password(login_file, connection.ask_pass || *config.ask_pass, "SSH password: ", secrets)?;
    let become_file = becoming.become_password_file.as_deref().or(config.become_password_file.value.as_deref());
    let ask = becoming.ask_become_pass || *config.become_ask_pass;
    let become_password = passwords::password(become_file, ask, "BECOME password: ", secrets)?
        .or_else(|| password.clone().filter(|_| ask))
        .or_else(|| secret(&config.become_pass.value, secrets));
    let defaults = Defaults {
        connection: connection.connection.clone().or(config.transport.value.clone()),
        user: connection.user.clone().or(config.remote_user.value.clone()),
        port: config.remote_port.value.and_then(|port| u16::try_from(port).ok()),
        private_key: connection.private_key.clone().or(config.private_key_file.value.clone()),
        ssh_args,
        common_args,
        extra_args: match extra {
            Some(text) => words(text)?,
            None => Vec::new(),
        },
        password,
        check_host_key: *config.host_key_checking,
        timeout: connection.timeout.unwrap_or(*config.timeout),
        retries: *config.ssh_retries,
        ssh_executable: Some(config.ssh_executable.value.clone()),
        become_: becoming.become_ || *config.become_,
        become_method: Some(becoming.become_method.clone().unwrap_or_else(|| config.become_method.value.clone())),
        become_user: Some(becoming.become_user.clone().unwrap_or_else(|| config.become_user.value.clone())),
        become_exe: config.become_exe.value.clone(),
        become_flags: config.become_flags.value.clone(),
        become_password,
        pkcs11_provider: config.pkcs11_provider.value.clone(),
        methods: methods(config, secrets),
    };
    let task_timeout = args.task_timeout.unwrap_or(*config.task_timeout);
    let first = sources.iter().map(PathBuf::from).find(|path| path.exists());
    let absolute = |path: &std::path::Path| rplay::source::absolute(path);
    let verbosity = args.sources.verbose.max(*config.verbosity as u8);
    Ok(Options {
        check: args.check,
        diff: args.diff || *config.diff_always,
        forks: args.forks.number(config.forks.value) as usize,
        verbosity,
        invocations: verbosity > 2 || formats::wants_invocations(config),
        limit: args.limit.clone(),
        allowed,
        host_pattern_mismatch: *config.host_pattern_mismatch,
        force_handlers: args.force_handlers || *config.force_handlers,
        error_on_missing_handler: *config.error_on_missing_handler,
        start_at: args.start_at_task.clone(),
        step: args.step,
        gather: !matches!(config.gathering.value, Gathering::Explicit),
        keep_facts: matches!(config.gathering.value, Gathering::Smart),
        fact_caching: fact_caching(config, args.flush_cache),
        any_errors_fatal: *config.any_errors_fatal,
        private_role_vars: *config.private_role_vars,
        no_log: *config.no_log,
        strategy: config.strategy.value.clone(),
        // What goes out together cannot be timed one by one.
        batch: !args.no_batch && task_timeout == 0 && !args.step,
        task_timeout: (task_timeout > 0).then_some(task_timeout),
        connection: defaults,
        inventory_dir: first
            .as_deref()
            .map(|path| if path.is_dir() { absolute(path) } else { absolute(&path.join("..")) }),
        inventory_file: first.as_deref().filter(|path| path.is_file()).map(absolute),
        inventory_sources: sources
            .iter()
            .map(|source| if source.contains(',') { source.clone() } else { absolute(source.as_ref()) })
            .collect(),
        config_file: config.file.as_deref().map(absolute),
        async_dir: config.async_dir.value.clone(),
        poll_interval: config.poll_interval.value,
        source_rules,
        deprecation_warnings: *config.deprecation_warnings,
        inject_facts: *config.inject_facts_as_vars,
        shell: config.executable.value.clone(),
        lenience: [
            (*config.allow_embedded_templates).then_some(Lenience::EmbeddedTemplates),
            (*config.allow_broken_conditionals).then_some(Lenience::BrokenConditionals),
        ]
        .into_iter()
        .flatten()
        .collect(),
    })
}

/// Where facts are kept between runs; `None` if they are not.
fn fact_caching(config: &Config, flush: bool) -> Option<FactCaching> {
    let plugin = config.fact_caching.value.as_str();
    let plugin = plugin.strip_prefix("ansible.builtin.").unwrap_or(plugin);
    (plugin != "memory").then(|| FactCaching {
        plugin: plugin.to_owned(),
        directory: config.fact_caching_connection.value.clone(),
        prefix: config.fact_caching_prefix.value.clone().unwrap_or_default(),
        timeout: config.fact_caching_timeout.value,
        flush,
    })
}

/// A password from the settings, registered so that no output shows it.
fn secret(setting: &Option<rplay::config::Secret>, secrets: &Secrets) -> Option<rplay::link::Secret> {
    setting.as_ref().map(|secret| {
        secrets.add(&secret.0);
        rplay::link::Secret::new(&secret.0)
    })
}

/// The settings of the individual privilege escalation methods.
fn methods(config: &Config, secrets: &Secrets) -> HashMap<&'static str, MethodDefaults> {
    macro_rules! of {
        ($user:ident $exe:ident $flags:ident $pass:ident) => {
            MethodDefaults {
                user: config.$user.value.clone(),
                exe: config.$exe.value.clone(),
                flags: config.$flags.value.clone(),
                password: secret(&config.$pass.value, secrets),
                chdir: None,
            }
        };
    }
    HashMap::from([
        (
            "sudo",
            MethodDefaults { chdir: config.sudo_chdir.value.clone(), ..of!(sudo_user sudo_exe sudo_flags sudo_pass) },
        ),
        ("su", of!(su_user su_exe su_flags su_pass)),
        ("doas", of!(doas_user doas_exe doas_flags doas_pass)),
    ])
}
