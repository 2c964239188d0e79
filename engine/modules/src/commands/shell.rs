//! shell: runs a command line in a shell.

use rplay_wire::{Failure, Value};

use crate::{
    ArgError, Host, Module, Plan, Wording, args,
    argtypes::{PathArg, Text},
    commands::execution::{Circumstances, Execution, has_one_form},
    system::paths,
};

/// In messages about wrong arguments.
pub(crate) const WORDING: Wording = Wording {
    module: Some("ansible.legacy.command"),
    internal: &["_raw_params", "_uses_shell", "expand_argument_vars"],
    // The shell expands variables anyway.
    refused_first: Some("expand_argument_vars"),
    ..Wording::USUAL
};

args! {
    /// Runs a command line in a shell, so that pipes, redirections and variables work.
    pub struct Shell {
        ..circumstances: Circumstances,
        /// The command line.
        _raw_params: Option<Text>,
        /// The command line; alternative to the free-form text.
        cmd: Option<Text>,
        /// The words of the command line; the shell gets them quoted.
        argv: Option<Vec<Text>>,
        /// The shell, as an absolute path; `/bin/sh` otherwise.
        executable: Option<PathArg>,
    }
}

impl Module for Shell {
    fn check(&self) -> Result<(), ArgError> {
        let help = "write the command line after `shell:`, or in `cmd`";
        has_one_form(&self._raw_params, &self.cmd, &self.argv, help)
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        // Words are quoted for the shell, as ansible-core does.
        let quoted = |words: &Vec<Text>| shell_words::join(words);
        let shown = self.argv.clone().filter(|words| !words.is_empty()).map(Value::from);
        let line =
            self._raw_params.or(self.cmd).or(self.argv.as_ref().map(quoted)).filter(|line| !line.trim().is_empty());
        let line = line.ok_or_else(|| Failure::new("no command given").data(rplay_wire::data! { "rc" => 256 }))?;
        let shell = self.executable.map_or_else(|| "/bin/sh".to_owned(), |shell| paths::text(shell.on(host)));
        Execution {
            shown: shown.unwrap_or_else(|| line.clone().into()),
            words: vec![shell, "-c".to_owned(), line],
            circumstances: self.circumstances,
        }
        .plan(host)
    }
}

#[cfg(test)]
mod tests {
    use crate::runner::tests::call;
    use rplay_wire::{Value, data};

    #[test]
    fn the_line_is_the_shells() {
        let outcome = call("shell", data! { "_raw_params" => "x=1; echo $x | tr 1 2 && cat", "stdin" => "in" });
        assert_eq!(outcome.data["stdout"], "2\nin".into());
        assert_eq!(outcome.data["cmd"], "x=1; echo $x | tr 1 2 && cat".into());
        let outcome = call("shell", data! { "cmd" => "exit 5" });
        assert_eq!(outcome.data["rc"], 5.into());
        assert!(outcome.failure.is_some() && outcome.changed);
    }

    #[test]
    fn words_reach_the_program_as_they_are() {
        let words = Value::List(vec!["echo".into(), "a  $HOME".into()]);
        let outcome = call("shell", data! { "argv" => words.clone() });
        assert_eq!((&outcome.data["stdout"], &outcome.data["cmd"]), (&"a  $HOME".into(), &words));
        let both = call("shell", data! { "argv" => words, "cmd" => "ls" });
        assert_eq!(both.failure.unwrap().msg, "parameters are mutually exclusive: _raw_params|cmd|argv");
        let none = call("shell", data! {});
        assert_eq!(none.failure.unwrap().msg, "one of the following is required: _raw_params, cmd, argv");
        let outcome = call("shell", data! { "cmd" => "echo a; echo", "strip_empty_ends" => false });
        assert_eq!(outcome.data["stdout"], "a\n\n".into());
    }

    #[test]
    fn another_shell_can_be_chosen() {
        let outcome = call("shell", data! { "cmd" => "echo ${BASH_VERSION:+bash}", "executable" => "/bin/bash" });
        assert_eq!(outcome.data["stdout"], "bash".into());
    }
}
