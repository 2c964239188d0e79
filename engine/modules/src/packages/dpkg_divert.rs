//! `dpkg_divert`: where dpkg puts a package's file instead of its own place, through dpkg-divert(1).

use std::path::Path;

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, PathArg, Text},
    system::{attributes::state_diff, fs, paths, program::Output},
};

args! {
    /// Adds a diversion of dpkg's, changes or removes it: a package's file is installed at another place.
    pub struct DpkgDivert {
        /// The file's own path.
        path: PathArg,
        /// Whether the diversion should exist.
        state: State = State::Present,
        /// The package whose file is not diverted; by default none, which dpkg calls `LOCAL`.
        holder: Option<Text>,
        /// Where the file goes instead; by default its path with `.distrib`.
        divert: Option<PathArg>,
        /// Also move the file, when the diversion is added or removed.
        rename: Flag = Flag(false),
        /// Move it even over another file.
        force: Flag = Flag(false),
    }
}

/// A diversion; `None` for its place if there is none.
#[derive(Clone, Debug, PartialEq)]
struct Diversion {
    path: String,
    /// The holder, and where the file goes.
    target: Option<(String, String)>,
}

impl Diversion {
    fn shown(&self) -> Map {
        let text = |text: Option<&String>| text.map_or(Value::Null, |text| Value::from(text.as_str()));
        let target = self.target.as_ref();
        data! {
            "path" => self.path.as_str(),
            "state" => if target.is_some() { "present" } else { "absent" },
            "divert" => text(target.map(|(_, divert)| divert)),
            "holder" => text(target.map(|(holder, _)| holder)),
        }
    }

    /// The diversion that the host has.
    fn of(host: &Host, path: &str) -> Result<Diversion, Failure> {
        let ask = |option: &str| -> Result<String, Failure> {
            let said = host.required_program("dpkg-divert")?.args([option, path]).succeed()?.stdout;
            Ok(said.trim().to_owned())
        };
        let holder = ask("--listpackage")?;
        let target = match holder.is_empty() {
            true => None,
            false => Some((holder, ask("--truename")?)),
        };
        Ok(Diversion { path: path.to_owned(), target })
    }
}

impl Module for DpkgDivert {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = paths::text(self.path.on(host));
        let wanted = self.wanted(&path, host);
        if host.rehearses() && !host.has_program("dpkg-divert") {
            let plan = Plan::unchanged().assumption("the program dpkg-divert");
            return Ok(plan.change(Change::new(format!("divert {path}"), |_, _| Ok(()))));
        }
        let before = Diversion::of(host, &path)?;
        let steps = self.steps(&before, &wanted);
        let mut plan = Plan::unchanged();
        let frame = match host.diff {
            true => data! { "before" => before.shown(), "after" => wanted.shown() },
            false => Map::new(),
        };
        plan = plan.set("diff", frame);
        // What dpkg would say. It also refuses what cannot be.
        let (mut messages, mut commands) = (Vec::new(), Vec::new());
        for (at, words) in steps.iter().enumerate() {
            let program = host.required_program("dpkg-divert")?.args(words);
            commands.push(program.to_string());
            // A second step cannot be tried before the first one is done.
            let done = match at {
                0 => Some(host.required_program("dpkg-divert")?.arg("--test").args(words).run()?),
                _ => None,
            };
            match done {
                Some(done) if done.rc != 0 && !self.may_overwrite(&done, &before) => {
                    return Err(self.failure(&done, &before, &commands));
                }
                Some(done) if done.rc == 0 => messages.push(done.stdout.trim().to_owned()),
                _ if wanted.target.is_none() => messages.push(format!("Removing '{}'", before.sentence())),
                _ => messages.push(format!("Adding '{}'", wanted.sentence())),
            }
        }
        let set = |data: &mut Map, diversion: &Diversion, messages: &[String]| {
            data.insert("diversion".to_owned(), diversion.shown().into());
            data.insert("commands".to_owned(), commands.clone().into());
            data.insert("messages".to_owned(), messages.to_vec().into());
        };
        set(&mut plan.data, &wanted, &messages);
        if before == wanted {
            return Ok(plan);
        }
        let what = format!("{} the diversion of {path}", if wanted.target.is_some() { "set" } else { "remove" });
        let shown = state_diff(&before.shown(), &wanted.shown());
        let change = Change::new(what, move |host, data| {
            let mut messages = Vec::new();
            for words in &steps {
                let run = || host.required_program("dpkg-divert")?.args(words).run();
                let mut done = run()?;
                if done.rc != 0 && self.may_overwrite(&done, &before) {
                    if let Some((_, to)) = wanted.target.as_ref().or(before.target.as_ref()) {
                        let doomed = if wanted.target.is_some() { to } else { &before.path };
                        fs::remove_file(Path::new(doomed))?;
                    }
                    done = run()?;
                }
                if done.rc != 0 {
                    return Err(self.failure(&done, &before, &[]));
                }
                messages.push(done.stdout.trim().to_owned());
            }
            data.insert("messages".to_owned(), messages.into());
            // The diverted file goes along, so that nothing forgets it; a failure is no failure of the diversion.
            if let (Some((_, old)), Some((_, new))) = (&before.target, &wanted.target)
                && old != new
                && Path::new(old).exists()
                && !Path::new(new).exists()
            {
                let _ = fs::rename(old, new);
            }
            Ok(())
        });
        Ok(plan.change(change.diff(shown)))
    }
}

impl Diversion {
    /// As dpkg words it.
    fn sentence(&self) -> String {
        match &self.target {
            None => format!("any diversion of {}", self.path),
            Some((holder, to)) if holder == "LOCAL" => format!("local diversion of {} to {to}", self.path),
            Some((holder, to)) => format!("diversion of {} to {to} by {holder}", self.path),
        }
    }
}

impl DpkgDivert {
    fn wanted(&self, path: &str, host: &Host) -> Diversion {
        let divert = self.divert.as_ref().map(|divert| paths::text(divert.on(host)));
        let holder = self.holder.clone().filter(|holder| !holder.is_empty()).unwrap_or_else(|| "LOCAL".to_owned());
        let target = (self.state == State::Present).then(|| (holder, divert.unwrap_or(format!("{path}.distrib"))));
        Diversion { path: path.to_owned(), target }
    }

    /// The arguments of each run of dpkg-divert. One that is changed is removed first; then nothing is moved.
    fn steps(&self, before: &Diversion, wanted: &Diversion) -> Vec<Vec<String>> {
        let is_changed = before.target.is_some() && wanted.target.is_some() && before != wanted;
        let rename = if self.rename.0 && !is_changed { "--rename" } else { "--no-rename" };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let remove = words(&[rename, "--remove", &wanted.path]);
        let Some((holder, divert)) = &wanted.target else { return vec![remove] };
        let mut add = words(&[rename]);
        match holder.as_str() {
            "LOCAL" => add.push("--local".to_owned()),
            holder => add.extend(words(&["--package", holder])),
        }
        if self.divert.is_some() {
            add.extend(words(&["--divert", divert]));
        }
        add.extend(words(&["--add", &wanted.path]));
        if is_changed { vec![remove, add] } else { vec![add] }
    }

    /// Whether dpkg only refuses to move a file over another one, and the task allows that.
    fn may_overwrite(&self, done: &Output, before: &Diversion) -> bool {
        let is_move = before.target.is_some() != (self.state == State::Present);
        self.force.0 && self.rename.0 && is_move && done.stderr.contains("rename involves overwriting")
    }

    fn failure(&self, done: &Output, before: &Diversion, commands: &[String]) -> Failure {
        let msg = match self.rename.0 && done.stderr.contains("rename involves overwriting") {
            true => "Set 'force' param to True to force renaming of files.",
            false => "Unexpected error while changing state of the diversion.",
        };
        let mut data = done.data();
        data.extend(commands.last().map(|cmd| ("cmd".to_owned(), cmd.as_str().into())));
        data.insert("diversion".to_owned(), before.shown().into());
        Failure::new(msg).data(data)
    }
}
