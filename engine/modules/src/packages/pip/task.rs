//! What a task of `pip` does, and with which pip.

use std::{collections::HashMap, path::PathBuf};

use rplay_wire::{Failure, Map, Value, data};

use super::{
    Pip, State,
    requirement::{Requirement, normalized},
};
use crate::{
    Change, Host, Plan,
    system::{
        machine, paths,
        program::{Output, Program},
    },
};

pub(super) struct Task {
    pub task: Pip,
    pub wanted: Vec<Requirement>,
    pub directory: Option<PathBuf>,
}

impl Task {
    pub(super) fn data(&self) -> Map {
        data! {
            "name" => self.task.name.clone().map(|names| names.into_iter().map(Value::from).collect::<Vec<_>>()),
            "version" => self.task.version.clone(),
            "state" => self.task.state.word(),
            "requirements" => self.task.requirements.clone(),
            "virtualenv" => self.directory.as_ref().map(paths::text),
            "stdout" => "",
            "stderr" => "",
        }
    }

    /// The command that creates the virtual environment.
    pub(super) fn environment(&self, directory: &std::path::Path, host: &Host) -> Result<Program, Failure> {
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
        Ok(program.arg(directory))
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
        // As in ansible-core, a directory that does not exist is passed over.
        let directory = self.task.chdir.as_ref().map_or_else(machine::temp_dir, |chdir| chdir.on(host));
        if directory.is_dir() {
            begun = begun.current_dir(directory);
        }
        if self.task.break_system_packages.0 {
            // Versions of pip that have no such option do not mind.
            begun = begun.env("PIP_BREAK_SYSTEM_PACKAGES", "1");
        }
        begun.args(arguments)
    }

    /// The pip command: the given one, the virtual environment's, or the host's.
    fn pip(&self, host: &Host) -> Result<Program, Failure> {
        let words = match (&self.task.executable, &self.directory) {
            (Some(named), _) => vec![paths::text(named.on(host))],
            (None, Some(directory)) => {
                let own =
                    ["pip3", "pip"].map(|name| directory.join("bin").join(name)).into_iter().find(|path| path.exists());
                let own = own.ok_or_else(|| Failure::new(format!("there is no pip in {}", directory.display())))?;
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

    pub(super) fn packages(self, plan: Plan, host: &Host) -> Result<Plan, Failure> {
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
            let output = succeeded(output, words)?;
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

/// The output, unless the program failed; then its words are ansible-core's.
pub(super) fn succeeded(output: Output, cmd: Vec<String>) -> Result<Output, Failure> {
    if output.rc == 0 {
        return Ok(output);
    }
    let mut msg = String::new();
    if !output.stdout.is_empty() {
        msg.push_str(&format!("stdout: {}", output.stdout));
    }
    if !output.stderr.is_empty() {
        msg.push_str(&format!("\n:stderr: {}", output.stderr));
    }
    Err(Failure::new(msg).data(data! { "cmd" => cmd }))
}

/// Appends a program's output to the data.
pub(super) fn said(data: &mut Map, output: &Output) {
    for (name, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let before = data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        data.insert(name.to_owned(), (before + text).into());
    }
}
