//! `npm`: packages of Node.js.

use std::path::PathBuf;

use rplay_wire::{Failure, Map, Value};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    choice,
    system::{directories::make_directories, paths, program::Program, scratch},
};

choice! {
    /// Whether the package should be there.
    pub enum State {
        Present = "present",
        Absent = "absent",
        Latest = "latest",
    }
}

args! {
    /// Installs, updates and removes packages of Node.js with npm.
    pub struct Npm {
        /// The package; by default what `package.json` in the directory names.
        name: Option<Text>,
        /// The directory to install in.
        path: Option<PathArg>,
        /// The version.
        version: Option<Text>,
        /// Install for all, instead of in a directory.
        global: Flag = Flag(false),
        /// The npm to use, as that of a version manager.
        executable: Option<PathArg>,
        /// Run no scripts of packages.
        ignore_scripts: Flag = Flag(false),
        /// Let scripts of packages keep the rights of root.
        unsafe_perm: Flag = Flag(false),
        /// Install exactly what `package-lock.json` says.
        ci: Flag = Flag(false),
        /// Leave out what only developers need.
        production: Flag = Flag(false),
        /// The registry to install from.
        registry: Option<Text>,
        /// Leave out what is optional.
        no_optional: Flag = Flag(false),
        /// Make no links to programs.
        no_bin_links: Flag = Flag(false),
        /// Whether the package should be there.
        state: State = State::Present,
        /// Pass `--force`.
        force: Flag = Flag(false),
    }
}

impl Module for Npm {
    fn check(&self) -> Result<(), ArgError> {
        if self.state == State::Absent && self.name.is_none() {
            return Err(ArgError::new("name", "state is absent but all of the following are missing: name"));
        }
        if self.path.is_none() && !self.global.0 {
            return Err(ArgError::new("path", "path must be specified when not using global"));
        }
        match self.name.as_deref().is_some_and(|name| name.starts_with('-')) {
            true => Err(ArgError::new("name", "must not begin with `-`")),
            false => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        let directory = self.path.as_ref().map(|path| path.on(host));
        if let Some(directory) =
            directory.as_ref().filter(|directory| !directory.exists() && self.state != State::Absent)
        {
            plan = make_directories(directory, &crate::system::attributes::Wanted::default(), plan)?;
        }
        if host.rehearses() && !host.has_program(&self.program_name(host)) {
            plan = plan.assumption("the program npm");
            return Ok(plan.change(Change::new("install packages".to_owned(), |_, _| Ok(()))));
        }
        host.required_program(&self.program_name(host))?;
        if self.ci.0 && self.state == State::Present {
            return Ok(plan.change(self.change("ci")));
        }
        let (installed, missing) = match directory.as_ref().is_none_or(|directory| directory.is_dir()) {
            true => self.list(host)?,
            false => (Vec::new(), vec![self.name.clone().unwrap_or_default()]),
        };
        match self.state {
            State::Absent if self.name.as_ref().is_some_and(|name| installed.contains(name)) => {
                plan = plan.change(self.change("uninstall"));
            }
            State::Absent => {}
            State::Present => {
                if !missing.is_empty() {
                    plan = plan.change(self.change("install"));
                }
            }
            State::Latest => {
                let exists = directory.as_ref().is_none_or(|directory| directory.is_dir());
                let is_outdated = exists && self.is_outdated(host)?;
                if !missing.is_empty() {
                    plan = plan.change(self.change("install"));
                }
                if is_outdated {
                    plan = plan.change(self.change("update"));
                }
            }
        }
        Ok(plan)
    }
}

impl Npm {
    fn program_name(&self, host: &Host) -> String {
        self.executable.as_ref().map_or_else(|| "npm".to_owned(), |npm| paths::text(npm.on(host)))
    }

    /// The package with its version, as npm takes it.
    fn package(&self) -> Option<String> {
        let name = self.name.as_ref()?;
        Some(self.version.as_ref().map_or_else(|| name.clone(), |version| format!("{name}@{version}")))
    }

    /// npm with the options of the task. `package` is what it is about, if only a part.
    fn npm(&self, host: &Host, words: &[&str], package: Option<String>) -> Result<Program, Failure> {
        let installs = words.first().is_some_and(|word| ["install", "update", "ci"].contains(word));
        let program = host.required_program(&self.program_name(host))?.args(words);
        let program = program.arg_if(self.global.0, "--global").arg_if(self.production.0 && installs, "--production");
        let program = program.arg_if(self.ignore_scripts.0, "--ignore-scripts");
        let program = program.arg_if(self.unsafe_perm.0, "--unsafe-perm").args(package);
        let program = program.option("--registry", self.registry.as_deref());
        let program = program.arg_if(self.no_optional.0, "--no-optional");
        let program = program.arg_if(self.no_bin_links.0, "--no-bin-links").arg_if(self.force.0, "--force");
        let directory = self.path.as_ref().map(|path| path.on(host)).unwrap_or_else(|| PathBuf::from("/"));
        Ok(program.current_dir(directory))
    }

    /// The output of npm. Its logs go to a temporary directory instead of the home directory.
    fn asked(&self, host: &Host, words: &[&str], package: Option<String>) -> Result<String, Failure> {
        let cache = scratch::directory()?;
        Ok(self.npm(host, words, package)?.env("npm_config_cache", cache.path()).run()?.stdout)
    }

    fn change(&self, command: &'static str) -> Change {
        let package = if command == "ci" { None } else { self.package() };
        let what = package.as_deref().unwrap_or("packages").to_owned();
        let module = self.clone();
        Change::new(format!("npm {command} {what}"), move |host, _| {
            module.npm(host, &[command], package)?.succeed().map(|_| ())
        })
    }

    /// What is installed, by names and by names with versions, and what is missing. npm fails if something is.
    fn list(&self, host: &Host) -> Result<(Vec<String>, Vec<String>), Failure> {
        let said = self.asked(host, &["list", "--json", "--long"], None)?;
        let read: Value = serde_json::from_str::<serde_json::Value>(&said).map_or(Value::Null, Value::from);
        let all = read.as_map().and_then(|read| read.get("dependencies")).and_then(Value::as_map);
        let (mut installed, mut missing) = (Vec::new(), Vec::new());
        for (name, own) in all.into_iter().flatten() {
            let own = own.as_map().cloned().unwrap_or_default();
            let is_set =
                |key: &str| own.get(key).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)));
            if is_set("missing") || is_set("invalid") {
                missing.push(name.clone());
                continue;
            }
            installed.push(name.clone());
            installed.extend(version_of(&own).map(|version| format!("{name}@{version}")));
        }
        if let (Some(package), Some(name)) = (self.package(), &self.name)
            && !installed.contains(&package)
        {
            missing.push(name.clone());
        }
        Ok((installed, missing))
    }

    fn is_outdated(&self, host: &Host) -> Result<bool, Failure> {
        let said = self.asked(host, &["outdated"], self.name.clone())?;
        Ok(said.lines().any(|line| !line.trim().is_empty() && !line.starts_with("Package ")))
    }
}

fn version_of(own: &Map) -> Option<&str> {
    own.get("version").and_then(Value::as_str)
}
