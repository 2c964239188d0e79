//! command: runs a program, without a shell.

use rplay_wire::{Failure, Value, data};

use crate::{
    ArgError, Host, Module, Plan, Wording, args,
    argtypes::{Flag, PathArg, Text},
    commands::{
        execution::{Circumstances, Execution, NOT_EXECUTED, has_one_form},
        shell::Shell,
    },
    system::paths,
};

/// In messages about wrong arguments.
pub(crate) const WORDING: Wording =
    Wording { module: Some("ansible.legacy.command"), internal: &["_raw_params", "_uses_shell"], ..Wording::USUAL };

args! {
    /// Runs a program with its arguments, without a shell: `|`, `>`, `&&` have no special meaning.
    pub struct Command {
        ..circumstances: Circumstances,
        /// The command line, split into words like in a shell.
        _raw_params: Option<Text>,
        /// The command line; alternative to the free-form text.
        cmd: Option<Text>,
        /// The program and its arguments as a list.
        argv: Option<Vec<Text>>,
        /// Not used by command; use shell to choose one.
        executable: Option<PathArg>,
        /// Whether to expand `$VARIABLE` and `~` in the arguments.
        expand_argument_vars: Flag = Flag(true),
        /// Whether a shell runs the command line, as the module shell has it.
        _uses_shell: Flag = Flag(false),
    }
}

impl Module for Command {
    fn check(&self) -> Result<(), ArgError> {
        let help = "write the command after `command:`, or in `cmd` or `argv`";
        has_one_form(&self._raw_params, &self.cmd, &self.argv, help)
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let no_command = || Failure::new("no command given").data(data! { "rc" => 256 });
        if self.argv.as_ref().is_some_and(Vec::is_empty) {
            let told = data! { "cmd" => "", "rc" => 257, "stdout" => "", "stderr" => "" };
            return Err(Failure::new(NOT_EXECUTED).arg("argv").help("the list is empty").data(told));
        }
        if self.cmd.as_deref() == Some("") {
            let told = data! { "cmd" => Value::Null, "rc" => 257 };
            return Err(Failure::new("Argument 'args' to run_command must be list or string").arg("cmd").data(told));
        }
        if self._uses_shell.0 {
            return self.in_shell().plan(host);
        }
        let words = match (self.argv, self._raw_params.or(self.cmd)) {
            (Some(words), _) => {
                if words.first().is_some_and(String::is_empty) {
                    // As if every directory of PATH were tried as the program.
                    let told = data! { "cmd" => "''", "rc" => 13, "stdout" => "", "stderr" => "" };
                    return Err(Failure::new(NOT_EXECUTED).arg("argv").help("the program's name is empty").data(told));
                }
                words
            }
            (None, Some(line)) => shell_words::split(&line)
                .map_err(|_| Failure::new("Task failed: Module failed: No closing quotation").arg("cmd"))?,
            (None, None) => Vec::new(),
        };
        if words.first().is_none_or(String::is_empty) {
            return Err(no_command());
        }
        let expanded = match self.expand_argument_vars.0 {
            true => words.iter().map(|word| paths::expand(word, host)).collect(),
            false => words.clone(),
        };
        let execution = Execution { shown: words.into(), words: expanded, circumstances: self.circumstances };
        let plan = execution.plan(host)?;
        Ok(match self.executable {
            Some(shell) => plan.warn(format!(
                "As of Ansible 2.4, the parameter 'executable' is no longer supported with the 'command' module. Not \
                 using '{}'.",
                shell.0
            )),
            None => plan,
        })
    }
}

impl Command {
    /// The same command for a shell.
    fn in_shell(self) -> Shell {
        Shell {
            circumstances: self.circumstances,
            _raw_params: self._raw_params,
            cmd: self.cmd,
            argv: self.argv,
            executable: self.executable,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        runner::tests::{call, checked},
        wire::Value,
    };
    use rplay_wire::data;

    #[test]
    fn the_words_reach_the_program_without_a_shell() {
        let outcome = call("command", data! { "_raw_params" => "printf '%s|' 'a b' $HOME/x '|' \"c\"" });
        let home = std::env::var("HOME").unwrap();
        assert_eq!(outcome.data["stdout"], format!("a b|{home}/x|||c|").into());
        assert_eq!(outcome.data["rc"], 0.into());
        assert!(outcome.changed && outcome.failure.is_none());
        let raw = call("command", data! { "argv" => vec!["echo", "$HOME"], "expand_argument_vars" => false });
        assert_eq!(raw.data["stdout"], "$HOME".into());
        assert_eq!(raw.data["cmd"], vec!["echo", "$HOME"].into());
    }

    #[test]
    fn a_failed_command_keeps_its_data_and_has_changed_something() {
        let outcome = call("command", data! { "argv" => vec!["sh", "-c", "echo out; echo err >&2; exit 3"] });
        assert_eq!(outcome.failure.unwrap().msg, "non-zero return code");
        assert!(outcome.changed);
        assert_eq!(outcome.data["rc"], 3.into());
        assert_eq!(outcome.data["stdout"], "out".into());
        assert_eq!(outcome.data["stderr"], "err".into());
    }

    #[test]
    fn what_exists_need_not_be_created() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("made.txt"), "").unwrap();
        let chdir = directory.path().to_str().unwrap();
        let outcome = call("command", data! { "cmd" => "false", "creates" => "made.*", "chdir" => chdir });
        assert!(!outcome.changed && outcome.failure.is_none() && outcome.skipped.is_none());
        assert_eq!(outcome.data["stdout"], "skipped, since made.* exists".into());
        let outcome = call("command", data! { "cmd" => "false", "removes" => "gone", "chdir" => chdir });
        assert_eq!(outcome.data["msg"], "Did not run command since 'gone' does not exist".into());
    }

    #[test]
    fn check_mode_runs_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        let line = format!("touch {}", file.display());
        let outcome = checked("command", data! { "cmd" => line.clone() });
        assert!(outcome.skipped.is_some() && !outcome.changed);
        let outcome = checked("command", data! { "cmd" => line, "creates" => file.to_str().unwrap() });
        assert!(outcome.skipped.is_none() && outcome.changed);
        assert!(!file.exists());
    }

    #[test]
    fn input_is_handed_over_and_output_stripped_as_asked() {
        let outcome = call("command", data! { "cmd" => "cat", "stdin" => "in", "strip_empty_ends" => false });
        assert_eq!(outcome.data["stdout"], "in\n".into());
        let outcome = call("command", data! { "cmd" => "cat", "stdin" => "in", "stdin_add_newline" => false });
        assert_eq!(outcome.data["stdout"], "in".into());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let outcome = call("command", data! { "cmd" => "no-such-program --x" });
        let failure = outcome.failure.unwrap();
        assert_eq!(failure.msg, "Error executing command.");
        assert!(failure.help.unwrap().contains("no-such-program") && !outcome.changed);
        assert_eq!(outcome.data["rc"], 2.into());
        assert_eq!(call("command", data! { "cmd" => " " }).data["rc"], 256.into());
        assert!(call("command", data! {}).failure.unwrap().msg.contains("one of the following is required"));
        assert_ne!(outcome.data["cmd"], Value::Null);
        assert_eq!(call("command", data! { "cmd" => "" }).data["rc"], 257.into());
        let failure = call("command", data! { "cmd" => "echo 'a" }).failure.unwrap();
        assert_eq!(failure.msg, "Task failed: Module failed: No closing quotation");
    }

    #[test]
    fn a_shell_can_be_asked_for() {
        let outcome = call("command", data! { "cmd" => "echo a | tr a b", "_uses_shell" => true });
        assert_eq!((&outcome.data["stdout"], &outcome.data["cmd"]), (&"b".into(), &"echo a | tr a b".into()));
    }
}
