//! `capabilities`: what a program may do without being root, through setcap(8).

use std::{fmt, path::Path};

use rplay_wire::{Failure, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Text},
    system::paths,
};

args! {
    /// Sets or removes a capability of a file.
    pub struct Capabilities {
        /// The file.
        path: Text | "key",
        /// The capability with operator and flags, `cap_net_raw=ep`; to remove one its name is enough. `getcap` tells how
        /// the host writes it; written otherwise it is set again each time.
        capability: Text | "cap",
        /// Whether the file should have it.
        state: State = State::Present,
    }
}

/// A capability, its operator and its flags: `cap_net_raw`, `=`, `ep`.
#[derive(Clone, Debug, PartialEq)]
struct Capability {
    name: String,
    /// Empty for a capability that is to be removed.
    operator: String,
    flags: String,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.name, self.operator, self.flags)
    }
}

impl Capability {
    /// Reads `cap_net_raw=ep`; `None` without an operator.
    fn read(text: &str) -> Option<Capability> {
        let operator = ['=', '-', '+'].into_iter().find(|operator| text.contains(*operator))?;
        let (name, flags) = text.split_once(operator)?;
        Some(Capability { name: name.to_owned(), operator: operator.to_string(), flags: flags.to_owned() })
    }
}

impl Module for Capabilities {
    fn check(&self) -> Result<(), ArgError> {
        if self.state == State::Present && Capability::read(&self.capability).is_none() {
            return Err(ArgError::new("capability", "Couldn't find operator (one of: ('=', '-', '+'))"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = paths::expand(&self.path, host);
        let text = self.capability.trim().to_ascii_lowercase();
        let wanted = Capability::read(&text).unwrap_or_else(|| Capability {
            name: text.clone(),
            operator: String::new(),
            flags: String::new(),
        });
        let present = match current(host, &path) {
            Ok(present) => present,
            Err(failure) if host.rehearses() && !Path::new(&path).exists() => {
                let plan = Plan::unchanged().assumes(host, format!("the file {path}"), || failure)?;
                return Ok(plan.change(Change::new(format!("set the capabilities of {path}"), |_, _| Ok(()))));
            }
            Err(failure) => return Err(failure),
        };
        let is_there = match self.state {
            State::Present => present.contains(&wanted),
            State::Absent => present.iter().any(|one| one.name == wanted.name),
        };
        if is_there == (self.state == State::Present) {
            return Ok(Plan::unchanged().set("state", self.state.word()));
        }
        let mut all: Vec<Capability> = present.into_iter().filter(|one| one.name != wanted.name).collect();
        if self.state == State::Present {
            all.push(wanted);
        }
        let all = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let (what, state) = (format!("set the capabilities of {path} to `{all}`"), self.state);
        let plan = Plan::unchanged().set("msg", "capabilities changed");
        Ok(plan.change(Change::new(what, move |host, data| {
            let done = host.required_program("setcap")?.arg(&all).arg(&path).run()?;
            if done.rc != 0 {
                let output = data! { "stdout" => done.stdout, "stderr" => done.stderr };
                return Err(Failure::new(format!("Unable to set capabilities of {path}")).data(output));
            }
            data.extend(data! { "state" => state.word(), "stdout" => done.stdout });
            Ok(())
        })))
    }
}

/// The file's capabilities. Old versions of getcap write `/bin/x = cap_a+ep`, newer ones `/bin/x cap_a=ep`; both join
/// capabilities with the same flags by commas.
fn current(host: &Host, path: &str) -> Result<Vec<Capability>, Failure> {
    let done = host.required_program("getcap")?.arg("-v").arg(path).run()?;
    let unable = || {
        let output = data! { "stdout" => done.stdout.trim(), "stderr" => done.stderr.as_str() };
        Failure::new(format!("Unable to get capabilities of {path}")).arg("path").data(output)
    };
    let said = done.stdout.trim();
    if done.rc != 0 || !done.stderr.is_empty() || said.ends_with(')') {
        return Err(unable());
    }
    let said = said.strip_prefix(path).unwrap_or(said).trim_start();
    let said = said.strip_prefix("= ").unwrap_or(said);
    let mut all = Vec::new();
    for group in said.split_whitespace().filter(|group| *group != "=") {
        let joined = Capability::read(&group.to_ascii_lowercase()).ok_or_else(unable)?;
        all.extend(joined.name.split(',').map(|name| Capability { name: name.to_owned(), ..joined.clone() }));
    }
    Ok(all)
}
