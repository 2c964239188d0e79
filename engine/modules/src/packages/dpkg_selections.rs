//! `dpkg_selections`: dpkg's selection state of a package.

use rplay_wire::Failure;

use crate::{ArgError, Change, Host, Module, Plan, args, argtypes::Text, choice};

choice! {
    /// The selection state of a package.
    pub enum Selection {
        Install = "install",
        Hold = "hold",
        Deinstall = "deinstall",
        Purge = "purge",
    }
}

args! {
    /// Sets the selection state of a package: `hold` keeps its version.
    pub struct DpkgSelections {
        /// The package.
        name: Text,
        /// The selection state.
        selection: Selection,
    }
}

impl Module for DpkgSelections {
    fn check(&self) -> Result<(), ArgError> {
        if self.name.is_empty() || self.name.contains(char::is_whitespace) {
            return Err(ArgError::new("name", format!("`{}` is not a valid package name", self.name)));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let done = host.program("dpkg").args(["--get-selections", "--", &self.name]).untranslated().run()?;
        let done = done.success("cannot query dpkg's selections")?;
        let now = done.stdout.split_whitespace().nth(1).unwrap_or("not present").to_owned();
        let wanted = self.selection.word();
        let mut plan = Plan::unchanged().set("before", now.as_str()).set("after", wanted);
        if now == wanted {
            return Ok(plan);
        }
        if now == "not present" {
            plan = plan.assumes(host, format!("the package {}", self.name), || {
                let msg = format!("Failed to find package '{}' to perform selection '{wanted}'.", self.name);
                Failure::new(msg).arg("name")
            })?;
        }
        let change = Change::new(format!("set {} to {wanted}", self.name), move |host, _| {
            let program = host.program("dpkg").arg("--set-selections").untranslated();
            let done = program.stdin(format!("{} {wanted}\n", self.name)).run()?;
            done.success("cannot set the selection").map(|_| ())
        });
        // As in Ansible, there is no difference to show: the result has both states.
        Ok(plan.change(change))
    }
}
