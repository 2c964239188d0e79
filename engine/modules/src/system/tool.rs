//! A program of the host that is run with arguments put together one by one, such as useradd.

use std::{fmt, path::PathBuf};

use rplay_wire::{Failure, data};

use crate::{
    Host,
    system::process::{self, Finished},
};

/// A program and its arguments.
#[derive(Clone, Debug)]
pub struct Tool {
    program: PathBuf,
    words: Vec<String>,
    /// Goes to the standard input; never shown.
    input: Option<String>,
}

impl Tool {
    /// The program of that name, in the folders of `PATH` and those where administration's programs are.
    pub fn find(host: &Host, name: &str) -> Option<Tool> {
        let path = host.variable("PATH").unwrap_or_default();
        let folders = path.split(':').filter(|folder| !folder.is_empty());
        let folders = folders.chain(["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin"]);
        let program = folders.map(|folder| PathBuf::from(folder).join(name)).find(|path| path.is_file())?;
        Some(Tool { program, words: Vec::new(), input: None })
    }

    /// As `find`, for a program without which nothing can be done.
    pub fn required(host: &Host, name: &str) -> Result<Tool, Failure> {
        Tool::find(host, name).ok_or_else(|| Failure::new(format!("this host has no program `{name}`")))
    }

    /// A program that changes accounts; `local` wants libuser's, whose names begin with an l.
    pub fn of_accounts(host: &Host, name: &str, local: bool) -> Result<Tool, Failure> {
        if local { Tool::required(host, &format!("l{name}")) } else { Tool::required(host, name) }
    }

    pub fn word(&mut self, word: impl Into<String>) -> &mut Self {
        self.words.push(word.into());
        self
    }

    pub fn flag_if(&mut self, is_set: bool, flag: &str) -> &mut Self {
        if is_set {
            self.word(flag);
        }
        self
    }

    /// An option with its value, if there is one.
    pub fn option(&mut self, option: &str, value: Option<impl ToString>) -> &mut Self {
        if let Some(value) = value {
            self.word(option).word(value.to_string());
        }
        self
    }

    /// What to hand to the standard input: secrets never are arguments.
    pub fn input(&mut self, input: String) -> &mut Self {
        self.input = Some(input);
        self
    }

    /// Whether anything but the program was given.
    pub fn is_bare(&self) -> bool {
        self.words.is_empty()
    }

    /// Runs it, whatever comes of it.
    pub fn output(&self, host: &Host) -> Result<Finished, Failure> {
        let mut command = host.command(&self.program.to_string_lossy());
        // What it says is read, so it must say it in English.
        command.args(&self.words).env("LC_ALL", "C");
        let finished = process::run(&mut command, self.input.clone().map(String::into_bytes), host.max_output())
            .map_err(|error| Failure::new(format!("cannot run {}: {error}", self.program.display())))?;
        match &finished.excess {
            // Half a list would be taken for a whole one.
            Some(excess) => Err(Failure::new(excess.sentence(&self.program.to_string_lossy()))),
            None => Ok(finished),
        }
    }

    /// Runs it; an exit code other than 0 is a failure that says what it said.
    pub fn run(&self, host: &Host) -> Result<Finished, Failure> {
        let finished = self.output(host)?;
        if finished.rc == 0 {
            return Ok(finished);
        }
        let Finished { stdout, stderr, .. } = &finished;
        let said = if stderr.trim().is_empty() { stdout.trim() } else { stderr.trim() };
        Err(Failure::new(said.to_owned()).data(data! {
            "rc" => finished.rc,
            "cmd" => self.to_string(),
            "stdout" => stdout.as_str(),
            "stderr" => stderr.as_str(),
        }))
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.to_string_lossy();
        write!(
            f,
            "{}",
            shell_words::join(std::iter::once(program.as_ref()).chain(self.words.iter().map(String::as_str)))
        )
    }
}
