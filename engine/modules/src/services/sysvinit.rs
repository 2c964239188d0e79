//! `sysvinit`: services with init scripts, and their runlevels.

use std::{path::Path, time::Duration};

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    services::{
        service::sysvinit::{InitScript, SCRIPTS, boot, is_enabled},
        systemd::State,
    },
    system::{
        glob,
        program::{Output, words},
    },
};

args! {
    /// Starts, stops and enables services with an init script.
    pub struct Sysvinit {
        /// The service.
        name: Text | "service",
    /// `started` and `stopped` do nothing if the service is already in that state; `restarted` and `reloaded` always
    /// act.
        state: Option<State>,
        /// Whether to start it at boot.
        enabled: Option<Flag>,
        /// The runlevels in which it starts; by default those in the script.
        runlevels: Option<Vec<Text>>,
        /// Text in the command line of its process, for init scripts without `status`.
        pattern: Option<Text>,
        /// Seconds between stopping and starting in a restart.
        sleep: u64 = 1,
        /// Additional arguments for the init script.
        arguments: Text | "args" = String::new(),
        /// Whether the script leaves processes running. Such processes never block the task here, so it needs nothing.
        daemonize: Flag = Flag(false),
    }
}

impl Module for Sysvinit {
    fn check(&self) -> Result<(), ArgError> {
        if self.state.is_none() && self.enabled.is_none() {
            return Err(ArgError::new("state", "one of the following is required: state, enabled"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let _ = self.daemonize;
        let name = self.name.clone();
        let has_pattern = self.pattern.is_some();
        let script = InitScript { pattern: self.pattern, ..InitScript::named(self.name) };
        let (exists, plan) = script.found(host, "")?;
        let mut plan = plan;
        let levels = self.runlevels.unwrap_or_default();
        let enabling = self.enabled.map(|flag| flag.0).filter(|wanted| match levels.as_slice() {
            [] => is_enabled(Path::new("/etc"), &name) != *wanted,
            levels => levels.iter().any(|level| starts_in(level, &name) != *wanted),
        });
        let is_running = exists && script.is_running(host)?;
        if has_pattern && !is_running {
            plan = plan.warn("Unable to determine if service is up, assuming it is down");
        }
        let (verbs, verb): (&[&str], &str) = match self.state {
            Some(State::Started) if !is_running => (&["start"], "start"),
            Some(State::Stopped) if is_running => (&["stop"], "stop"),
            Some(State::Restarted) => (&["stop", "start"], "restart"),
            Some(State::Reloaded) => (&["reload"], "reload"),
            _ => (&[], ""),
        };
        // As in ansible-core: what each part did, and what its program said.
        let part = |changed: bool| {
            data! {
                "changed" => changed, "rc" => Value::Null, "stdout" => Value::Null, "stderr" => Value::Null,
            }
        };
        let mut enabled = part(enabling.is_some());
        if !levels.is_empty() {
            enabled.insert("runlevels".to_owned(), levels.clone().into());
        }
        let state = self.state.map_or("null", State::word);
        plan = plan.set("status", data! { "enabled" => enabled, state => part(!verbs.is_empty()) });
        if let Some(wanted) = enabling {
            let name = name.clone();
            let word = if wanted { "enable" } else { "disable" };
            plan = plan.change(Change::new(format!("{word} {name}"), move |host, data: &mut Map| {
                let done = boot(host, &name, wanted, &levels)?;
                told(data, "enabled", &done);
                failed(&done, word, &name)
            }));
        }
        if !verbs.is_empty() {
            let arguments = words("arguments", &self.arguments)?;
            let pause = Duration::from_secs(self.sleep);
            plan = plan.change(Change::new(format!("{verb} {name}"), move |host, data: &mut Map| {
                for (at, word) in verbs.iter().enumerate() {
                    if at > 0 {
                        std::thread::sleep(pause);
                    }
                    let done =
                        host.program(&format!("{SCRIPTS}/{name}")).arg(word).args(&arguments).untranslated().run()?;
                    told(data, state, &done);
                    failed(&done, verb, &name)?;
                }
                Ok(())
            }));
        }
        Ok(plan)
    }
}

/// Puts what a program said into its part of the result's `status`.
fn told(data: &mut Map, part: &str, done: &Output) {
    if let Some(Value::Map(status)) = data.get_mut("status")
        && let Some(Value::Map(part)) = status.get_mut(part)
    {
        part.extend(done.data());
    }
}

fn failed(done: &Output, verb: &str, name: &str) -> Result<(), Failure> {
    match done.rc {
        0 => Ok(()),
        _ => Err(Failure::new(format!("Failed to {verb} service: {name}")).data(done.data())),
    }
}

/// Whether the service starts in this runlevel.
fn starts_in(level: &str, name: &str) -> bool {
    !glob::matching(format!("/etc/rc{level}.d/S[0-9][0-9]{name}").as_ref()).is_empty()
}
