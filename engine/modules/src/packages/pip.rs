//! `pip`: Python packages, in a virtual environment or in the host's Python.

mod requirement;
mod task;

use rplay_wire::Failure;

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    choice,
};
use requirement::Requirement;
use task::{Task, said, succeeded};

choice! {
    /// The desired state of the packages.
    pub enum State {
        Present = "present",
        Absent = "absent",
        Latest = "latest",
        ForceReinstall = "forcereinstall",
    }
}

args! {
    /// Installs and removes Python packages with pip.
    pub struct Pip {
        /// Packages, with optional versions (`flask>=2,<3`), or URLs that pip supports.
        name: Option<Vec<Text>>,
        /// The version, if there is only one package.
        version: Option<Text>,
        /// A requirements file on the host.
        requirements: Option<Text>,
        /// The desired state of the packages.
        state: State = State::Present,
        /// A virtual environment to use; created if missing.
        virtualenv: Option<PathArg>,
        /// Give a new virtual environment access to the host's packages.
        virtualenv_site_packages: Flag = Flag(false),
        /// The command to create a virtual environment.
        virtualenv_command: Text = "virtualenv".to_owned(),
        /// The Python of a new virtual environment.
        virtualenv_python: Option<Text>,
        /// Additional arguments for pip.
        extra_args: Option<Text>,
        /// Install a source tree in editable mode.
        editable: Flag = Flag(false),
        /// The working directory of pip.
        chdir: Option<PathArg>,
        /// The pip executable.
        executable: Option<PathArg>,
        /// The umask for created files.
        umask: Option<Text>,
        /// Allow changes to packages of the distribution.
        break_system_packages: Flag = Flag(false),
    }
}

impl Module for Pip {
    fn check(&self) -> Result<(), ArgError> {
        let names = self.name.as_deref().unwrap_or_default();
        if self.name.is_none() && self.requirements.is_none() {
            return Err(ArgError {
                arg: None,
                msg: "one of the following is required: name, requirements".to_owned(),
                help: None,
            });
        }
        if self.executable.is_some() && self.virtualenv.is_some() {
            return Err(ArgError::exclusive("executable", &["executable", "virtualenv"]));
        }
        if self.requirements.is_some() && !names.is_empty() {
            return Err(ArgError::exclusive("requirements", &["name", "requirements"]));
        }
        if self.version.is_some() {
            let unfit = match names {
                [one] if !Requirement::read(one).has_version() => None,
                [_] => Some(
                    "The 'version' argument conflicts with any version specifier provided along with a package name. \
                     Please keep the version specifier, but remove the 'version' argument.",
                ),
                _ => Some(
                    "'version' argument is ambiguous when installing multiple package distributions. Please specify \
                     version restrictions next to each package in 'name' argument.",
                ),
            };
            if let Some(msg) = unfit {
                return Err(ArgError::new("version", msg));
            }
            if self.state == State::Latest {
                return Err(ArgError::new("version", "version is incompatible with state=latest"));
            }
        }
        if let Some(umask) = &self.umask
            && u32::from_str_radix(umask, 8).map_or(true, |umask| umask > 0o777)
        {
            return Err(ArgError::new("umask", "umask must be an octal integer"));
        }
        if let Some(name) = names.iter().find(|name| name.trim_start().starts_with('-')) {
            return Err(ArgError::new("name", format!("`{name}` would be taken for an option")));
        }
        for (name, line) in
            [("extra_args", self.extra_args.as_deref()), ("virtualenv_command", Some(&self.virtualenv_command))]
        {
            if line.is_some_and(|line| shell_words::split(line).is_err()) {
                return Err(ArgError::new(name, "cannot be split into words"));
            }
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let wanted = self.wanted();
        // Relative to where pip runs.
        let at = self.chdir.as_ref().map(|chdir| chdir.on(host)).unwrap_or_default();
        let directory = self.virtualenv.as_ref().map(|path| at.join(path.on(host)));
        let task = Task { directory, task: self, wanted };
        let mut plan = Plan::default();
        if task.wanted.is_empty() && task.task.requirements.is_none() {
            return Ok(plan.warn("No valid name or requirements file found."));
        }
        // As in ansible-core, check mode tells no more than whether there is something to do.
        if !host.check {
            plan.data = task.data();
        }
        let Some(directory) = task.directory.clone().filter(|directory| !directory.join("bin/activate").exists())
        else {
            return task.packages(plan, host);
        };
        let make = task.environment(&directory, host)?;
        let shown = directory.display().to_string();
        plan = plan.change(Change::new(format!("create the virtual environment {shown}"), move |_, data| {
            let cmd = make.words();
            said(data, &succeeded(make.run()?, cmd)?);
            Ok(())
        }));
        if host.check {
            return Ok(plan);
        }
        Ok(plan.then(move |host| task.packages(Plan::default(), host)))
    }
}

impl Pip {
    fn wanted(&self) -> Vec<Requirement> {
        let mut texts: Vec<String> = Vec::new();
        for part in self.name.iter().flatten() {
            // `a>=1,<2` in a string was split at its comma.
            match texts.last_mut().filter(|_| part.starts_with(['<', '>', '=', '!', '~'])) {
                Some(last) => *last = format!("{last},{part}"),
                None => texts.push(part.clone()),
            }
        }
        if let (Some(version), [one]) = (&self.version, texts.as_mut_slice()) {
            let has_operator = version.starts_with(['<', '>', '=', '!', '~']);
            *one = if has_operator { format!("{one}{version}") } else { format!("{one}=={version}") };
        }
        texts.iter().map(|text| Requirement::read(text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, path::Path};

    use rplay_wire::data;

    use crate::runner::tests::{call, checked};

    /// A fake pip that keeps its packages in a file and prints like pip.
    fn pip_in(directory: &Path) -> String {
        let path = directory.join("pip");
        let script = r#"#!/bin/sh
have="$(dirname "$0")/have"
touch "$have"
case "$1" in
list) cat "$have" ;;
install) shift; for p; do case "$p" in -*) ;; *==*) echo "$p" >> "$have" ;; *) echo "$p==1.0" >> "$have" ;; esac; done
  echo "$@" > "$(dirname "$0")/asked"; umask > "$(dirname "$0")/umask"; echo "Successfully installed" ;;
uninstall) grep -v "^$3==" "$have" > "$have.new"; mv "$have.new" "$have"; echo "Successfully uninstalled" ;;
esac
"#;
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn packages_come_once_and_go_once() {
        let directory = tempfile::tempdir().unwrap();
        let pip = pip_in(directory.path());
        let args = || data! { "name" => "Flask, x>=1,<2", "executable" => pip.as_str(), "umask" => "0027" };
        let dry = checked("pip", args());
        assert!(dry.changed && dry.failure.is_none());
        let first = call("pip", args());
        assert!(first.changed, "{first:?}");
        assert_eq!(first.data["cmd"], vec![pip.as_str(), "install", "Flask", "x>=1,<2"].into());
        assert_eq!(std::fs::read_to_string(directory.path().join("umask")).unwrap().trim(), "0027");
        std::fs::write(directory.path().join("have"), "flask==3.0\nx==1.5\n").unwrap();
        assert!(!call("pip", args()).changed);
        let pinned = call("pip", data! { "name" => "x", "version" => "1.6", "executable" => pip.as_str() });
        assert_eq!(pinned.data["cmd"], vec![pip.as_str(), "install", "x==1.6"].into());
        let gone = || call("pip", data! { "name" => "x", "state" => "absent", "executable" => pip.as_str() });
        assert!(gone().changed);
        assert!(!gone().changed);
    }

    #[test]
    fn arguments_that_do_not_fit() {
        for (args, part) in [
            (data! { "state" => "present" }, "one of the following is required: name"),
            (data! { "name" => "a,b", "version" => "1" }, "is ambiguous"),
            (data! { "name" => "a==2", "version" => "1" }, "conflicts with any version specifier"),
            (data! { "name" => "a", "version" => "1", "state" => "latest" }, "incompatible"),
            (data! { "name" => "--index-url=x" }, "an option"),
        ] {
            let msg = call("pip", args).failure.unwrap().msg;
            assert!(msg.contains(part), "{msg}");
        }
    }
}
