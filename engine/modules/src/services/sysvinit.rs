//! `sysvinit`: services with init scripts, and their runlevels.

use std::time::Duration;

use rplay_wire::{Failure, Map};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    services::{service::sysvinit::InitScript, systemd::State},
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
        /// Not supported, and not needed: processes that a script leaves running do not block the task.
        daemonize: Flag = Flag(false),
    }
}

impl Module for Sysvinit {
    fn check(&self) -> Result<(), ArgError> {
        if self.state.is_none() && self.enabled.is_none() {
            return Err(ArgError::new("state", "one of the following is required: state, enabled"));
        }
        if self.daemonize.0 {
            return Err(ArgError::new("daemonize", "is not supported")
                .help("processes that a script leaves running do not block the task; use `async` for a script that does not end"));
        }
        match self
            .runlevels
            .iter()
            .flatten()
            .find(|level| !matches!(level.as_str(), "0" | "1" | "2" | "3" | "4" | "5" | "6" | "S"))
        {
            Some(level) => Err(ArgError::new("runlevels", format!("`{level}` is not a runlevel"))),
            None => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let levels = self.runlevels.filter(|levels| !levels.is_empty());
        let script = InitScript {
            name: self.name.clone(),
            state: self.state,
            enabled: self.enabled.filter(|_| levels.is_none()).map(|flag| flag.0),
            pattern: self.pattern,
            sleep: Some(self.sleep),
            arguments: self.arguments,
        };
        let mut plan = script.plan(host)?;
        if let (Some(levels), Some(enabled)) = (levels, self.enabled) {
            plan = in_levels(&self.name, &levels, enabled.0, plan, host);
        }
        Ok(plan)
    }
}

/// Enables or disables the service in these runlevels.
fn in_levels(name: &str, levels: &[String], enabled: bool, plan: Plan, host: &Host) -> Plan {
    let starts_in = |level: &String| {
        let directory = format!("/etc/rc{level}.d");
        let links = crate::system::glob::matching(format!("{directory}/S[0-9][0-9]{name}").as_ref());
        !links.is_empty()
    };
    let plan = plan.set("enabled", enabled).set("runlevels", levels.to_vec());
    if levels.iter().all(|level| starts_in(level) == enabled) {
        return plan;
    }
    let (name, levels) = (name.to_owned(), levels.to_vec());
    let by_chkconfig = host.has_program("chkconfig");
    let word = if enabled { "enable" } else { "disable" };
    plan.change(Change::new(format!("{word} {name} in runlevels {}", levels.join(", ")), move |host, _: &mut Map| {
        let program = match by_chkconfig {
            true => {
                let word = if enabled { "on" } else { "off" };
                host.program("chkconfig").args(["--level", &levels.concat(), &name, word])
            }
            false => host.program("update-rc.d").args([name.as_str(), word]).args(&levels),
        };
        let done = program.untranslated().timeout(Duration::from_secs(60)).run()?;
        done.success(&format!("cannot {word} {name}")).map(|_| ())
    }))
}
