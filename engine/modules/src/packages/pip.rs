//! `pip`: Python packages, in a virtual environment or in the host's Python.

mod requirement;

use std::{collections::HashMap, path::PathBuf};

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    choice,
    system::{
        paths,
        program::{Output, Program},
    },
};
use requirement::{Requirement, normalized};

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
                return Err(ArgError::new("version", "cannot be combined with state=latest"));
            }
        }
        if let Some(umask) = &self.umask
            && u32::from_str_radix(umask, 8).map_or(true, |umask| umask > 0o777)
        {
            return Err(ArgError::new("umask", "must be an octal number"));
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
        let task = Task { folder: self.virtualenv.as_ref().map(|path| path.on(host)), task: self, wanted };
        let mut plan = Plan { data: task.data(host), ..Plan::default() };
        let Some(folder) = task.folder.clone().filter(|folder| !folder.join("bin/activate").exists()) else {
            return task.packages(plan, host);
        };
        let make = task.environment(&folder, host)?;
        let shown = folder.display().to_string();
        plan = plan.change(Change::new(format!("create the virtual environment {shown}"), move |_, data| {
            let output = make.run()?.success(&format!("cannot create the virtual environment {shown}"))?;
            said(data, &output);
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

struct Task {
    task: Pip,
    wanted: Vec<Requirement>,
    folder: Option<PathBuf>,
}

impl Task {
    fn data(&self, host: &Host) -> Map {
        data! {
            "name" => self.task.name.clone().map(|names| names.into_iter().map(Value::from).collect::<Vec<_>>()),
            "version" => self.task.version.clone(),
            "state" => self.task.state.word(),
            "requirements" => self.task.requirements.clone(),
            "virtualenv" => self.task.virtualenv.as_ref().map(|path| paths::text(path.on(host))),
            "stdout" => "",
            "stderr" => "",
        }
    }

    /// The command that creates the virtual environment.
    fn environment(&self, folder: &std::path::Path, host: &Host) -> Result<Program, Failure> {
        let words = shell_words::split(&self.task.virtualenv_command).unwrap_or_default();
        let [command, arguments @ ..] = words.as_slice() else {
            return Err(Failure::new("`virtualenv_command` is empty").arg("virtualenv_command"));
        };
        let command = paths::expand(command, host);
        if !command.contains('/') && !host.has_program(&command) && !host.rehearses() {
            return Err(host
                .missing_program(&command)
                .help("install it with `package`, or set `virtualenv_command: python3 -m venv`"));
        }
        let mut program = self.begin(&command, arguments, host);
        if self.task.virtualenv_site_packages.0 {
            program = program.arg("--system-site-packages");
        }
        let is_venv = command.ends_with("pyvenv") || arguments.iter().any(|word| word == "venv");
        match &self.task.virtualenv_python {
            Some(_) if is_venv => {
                let msg =
                    "virtualenv_python should not be used when using the venv module or pyvenv as virtualenv_command";
                return Err(Failure::new(msg).arg("virtualenv_python"));
            }
            Some(python) => program = program.args(["-p", python]),
            None => {}
        }
        Ok(program.arg(folder))
    }

    fn begin(&self, program: &str, arguments: &[String], host: &Host) -> Program {
        let mut begun = match &self.task.umask {
            // Only in the new process, since this one has other threads.
            Some(umask) => {
                let line = format!("umask {umask} && exec \"$0\" \"$@\"");
                host.program("sh").args(["-c", &line, program])
            }
            None => host.program(program),
        };
        if let Some(folder) = &self.task.chdir {
            begun = begun.current_dir(folder.on(host));
        }
        begun.args(arguments)
    }

    /// The pip command: the given one, the virtual environment's, or the host's.
    fn pip(&self, host: &Host) -> Result<Program, Failure> {
        let words = match (&self.task.executable, &self.folder) {
            (Some(named), _) => vec![paths::text(named.on(host))],
            (None, Some(folder)) => {
                let own =
                    ["pip3", "pip"].map(|name| folder.join("bin").join(name)).into_iter().find(|path| path.exists());
                let own = own.ok_or_else(|| Failure::new(format!("there is no pip in {}", folder.display())))?;
                vec![paths::text(own)]
            }
            (None, None) => {
                let own = ["pip3", "pip"].into_iter().find(|name| host.has_program(name));
                match own {
                    Some(name) => vec![name.to_owned()],
                    None if host.has_program("python3") => {
                        vec!["python3".to_owned(), "-m".to_owned(), "pip".to_owned()]
                    }
                    None => return Err(Failure::new("the host has no pip").help("install it with `package` first")),
                }
            }
        };
        let [program, arguments @ ..] = words.as_slice() else { return Err(Failure::new("the host has no pip")) };
        Ok(self.begin(program, arguments, host))
    }

    /// Installed packages: normalized names and versions.
    fn installed(&self, host: &Host) -> Result<HashMap<String, String>, Failure> {
        let listing = self.pip(host)?.args(["list", "--format=freeze", "--disable-pip-version-check"]).run()?;
        let listing = match listing.rc {
            0 => listing,
            // An old pip.
            _ => self.pip(host)?.arg("freeze").run()?.success("cannot list the Python packages")?,
        };
        let lines = listing.stdout.lines().filter_map(|line| line.split_once("=="));
        Ok(lines.map(|(name, version)| (normalized(name.trim()), version.trim().to_owned())).collect())
    }

    fn packages(self, plan: Plan, host: &Host) -> Result<Plan, Failure> {
        if self.wanted.is_empty() && self.task.requirements.is_none() {
            return Ok(plan);
        }
        let state = self.task.state;
        let known = match (&self.task.requirements, state) {
            (None, State::Present | State::Absent) => Some(self.installed(host)?),
            _ => None,
        };
        let installed = known.unwrap_or_default();
        let (present, absent) = (state == State::Present, state == State::Absent);
        let due: Vec<&Requirement> = self
            .wanted
            .iter()
            .filter(|wanted| match wanted.is_met(&installed) {
                Some(met) if present => !met,
                Some(_) if absent => wanted.name.as_ref().is_some_and(|name| installed.contains_key(name)),
                _ => true,
            })
            .collect();
        if due.is_empty() && self.task.requirements.is_none() {
            if absent || host.check {
                return Ok(plan);
            }
            // As if pip had been asked, which finds all requirements satisfied.
            let all: Vec<&Requirement> = self.wanted.iter().collect();
            let words = self.told(&self.words(&all), host)?;
            return Ok(plan.set("cmd", words));
        }
        let command = self.words(&due);
        let what = match (absent, &self.task.requirements) {
            (true, _) => format!("remove with pip {}", texts(&due)),
            (false, Some(file)) => format!("install with pip what {file} lists"),
            (false, None) => format!("install with pip {}", texts(&due)),
        };
        let words = self.told(&command, host)?;
        let program = self.pip(host)?.args(&command);
        Ok(plan.change(Change::maybe(what, move |_, data| {
            data.insert("cmd".to_owned(), words.clone().into());
            let output = program.run()?;
            if output.rc != 0 {
                let stdout = if output.stdout.is_empty() { "" } else { &format!("stdout: {}", output.stdout) };
                let msg = format!("{stdout}\n:stderr: {}", output.stderr);
                return Err(Failure::new(msg).data(data! { "cmd" => words }));
            }
            let word = if absent { "Successfully uninstalled" } else { "Successfully installed" };
            said(data, &output);
            Ok(output.stdout.contains(word))
        })))
    }

    /// The command line of the result.
    fn told(&self, arguments: &[String], host: &Host) -> Result<Vec<String>, Failure> {
        let mut words = self.pip(host)?.words();
        if self.task.umask.is_some() {
            // The shell that sets it.
            words.drain(..3.min(words.len()));
        }
        words.extend(arguments.iter().cloned());
        Ok(words)
    }

    /// The arguments of pip.
    fn words(&self, due: &[&Requirement]) -> Vec<String> {
        let task = &self.task;
        let mut words: Vec<String> = match task.state {
            State::Absent => vec!["uninstall", "-y"],
            State::Present => vec!["install"],
            State::Latest => vec!["install", "-U"],
            State::ForceReinstall => vec!["install", "-U", "--force-reinstall"],
        }
        .into_iter()
        .map(str::to_owned)
        .collect();
        if task.break_system_packages.0 {
            words.push("--break-system-packages".to_owned());
        }
        words.extend(task.extra_args.as_deref().and_then(|line| shell_words::split(line).ok()).unwrap_or_default());
        for wanted in due {
            if task.editable.0 && task.state != State::Absent {
                words.push("-e".to_owned());
            }
            words.push(match (&wanted.name, task.state) {
                (Some(name), State::Absent) => name.clone(),
                _ => wanted.text.clone(),
            });
        }
        if let Some(file) = &task.requirements {
            words.extend(["-r".to_owned(), file.clone()]);
        }
        words
    }
}

fn texts(wanted: &[&Requirement]) -> String {
    wanted.iter().map(|wanted| wanted.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Appends a program's output to the data.
fn said(data: &mut Map, output: &Output) {
    for (name, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let before = data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        data.insert(name.to_owned(), (before + text).into());
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, path::Path};

    use super::*;
    use crate::runner::tests::{call, checked};

    /// A fake pip that keeps its packages in a file and prints like pip.
    fn pip_in(folder: &Path) -> String {
        let path = folder.join("pip");
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
        let folder = tempfile::tempdir().unwrap();
        let pip = pip_in(folder.path());
        let args = || data! { "name" => "Flask, x>=1,<2", "executable" => pip.as_str(), "umask" => "0027" };
        let dry = checked("pip", args());
        assert!(dry.changed && dry.failure.is_none());
        let first = call("pip", args());
        assert!(first.changed, "{first:?}");
        assert_eq!(first.data["cmd"], vec![pip.as_str(), "install", "Flask", "x>=1,<2"].into());
        assert_eq!(std::fs::read_to_string(folder.path().join("umask")).unwrap().trim(), "0027");
        std::fs::write(folder.path().join("have"), "flask==3.0\nx==1.5\n").unwrap();
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
            (data! { "name" => "a", "version" => "1", "state" => "latest" }, "cannot be combined"),
            (data! { "name" => "--index-url=x" }, "an option"),
        ] {
            let msg = call("pip", args).failure.unwrap().msg;
            assert!(msg.contains(part), "{msg}");
        }
    }
}
