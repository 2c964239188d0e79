//! Usage errors of Ansible's tools, in the words of argparse: scripts search for them.

use clap::{
    Arg, Command, CommandFactory,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::args::Cli;

/// How a range of numbers is refused in Ansible's own words, which stand without the name of the option.
const WHOLE: &str = "The number of processes";

/// The text for standard error: the usage, what is wrong, and clap's tips. `words` are those of the command line in the form of
/// `rplay`, `text` is what clap says of `error` with the tool's name in it.
pub(crate) fn text(tool: &str, words: &[String], error: &clap::Error, text: &str) -> String {
    let Some(said) = said(tool, words, error) else { return text.to_owned() };
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return format!("{text}{said}\n");
    }
    let usage = text.lines().skip_while(|line| !line.starts_with("Usage: ")).take_while(|line| !line.is_empty());
    let mut shown: Vec<String> = match tool {
        // That of `rplay` allows to name none.
        "ansible-playbook" => vec![PLAYBOOK.to_owned()],
        _ => usage.map(|line| line.replacen("Usage: ", "usage: ", 1)).collect(),
    };
    if shown.is_empty() {
        shown.push(format!("usage: {tool} [OPTIONS] ...; --help shows the options"));
    }
    shown.push(said);
    shown.extend(text.lines().filter(|line| line.starts_with("  tip: ")).map(str::to_owned));
    shown.join("\n") + "\n"
}

const PLAYBOOK: &str = "usage: ansible-playbook [OPTIONS] PLAYBOOK...; --help shows the options";

/// The same for `ansible-playbook` without a playbook.
pub(crate) fn without_playbook() -> String {
    format!("{PLAYBOOK}\nansible-playbook: error: the following arguments are required: playbook\n")
}

/// argparse's message, if it has one for this kind of error.
fn said(tool: &str, words: &[String], error: &clap::Error) -> Option<String> {
    let of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    let root = Cli::command();
    let (command, names) = command_of(&root, words);
    // argparse names the command of the tool, unless an argument is unknown to all of them.
    let here = std::iter::once(tool).chain(names.iter().skip(1).copied()).collect::<Vec<_>>().join(" ");
    let option = |kind| of(kind).first().map(|shown| strings(command, shown)).unwrap_or_default();
    let value = of(ContextKind::InvalidValue).join(" ");
    let plain = |text: &String| text.trim_matches(['<', '>', '[', ']', '.']).to_lowercase();
    let quoted = |names: &[String]| names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let required = |names: &str| format!("{here}: error: the following arguments are required: {names}");
    Some(match error.kind() {
        ErrorKind::MissingRequiredArgument => {
            required(&of(ContextKind::InvalidArg).iter().map(plain).collect::<Vec<_>>().join(", "))
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => required("action"),
        ErrorKind::UnknownArgument => {
            let unknown = of(ContextKind::InvalidArg).join(" ");
            match ambiguous(command, &unknown) {
                Some(matching) => format!("{here}: error: ambiguous option: {unknown} could match {matching}"),
                None => format!("{tool}: error: unrecognized arguments: {unknown}"),
            }
        }
        ErrorKind::InvalidSubcommand => {
            let actions: Vec<String> =
                command.get_subcommands().filter(|of| !of.is_hide_set()).map(|of| of.get_name().to_owned()).collect();
            let given = of(ContextKind::InvalidSubcommand).join(" ");
            format!("{here}: error: argument action: invalid choice: '{given}' (choose from {})", quoted(&actions))
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            format!("{here}: error: argument {}: expected one argument", option(ContextKind::InvalidArg))
        }
        ErrorKind::InvalidValue => {
            let choices = quoted(&of(ContextKind::ValidValue));
            let option = option(ContextKind::InvalidArg);
            format!("{here}: error: argument {option}: invalid choice: '{value}' (choose from {choices})")
        }
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            match reason.starts_with(WHOLE) {
                true => format!("{here}: error: {reason}"),
                // So it says in ansible-core 2.19.
                false => format!(
                    "{here}: error: argument {}: invalid tag_value value: '{value}'",
                    option(ContextKind::InvalidArg)
                ),
            }
        }
        ErrorKind::TooManyValues => {
            let option = option(ContextKind::InvalidArg);
            format!("{here}: error: argument {option}: ignored explicit argument '{value}'")
        }
        ErrorKind::ArgumentConflict => {
            let (one, other) = (of(ContextKind::InvalidArg).join(""), of(ContextKind::PriorArg).join(""));
            let first = |shown: &str| words.iter().position(|word| spells(command, shown, word));
            // The one that comes later is at fault.
            let (late, early) = if first(&one) >= first(&other) { (one, other) } else { (other, one) };
            format!(
                "{here}: error: argument {}: not allowed with argument {}",
                strings(command, &late),
                strings(command, &early)
            )
        }
        _ => return None,
    })
}

/// The command that the words choose, and the names that lead to it.
fn command_of<'c>(root: &'c Command, words: &'c [String]) -> (&'c Command, Vec<&'c str>) {
    let (mut command, mut names) = (root, Vec::new());
    for word in words.iter().skip(1).filter(|word| !word.starts_with('-')) {
        let Some(inner) = command.find_subcommand(word) else { break };
        command = inner;
        names.push(inner.get_name());
    }
    (command, names)
}

/// All spellings of an option: `-t`, `--tags`.
fn spellings(arg: &Arg) -> Vec<String> {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default());
    short.into_iter().chain(long.map(|long| format!("--{long}"))).collect()
}

/// The option that clap shows as `--tags <TAGS>`.
fn option_of<'c>(command: &'c Command, shown: &str) -> Option<&'c Arg> {
    let name = shown.split([' ', '=']).next().unwrap_or_default();
    command.get_arguments().find(|arg| spellings(arg).iter().any(|spelling| spelling == name))
}

/// The option as argparse names it: `-t/--tags`.
fn strings(command: &Command, shown: &str) -> String {
    option_of(command, shown).map_or_else(|| shown.to_owned(), |arg| spellings(arg).join("/"))
}

/// Whether a word of the command line is this option.
fn spells(command: &Command, shown: &str, word: &str) -> bool {
    option_of(command, shown).is_some_and(|arg| {
        spellings(arg).iter().any(|spelling| word == spelling || word.strip_prefix(spelling.as_str()).is_some())
    })
}

/// The options that an abbreviation could mean, if there are several.
fn ambiguous(command: &Command, given: &str) -> Option<String> {
    let given = given.split('=').next().filter(|given| given.len() > 2 && given.starts_with("--"))?;
    let matching: Vec<String> =
        command.get_arguments().flat_map(spellings).filter(|spelling| spelling.starts_with(given)).collect();
    (matching.len() > 1).then(|| matching.join(", "))
}

#[cfg(test)]
mod tests {
    use crate::tool::Called;

    fn said(line: &str) -> String {
        let called = Called::of(line.split(' ').map(std::ffi::OsString::from).collect());
        let error = Cli::read(called.words.clone()).unwrap_err();
        let words: Vec<String> = called.words.iter().map(|word| word.to_str().unwrap().to_owned()).collect();
        super::said(called.tool.unwrap(), &words, &error).unwrap_or_else(|| panic!("{line}: {error}"))
    }

    use super::*;

    #[test]
    fn usage_errors_are_in_the_words_of_argparse() {
        for (line, expected) in [
            ("ansible", "ansible: error: the following arguments are required: pattern"),
            ("ansible-playbook --nosuch x", "ansible-playbook: error: unrecognized arguments: --nosuch"),
            ("ansible-vault", "ansible-vault: error: the following arguments are required: action"),
            ("ansible-playbook x --tags", "ansible-playbook: error: argument -t/--tags: expected one argument"),
            ("ansible-playbook x -f y", "ansible-playbook: error: argument -f/--forks: invalid tag_value value: 'y'"),
            ("ansible x -f 0", "ansible: error: The number of processes (--forks) must be >= 1"),
            (
                "ansible-playbook x --list",
                "ansible-playbook: error: ambiguous option: --list could match --list-hosts, --list-tasks, --list-tags",
            ),
            (
                "ansible-playbook x --check=1",
                "ansible-playbook: error: argument -C/--check: ignored explicit argument '1'",
            ),
            (
                "ansible-playbook x -k --conn-pass-file y",
                "ansible-playbook: error: argument --connection-password-file/--conn-pass-file: not allowed with argument \
                 -k/--ask-pass",
            ),
            (
                "ansible-playbook x --conn-pass-file y -k",
                "ansible-playbook: error: argument -k/--ask-pass: not allowed with argument \
                 --connection-password-file/--conn-pass-file",
            ),
            ("ansible-vault view --nosuch", "ansible-vault: error: unrecognized arguments: --nosuch"),
            ("ansible-vault view --vault-id", "ansible-vault view: error: argument --vault-id: expected one argument"),
            (
                "ansible-config init --format x",
                "ansible-config init: error: argument -f/--format: invalid choice: 'x' (choose from 'ini', 'env', 'vars')",
            ),
            (
                "ansible-config nosuch",
                "ansible-config: error: argument action: invalid choice: 'nosuch' (choose from 'list', 'dump', 'view', \
                 'init', 'validate')",
            ),
        ] {
            assert_eq!(said(line), expected, "{line}");
        }
    }
}
