//! `reboot`: the calls to the host before and after a restart.

use rplay_wire::Failure;

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::Text,
    choice,
    system::program::{Output, Program},
};

choice! {
    /// The step that the controller requests; the controller does the waiting.
    pub enum Step {
        /// Read the host's boot ID.
        Look = "look",
        /// Restart.
        Begin = "begin",
        /// Check for another boot ID, and readiness.
        Verify = "verify",
    }
}

args! {
    /// Restarts the host and waits until it is ready again.
    pub struct Reboot {
        /// A command whose output differs after each boot.
        boot_time_command: Text = "cat /proc/sys/kernel/random/boot_id".to_owned(),
        /// Has no effect, with a warning: the connection timeout is the same as for other tasks.
        connect_timeout: Option<i64>,
        /// The message for users of the host.
        msg: Text = "Reboot initiated by Ansible".to_owned(),
        /// Seconds to wait before the host is first contacted.
        post_reboot_delay: i64 = 0,
        /// Seconds before the restart, rounded down to minutes.
        pre_reboot_delay: i64 = 0,
        /// The restart command, instead of shutdown(8).
        reboot_command: Option<Text>,
        /// Timeout of the restart in seconds.
        reboot_timeout: i64 = 600,
        /// The directories to search for shutdown.
        search_paths: Vec<Text> =
            ["/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin"].map(str::to_owned).to_vec(),
        /// A command that succeeds when the host is ready.
        test_command: Text = "whoami".to_owned(),
        _step: Step = Step::Look,
        /// The output of `boot_time_command` before the restart.
        _before: Option<Text>,
    }
}

impl Module for Reboot {
    fn check(&self) -> Result<(), ArgError> {
        let seconds = [
            ("connect_timeout", self.connect_timeout.unwrap_or(0)),
            ("post_reboot_delay", self.post_reboot_delay),
            ("pre_reboot_delay", self.pre_reboot_delay),
            ("reboot_timeout", self.reboot_timeout),
        ];
        match seconds.into_iter().find(|(_, seconds)| *seconds < 0) {
            Some((name, _)) => Err(ArgError::new(name, "must not be negative")),
            None => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        match self._step {
            Step::Look => Ok(Plan::unchanged().set("boot", self.boot(host)?)),
            Step::Begin => {
                let change = Change::new("restart the host", move |host, _| {
                    let done = self.restart(host)?.run()?;
                    match done.rc {
                        // shutdown may kill its own process too.
                        0 | -15 => Ok(()),
                        _ => Err(said(&done, "Reboot command failed. Error was: ")),
                    }
                });
                Ok(Plan::unchanged().change(change))
            }
            Step::Verify => {
                if Some(self.boot(host)?) == self._before {
                    return Err(Failure::new("boot time has not changed"));
                }
                let tested = shell(host, &self.test_command).run()?;
                match tested.rc {
                    0 if self.connect_timeout.is_some() => {
                        Ok(Plan::unchanged().warn("`connect_timeout` has no effect: the setting `timeout` applies"))
                    }
                    0 => Ok(Plan::unchanged()),
                    _ => Err(said(&tested, "Test command failed: ").arg("test_command")),
                }
            }
        }
    }
}

impl Reboot {
    fn boot(&self, host: &Host) -> Result<String, Failure> {
        let told = shell(host, &self.boot_time_command).run()?;
        match told.rc {
            0 => Ok(told.stdout.trim().to_owned()),
            rc => {
                let (stdout, stderr) = (told.stdout.trim(), told.stderr.trim());
                let why = format!("{NO_BOOT_TIME}, rc: {rc}, stdout: {stdout}, stderr: {stderr}");
                Err(Failure::new(why).arg("boot_time_command"))
            }
        }
    }

    fn restart(&self, host: &Host) -> Result<Program, Failure> {
        let (command, rest) = match self.reboot_command.as_deref().map(str::trim_start) {
            Some(command) if command.is_empty() || command.starts_with('/') => return Ok(shell(host, command)),
            Some(command) => command.split_once(' ').unwrap_or((command, "")),
            None => ("shutdown", ""),
        };
        let mut all =
            self.search_paths.iter().map(|directory| format!("{}/{command}", directory.trim_end_matches('/')));
        let Some(shutdown) = all.find(|path| host.find_program(path).is_some()) else {
            let paths: Vec<String> = self.search_paths.iter().map(|path| format!("'{path}'")).collect();
            let paths = paths.join(", ");
            let msg = format!("Task failed: Unable to find command \"{command}\" in search paths: [{paths}]");
            return Err(Failure::new(msg).arg("search_paths"));
        };
        if self.reboot_command.is_some() {
            return Ok(shell(host, &format!("{shutdown} {rest}")));
        }
        let minutes = self.pre_reboot_delay / 60;
        let when = if minutes == 0 { "now".to_owned() } else { format!("+{minutes}") };
        Ok(host.program(&shutdown).args(["-r", when.as_str(), self.msg.as_str()]))
    }
}

fn shell(host: &Host, command: &str) -> Program {
    host.program("/bin/sh").args(["-c", command])
}

fn said(output: &Output, what: &str) -> Failure {
    Failure::new(format!("{what}'{}, {}'", output.stdout.trim(), output.stderr.trim()))
}

/// How the failure to read the host's boot ID begins, in the words of ansible-core.
const NO_BOOT_TIME: &str = "reboot: failed to get host boot time info";

#[cfg(test)]
mod tests {
    use rplay_wire::{Map, data};

    use crate::runner::tests::call;

    #[test]
    fn a_restart_is_begun_and_verified() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("boot");
        std::fs::write(&file, "one\n").unwrap();
        let step = |step: &str, more: Map| {
            let mut args = data! {
                "boot_time_command" => format!("cat {}", file.display()),
                "reboot_command" => format!("echo two > {}", file.display()),
                "_step" => step,
            };
            args.extend(more);
            call("reboot", args)
        };
        assert_eq!(step("look", Map::new()).data["boot"], "one".into());
        let early = step("verify", data! { "_before" => "one" });
        assert_eq!(early.failure.unwrap().msg, "boot time has not changed");
        assert!(step("begin", Map::new()).changed);
        let not_ready = step("verify", data! { "_before" => "one", "test_command" => "echo no; false" });
        assert_eq!(not_ready.failure.unwrap().msg, "Test command failed: 'no, '");
        assert!(step("verify", data! { "_before" => "one" }).failure.is_none());
        let failed = step("begin", data! { "reboot_command" => "echo no >&2; exit 3" });
        assert_eq!(failed.failure.unwrap().msg, "Reboot command failed. Error was: ', no'");
        let lacks = call("reboot", data! { "_step" => "begin", "search_paths" => "/nowhere" });
        assert!(
            lacks.failure.unwrap().msg.starts_with("Task failed: Unable to find command \"shutdown\" in search paths")
        );
    }
}
