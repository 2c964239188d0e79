//! `service`: services under whatever starts them, systemd or init scripts.

mod sysvinit;

use rplay_wire::Failure;

use crate::{
    ArgFault, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    choice,
    services::systemd::{Scope, State, Wish},
};

choice! {
    /// Which service manager to talk to.
    pub enum Use {
        Auto = "auto",
        Systemd = "systemd" | "ansible.builtin.systemd" | "systemd_service" | "ansible.builtin.systemd_service",
        Sysvinit = "sysvinit" | "service" | "ansible.builtin.sysvinit" | "ansible.legacy.service",
    }
}

args! {
    /// Starts, stops and enables services.
    pub struct Service {
        /// The service.
        name: Text,
        /// `started` and `stopped` do nothing if it is so already; `restarted` and `reloaded` always act.
        state: Option<State>,
        /// Whether it starts at boot.
        enabled: Option<Flag>,
        /// Text in the command line of its process, for init scripts that have no `status`.
        pattern: Option<Text>,
        /// Seconds between stop and start of a restart, for init scripts that do not wait.
        sleep: Option<u64>,
        /// More arguments for the init script.
        arguments: Text | "args" = String::new(),
        /// The runlevel on systems that have them by name; only `default` is supported.
        runlevel: Text = "default".to_owned(),
        /// Have systemd read unit files anew before anything else.
        daemon_reload: Flag | "daemon-reload" = Flag(false),
        /// Whether it cannot be started at all; only where systemd is.
        masked: Option<Flag>,
        /// Do not wait until the unit has started or stopped; only where systemd is.
        no_block: Flag = Flag(false),
        /// The service manager; found out by itself.
        r#use: Use = Use::Auto,
    }
}

impl Module for Service {
    fn check(&self) -> Result<(), ArgFault> {
        if self.state.is_none() && self.enabled.is_none() && self.masked.is_none() && !self.daemon_reload.0 {
            return Err(ArgFault::new("state", "one of state, enabled is required"));
        }
        if self.runlevel != "default" {
            return Err(ArgFault::new("runlevel", "is only supported as `default`: OpenRC is not"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let systemd = match self.r#use {
            Use::Systemd => true,
            Use::Sysvinit => false,
            // A folder that systemd makes only where it is the running init.
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
                    return Err(Failure::new(format!("`{name}` needs systemd, which does not run here")).arg(name));
                }
            }
            return self.plan_sysvinit(host);
        }
        let mut ignored = Vec::new();
        for (name, given) in [
            ("pattern", self.pattern.is_some()),
            ("sleep", self.sleep.is_some()),
            ("arguments", !self.arguments.is_empty()),
        ] {
            if given {
                ignored.push(format!("`{name}` is not used: the host's service manager is systemd"));
            }
        }
        let wish = Wish {
            scope: Scope::System,
            state: self.state,
            enabled: self.enabled.map(|flag| flag.0),
            masked: self.masked.map(|flag| flag.0),
            no_block: self.no_block.0,
            force: false,
        };
        let mut plan = wish.plan(&self.name, host)?;
        if self.daemon_reload.0 {
            let reload = Scope::System.change(vec!["daemon-reload".to_owned()], "daemon-reload".to_owned());
            plan.changes.insert(0, reload.auxiliary());
        }
        plan.warnings.extend(ignored);
        Ok(plan)
    }
}
