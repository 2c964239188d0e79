//! raw: runs a command line and returns only its output.

use rplay_wire::{Failure, Value, data};

use crate::{Change, Host, Module, Plan, args, argtypes::Text, commands::execution::succeed, system::process};

args! {
    /// Runs a command line in the host's shell. Prefer shell; raw is for minimal hosts.
    pub struct Raw {
        /// The command line.
        _raw_params: Text,
        /// The shell, as an absolute path; `/bin/sh` otherwise.
        executable: Option<Text>,
        _stdin: Option<Value>,
    }
}

impl Module for Raw {
    fn plan(self, _host: &Host) -> Result<Plan, Failure> {
        let change = Change::new("run a command line", move |host, data| {
            let shell = self.executable.as_deref().filter(|shell| !shell.is_empty()).unwrap_or("/bin/sh");
            let mut command = host.command(shell);
            let input = match &self._stdin {
                Some(Value::Bytes(bytes)) => Some(bytes.clone()),
                _ => None,
            };
            let mut finished = process::run(command.args(["-c", &self._raw_params]), input, host.max_output())
                .map_err(|error| {
                    // What a shell says that is to start it, as under ansible-core.
                    let stderr = format!("/bin/sh: 1: {shell}: not found\n");
                    data.extend(data! { "rc" => 127, "stdout" => "", "stderr" => stderr });
                    Failure::new("non-zero return code").arg("executable").help(format!("cannot run {shell}: {error}"))
                })?;
            data.extend(data! {
                "stdout" => std::mem::take(&mut finished.stdout), "stderr" => std::mem::take(&mut finished.stderr),
            });
            succeed(host, &finished, "the command", data)
        });
        Ok(Plan::unchanged().change(change.changed_even_if_failed().unpredictable("")))
    }
}

#[cfg(test)]
mod tests {
    use crate::runner::tests::{call, checked};
    use rplay_wire::data;

    #[test]
    fn a_line_runs_and_its_end_stays() {
        let outcome = call("raw", data! { "_raw_params" => "echo a | cat; exit 2" });
        assert_eq!(outcome.data["stdout"], "a\n".into());
        assert_eq!(outcome.data["rc"], 2.into());
        assert!(outcome.failure.is_some());
        let fed = call("raw", data! { "_raw_params" => "cat", "_stdin" => rplay_wire::Value::Bytes(b"in".to_vec()) });
        assert_eq!(fed.data["stdout"], "in".into());
        assert!(checked("raw", data! { "_raw_params" => "true" }).skipped.is_some());
    }
}
