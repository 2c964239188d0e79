//! `rplay` without arguments: shows what can be done in this directory, and runs nothing.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use rplay::{
    config::Config,
    inventory::{Inventory, SourceRules},
    source::Problems,
    visible::visible,
};

use crate::{
    args::{Cli, run::RunArgs},
    diagnostics, output, passwords,
};

/// Maximum number of playbooks to name.
const MOST: usize = 12;

/// Shows the project in this directory. The exit code is that of an error, since nothing was run.
pub(crate) fn show() -> ExitCode {
    match text() {
        Ok(text) => {
            output::tell(&visible(&text));
            ExitCode::from(1)
        }
        Err(problems) => {
            diagnostics::show(&problems);
            ExitCode::from(diagnostics::exit_code(&problems))
        }
    }
}

fn text() -> Result<String, Problems> {
    let (config, warnings) = Config::load()?;
    diagnostics::look_like(*config.diagnostics);
    diagnostics::show(&warnings);
    let mut text = String::from("Nothing was run. This directory has:\n\n");
    let mut line = |what: &str, found: &str| {
        let _ = writeln!(text, "  {what:<10} {found}");
    };
    let sources = config.inventory_sources(&[]);
    match sources.is_empty() {
        true => line("inventory", "none; name one with -i, or in ansible.cfg"),
        false => line("inventory", &format!("{}{}", sources.join(" "), counted(&sources, &config))),
    }
    let playbook = Cli::playbooks(&RunArgs::default()).ok().and_then(|playbooks| playbooks.into_iter().next());
    match &playbook {
        Some(path) => line("playbook", &format!("{}, which runs where none is named", path.display())),
        None => line("playbook", "none to run by itself (playbooks/site.yml or site.yml)"),
    }
    let others = playbooks(playbook.as_deref());
    if !others.is_empty() {
        let shown = others.iter().take(MOST).map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ");
        let more = others.len().saturating_sub(MOST);
        line("others", &if more > 0 { format!("{shown} and {more} more") } else { shown });
    }
    let is_empty = playbook.is_none() && others.is_empty();
    let example = playbook.or_else(|| others.first().cloned()).unwrap_or_else(|| PathBuf::from("site.yml"));
    let example = example.display();
    let commands = [
        (format!("rplay {example}"), "run it"),
        (format!("rplay {example} --check --diff"), "show what would change"),
        (format!("rplay {example} --list-hosts"), "show on which hosts; --list-tasks shows what"),
        ("rplay inventory --graph".to_owned(), "show hosts and groups"),
        ("rplay why VARIABLE -l HOST".to_owned(), "show where a value comes from"),
        ("rplay init DIRECTORY".to_owned(), "make a project that runs"),
        ("rplay --help".to_owned(), "show all options and commands"),
    ];
    // If there is nothing to run, only the commands that create a project.
    let commands = if is_empty { commands[5..].to_vec() } else { commands.to_vec() };
    let width = commands.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    text.push('\n');
    for (command, what) in &commands {
        let _ = writeln!(text, "  {command:<width$}   {what}");
    }
    Ok(text)
}

/// The number of hosts in sources, if plain files show it: no program is run and nobody is prompted.
fn counted(sources: &[String], config: &Config) -> String {
    if !sources.iter().all(is_plain) {
        return String::new();
    }
    let Ok(vault) = passwords::gather(&[], config, diagnostics::secrets(), passwords::PromptWhen::IfRequested) else {
        return String::new();
    };
    let rules = SourceRules { plugins: None, ..config.source_rules() };
    let count = Inventory::load(sources, vault, &rules).ok().map(|inventory| match inventory.hosts().len() {
        1 => " (1 host)".to_owned(),
        hosts => format!(" ({hosts} hosts)"),
    });
    count.unwrap_or_default()
}

/// Whether an inventory source is a list of hosts, a plain file, neither a program nor for a plugin, or a directory of
/// such files.
#[allow(clippy::ptr_arg, reason = "it filters strings")]
pub(crate) fn is_plain(source: &String) -> bool {
    source.contains(',') || is_plain_path(Path::new(source))
}

fn is_plain_path(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let Ok(about) = path.metadata() else { return false };
    if about.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let holds_vars =
            |entry: &std::fs::DirEntry| ["group_vars", "host_vars"].iter().any(|n| entry.file_name() == *n);
        return entries.filter(|entry| !holds_vars(entry)).all(|entry| is_plain_path(&entry.path()));
    }
    let text = || rplay::files::read_text(path).unwrap_or_default();
    let is_run = about.permissions().mode() & 0o111 != 0;
    about.is_file() && !is_run && !text().lines().any(|line| line.starts_with("plugin:"))
}

/// Files here and in playbooks/ that begin like a playbook.
pub(crate) fn playbooks(default: Option<&Path>) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for directory in [".", "playbooks"] {
        for path in std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()) {
            let path = path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
            let is_yaml = path.extension().is_some_and(|end| end == "yml" || end == "yaml");
            let text = || rplay::files::read_text(&path).unwrap_or_default();
            let has_plays = |text: String| {
                text.lines().any(|line| {
                    let line = line.trim_start_matches(['-', ' ']);
                    line.starts_with("hosts:") || line.contains("import_playbook:")
                })
            };
            if is_yaml && path.is_file() && Some(path.as_path()) != default && has_plays(text()) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
