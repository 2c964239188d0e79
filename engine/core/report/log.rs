//! The log of a run (`log_path`): the output with timestamps, in Ansible's format.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

use parking_lot::Mutex;

/// The severity of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warning,
    Error,
}

impl Level {
    /// The level of a line with a prefix (`[WARNING]: ...`).
    pub fn of(line: &str) -> Self {
        match line.starts_with("[WARNING]") {
            true => Level::Warning,
            false => Level::Info,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
        }
    }
}

/// A file that entries are appended to. Texts must already be masked.
#[derive(Debug)]
pub struct Log {
    file: Mutex<File>,
    /// `p=PID u=USER n=ansible`
    who: String,
    /// Details up to this level are recorded even if they are not shown.
    verbosity: u8,
}

impl Log {
    /// Opens the file, or creates it with permissions for its owner only.
    ///
    /// # Errors
    /// Ansible's message; the run goes on without a log.
    pub fn open(path: &Path) -> Result<Self, String> {
        let about = path.metadata().ok();
        let shown = path.display();
        if about.as_ref().is_some_and(|about| about.is_dir()) {
            return Err(format!("DEFAULT_LOG_PATH can not be a directory '{shown}', aborting"));
        }
        let unwritable = || format!("log file at '{shown}' is not writeable and we cannot create it, aborting");
        // Opening a FIFO without a reader would block forever.
        if about.is_some_and(|about| about.file_type().is_fifo()) {
            return Err(unwritable());
        }
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(|_| unwritable())?;
        let who = format!("p={} u={} n=ansible", std::process::id(), user());
        Ok(Log { file: Mutex::new(file), who, verbosity: 0 })
    }

    /// Records details up to this level, even if they are not shown (`log_verbosity`).
    pub fn with_verbosity(self, verbosity: u8) -> Self {
        Log { verbosity, ..self }
    }

    pub fn verbosity(&self) -> u8 {
        self.verbosity
    }

    /// Appends an entry, unless the text is empty. A full disk must not stop the run.
    pub fn record(&self, level: Level, text: &str) {
        let text = text.trim_matches('\n').trim_end();
        if text.is_empty() {
            return;
        }
        let now = jiff::ZonedDateTime::now();
        let time = now.strftime("%Y-%m-%d %H:%M:%S");
        // Ansible's warnings and errors end with an empty line.
        let end = if level == Level::Info { "" } else { "\n" };
        let entry = format!("{time},{:03} {} {}| {text}\n{end}", now.millisecond(), self.who, level.name());
        let mut file = self.file.lock();
        let _: io::Result<()> = file.write_all(entry.as_bytes());
    }
}

/// The name of the user, as found by Python's `getpass`.
fn user() -> String {
    let named = ["LOGNAME", "USER", "LNAME", "USERNAME"].iter().filter_map(|name| std::env::var(name).ok());
    if let Some(name) = named.into_iter().find(|name| !name.is_empty()) {
        return name;
    }
    let uid = nix::unistd::getuid().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    found.unwrap_or(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_added_as_ansible_writes_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "before\n").unwrap();
        let log = Log::open(&path).unwrap();
        log.record(Level::Info, "\nPLAY [all] ***");
        log.record(Level::Info, "\n");
        log.record(Level::Warning, "[WARNING]: two\nlines\n");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.split('\n').collect();
        let [before, play, warning, more, "", ""] = lines[..] else { panic!("{text}") };
        assert_eq!((before, more), ("before", "lines"));
        let head = regex::Regex::new(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} p=(\d+) u=\S+ n=ansible (.*)$").unwrap();
        let parts = |line: &str| head.captures(line).map(|found| [found[1].to_owned(), found[2].to_owned()]);
        let pid = std::process::id().to_string();
        assert_eq!(parts(play), Some([pid.clone(), "INFO| PLAY [all] ***".to_owned()]));
        assert_eq!(parts(warning), Some([pid, "WARNING| [WARNING]: two".to_owned()]));
    }

    #[test]
    fn a_new_log_is_its_owners_and_what_is_no_file_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        Log::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o177, 0);
        let refused = |path: &Path| Log::open(path).map(drop).unwrap_err();
        assert!(refused(directory.path()).starts_with("DEFAULT_LOG_PATH can not be a directory"));
        assert!(
            refused(&directory.path().join("no/log")).ends_with("is not writeable and we cannot create it, aborting")
        );
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(refused(&pipe).contains("not writeable"));
    }
}
