//! `git_config`: a setting of git.

use std::path::PathBuf;

use rplay_wire::{Diff, Failure, Value, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{PathArg, PresentAbsent as State, Text},
    choice,
    io_failure::io_failure,
    system::{program::Program, regular},
};

choice! {
    /// Whether other values of the setting go.
    pub enum AddMode {
        Add = "add",
        ReplaceAll = "replace-all",
    }
}

choice! {
    /// Which file the setting is in.
    pub enum Scope {
        File = "file",
        Local = "local",
        Global = "global",
        System = "system",
    }
}

args! {
    /// Sets or removes a setting of git.
    pub struct GitConfig {
        /// The setting: `user.email`.
        name: Text,
        /// Its value.
        value: Option<Text>,
        /// Whether it should be set.
        state: State = State::Present,
        /// Which file it is in: the system's by default.
        scope: Option<Scope>,
        /// The repository, for the scope `local`.
        repo: Option<PathArg>,
        /// The file, for the scope `file`.
        file: Option<PathArg>,
        /// Whether the value replaces the others or is added to them.
        add_mode: AddMode = AddMode::ReplaceAll,
    }
}

impl Module for GitConfig {
    fn check(&self) -> Result<(), ArgError> {
        let missing =
            |of: &str, arg: &str| Err(ArgError::new(arg, format!("{of} but all of the following are missing: {arg}")));
        match self.scope {
            Some(Scope::Local) if self.repo.is_none() => return missing("scope is local", "repo"),
            Some(Scope::File) if self.file.is_none() => return missing("scope is file", "file"),
            _ => {}
        }
        match self.state == State::Present && self.value.is_none() {
            true => missing("state is present", "value"),
            false => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        if host.rehearses() && !host.has_program("git") {
            let plan = Plan::unchanged().assumption("the program git");
            return Ok(plan.change(Change::new(format!("set {}", self.name), |_, _| Ok(()))));
        }
        if let (Some(Scope::File), Some(file)) = (self.scope, &self.file) {
            let file = file.on(host);
            // git would wait at a FIFO.
            regular::refuse_special_target(&file).map_err(|error| io_failure("read", &file, &error).arg("file"))?;
        }
        let program = self.git(host)?.args(["--get-all", &self.name]);
        let command = program.to_string();
        let done = program.run()?;
        let is_unset = done.rc == 1 || (done.rc == 128 && done.stderr.contains("unable to read config file"));
        if done.rc != 0 && !is_unset {
            let missing =
                self.repo.as_ref().map(|repo| repo.on(host)).filter(|repo| host.rehearses() && !repo.exists());
            let failure = || Failure::new(done.stderr.clone()).data(data! { "rc" => done.rc, "cmd" => command });
            let Some(repo) = missing else { return Err(failure()) };
            let plan = Plan::unchanged().assumes(host, format!("the repository {}", repo.display()), failure)?;
            return Ok(plan.change(Change::new(format!("set {}", self.name), |_, _| Ok(()))));
        }
        let before: Vec<String> = done.stdout.trim_end_matches('\n').lines().map(str::to_owned).collect();
        let wanted = self.value.clone().unwrap_or_default();
        let is_there = before.contains(&wanted);
        let (words, after) = match (self.state, self.add_mode) {
            (State::Absent, _) if before.is_empty() => {
                return Ok(Plan::unchanged().set("msg", "no setting to unset"));
            }
            (State::Absent, _) => (vec!["--unset-all".to_owned(), self.name.clone()], Vec::new()),
            (State::Present, AddMode::Add) if is_there => return Ok(Plan::unchanged().set("msg", "")),
            (State::Present, AddMode::ReplaceAll) if is_there && before.len() == 1 => {
                return Ok(Plan::unchanged().set("msg", ""));
            }
            (State::Present, AddMode::Add) => {
                let after = before.iter().chain([&wanted]).cloned().collect();
                (vec!["--add".to_owned(), self.name.clone(), wanted], after)
            }
            (State::Present, AddMode::ReplaceAll) => {
                (vec!["--replace-all".to_owned(), self.name.clone(), wanted.clone()], vec![wanted])
            }
        };
        let program = self.git(host)?.args(&words);
        let all = program.words();
        let header = all.join(" ");
        let frame = data! {
            "before_header" => header.as_str(), "before" => side(&before),
            "after_header" => header.as_str(), "after" => side(&after),
        };
        let text = |values: &[String]| values.iter().map(|value| format!("{value}\n")).collect::<String>();
        let diff =
            Diff { before_header: header.clone(), after_header: header, before: text(&before), after: text(&after) };
        let change = Change::new(format!("set {} of git", self.name), move |host, _| {
            let done = self.git(host)?.args(&words).run()?;
            match done.rc {
                0 => Ok(()),
                rc => Err(Failure::new(done.stderr).data(data! { "rc" => rc, "cmd" => all })),
            }
        });
        Ok(Plan::unchanged().set("msg", "setting changed").set("diff", frame).change(change.diff(diff)))
    }
}

/// The values as the diff of the result has them: one of them, or none, as text.
fn side(values: &[String]) -> Value {
    match values {
        [] => "\n".into(),
        [value] => format!("{value}\n").into(),
        values => values.to_vec().into(),
    }
}

impl GitConfig {
    fn git(&self, host: &Host) -> Result<Program, Failure> {
        let program = host.required_program("git")?.args(["config", "--includes"]);
        let program = match (self.scope, &self.file) {
            (Some(Scope::File), Some(file)) => program.arg("-f").arg(file.on(host)),
            (scope, _) => program.arg(format!("--{}", scope.unwrap_or(Scope::System).word())),
        };
        // Not in a repository by accident.
        let directory = self.repo.as_ref().map(|repo| repo.on(host)).filter(|_| self.scope == Some(Scope::Local));
        Ok(program.current_dir(directory.filter(|directory| directory.is_dir()).unwrap_or_else(|| PathBuf::from("/"))))
    }
}
