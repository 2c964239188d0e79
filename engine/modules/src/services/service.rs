//! `service`: services under systemd or init scripts.

pub(crate) mod sysvinit;

use rplay_wire::Failure;

use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    services::{
        service::sysvinit::InitScript,
        systemd::{ScopeArg, State, Systemd},
        sysvinit::Sysvinit,
    },
};

args! {
    /// Starts, stops and enables services.
    pub struct Service {
        /// The service.
        name: Option<Text> | "service" | "unit",
    /// `started` and `stopped` do nothing if the service is already in that state; `restarted` and `reloaded` always
    /// act.
        state: Option<State>,
        /// Whether to start it at boot.
        enabled: Option<Flag>,
        /// Text in the command line of its process, for init scripts without `status`.
        pattern: Option<Text>,
        /// Seconds between stopping and starting in a restart, for init scripts that do not wait.
        sleep: Option<u64>,
        /// Additional arguments for the init script.
        arguments: Text | "args" = String::new(),
        /// The runlevel of OpenRC; other service managers have none.
        runlevel: Option<Text>,
        /// Make systemd re-execute itself first.
        daemon_reexec: Flag | "daemon-reexec" = Flag(false),
        /// Replace existing links when enabling or masking; only with systemd.
        force: Option<Flag>,
        /// The system manager, the user's manager, or that of all users; only with systemd.
        scope: Option<ScopeArg>,
        /// Make systemd reload its unit files first.
        daemon_reload: Flag | "daemon-reload" = Flag(false),
        /// Whether the unit is masked, so that it cannot be started; only with systemd.
        masked: Option<Flag>,
        /// Do not wait for the unit to start or stop; only with systemd.
        no_block: Flag = Flag(false),
        /// The service manager: `systemd`, `sysvinit`, or what is detected. Any other name is the module that takes
        /// what the host has, without telling of the unit.
        r#use: Text = "auto".to_owned(),
    }
}

impl Module for Service {
    fn check(&self) -> Result<(), ArgError> {
        match self.name {
            None if self.state.is_some() => {
                Err(ArgError::new("name", "missing parameter(s) required by 'state': name"))
            }
            None if self.enabled.is_some() => {
                Err(ArgError::new("name", "missing parameter(s) required by 'enabled': name"))
            }
            _ => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let used = self.r#use.rsplit('.').next().unwrap_or_default();
        let script = std::path::Path::new("/etc/init.d").join(self.name.as_deref().unwrap_or_default());
        let has_script = self.name.is_some() && script.exists();
        // This directory only exists if systemd is the running init system.
        let detected =
            std::path::Path::new("/run/systemd/system").is_dir() || host.has_program("systemctl") && !has_script;
        let (systemd, tells) = match used {
            "auto" => (detected, true),
            "systemd" | "systemd_service" => (true, true),
            "sysvinit" => (false, true),
            _ => (detected, false),
        };
        if systemd {
            return self.with_systemd(tells, host);
        }
        for (name, given) in [
            ("daemon_reload", self.daemon_reload.0),
            ("daemon_reexec", self.daemon_reexec.0),
            ("masked", self.masked.is_some()),
            ("no_block", self.no_block.0),
            ("force", self.force.is_some()),
            ("scope", self.scope.is_some()),
        ] {
            if given {
                return Err(
                    Failure::new(format!("`{name}` requires systemd, which is not running on this host")).arg(name)
                );
            }
        }
        if self.state.is_none() && self.enabled.is_none() {
            return Err(Failure::new("one of the following is required: state, enabled").arg("state"));
        }
        let name = self.name.ok_or_else(|| Failure::new("missing required arguments: name"))?;
        if used == "sysvinit" {
            let script = Sysvinit {
                name,
                state: self.state,
                enabled: self.enabled,
                runlevels: None,
                pattern: self.pattern,
                sleep: self.sleep.unwrap_or(1),
                arguments: self.arguments,
                daemonize: Flag(false),
            };
            return script.plan(host);
        }
        let script = InitScript {
            name,
            state: self.state,
            enabled: self.enabled.map(|flag| flag.0),
            pattern: self.pattern,
            sleep: self.sleep,
            arguments: self.arguments,
        };
        script.plan(host)
    }
}

impl Service {
    /// The plan for a host with systemd. `tells`: whether the result has what systemd tells of the unit.
    fn with_systemd(self, tells: bool, host: &Host) -> Result<Plan, Failure> {
        let ignored = [
            ("pattern", self.pattern.is_some()),
            ("runlevel", self.runlevel.is_some()),
            ("sleep", self.sleep.is_some()),
            ("arguments", !self.arguments.is_empty()),
        ];
        let ignored = ignored.iter().filter(|(_, given)| *given && tells);
        let ignored: Vec<String> =
            ignored.map(|(name, _)| format!("Ignoring \"{name}\" as it is not used in \"systemd\"")).collect();
        let unit = Systemd {
            name: self.name,
            state: self.state,
            enabled: self.enabled,
            masked: self.masked,
            daemon_reload: self.daemon_reload,
            daemon_reexec: self.daemon_reexec,
            scope: self.scope.unwrap_or(ScopeArg::System),
            no_block: self.no_block,
            force: self.force,
        };
        unit.check().map_err(|wrong| Failure::new(wrong.msg).arg("name"))?;
        let mut plan = unit.plan_telling(false, host)?;
        if !tells {
            plan = plan.finish(|_, data| {
                data.shift_remove("status");
                Ok(())
            });
        }
        plan.warnings.splice(0..0, ignored);
        Ok(plan)
    }
}
