//! `systemd` (`systemd_service`): systemd units.

mod unit;

pub(crate) use unit::{Scope, Unit};

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    choice,
    system::paths,
};

choice! {
    /// The desired state of a service.
    pub enum State {
        Reloaded = "reloaded",
        Restarted = "restarted",
        Started = "started",
        Stopped = "stopped",
    }
}

choice! {
    /// Which service manager to use.
    pub enum ScopeArg {
        System = "system",
        User = "user",
        Global = "global",
    }
}

args! {
    /// Starts, stops, enables and masks systemd units, and reloads systemd's configuration.
    pub struct Systemd {
        /// The unit; `.service` may be omitted.
        name: Option<Text> | "service" | "unit",
    /// `started` and `stopped` do nothing if the unit is already in that state; `restarted` and `reloaded` always act.
        state: Option<State>,
        /// Whether to start it at boot.
        enabled: Option<Flag>,
        /// Whether the unit is masked, so that it cannot be started.
        masked: Option<Flag>,
        /// Make systemd reload its unit files first.
        daemon_reload: Flag | "daemon-reload" = Flag(false),
        /// Make systemd re-execute itself first.
        daemon_reexec: Flag | "daemon-reexec" = Flag(false),
        /// The system manager, the user's manager, or (only for enabling) that of all users.
        scope: ScopeArg = ScopeArg::System,
        /// Do not wait for the unit to start or stop.
        no_block: Flag = Flag(false),
        /// Replace existing links when enabling or masking.
        force: Option<Flag>,
    }
}

impl Module for Systemd {
    fn check(&self) -> Result<(), ArgError> {
        let Some(name) = &self.name else {
            return match (self.state, self.enabled, self.masked) {
                (None, None, None) => Ok(()),
                (state, enabled, _) => {
                    let needs = match (state, enabled) {
                        (Some(_), _) => "state",
                        (_, Some(_)) => "enabled",
                        _ => "masked",
                    };
                    Err(ArgError::new("name", format!("missing parameter(s) required by '{needs}': name")))
                }
            };
        };
        if let Some(sign) = ["*", "?", "["].into_iter().find(|sign| name.contains(sign)) {
            return Err(ArgError::new(
                "name",
                format!(
                    "This module does not currently support using glob patterns, found '{sign}' in service name: {name}"
                ),
            ));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        self.plan_telling(true, host)
    }
}

impl Systemd {
    /// Its plan. `tells_offline`: whether the failure about a missing unit is that systemd is not running.
    pub(crate) fn plan_telling(self, tells_offline: bool, host: &Host) -> Result<Plan, Failure> {
        if !host.has_program("systemctl") {
            return Err(Failure::new("this host has no systemctl")
                .help("use `service`, which supports other service managers too"));
        }
        let scope = match self.scope {
            ScopeArg::System => Scope::System,
            ScopeArg::User => Scope::User,
            ScopeArg::Global => Scope::Global,
        };
        let mut plan = Plan::unchanged();
        // As in Ansible, reloading the configuration does not count as a change.
        for (wanted, verb) in [(self.daemon_reload.0, "daemon-reload"), (self.daemon_reexec.0, "daemon-reexec")] {
            if wanted && scope != Scope::Global {
                plan = plan.change(scope.change(verb, &[], None).auxiliary());
            }
        }
        let Some(name) = self.name else {
            return Ok(plan.set("name", Value::Null).set("status", Map::new()));
        };
        let wish = Wish {
            scope,
            state: self.state,
            enabled: self.enabled.map(|flag| flag.0),
            masked: self.masked.map(|flag| flag.0),
            no_block: self.no_block.0,
            force: self.force.is_some_and(|flag| flag.0),
            tells_offline,
        };
        match plan.changes.is_empty() {
            true => wish.plan(&name, host),
            false => Ok(plan.then(move |host| wish.plan(&name, host))),
        }
    }
}

/// The desired state of a unit.
struct Wish {
    scope: Scope,
    state: Option<State>,
    enabled: Option<bool>,
    masked: Option<bool>,
    no_block: bool,
    force: bool,
    /// Whether the failure about a missing unit is that systemd is not running.
    tells_offline: bool,
}

impl Wish {
    fn plan(self, name: &str, host: &Host) -> Result<Plan, Failure> {
        let unit = Unit::look(name, self.scope, host)?;
        let mut plan = Plan::unchanged().set("name", name).set("status", unit.status.clone());
        // A task that asks for nothing gets what systemd reports, which it does for any name.
        let asks = self.state.is_some() || self.enabled.is_some() || unit.offline.is_some();
        if !unit.exists() && self.masked.is_none() && asks {
            plan = plan.assumes(host, format!("the unit {name}"), || {
                // The module of systemd tells that it is not running, that of services that there is none.
                if let Some(said) = unit.offline.as_ref().filter(|_| self.tells_offline) {
                    let systemctl = host.find_program("systemctl").map(paths::text).unwrap_or_default();
                    let cmd = format!("{systemctl}{}", self.scope.option().map_or(String::new(), |option| format!(" {option}")));
                    return Failure::new(said.stderr.trim_end()).data(said.data()).data(data! { "cmd" => cmd });
                }
                Failure::new(format!("Could not find the requested service {name}: host"))
                    .arg("name")
                    .help("check that the package is installed and the name is spelled correctly; `systemctl list-unit-files` lists all units")
            })?;
        }
        let force = if self.force { vec!["--force".to_owned()] } else { Vec::new() };
        let act = |verb: &str, flags: &[String]| self.scope.change(verb, flags, Some(name));
        if let Some(masked) = self.masked
            && masked != unit.is_masked()
        {
            let verb = if masked { "mask" } else { "unmask" };
            plan = plan.change(act(verb, &force));
        }
        if let Some(enabled) = self.enabled {
            plan = plan.set("enabled", enabled);
            let before = match unit.exists() {
                true => unit.is_enabled(host)?,
                false => !enabled,
            };
            if before != enabled {
                let verb = if enabled { "enable" } else { "disable" };
                plan = plan.change(act(verb, &force));
            }
        }
        let Some(state) = self.state else { return Ok(plan) };
        plan = plan.set("state", if state == State::Stopped { "stopped" } else { "started" });
        if !unit.is_managed() && !host.rehearses() {
            return Err(
                Failure::new(format!("cannot start or stop {name}: systemd is not running on this host")).arg("state")
            );
        }
        let verb = match state {
            State::Started if !unit.is_running() => "start",
            State::Stopped if unit.is_running() || unit.is_stopping() => "stop",
            State::Started | State::Stopped => return Ok(plan),
            State::Restarted | State::Reloaded if !unit.is_running() => "start",
            State::Restarted => "restart",
            State::Reloaded => "reload",
        };
        let flags = if self.no_block { vec!["--no-block".to_owned()] } else { Vec::new() };
        // As in Ansible, there is no difference to show: the result has the state.
        Ok(plan.change(act(verb, &flags)))
    }
}

impl Scope {
    /// The change that runs systemctl with a verb, for a unit or for systemd itself.
    pub(crate) fn change(self, verb: &str, flags: &[String], unit: Option<&str>) -> Change {
        let (verb, unit) = (verb.to_owned(), unit.map(str::to_owned));
        let mut args: Vec<String> = [verb.clone()].into_iter().chain(flags.iter().cloned()).collect();
        args.extend(unit.iter().flat_map(|unit| ["--".to_owned(), unit.clone()]));
        let what = unit.as_ref().map_or_else(|| verb.clone(), |unit| format!("{verb} {unit}"));
        Change::new(what, move |host, _: &mut Map| {
            let done = self.systemctl(host).args(&args).run()?;
            if done.rc != 0 {
                // In ansible-core's words, which scripts look for.
                return Err(Failure::new(match &unit {
                    Some(unit) if verb.ends_with("mask") => {
                        format!("Failed to {verb} the service ({unit}): {}", done.stderr.trim_end())
                    }
                    Some(unit) => format!("Unable to {verb} service {unit}: {}", done.stderr),
                    None => format!("failure {} during {verb}: {}", done.rc, done.stderr),
                }));
            }
            Ok(())
        })
    }
}
