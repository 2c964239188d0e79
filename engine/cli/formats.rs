//! The built-in output formats and additions, from the settings.

use std::{
    io::{BufWriter, IsTerminal},
    path::PathBuf,
    sync::Arc,
};

use miette::Diagnostic;
use rplay::{
    config::{Config, Origin},
    report::{
        Added, Addition, AdhocReport, Colour, Dense, Format, JsonDocument, JsonLines, JsonOptions, Junit, JunitOptions,
        Live, Log, LogPlays, Look, Order, Output, Palette, Profile, ProfileOf, Quiet, Reader, ResultFormat, Screen,
        Terminal, Timer, Tree, WithAdditions,
    },
    secrets::Secrets,
    source::Problems,
};

use crate::{
    args::run::RunArgs,
    diagnostics::{self, SettingError},
};

/// Whether standard output is for people: neither JSON nor a plugin's.
pub(crate) fn is_for_people(config: &Config) -> bool {
    Format::of(&config.stdout_callback.value).is_some_and(Format::is_for_people)
}

/// The format for standard output; the default one if the configured one is not built in.
///
/// # Errors
/// If a setting of the format is invalid.
pub(crate) fn reader(
    args: &RunArgs,
    config: &Config,
    secrets: &Arc<Secrets>,
    log: Option<Arc<Log>>,
) -> Result<Box<dyn Reader>, Problems> {
    check_results(config)?;
    let format = Format::of(&config.stdout_callback.value).unwrap_or(Format::Default);
    let output = |log| {
        let out = Box::new(BufWriter::new(std::io::stdout()));
        Output::new(out, Box::new(std::io::stderr()), secrets.clone(), log)
    };
    let results = match format {
        Format::Debug => ResultFormat::Debug,
        Format::Yaml => ResultFormat::ChangedAndYaml,
        _ => result_format(config),
    };
    Ok(match format {
        Format::Default | Format::Debug | Format::Yaml => {
            let own: Box<dyn Reader> = Box::new(terminal(args, config, secrets, results).with_log(log));
            match std::io::stdout().is_terminal() {
                true => Box::new(Live::new(own, screen(config), secrets.clone())),
                false => own,
            }
        }
        Format::Minimal | Format::OneLine => {
            if format == Format::OneLine {
                warn_of_removal("oneline", config);
            }
            let out = BufWriter::new(std::io::stdout());
            let aside = Box::new(std::io::stderr());
            let answers = AdhocReport::new(out, aside, "", format == Format::OneLine, secrets.clone());
            Box::new(
                answers
                    .of_playbooks()
                    .with_errors(diagnostics::explanation().filter(|_| format == Format::Minimal))
                    .with_palette(palette(config))
                    .with_verbose_aside(*config.verbose_to_stderr)
                    .with_log(log)
                    .with_results(result_format(config))
                    .with_deprecations(diagnostics::deprecations().clone()),
            )
        }
        Format::Json => Box::new(JsonDocument::new(output(log), json_options(config, 4)?)),
        Format::JsonLines => Box::new(JsonLines::new(output(log), json_options(config, 0)?)),
        Format::Dense => {
            let columns = std::io::stdout().is_terminal().then(diagnostics::columns);
            Box::new(Dense::new(output(log), has_colour(config), columns))
        }
        Format::Quiet => Box::new(Quiet::new(output(log))),
    })
}

/// Warns of a callback that Ansible will remove, unless the settings disable that.
pub(crate) fn warn_of_removal(callback: &str, config: &Config) {
    if *config.deprecation_warnings {
        diagnostics::warn(&format!(
            "The {callback} callback plugin is deprecated. This feature will be removed from ansible-core version 2.23."
        ));
    }
}

/// Refuses a format of results that does not exist.
fn check_results(config: &Config) -> Result<(), SettingError> {
    match config.result_format.value.as_str() {
        "json" | "yaml" => Ok(()),
        text => {
            let (text, origin) = (text.to_owned(), config.result_format.origin.to_string());
            Err(SettingError { setting: "callback_result_format", wanted: "json or yaml", text, origin })
        }
    }
}

/// How the formats default, minimal and oneline show results.
pub(crate) fn result_format(config: &Config) -> ResultFormat {
    match config.result_format.value.as_str() {
        "yaml" => ResultFormat::Yaml { pretty: config.pretty_results.unwrap_or(true) },
        _ => ResultFormat::Json { pretty: config.pretty_results.unwrap_or(false) },
    }
}

fn json_options(config: &Config, indent: i64) -> Result<JsonOptions, Problems> {
    let indent = match &config.json_indent.value {
        Some(text) => number(text, "json_indent", &config.json_indent.origin)?,
        None => indent,
    };
    Ok(JsonOptions { indent, custom_stats: *config.show_custom_stats })
}

fn number<T: std::str::FromStr>(text: &str, setting: &'static str, origin: &Origin) -> Result<T, SettingError> {
    let wrong =
        |_| SettingError { setting, wanted: "a whole number", text: text.to_owned(), origin: origin.to_string() };
    text.trim().parse().map_err(wrong)
}

fn screen(config: &Config) -> Screen {
    let size = || {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok().filter(|size| size.ws_col > 0);
        size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
    };
    Screen {
        out: Box::new(std::io::stdout()),
        size: Box::new(size),
        colour: has_colour(config),
        deliveries: diagnostics::deliveries().clone(),
    }
}

fn has_colour(config: &Config) -> bool {
    let plain = *config.nocolor || std::env::var_os("NO_COLOR").is_some();
    *config.force_color || std::io::stdout().is_terminal() && !plain
}

/// The width of headings: as in Ansible, at least 79 columns, and on a terminal one less than it has.
fn banner_columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok().filter(|_| std::io::stdout().is_terminal());
    usize::from(size.map_or(0, |size| size.ws_col)).max(80)
}

/// The colours of results, from the settings. Warns of names that are no colours.
pub(crate) fn palette(config: &Config) -> Palette {
    let mut palette = Palette::new(has_colour(config));
    for (colour, setting) in [
        (Colour::Ok, &config.color_ok),
        (Colour::Changed, &config.color_changed),
        (Colour::Skipped, &config.color_skip),
        (Colour::Failed, &config.color_error),
        (Colour::Unreachable, &config.color_unreachable),
        (Colour::Warning, &config.color_warn),
        (Colour::Verbose, &config.color_verbose),
        (Colour::Added, &config.color_diff_add),
        (Colour::Removed, &config.color_diff_remove),
        (Colour::Lines, &config.color_diff_lines),
    ] {
        if let Some(name) = &setting.value
            && !palette.set(colour, name)
        {
            diagnostics::warn(&format!(
                "`{name}` is no colour ({}); write a name such as `bright red`, color0 to color255, rgb000 to rgb555, or gray0 \
                 to gray23",
                setting.origin
            ));
        }
    }
    palette
}

fn terminal(
    args: &RunArgs,
    config: &Config,
    secrets: &Arc<Secrets>,
    results: ResultFormat,
) -> Terminal<BufWriter<std::io::Stdout>> {
    let stdout = std::io::stdout();
    let palette = palette(config);
    let colour = has_colour(config);
    let columns = diagnostics::columns();
    let boxes = diagnostics::boxes(stdout.is_terminal());
    let look = Look {
        palette,
        columns: banner_columns(),
        verbosity: args.sources.verbose.max(*config.verbosity as u8),
        show_ok: *config.display_ok_hosts,
        custom_stats: *config.show_custom_stats,
        show_skipped: *config.display_skipped_hosts,
        results,
        boxes,
        failures_aside: *config.display_failed_stderr,
        verbose_aside: *config.verbose_to_stderr,
        check_markers: *config.check_mode_markers,
        check: args.check,
        failed_paths: *config.show_task_path_on_failure,
        starts: *config.show_per_host_start,
        changes: !diagnostics::is_ansible(),
        diff_context: *config.diff_context as usize,
        deprecations: diagnostics::deprecations().clone(),
    };
    let explain = Box::new(move |diagnostic: &dyn Diagnostic| match boxes {
        true => diagnostics::text(diagnostic, colour, columns),
        false => diagnostics::lines(diagnostic),
    });
    Terminal::new(BufWriter::new(stdout), Box::new(std::io::stderr()), look, secrets.clone(), explain)
}

/// The report with the additions that the settings enable.
///
/// # Errors
/// If a setting of an addition is invalid.
pub(crate) fn with_additions(
    config: &Config,
    secrets: &Arc<Secrets>,
    names: &[&String],
    own: Box<dyn Reader>,
) -> Result<Box<dyn Reader>, Problems> {
    let kinds = names.iter().filter_map(|name| Added::of(name));
    let additions = kinds.map(|kind| addition(kind, config, secrets)).collect::<Result<Vec<_>, _>>()?;
    Ok(match additions.is_empty() {
        true => own,
        false => Box::new(WithAdditions::new(own, additions)),
    })
}

fn addition(kind: Added, config: &Config, secrets: &Arc<Secrets>) -> Result<Box<dyn Addition>, SettingError> {
    Ok(match kind {
        Added::Timer => Box::new(Timer::new()),
        Added::ProfileRoles => {
            Box::new(Profile::new(ProfileOf::Roles, Order::Descending, None, *config.profile_roles_summary))
        }
        Added::ProfileTasks => {
            let limit = &config.profile_tasks_limit;
            let most = match limit.value.as_str() {
                "all" | "None" => None,
                text => Some(number(text, "task_output_limit", &limit.origin)?),
            };
            let order = &config.profile_tasks_order;
            let order = match order.value.as_str() {
                "descending" => Order::Descending,
                "ascending" => Order::Ascending,
                "none" => Order::None,
                text => {
                    let (text, origin) = (text.to_owned(), order.origin.to_string());
                    let wanted = "descending, ascending or none";
                    return Err(SettingError { setting: "sort_order", wanted, text, origin });
                }
            };
            Box::new(Profile::new(ProfileOf::Tasks, order, most, *config.profile_tasks_summary))
        }
        Added::LogPlays => Box::new(LogPlays::new(config.log_plays_directory.value.clone(), secrets.clone())),
        Added::Tree => {
            warn_of_removal("tree", config);
            let directory = config.tree_directory.value.clone().unwrap_or_else(|| in_home(".ansible/tree"));
            Box::new(Tree::new(directory, secrets.clone()))
        }
        Added::Junit => {
            let options = JunitOptions {
                directory: config.junit_output_dir.value.clone().unwrap_or_else(|| in_home(".ansible.log")),
                fail_on_change: *config.junit_fail_on_change,
                fail_on_ignore: *config.junit_fail_on_ignore,
                hide_arguments: *config.junit_hide_task_arguments,
                task_class: *config.junit_task_class,
                with_setup: *config.junit_include_setup_tasks,
                prefix: config.junit_test_case_prefix.value.clone(),
                relative_to: config.junit_task_relative_path.value.clone(),
                out_of_tree: config.junit_replace_out_of_tree_path.value.clone(),
            };
            Box::new(Junit::new(options, secrets.clone()))
        }
    })
}

fn in_home(name: &str) -> PathBuf {
    rplay::files::filled_in(&format!("~/{name}"))
}
