//! `rplay adhoc`: runs one module on hosts, without a playbook.

use std::{io::BufWriter, sync::Arc};

use miette::Diagnostic;
use rplay::{
    config::Config,
    report::{AdhocReport, Format, Log, Reader},
    secrets::Secrets,
    source::{Problems, Source},
    syntax::builtin_name,
};

use crate::{
    args::adhoc::AdhocArgs,
    diagnostics,
    run::{self, Plays},
    ssh_agent,
};

/// Modules that do nothing without arguments.
const NEED_ARGUMENTS: &[&str] = &["command", "raw", "script", "shell", "win_command", "win_shell"];

/// The one action that is written next to plays, not in a play.
const BESIDE_PLAYS: &str = "import_playbook";

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("cannot create the directory {directory} for the answers: {error}")]
struct TreeError {
    directory: String,
    error: std::io::Error,
}

/// Runs the module; the result is the exit code.
pub(crate) fn command(args: &AdhocArgs) -> Result<u8, Problems> {
    let (config, _) = Config::load()?;
    ssh_agent::join(&config)?;
    let module = args.module_name.clone().unwrap_or_else(|| config.module_name.value.clone());
    let given = args.args.clone().or_else(|| config.module_args.value.clone()).unwrap_or_default();
    let short = builtin_name(&module);
    if !args.run.list_hosts {
        if NEED_ARGUMENTS.contains(&short) && given.trim().is_empty() {
            let link = match args.pattern.contains(".yml") {
                true => " (did you mean to run ansible-playbook?)",
                false => "",
            };
            return Ok(diagnostics::refuse(&format!("No argument passed to {module} module{link}")));
        }
        if short == BESIDE_PLAYS {
            return Ok(diagnostics::refuse(&format!("'{module}' is not a valid action for ad-hoc commands")));
        }
    }
    if let Some(directory) = &args.tree {
        std::fs::create_dir_all(directory)
            .map_err(|error| TreeError { directory: directory.display().to_string(), error })?;
    }
    for (option, format, is_given) in [("-o", "oneline", args.one_line), ("-t", "tree", args.tree.is_some())] {
        if is_given && *config.deprecation_warnings {
            diagnostics::warn(&format!(
                "The '{option}' argument is deprecated. This feature will be removed from ansible-core version 2.23. Use \
                 callback configuration to enable the {format} callback instead."
            ));
            crate::formats::warn_of_removal(format, &config);
        }
    }
    let asynchronous = args.background.filter(|seconds| *seconds > 0);
    let task = Task {
        module: &module,
        args: &given,
        asynchronous: asynchronous.map(|seconds| (seconds, args.poll.or(Some(*config.poll_interval)))),
        none: args.run.list_hosts,
    };
    let source = task.playbook(&args.pattern, "Ansible Ad-Hoc");
    let (one_line, tree) = (args.one_line, args.tree.clone());
    let reader = move |config: &Config, secrets: &Arc<Secrets>, log: Option<Arc<Log>>| -> Box<dyn Reader> {
        Box::new(answers(&module, one_line, config, secrets, log).with_tree(tree))
    };
    let directory = args.run.playbook_dir.clone().or(config.playbook_dir.value.clone()).unwrap_or_else(|| ".".into());
    let plays = Plays::Text { source, directory, reader: Box::new(reader) };
    run::run(&args.run.run_args(), plays)
}

/// The report of one module's results.
pub(crate) fn answers(
    module: &str,
    one_line: bool,
    config: &Config,
    secrets: &Arc<Secrets>,
    log: Option<Arc<Log>>,
) -> AdhocReport<BufWriter<std::io::Stdout>> {
    // As in Ansible, the setting holds for ad-hoc tasks only where callbacks are enabled for them.
    let configured =
        *config.load_callback_plugins && Format::of(&config.stdout_callback.value) == Some(Format::OneLine);
    let one_line = one_line || configured;
    let short = module.rsplit('.').next().unwrap_or_default();
    let out = BufWriter::new(std::io::stdout());
    AdhocReport::new(out, Box::new(std::io::stderr()), short, one_line, secrets.clone())
        .with_errors(diagnostics::explanation().filter(|_| !one_line))
        .with_palette(crate::formats::palette(config))
        .with_verbose_aside(*config.verbose_to_stderr)
        .with_log(log)
        .with_results(crate::formats::result_format(config))
        .with_deprecations(diagnostics::deprecations().clone())
}

/// A task from the command line.
pub(crate) struct Task<'t> {
    pub module: &'t str,
    /// As written: `key=value`, or YAML or JSON in braces.
    pub args: &'t str,
    /// The time limit of a background job, and the poll interval, in seconds.
    pub asynchronous: Option<(u32, Option<u32>)>,
    /// Hosts are only listed, so there need not be a task.
    pub none: bool,
}

impl Task<'_> {
    /// A play with only this task.
    pub(crate) fn playbook(&self, pattern: &str, name: &str) -> Arc<Source> {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let written = self.args.trim();
        // A mapping is already YAML; everything else is text that the module's reader splits.
        let given = match written {
            "" => "null".to_owned(),
            mapping if mapping.starts_with('{') && mapping.ends_with('}') && !mapping.starts_with("{{") => {
                mapping.to_owned()
            }
            text => quoted(text),
        };
        let limits = match self.asynchronous {
            Some((seconds, poll)) => {
                let poll = poll.map(|poll| format!(", poll: {poll}")).unwrap_or_default();
                format!(", async: {seconds}{poll}")
            }
            None => String::new(),
        };
        let task = match self.none {
            true => String::new(),
            false => format!("{{{}: {given}{limits}}}", quoted(self.module)),
        };
        let text = format!(
            "[{{\"name\": {}, \"hosts\": {}, \"gather_facts\": false, \"tasks\": [{task}]}}]\n",
            quoted(name),
            quoted(pattern)
        );
        Source::inline(format!("<adhoc '{}' task>", self.module), text)
    }
}
