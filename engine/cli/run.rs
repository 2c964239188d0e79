//! Runs playbooks: from the command line to the exit code.

use std::{path::PathBuf, sync::Arc, time::Duration};

use rplay::{
    config::Config,
    event::{Event, Sink},
    inventory::{Inventory, InventoryError, Limit, Matched, Pattern},
    link::{KeyAgent, LinkOptions, Links},
    plan::{Play, Resolver},
    report::{Channel, Log, Reader, RunAbout, RunReport},
    run::Run,
    secrets::Secrets,
    source::{Problems, Source},
    syntax::ReadError,
    vars::{ExtraVarsError, extra_vars_and_names},
    vault::VaultError,
};

use crate::{
    args::{Cli, run::RunArgs},
    callbacks, diagnostics, ending, formats, listing, passwords,
    project::{project, source_rules},
    prompt::Person,
    run_options::{RunError, options, run_magic},
    ssh_agent, trace,
};

/// Creates a report that masks secrets and also writes to a log.
type NewReader = dyn FnOnce(&Config, &Arc<Secrets>, Option<Arc<Log>>) -> Box<dyn Reader>;

/// The plays to run.
pub(crate) enum Plays {
    /// The files on the command line.
    Files,
    /// Plays that are not in a file, with their own report.
    Text { source: Arc<Source>, directory: PathBuf, reader: Box<NewReader> },
}

/// Runs plays and returns the exit code.
pub(crate) fn run(args: &RunArgs, plays: Plays) -> Result<u8, Problems> {
    let (config, warnings) = Config::load()?;
    ssh_agent::join(&config)?;
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
        Plays::Text { source, directory, reader } => {
            let own = reader(&config, &secrets, log);
            let reader = callbacks::of_adhoc(args, &config, &secrets, &directory, own)?;
            (Vec::new(), Some((source, directory)), reader)
        }
    };
    let sources = config.inventory_sources(&args.sources.inventory);

    let mut problems = Problems::default();
    let mut exit_code = None;
    let (extra, extra_names) = extra_vars_and_names(&args.sources.extra_vars, &vault).unwrap_or_else(|found| {
        let misused = ExtraVarsError::is_misuse(&found);
        let cannot_decrypt = matches!(
            found.first_as(),
            Some(VaultError::NoPassword { .. } | VaultError::WrongPassword { .. } | VaultError::Malformed { .. })
        );
        problems.0.extend(found.0);
        // Ansible exits with 1 if such a file does not exist.
        let mut files = args.sources.extra_vars.iter().filter_map(|arg| arg.strip_prefix('@'));
        let all_there = files.all(|path| std::path::Path::new(path).exists());
        exit_code = Some(match () {
            () if !all_there => 1,
            () if misused => diagnostics::OPTIONS,
            () if cannot_decrypt => 1,
            () => diagnostics::UNREADABLE,
        });
        Default::default()
    });
    let rules = source_rules(args, &config, &playbooks, text.as_ref().map(|(_, directory)| directory));
    let mut inventory = Inventory::load(&sources, vault.clone(), &rules).unwrap_or_else(|found| {
        problems.0.extend(found.0);
        Inventory::default()
    });
    let wants_invocations = reader.wants_invocations();
    let channel = Arc::new(Channel::new(reader));
    let verbosity = args.sources.verbose.max(*config.verbosity as u8);
    if verbosity > 0 && formats::is_for_people(&config) {
        let version =
            Some(()).filter(|()| verbosity > 1 && diagnostics::is_ansible()).map(|()| crate::version::of_process());
        let file = match config.file.as_deref() {
            Some(file) => format!("Using {} as config file", rplay::source::absolute(file)),
            None => "No config file found; using defaults".to_owned(),
        };
        channel.send(Event::Verbose { text: (version.unwrap_or_default() + &file).into() });
    }
    for text in ssh_agent::told() {
        channel.send(Event::Detail { level: 3, text: text.into() });
    }
    for note in std::mem::take(&mut inventory.notes) {
        channel.send(Event::Verbose { text: note.into() });
    }
    for warning in std::mem::take(&mut inventory.warnings) {
        channel.send(Event::Warning { message: warning.into(), place: None });
    }
    let project = project(&config, &args.module_path, &vault, &channel);
    project.warn_of_reserved(extra_names);
    let resolver = Resolver {
        project,
        extra: Arc::new(extra),
        magic: Arc::new(run_magic(args, &config, &sources)),
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
    if let Some((source, directory)) = text {
        match resolver.playbook_text(&source, &directory) {
            Ok(plays) => resolved.push((directory, plays)),
            Err(found) => problems.0.extend(found.0),
        }
    }
    // All errors are reported together, before any host is touched.
    if !problems.is_empty() {
        channel.flush();
        let exit_code = exit_code.unwrap_or_else(|| match is_text && ReadError::is_unknown_module(&problems) {
            // There, it is a failure of each host.
            true => 2,
            false => rplay::plan::exit_code(&problems),
        });
        return Ok(diagnostics::end(&problems, exit_code));
    }
    let allowed = match &args.limit {
        Some(limit) => {
            let limit = Limit::parse(limit)?;
            let allowed = limit.allowed(&inventory);
            // Patterns that match no host are reported, also before the error that no host is left.
            let warnings = match &allowed {
                Ok(matched) => matched.warnings.clone(),
                Err(_) => limit.matched(&inventory)?.warnings,
            };
            for message in warnings {
                channel.send(Event::Warning { message: message.into(), place: None });
            }
            if allowed.is_err() {
                channel.flush();
            }
            Some(allowed?)
        }
        None => None,
    };
    if inventory.hosts().len() == 0 && !is_text && *config.localhost_warning {
        let message = "provided hosts list is empty, only localhost is available. Note that the implicit localhost \
            does not match 'all'";
        channel.send(Event::Warning { message: message.into(), place: None });
    }
    if is_text && let Some(allowed) = &allowed {
        for play in resolved.iter().flat_map(|(_, plays)| plays) {
            refuse_nothing(play, &inventory, allowed)?;
        }
    }
    if args.only_looks() {
        channel.flush();
        let heads = match listing::heads(&resolved, &inventory, &resolver) {
            Ok(heads) => heads,
            Err(problems) => return Ok(diagnostics::end(&problems, rplay::plan::exit_code(&problems))),
        };
        listing::show(args, is_text, &resolved, &inventory, allowed.as_ref(), heads)?;
        // The process ends here; freeing them would take a tenth of the total time.
        std::mem::forget((resolved, resolver, inventory));
        return Ok(0);
    }
    // Another format or a plugin may write JSON.
    if args.announces && !is_text && formats::is_for_people(&config) {
        let text = announcement(args, &sources, &resolved, &inventory, allowed.as_ref()).into();
        channel.send(Event::Message { text });
    }
    // Questions for passwords come after what is already to be shown.
    channel.flush();
    let mut options = options(args, &config, &resolver.magic, rules, allowed, &secrets)?;
    options.invocations |= wants_invocations;
    if is_text {
        options.retry_files = None;
    }
    let stall = Duration::from_secs(u64::from(config.stall_timeout.value.max(1)));
    let agent_build = Some(rplay_agent::BUILD.to_owned());
    let link_options = LinkOptions {
        stall,
        silence: *config.link_timeout,
        agent_build,
        full: resolved.iter().flat_map(|(_, plays)| plays).any(|play| play.needs_full_agent()),
        key_agent: ssh_agent::is_wanted(&config)
            .then(|| KeyAgent { lifetime: config.ssh_agent_key_lifetime.value, sink: channel.clone() }),
        deliveries: diagnostics::deliveries().clone(),
        ..LinkOptions::default()
    };
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

/// Refuses a pattern that matches hosts of which `--limit` leaves none.
fn refuse_nothing(play: &Play, inventory: &Inventory, allowed: &Matched) -> Result<(), Problems> {
    let Some(text) = play.hosts.value.data().and_then(|value| value.as_str().map(str::to_owned)) else { return Ok(()) };
    let pattern = Pattern::parse(&text)?;
    let left = inventory.matching(&pattern, Some(allowed))?.hosts;
    if left.is_empty() && !inventory.matching(&pattern, None)?.hosts.is_empty() {
        let help = format!("`{text}` and --limit have no host in common");
        return Err(InventoryError::NothingLeft { help }.into());
    }
    Ok(())
}

/// One line about what will happen.
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

/// The report, together with those that `--report` writes to files.
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
        controller: controller(),
        directory: std::env::current_dir().map(|directory| directory.display().to_string()).unwrap_or_default(),
        config: config.file.as_ref().map(|file| file.display().to_string()),
    };
    let report = RunReport::new(own, args.report.clone(), about, secrets).map_err(RunError::Usage)?;
    Ok(Box::new(report))
}

/// Who runs this on which machine: `USER@MACHINE`.
fn controller() -> String {
    let named = ["LOGNAME", "USER"].iter().find_map(|name| std::env::var(name).ok()).filter(|user| !user.is_empty());
    let user = named.unwrap_or_else(|| match nix::unistd::getuid() {
        user if user.is_root() => "root".to_owned(),
        user => user.to_string(),
    });
    let machine = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{user}@{machine}")
}

/// The log that the configuration names. As in Ansible, a run continues without it if it cannot be written.
fn log(config: &Config) -> Option<Arc<Log>> {
    let path = config.log_path.value.as_deref()?;
    match Log::open(path) {
        Ok(log) => {
            let log = Arc::new(log.with_verbosity(*config.log_verbosity as u8));
            diagnostics::log_to(log.clone());
            Some(log)
        }
        Err(message) => {
            eprintln!("[WARNING]: {message}");
            None
        }
    }
}
