//! group: groups on the host.

use rplay_wire::{Failure, Value, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, Text},
    system::accounts::{Group as Entry, editor},
};

args! {
    /// Creates, changes or removes a group.
    pub struct Group {
        /// The name of the group.
        name: Text,
        /// The group ID.
        gid: Option<u64>,
        /// Whether it should exist.
        state: State = State::Present,
        /// Whether a new group gets a system group ID.
        system: Flag = Flag(false),
        /// Only change local accounts, with the tools made for that, even if the host also uses other account sources.
        local: Flag = Flag(false),
        /// Whether the group ID may be in use by another group.
        non_unique: Flag = Flag(false),
        /// Remove the group even if it is the primary group of a user.
        force: Flag = Flag(false),
        /// The lowest ID for a new group.
        gid_min: Option<u64>,
        /// The highest ID for a new group.
        gid_max: Option<u64>,
    }
}

impl Module for Group {
    fn check(&self) -> Result<(), ArgError> {
        if self.non_unique.0 && self.gid.is_none() {
            return Err(ArgError::new("gid", "non_unique is True but all of the following are missing: gid"));
        }
        for (name, given) in [("gid_min", self.gid_min), ("gid_max", self.gid_max)] {
            if given.is_some() && self.local.0 {
                return Err(ArgError::new(name, format!("'{name}' can not be used with 'local'")));
            }
        }
        if self.force.0 && self.local.0 {
            return Err(ArgError::new(
                "force",
                "force is not a valid option for local, force=True and local=True are mutually exclusive",
            ));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let present = Entry::named(&self.name);
        let mut data = data! { "name" => self.name.as_str(), "state" => self.state.word() };
        let tool = |name: &str| editor(host, name, self.local.0);
        let tool = match (self.state, &present) {
            (State::Absent, None) => None,
            (State::Absent, Some(_)) => {
                let mut tool = tool("groupdel")?;
                tool = tool.arg_if(self.force.0, "-f");
                Some(tool)
            }
            (State::Present, None) => {
                let mut tool = tool("groupadd")?;
                tool = tool.option("-g", self.gid);
                tool = tool.arg_if(self.non_unique.0, "-o").arg_if(self.system.0, "-r");
                for (key, limit) in [("GID_MIN", self.gid_min), ("GID_MAX", self.gid_max)] {
                    tool = tool.option("-K", limit.map(|limit| format!("{key}={limit}")));
                }
                Some(tool)
            }
            (State::Present, Some(group)) => match self.gid.filter(|gid| *gid != u64::from(group.gid)) {
                None => None,
                Some(gid) => {
                    let mut tool = tool("groupmod")?;
                    tool = tool.option("-g", Some(gid));
                    tool = tool.arg_if(self.non_unique.0, "-o");
                    Some(tool)
                }
            },
        };
        data.insert("system".to_owned(), self.system.0.into());
        let mut plan = Plan { data, ..Plan::default() };
        if let Some(mut tool) = tool {
            tool = tool.arg(&self.name);
            let name = self.name.clone();
            plan = plan.change(Change::new(tool.to_string(), move |_, _| {
                let output = tool.run()?;
                let said = if output.stderr.is_empty() { output.stdout } else { output.stderr };
                let told = || Failure::new(said).data(data! { "name" => name });
                if output.rc == 0 { Ok(()) } else { Err(told()) }
            }));
            if host.check && (self.state == State::Absent || present.is_none()) {
                // As in ansible-core, check mode does not report what it would be like.
                plan.data.clear();
                return Ok(plan);
            }
        }
        Ok(plan.finish(move |_, data| {
            if let Some(group) = Entry::named(&self.name).filter(|_| self.state == State::Present) {
                data.insert("gid".to_owned(), group.gid.into());
            } else {
                data.shift_remove("system");
                data.insert("gid".to_owned(), self.gid.into());
                if data["gid"] == Value::Null {
                    data.shift_remove("gid");
                }
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use crate::runner::tests::checked;

    #[test]
    fn what_is_there_is_no_change_and_what_is_not_is_one() {
        let outcome = checked("group", data! { "name" => "root", "gid" => 0 });
        assert!(!outcome.changed && outcome.data["gid"] == 0.into(), "{outcome:?}");
        let other = checked("group", data! { "name" => "root", "gid" => 4711 });
        assert!(other.changed && other.data["gid"] == 0.into(), "{other:?}");
        let new = checked("group", data! { "name" => "no-such-group" });
        assert!(new.changed && new.data.is_empty(), "{new:?}");
        assert!(!checked("group", data! { "name" => "no-such-group", "state" => "absent" }).changed);
        assert!(checked("group", data! { "name" => "root", "state" => "absent" }).changed);
        assert!(checked("group", data! { "name" => "x", "non_unique" => true }).failure.is_some());
    }
}
