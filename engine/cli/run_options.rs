//! The options of a run, from the command line and the settings.

use std::collections::HashMap;

use miette::Diagnostic;
use rplay::{
    config::{Config, Gathering, Origin},
    inventory::SourceRules,
    plan::{RunMagic, TagSelection},
    run::{DebuggerOptions, Defaults, FactCaching, MethodDefaults, Options, RetryFiles},
    secrets::Secrets,
    source::Problems,
    syntax::builtin_name,
    vars::Lenience,
};

use crate::{args::run::RunArgs, passwords};

/// An error in the options of a run.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum RunError {
    #[error("{0}")]
    Usage(String),
    #[error("cannot start the threads for host connections: {0}")]
    Links(std::io::Error),
}

/// Tags without the spaces around them.
fn words(tags: &[String]) -> Vec<String> {
    tags.iter().map(|tag| tag.trim().to_owned()).collect()
}

/// The magic variables of the whole run, from the command line and the settings.
pub(crate) fn run_magic(args: &RunArgs, config: &Config, sources: &[String]) -> RunMagic {
    let absolute = |path: &std::path::Path| rplay::source::absolute(path);
    RunMagic {
        tags: TagSelection {
            only: match (args.tags.is_empty(), config.tags_run.value.is_empty()) {
                (false, _) => words(&args.tags),
                // The list of tags includes those of tasks with the tag `never`.
                (true, true) if args.list_tags && args.skip_tags.is_empty() => {
                    vec!["all".to_owned(), "never".to_owned()]
                }
                (true, _) => config.tags_run.value.clone(),
            },
            skip: if args.skip_tags.is_empty() { config.tags_skip.value.clone() } else { words(&args.skip_tags) },
        },
        check: args.check,
        diff: args.diff || *config.diff_always,
        forks: args.forks.chosen(config.forks.value),
        verbosity: args.sources.verbose.max(*config.verbosity as u8),
        limit: args.limit.clone(),
        config_file: config.file.as_deref().map(absolute),
        inventory_sources: sources
            .iter()
            .map(|source| if source.contains(',') { source.clone() } else { absolute(source.as_ref()) })
            .collect(),
    }
}

/// The options of a run, from the command line and the settings.
///
/// # Errors
/// If arguments for ssh cannot be split, or a password cannot be read.
pub(crate) fn options(
    args: &RunArgs,
    config: &Config,
    magic: &RunMagic,
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
    let asks_login = connection.ask_pass || *config.ask_pass;
    let password = passwords::password(login_file, asks_login, "SSH password: ", secrets)?;
    let become_file = becoming.become_password_file.as_deref().or(config.become_password_file.value.as_deref());
    let ask = becoming.ask_become_pass || *config.become_ask_pass;
    let method = match *config.agnostic_become_prompt {
        true => "BECOME".to_owned(),
        false => becoming.become_method.as_ref().unwrap_or(&config.become_method.value).to_uppercase(),
    };
    let or_else = if asks_login { "[defaults to SSH password]" } else { "" };
    let become_password = passwords::password(become_file, ask, &format!("{method} password{or_else}: "), secrets)?
        .filter(|typed| !asks_login || !typed.reveal().is_empty())
        .or_else(|| password.clone().filter(|_| ask))
        .or_else(|| secret(&config.become_pass.value, secrets));
    let defaults = Defaults {
        connection: connection.connection.clone().or(config.transport.value.clone()),
        user: connection.user.clone().or(config.remote_user.value.clone()),
        port: config.remote_port.value.and_then(|port| u16::try_from(port).ok()),
        private_key_file: connection.private_key.clone().or(config.private_key_file.value.clone()),
        private_key: secret(&config.ssh_private_key.value, secrets),
        key_passphrase: secret(&config.ssh_private_key_passphrase.value, secrets),
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
        su_prompts: config
            .su_prompt_l10n
            .iter()
            .flat_map(|words| words.split(','))
            .map(|word| word.trim().to_owned())
            .collect(),
    };
    let task_timeout = args.task_timeout.unwrap_or(*config.task_timeout);
    let verbosity = magic.verbosity;
    Ok(Options {
        check: magic.check,
        diff: magic.diff,
        max_diff: max_diff(*config.max_diff_size),
        forks: args.forks.number(*config.forks) as usize,
        verbosity,
        debugger: DebuggerOptions {
            enabled: *config.enable_task_debugger,
            passes_over_ignored: *config.task_debugger_ignore_errors,
        },
        details: if config.log_path.is_some() { verbosity.max(*config.log_verbosity as u8) } else { verbosity },
        invocations: verbosity > 2,
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
        private_role_vars: (!matches!(config.private_role_vars.origin, Origin::Default))
            .then_some(*config.private_role_vars),
        debug: *config.debug,
        no_log: *config.no_log,
        strategy: config.strategy.value.clone(),
        // Tasks that are sent together have no separate time limits, and cannot be stepped through.
        batch: !args.no_batch && task_timeout == 0 && !args.step && !*config.enable_task_debugger,
        task_timeout: (task_timeout > 0).then_some(task_timeout),
        connection: defaults,
        inventory_sources: magic.inventory_sources.clone(),
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
        retry_files: config
            .retry_files_enabled
            .then(|| RetryFiles { directory: config.retry_files_save_path.value.clone() }),
    })
}

/// Where facts are cached between runs; `None` if they are not.
fn fact_caching(config: &Config, flush: bool) -> Option<FactCaching> {
    let plugin = builtin_name(&config.fact_caching.value);
    (plugin != "memory").then(|| FactCaching {
        plugin: plugin.to_owned(),
        directory: config.fact_caching_connection.value.clone(),
        prefix: config.fact_caching_prefix.value.clone().unwrap_or_default(),
        timeout: config.fact_caching_timeout.value,
        flush,
    })
}

/// The limit for files in diffs in bytes: as in Ansible, less than 1 is no limit, but a result must fit into what an
/// agent may send.
fn max_diff(setting: i64) -> u64 {
    const MOST: u64 = 32 << 20;
    u64::try_from(setting).ok().filter(|most| *most > 0).map_or(MOST, |most| most.min(MOST))
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
