//! `service`: services under systemd or init scripts.

pub(crate) mod sysvinit;

use rplay_wire::Failure;

use crate::{
    Host, Module, Plan, args,
    argtypes::{Flag, Text},
    choice,
    services::{
        service::sysvinit::InitScript,
        systemd::{Scope, State, Wish},
    },
};

choice! {
    /// Which service manager to use.
    pub enum Use {
        Auto = "auto",
        Systemd = "systemd" | "ansible.builtin.systemd" | "systemd_service" | "ansible.builtin.systemd_service",
        Sysvinit = "sysvinit" | "service" | "ansible.builtin.sysvinit" | "ansible.legacy.service",
    }
}

choice! {
    /// The desired state of a service, in the order of Ansible's module.
    pub enum ServiceState {
        Started = "started",
        Stopped = "stopped",
        Reloaded = "reloaded",
        Restarted = "restarted",
    }
}

impl ServiceState {
    fn of_unit(self) -> State {
        match self {
            ServiceState::Started => State::Started,
            ServiceState::Stopped => State::Stopped,
            ServiceState::Reloaded => State::Reloaded,
            ServiceState::Restarted => State::Restarted,
        }
    }
}

args! {
    /// Starts, stops and enables services.
    pub struct Service {
        /// The service.
        name: Text,
    /// `started` and `stopped` do nothing if the service is already in that state; `restarted` and `reloaded` always
    /// act.
        state: Option<ServiceState>,
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
        /// Make systemd reload its unit files first.
        daemon_reload: Flag | "daemon-reload" = Flag(false),
        /// Whether the unit is masked, so that it cannot be started; only with systemd.
        masked: Option<Flag>,
        /// Do not wait for the unit to start or stop; only with systemd.
        no_block: Flag = Flag(false),
        /// The service manager; detected by default.
        r#use: Use = Use::Auto,
    }
}

impl Module for Service {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let systemd = match self.r#use {
            Use::Systemd => true,
            Use::Sysvinit => false,
            // This directory only exists if systemd is the running init system.
            Use::Auto => {
                std::path::Path::new("/run/systemd/system").is_dir()
                    || (host.has_program("systemctl") && !std::path::Path::new("/etc/init.d").join(&self.name).exists())
            }
        };
        if !systemd {
            for (name, given) in [
                ("daemon_reload", self.daemon_reload.0),
                ("masked", self.masked.is_some()),
                ("no_block", self.no_block.0),
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
            let script = InitScript {
                name: self.name,
                state: self.state.map(ServiceState::of_unit),
                enabled: self.enabled.map(|flag| flag.0),
                pattern: self.pattern,
                sleep: self.sleep,
                arguments: self.arguments,
            };
            return script.plan(host);
        }
        let mut ignored = Vec::new();
        for (name, given) in [
            ("pattern", self.pattern.is_some()),
            ("runlevel", self.runlevel.is_some()),
            ("sleep", self.sleep.is_some()),
            ("arguments", !self.arguments.is_empty()),
        ] {
            if given {
                ignored.push(format!("Ignoring \"{name}\" as it is not used in \"systemd\""));
            }
        }
        let wish = Wish {
            scope: Scope::System,
            state: self.state.map(ServiceState::of_unit),
            enabled: self.enabled.map(|flag| flag.0),
            masked: self.masked.map(|flag| flag.0),
            no_block: self.no_block.0,
            force: false,
            tells_offline: false,
        };
        let mut plan = wish.plan(&self.name, host)?;
        if self.daemon_reload.0 {
            let reload = Scope::System.change("daemon-reload", &[], None);
            plan.changes.insert(0, reload.auxiliary());
        }
        plan.warnings.splice(0..0, ignored);
        Ok(plan)
    }
}
