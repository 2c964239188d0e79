//! Runs programs of the host: starting, output, and failures.

use std::{
    borrow::Cow,
    ffi::OsStr,
    fmt, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rplay_wire::{Failure, Map, data};

use crate::{Host, system::process};

/// A program to run on the host.
pub struct Program {
    command: Command,
    name: String,
    stdin: Vec<u8>,
    timeout: Option<Duration>,
    /// Output limit in bytes.
    most: usize,
}

/// The result of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The exit code; as in Python, -N for a process ended by signal N.
    pub rc: i64,
    pub stdout: String,
    pub stderr: String,
    /// The name of the program, for messages.
    pub name: String,
}

impl Host {
    /// A program to run with [`Program::run`]. It gets the call's environment and an empty standard input.
    pub fn program(&self, program: &str) -> Program {
        let found = if program.contains('/') { None } else { self.find_program(program) };
        let command = found.map_or_else(|| self.command(program), |path| self.command(&path.to_string_lossy()));
        Program { command, name: program.to_owned(), stdin: Vec::new(), timeout: None, most: self.max_output() }
    }

    /// Like [`Host::program`], for a program that planning requires. Its messages are not translated.
    ///
    /// # Errors
    /// If the host has no such program.
    pub fn required_program(&self, program: &str) -> Result<Program, Failure> {
        let found = self.find_program(program).ok_or_else(|| self.missing_program(program))?;
        Ok(Program { name: program.to_owned(), ..self.program(&found.to_string_lossy()) }.untranslated())
    }

    /// Whether the host has `program`.
    pub fn has_program(&self, program: &str) -> bool {
        self.find_program(program).is_some()
    }

    /// The directories of `PATH`, and those of the system.
    fn program_directories(&self) -> Vec<PathBuf> {
        program_directories(self.variable("PATH").as_deref().map(OsStr::new))
    }

    /// The failure for a program that the host does not have, in the words of ansible-core.
    pub fn missing_program(&self, program: &str) -> Failure {
        missing(program, self.program_directories())
    }

    /// The path of `program`: in `PATH`, or in the system directories.
    pub fn find_program(&self, program: &str) -> Option<PathBuf> {
        self.program_directories()
            .into_iter()
            .map(|directory| directory.join(program))
            .find(|path| nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok() && path.is_file())
    }
}

impl Program {
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    /// Adds an argument if `wanted`.
    pub fn arg_if(self, wanted: bool, arg: &str) -> Self {
        if wanted { self.arg(arg) } else { self }
    }

    /// Adds an option with its value, if there is one.
    pub fn option(self, option: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.arg(option).arg(value.to_string()),
            None => self,
        }
    }

    /// The program and its arguments.
    pub fn words(&self) -> Vec<String> {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    /// Whether it has no argument so far.
    pub fn is_bare(&self) -> bool {
        self.command.get_args().len() == 0
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Disables translation, for output that is parsed. As under ansible-core, names keep their characters where the
    /// host has the locale for it: in `C`, unzip would give files other names.
    pub fn untranslated(self) -> Self {
        let has_utf8 = ["C.utf8", "C.UTF-8"].iter().any(|name| Path::new("/usr/lib/locale").join(name).exists());
        self.env("LC_ALL", if has_utf8 { "C.UTF-8" } else { "C" }).env("LANGUAGE", "C")
    }

    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Sets the standard input: the way to pass secrets, which must not be arguments.
    pub fn stdin(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.stdin = content.into();
        self
    }

    /// After this time the program and its descendants are killed, and [`Program::run`] fails.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Runs the program to its end. A nonzero exit code is no error here: see [`Output::success`].
    ///
    /// # Errors
    /// If it cannot be started, prints more than the limit, or exceeds its time limit.
    pub fn run(self) -> Result<Output, Failure> {
        let name = self.name.clone();
        let done = self.output()?;
        let output = Output { rc: done.rc, stdout: done.stdout, stderr: done.stderr, name };
        match done.excess {
            // A truncated list would look complete.
            Some(excess) => Err(Failure::new(excess.sentence(&format!("`{}`", output.name))).data(output.data())),
            None => Ok(output),
        }
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// Those of [`Program::run`], and a nonzero exit code: the message is the program's output, as in Ansible
    /// for programs that change accounts or unpack archives.
    pub fn succeed(self) -> Result<Output, Failure> {
        let cmd = self.to_string();
        let output = self.run()?;
        if output.rc == 0 {
            return Ok(output);
        }
        let mut data = output.data();
        data.insert("cmd".to_owned(), cmd.into());
        Err(Failure::new(output.said().unwrap_or_default()).data(data))
    }

    fn output(mut self) -> Result<process::Finished, Failure> {
        let name = &self.name;
        let own = self.command.get_envs().find(|(key, _)| *key == "PATH").and_then(|(_, path)| path);
        let path = own.map(OsStr::to_owned).or_else(|| std::env::var_os("PATH"));
        let input = (!self.stdin.is_empty()).then_some(self.stdin);
        process::run_within(&mut self.command, input, self.most, self.timeout).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if !name.contains('/') => missing(name, program_directories(path.as_deref())),
            io::ErrorKind::NotFound => Failure::new(format!("the host has no program `{name}`")),
            io::ErrorKind::TimedOut => Failure::new(format!(
                "`{name}` did not end within {} s and was killed",
                self.timeout.unwrap_or_default().as_secs()
            )),
            _ => Failure::new(format!("cannot run `{name}`: {error}")),
        })
    }
}

/// The words of `text`, an argument called `arg` with a part of a command line; quotes as in a shell.
///
/// # Errors
/// If a quote is not closed.
pub fn words(arg: &str, text: &str) -> Result<Vec<String>, Failure> {
    shell_words::split(text).map_err(|error| Failure::new(format!("cannot be split into words: {error}")).arg(arg))
}

/// The directories of `path`, and those of the system.
fn program_directories(path: Option<&OsStr>) -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = path.map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
    for directory in ["/sbin", "/usr/sbin", "/usr/local/sbin", "/usr/bin", "/bin"].map(PathBuf::from) {
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    directories
}

/// The failure for a program that is in none of the directories, in the words of ansible-core.
fn missing(program: &str, directories: Vec<PathBuf>) -> Failure {
    let directories: Vec<String> = directories.iter().map(|directory| directory.display().to_string()).collect();
    let msg = format!("Failed to find required executable \"{program}\" in paths: {}", directories.join(":"));
    Failure::new(msg).help(format!("install `{program}` on the host"))
}

/// A word of a command line, with the quotes of Python's `shlex`.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r#"'"'"'"#)).into(),
    }
}

/// The command line, as one would type it: so results have it.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.words().iter().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            write!(f, "{gap}{}", quoted(word))?;
        }
        Ok(())
    }
}

impl Output {
    /// The output of a program that succeeded.
    ///
    /// # Errors
    /// If the program failed: `what` as the message, its last lines, and `rc`, `stdout`, `stderr`.
    pub fn success(self, what: &str) -> Result<Self, Failure> {
        if self.rc == 0 { Ok(self) } else { Err(self.failure(what)) }
    }

    /// A failure with `what` as the message.
    pub fn failure(&self, what: &str) -> Failure {
        let msg = match self.said() {
            Some(said) => format!("{what}: {said}"),
            None => format!("{what}: `{}` exited with {}", self.name, self.rc),
        };
        Failure::new(msg).data(self.data())
    }

    /// The program's explanation of a failure: its errors, or else its output.
    fn said(&self) -> Option<&str> {
        [&self.stderr, &self.stdout].into_iter().map(|text| text.trim()).find(|text| !text.is_empty())
    }

    /// `rc`, `stdout` and `stderr` for an outcome.
    pub fn data(&self) -> Map {
        data! { "rc" => self.rc, "stdout" => self.stdout.as_str(), "stderr" => self.stderr.as_str() }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use super::*;
    use crate::NoBlobs;

    fn sh(script: &str) -> Program {
        Host::new(vec![("GREETING".into(), "hello".into())], Arc::new(NoBlobs)).program("sh").args(["-c", script])
    }

    #[test]
    fn output_exit_code_and_environment() {
        let done = sh("echo $GREETING; echo oh >&2; exit 3").run().unwrap();
        assert_eq!((done.rc, done.stdout.as_str(), done.stderr.as_str()), (3, "hello\n", "oh\n"));
        assert_eq!(done.success("cannot greet").unwrap_err().msg, "cannot greet: oh");
        assert_eq!(sh("kill -9 $$").run().unwrap().rc, -9);
    }

    #[test]
    fn more_input_and_output_than_a_pipe_holds() {
        let text = "0123456789abcdef".repeat(40_000);
        assert_eq!(sh("cat").stdin(text.as_str()).run().unwrap().stdout.len(), text.len());
        // A reader that closes early is not an error.
        assert_eq!(sh("head -c 3").stdin(text).run().unwrap().stdout, "012");
    }

    #[test]
    fn a_daemon_left_behind_does_not_hold_up_the_call() {
        let begun = Instant::now();
        assert_eq!(sh("sleep 20 & echo started").run().unwrap().stdout, "started\n");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn time_runs_out() {
        let begun = Instant::now();
        let failure = sh("sleep 20; echo late").timeout(Duration::from_millis(200)).run().unwrap_err();
        assert!(failure.msg.contains("was killed"), "{}", failure.msg);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_that_must_succeed_says_itself_why_it_did_not() {
        let host = Host::new(Vec::new(), Arc::new(NoBlobs));
        let program = |script: &str| host.required_program("sh").unwrap().option("-c", Some(script));
        assert!(program("echo $LC_ALL").succeed().unwrap().stdout.starts_with('C'));
        let failure = program("echo no; exit 2").succeed().unwrap_err();
        assert_eq!((failure.msg.as_str(), &failure.data["rc"]), ("no", &2.into()));
        assert!(failure.data["cmd"].as_str().unwrap().ends_with("sh -c 'echo no; exit 2'"), "{failure:?}");
        let bare = || host.required_program("true").unwrap();
        assert!(bare().arg_if(false, "-x").option("-y", None::<u32>).is_bare() && !bare().arg_if(true, "-x").is_bare());
        let failure = host.required_program("no-such-program").err().unwrap();
        let begun = "Failed to find required executable \"no-such-program\" in paths: ";
        assert!(failure.msg.starts_with(begun) && failure.msg.contains(":/usr/bin"), "{failure:?}");
    }

    #[test]
    fn a_command_line_has_the_quotes_of_python() {
        let host = Host::new(Vec::new(), Arc::new(NoBlobs));
        let program = host.program("/bin/x").args(["X=1", "a b", "", "it's", "$HOME", "~", "ü"]);
        assert_eq!(program.to_string(), r#"/bin/x X=1 'a b' '' 'it'"'"'s' '$HOME' '~' 'ü'"#);
    }

    #[test]
    fn a_missing_program_is_named() {
        let host = Host::new(Vec::new(), Arc::new(NoBlobs));
        let failure = host.program("no-such-program").run().unwrap_err();
        assert!(failure.msg.starts_with("Failed to find required executable \"no-such-program\" in paths: "));
        let failure = host.program("/no/such-program").run().unwrap_err();
        assert_eq!(failure.msg, "the host has no program `/no/such-program`");
        assert!(host.has_program("sh") && !host.has_program("no-such-program"));
    }
}
