//! Shell completions: of the command line, from clap, and of the project's hosts, tags, modules and playbooks.
//!
//! The scripts call `rplay self words KIND -- LINE` for the project's words, where LINE is what has been typed. That must not
//! run programs or prompt, since it runs at each press of the key.

use std::{collections::BTreeSet, path::Path};

use clap::CommandFactory;
use clap_complete::Shell;
use rplay::{
    config::Config,
    inventory::{Inventory, SourceRules},
    plan::Action,
};
use rplay_contract::system::expand;

use crate::{
    args::{Cli, own::Words},
    diagnostics, here, passwords,
};

/// The words of a kind, one per line; empty if something cannot be read. `line` is what has been typed.
pub(crate) fn words(kind: Words, line: &[String]) -> String {
    let words: BTreeSet<String> = match kind {
        Words::Hosts => hosts(&inventories(line)).into_iter().collect(),
        Words::Tags => tags(Path::new(".")),
        Words::Modules => Action::names().map(str::to_owned).collect(),
        Words::Playbooks => here::playbooks(None).iter().map(|path| path.display().to_string()).collect(),
    };
    words.into_iter().filter(|word| !word.contains(char::is_whitespace)).map(|word| word + "\n").collect()
}

/// What a command line gives to `-i`. bash makes three words of `--inventory=X`.
fn inventories(line: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut words = line.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let value = match word {
            "-i" | "--inventory" | "--inventory-file" => {
                words.next_if_eq(&"=");
                words.next()
            }
            word => word
                .strip_prefix("--inventory=")
                .or_else(|| word.strip_prefix("--inventory-file="))
                .or_else(|| word.strip_prefix("-i")),
        };
        let given = value.filter(|value| !value.is_empty());
        found.extend(given.map(|value| expand::path(value, &expand::own_environment)));
    }
    found
}

fn hosts(given: &[String]) -> Vec<String> {
    let Ok((config, _)) = Config::load() else { return Vec::new() };
    let sources: Vec<String> = config.inventory_sources(given).into_iter().filter(here::is_plain).collect();
    let Ok(vault) = passwords::gather(&[], &config, diagnostics::secrets(), passwords::PromptWhen::IfRequested) else {
        return Vec::new();
    };
    let rules = SourceRules { plugins: None, ..config.source_rules() };
    let Ok(inventory) = Inventory::load(&sources, vault, &rules) else { return Vec::new() };
    let hosts = inventory.hosts().map(|host| host.name.to_string());
    hosts.chain(inventory.groups().map(|group| group.name.to_string())).collect()
}

/// Tags in playbooks and roles: `tags: a`, `tags: [a, b]`, and lists below `tags:`.
fn tags(directory: &Path) -> BTreeSet<String> {
    let mut files = Vec::new();
    for name in [".", "playbooks", "tasks"] {
        files.extend(yaml_files(&directory.join(name)));
    }
    for role in std::fs::read_dir(directory.join("roles")).into_iter().flatten().flatten() {
        files.extend(yaml_files(&role.path().join("tasks")));
    }
    let mut tags = BTreeSet::new();
    for text in files.iter().filter_map(|file| rplay::files::read_text(file).ok()) {
        let mut is_list = false;
        for line in text.lines().map(str::trim) {
            let after = line.trim_start_matches("- ").strip_prefix("tags:").map(str::trim);
            let words = match (after, line.strip_prefix("- ")) {
                (Some(""), _) => {
                    is_list = true;
                    continue;
                }
                (Some(words), _) => words.trim_matches(['[', ']']),
                (None, Some(word)) if is_list && !word.contains(": ") => word,
                _ => {
                    is_list = false;
                    continue;
                }
            };
            let words = words.split(',').map(|word| word.trim().trim_matches(['"', '\'']));
            tags.extend(words.filter(|word| !word.is_empty() && !word.contains(['{', '#'])).map(str::to_owned));
        }
    }
    tags
}

fn yaml_files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "yml" || end == "yaml")).collect()
}

/// The script for a shell.
pub(crate) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rplay", &mut script);
    match shell {
        Shell::Bash => script.extend_from_slice(include_bytes!("completions/rplay.bash")),
        Shell::Fish => script.extend_from_slice(include_bytes!("completions/rplay.fish")),
        Shell::Zsh => return zsh(&String::from_utf8_lossy(&script)).into_bytes(),
        _ => {}
    }
    script
}

/// Adds to each option in zsh's script the function that completes it.
fn zsh(script: &str) -> String {
    let mut text = String::new();
    for line in script.lines() {
        let start = line.trim_start().trim_start_matches(['\'', '*']);
        let is_of = |options: &[&str]| options.iter().any(|option| start.starts_with(option));
        let function = match () {
            () if is_of(&["-l+", "--limit=", ":pattern -- ", "::pattern -- "]) => "_rplay_hosts",
            () if is_of(&["-t+", "--tags=", "--skip-tags="]) && line.contains(":TAGS:") => "_rplay_tags",
            () if is_of(&["-m+", "--module-name=", "::names -- Plugins"]) => "_rplay_modules",
            () if start.starts_with("::playbooks") => "_rplay_playbooks",
            () => "_default",
        };
        text += &line
            .replace(":_default'", &format!(":{function}'"))
            .replace(":_files'", &format!(":{}'", if function == "_rplay_playbooks" { function } else { "_files" }));
        text.push('\n');
    }
    text = playbooks_first(&text);
    // The functions must be defined before the last lines call the completion.
    let functions = include_str!("completions/rplay.zsh");
    match text.find("\nif [ \"$funcstack[1]\"") {
        Some(at) => text.insert_str(at + 1, functions),
        None => text += functions,
    }
    text
}

/// clap's script takes the first word for a playbook and only the second for a command. Here the first may be either, and
/// what follows a playbook is completed as what precedes it.
fn playbooks_first(script: &str) -> String {
    let is_playbooks = |line: &&str| line.starts_with("'::playbooks");
    let options: String = script
        .lines()
        .skip_while(|line| !line.starts_with('\''))
        .take_while(|line| !is_playbooks(line))
        .fold(String::new(), |text, line| text + line + "\n");
    let mut text: String =
        script.lines().filter(|line| !is_playbooks(line)).map(|line| line.to_owned() + "\n").collect();
    text = text.replace("$line[2]", "$line[1]").replacen("\":: :_rplay_commands\"", "\": :_rplay_first\"", 1);
    let end = "\n        esac\n    ;;\nesac\n}\n";
    let default = format!(
        "\n(*)\n_arguments \"${{_arguments_options[@]}}\" : \\\n{options}'*: :_rplay_playbooks' \\\n&& ret=0\n;;{end}"
    );
    text.replacen(end, &default, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_they_are_written() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("roles/r/tasks")).unwrap();
        let site = "- hosts: all\n  tags: [one, \"two\"]\n  tasks:\n    - debug:\n      tags:\n        - three\n        - four\n    - debug: {}\n";
        std::fs::write(directory.path().join("site.yml"), site).unwrap();
        std::fs::write(directory.path().join("roles/r/tasks/main.yml"), "- debug:\n  tags: five, six\n").unwrap();
        let found: Vec<String> = tags(directory.path()).into_iter().collect();
        assert_eq!(found, ["five", "four", "one", "six", "three", "two"]);
    }

    #[test]
    fn the_inventory_is_that_of_the_command_line() {
        let of = |line: &str| inventories(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(of("rplay -i a site.yml --inventory = b --inventory=c -id -l x"), ["a", "b", "c", "d"]);
        assert_eq!(of("rplay site.yml -i"), [""; 0]);
    }

    #[test]
    fn scripts_ask_for_the_projects_words() {
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            let text = String::from_utf8(script(shell)).unwrap();
            for kind in ["hosts", "tags", "modules", "playbooks"] {
                assert!(
                    text.contains(&format!("self words {kind}"))
                        || text.contains("self words $")
                        || text.contains("self words \"$"),
                    "{shell} {kind}"
                );
            }
            assert!(text.contains("start-at-task"), "{shell}");
        }
        let zsh = String::from_utf8(script(Shell::Zsh)).unwrap();
        for function in
            ["_rplay_hosts'", "_rplay_tags'", "_rplay_modules'", ": :_rplay_first\"", "*: :_rplay_playbooks'"]
        {
            assert!(zsh.contains(function), "{function}");
        }
        assert!(!zsh.contains("$line[2]") && !zsh.contains("'::playbooks"), "a command is the first word");
    }
}
