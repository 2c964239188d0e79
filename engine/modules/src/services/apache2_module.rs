//! `apache2_module`: a module of Apache, through a2enmod(8) and a2dismod(8).

use rplay_wire::Failure;

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PresentAbsent as State, Text},
};

args! {
    /// Enables or disables a module of Apache, on Debian, SUSE and kin.
    pub struct Apache2Module {
        /// The module, as a2enmod(8) calls it.
        name: Text,
        /// The module, as `apache2ctl -M` calls it; by default guessed from the name.
        identifier: Option<Text>,
        /// Also disable a module that Debian warns of.
        force: Flag = Flag(false),
        /// Whether it should be enabled.
        state: State = State::Present,
        /// Go on if Apache's configuration is broken.
        ignore_configcheck: Flag = Flag(false),
        /// Warn if no module for multiprocessing is left.
        warn_mpm_absent: Flag = Flag(true),
    }
}

impl Module for Apache2Module {
    fn check(&self) -> Result<(), ArgError> {
        match self.name.is_empty() || self.name.starts_with('-') {
            true => Err(ArgError::new("name", format!("`{}` is not a module", self.name))),
            false => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let wanted = self.state == State::Present;
        let word = if wanted { "enabled" } else { "disabled" };
        let result = format!("Module {} {word}", self.name);
        let Some(control) = ["apache2ctl", "apachectl"].into_iter().find(|program| host.has_program(program)) else {
            let msg = "Neither of apache2ctl nor apachectl found. At least one apache control binary is necessary.";
            let plan = Plan::unchanged().assumes(host, "the program apache2ctl", || Failure::new(msg))?;
            return Ok(plan.set("result", result).change(Change::new(format!("a2enmod {}", self.name), |_, _| Ok(()))));
        };
        if self.name == "cgi" && wanted {
            let said = host.required_program(control)?.arg("-V").run()?.stdout;
            let is_threaded =
                said.lines().any(|line| line.trim_start().starts_with("threaded:") && line.contains("yes"));
            if is_threaded {
                let msg = "Your MPM seems to be threaded. No automatic actions on module cgi possible.";
                return Err(Failure::new(msg).arg("name"));
            }
        }
        let identifier = self.identifier.clone().unwrap_or_else(|| guessed(&self.name));
        let mut plan = Plan::unchanged();
        let (is_enabled, warning) = self.is_enabled(host, control, &identifier)?;
        plan.warnings.extend(warning.clone());
        plan = plan.set("result", result);
        if is_enabled == wanted {
            return Ok(plan);
        }
        Ok(plan.change(Change::new(format!("set the module {} to {word}", self.name), move |host, _| {
            let program = host.required_program(if wanted { "a2enmod" } else { "a2dismod" })?;
            let done = program.arg_if(!wanted && self.force.0, "-f").arg(&self.name).run()?;
            let (is_enabled, later) = self.is_enabled(host, control, &identifier)?;
            if let Some(later) = later.filter(|later| warning.as_ref() != Some(later)) {
                host.warn(later);
            }
            if is_enabled == wanted {
                return Ok(());
            }
            let msg = format!(
                "Failed to set module {} to {word}:\n{}\nMaybe the module identifier ({identifier}) was guessed \
                 incorrectly.Consider setting the \"identifier\" option.",
                self.name, done.stdout
            );
            Err(Failure::new(msg).data(done.data()))
        })))
    }
}

impl Apache2Module {
    /// Whether Apache has the module, and what is wrong with its configuration.
    fn is_enabled(&self, host: &Host, control: &str, identifier: &str) -> Result<(bool, Option<String>), Failure> {
        let program = host.required_program(control)?.arg("-M");
        let command = program.words().into_iter().next().unwrap_or_default();
        let done = program.run()?;
        if done.rc == 0 {
            let is_own = |line: &str| line.split_whitespace().next() == Some(identifier);
            return Ok((done.stdout.lines().any(is_own), None));
        }
        let msg = format!("Error executing {command}: {}", done.stderr);
        if !self.ignore_configcheck.0 {
            return Err(Failure::new(msg));
        }
        if !done.stderr.contains("AH00534") || !self.name.contains("mpm_") {
            return Ok((false, Some(msg)));
        }
        let absent = "No MPM module loaded! apache2 reload AND other module actions will fail if no MPM module is loaded \
                      immediately.";
        Ok((false, self.warn_mpm_absent.0.then(|| absent.to_owned())))
    }
}

/// How Apache calls the module of that name.
fn guessed(name: &str) -> String {
    match name {
        "shib" | "shib2" => return "mod_shib".to_owned(),
        "evasive" => return "evasive20_module".to_owned(),
        _ => {}
    }
    // Of `php7.4` the first digit counts; from 8 on none does.
    match name.strip_prefix("php") {
        Some(version) if version.starts_with('8') => "php_module".to_owned(),
        Some(version) if version.get(1..2) == Some(".") => {
            format!("php{}_module", version.get(..1).unwrap_or_default())
        }
        _ => format!("{name}_module"),
    }
}
