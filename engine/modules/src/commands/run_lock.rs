//! `run_lock`: allows one run at a time on a host, with a lock that never outlives its run.
//!
//! The agent lives as long as the run, so it is the agent that holds the lock (flock): the kernel releases it when the
//! agent ends, for whatever reason. The file's content is only for people.

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};

use rplay_wire::{Failure, Map, data};
use serde::{Deserialize, Serialize};

use crate::system::fs::{File, OpenOptions, TryLockError};
use crate::system::machine;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{PathArg, PresentAbsent as State, Text},
    io_failure::io_failure,
    system::{paths, regular},
};

args! {
    /// Prevents concurrent runs on what this run works on. The lock is held until the run ends, for whatever reason, or
    /// until it is released. A run that finds it held fails, and reports the holder and the time.
    pub struct RunLock {
        /// The name of the lock: runs with the same name exclude each other on a host.
        name: Text,
        /// Whether to hold the lock.
        state: State = State::Present,
        /// The holder, shown to refused runs: a user and a machine.
        holder: Option<Text>,
        /// The purpose, shown to refused runs: a playbook and its tags.
        purpose: Option<Text>,
        /// The lock file; by default one in /run named after the lock.
        path: Option<PathArg>,
    }
}

/// The locks held by this agent.
static HELD: Mutex<BTreeMap<PathBuf, File>> = Mutex::new(BTreeMap::new());

/// How long to try for a lock that is held. Runs in check mode hold it only for a moment, and a busy host takes a while
/// to notice that a controller was killed.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same, once its holder is cleaning up, for which an agent has 5 seconds.
const PATIENCE_WITH_ENDING: Duration = Duration::from_secs(10);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// The content of the lock file.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    holder: String,
    purpose: String,
    since: String,
    /// The PID of the agent on this host.
    agent: u32,
    /// Whether its run is over, and the agent is about to end.
    ending: bool,
}

/// Tells waiting runs that a lock of this process is about to be released.
pub fn tell_locks_end() {
    for file in held().values_mut() {
        // If this fails, the next run only waits for a shorter time.
        let _ = Note { ending: true, ..Note::read(file) }.write(file);
    }
}

impl Module for RunLock {
    fn check(&self) -> Result<(), ArgError> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || !self.name.chars().all(good) {
            return Err(ArgError::new("name", "must consist of letters, digits, `-`, `_` and `.`"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = match &self.path {
            Some(path) => path.on(host),
            None => PathBuf::from(format!("/run/rplay-{}.lock", self.name)),
        };
        let plan = Plan::unchanged().set("path", paths::text(&path).as_str());
        if self.state == State::Absent {
            let release = Change::new("release the lock", move |_, _| {
                if let Some(file) = held().remove(&path) {
                    // A note about the former holder would be misleading.
                    let _ = file.set_len(0);
                }
                Ok(())
            });
            return Ok(plan.change(release.auxiliary()));
        }
        if host.check {
            let holder = look(&path)?;
            let plan = plan.set("held_by", holder.as_ref().map(Note::to_map));
            return Ok(match holder {
                Some(note) => plan.warn(format!("{}: a run now would be refused", note.refusal(&self.name))),
                None => plan,
            });
        }
        let note = Note {
            holder: self.holder.unwrap_or_default(),
            purpose: self.purpose.unwrap_or_default(),
            since: machine::timestamp().strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            agent: machine::process_id(),
            ending: false,
        };
        let take = Change::new(format!("lock {}", self.name), move |_, _| take(&path, &self.name, &note));
        Ok(plan.change(take.auxiliary()))
    }
}

fn held() -> MutexGuard<'static, BTreeMap<PathBuf, File>> {
    HELD.lock()
}

fn take(path: &Path, name: &str, note: &Note) -> Result<(), Failure> {
    let mut held = held();
    if held.contains_key(path) {
        return Ok(());
    }
    regular::refuse_special(path).map_err(|error| io_failure("open", path, &error).arg("path"))?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)
        .map_err(|error| io_failure("open", path, &error).arg("path"))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {
                let other = Note::read(&mut file);
                let patience = if other.ending { PATIENCE_WITH_ENDING } else { PATIENCE };
                if begun.elapsed() < patience {
                    thread::sleep(BETWEEN_TRIES);
                    continue;
                }
                return Err(Failure::new(other.refusal(name))
                    .help("wait until that run ends; a run that crashed or was killed no longer holds the lock")
                    .data(data! { "held_by" => other.to_map() }));
            }
            Err(TryLockError::Error(error)) => return Err(io_failure("lock", path, &error).arg("path")),
        }
    }
    note.write(&mut file).map_err(|error| io_failure("write", path, &error).arg("path"))?;
    held.insert(path.to_owned(), file);
    Ok(())
}

/// The holder of the lock, without taking it.
fn look(path: &Path) -> Result<Option<Note>, Failure> {
    if held().contains_key(path) {
        return Ok(None);
    }
    regular::refuse_special(path).map_err(|error| io_failure("open", path, &error).arg("path"))?;
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_failure("open", path, &error).arg("path")),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(Note::read(&mut file))),
        Err(TryLockError::Error(error)) => Err(io_failure("lock", path, &error).arg("path")),
    }
}

impl Note {
    /// The note in a file; empty if it is just being written.
    fn read(file: &mut File) -> Note {
        let mut text = String::new();
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
        read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    fn write(&self, file: &mut File) -> io::Result<()> {
        let text = serde_json::to_string(self).map_err(io::Error::other)?;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")
    }

    fn to_map(&self) -> Map {
        data! {
            "holder" => self.holder.as_str(), "purpose" => self.purpose.as_str(), "since" => self.since.as_str(),
            "agent" => self.agent,
        }
    }

    fn refusal(&self, name: &str) -> String {
        let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        let purpose = if self.purpose.is_empty() { String::new() } else { format!(" for {}", self.purpose) };
        let agent =
            if self.agent == 0 { String::new() } else { format!(" (its agent here is process {})", self.agent) };
        format!(
            "{name} is locked on this host by {} since {}{purpose}{agent}",
            or(&self.holder, "an unknown holder"),
            or(&self.since, "a moment ago")
        )
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::runner::tests::{call, checked};

    #[test]
    fn a_lock_is_held_once_and_its_holder_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let args = data! {
            "name" => "todo", "path" => path.to_str().unwrap(), "holder" => "ann@desk", "purpose" => "site.yml",
        };
        assert!(checked("run_lock", args.clone()).failure.is_none());
        assert!(!path.exists(), "check mode takes nothing");
        let first = call("run_lock", args.clone());
        assert!(first.failure.is_none() && !first.changed, "{first:?}");
        // The same run already holds it.
        assert!(call("run_lock", args.clone()).failure.is_none());
        // Another agent is simulated by opening the file separately, as another process would.
        let other = Command::new("flock").args(["-n", path.to_str().unwrap(), "true"]).status().unwrap();
        assert!(!other.success());
        let mut absent = args.clone();
        absent.insert("state".into(), "absent".into());
        assert!(call("run_lock", absent).failure.is_none());
        let other = Command::new("flock").args(["-n", path.to_str().unwrap(), "true"]).status().unwrap();
        assert!(other.success());
    }

    #[test]
    fn who_is_refused_hears_by_whom_until_that_one_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let note = Note {
            holder: "bob@desk".into(),
            purpose: "site.yml".into(),
            since: "noon".into(),
            agent: 7,
            ending: false,
        };
        note.write(&mut File::create(&path).unwrap()).unwrap();
        let mut other = Command::new("flock")
            .args(["-n", "--no-fork", path.to_str().unwrap(), "sh", "-c", "echo locked; exec sleep 60"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        other.stdout.as_mut().unwrap().read_exact(&mut [0; 7]).unwrap();
        let args = data! { "name" => "todo", "path" => path.to_str().unwrap() };
        let refused = call("run_lock", args.clone());
        let said = "todo is locked on this host by bob@desk since noon for site.yml (its agent here is process 7)";
        assert_eq!(refused.failure.unwrap().msg, said);
        assert!(checked("run_lock", args.clone()).warnings[0].starts_with(said));
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(call("run_lock", args).failure.is_none());
    }

    #[test]
    fn a_run_that_is_ending_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let note = Note { agent: 7, ending: true, ..Note::default() };
        note.write(&mut File::create(&path).unwrap()).unwrap();
        let held_for = (PATIENCE + Duration::from_secs(1)).as_secs().to_string();
        let mut other = Command::new("flock")
            .args(["-n", "--no-fork", path.to_str().unwrap(), "sh", "-c"])
            .arg(format!("echo locked; exec sleep {held_for}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        other.stdout.as_mut().unwrap().read_exact(&mut [0; 7]).unwrap();
        let taken = call("run_lock", data! { "name" => "todo", "path" => path.to_str().unwrap() });
        other.wait().unwrap();
        assert!(taken.failure.is_none(), "{taken:?}");
        tell_locks_end();
        assert!(Note::read(&mut File::open(&path).unwrap()).ending);
    }

    #[test]
    fn a_name_is_no_path() {
        assert!(call("run_lock", data! { "name" => "../x" }).failure.is_some());
    }
}
