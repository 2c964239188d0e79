//! Removes what earlier agents left behind, while this one starts working.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::Path,
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, SystemTime},
};

use rplay_modules::system::scratch;

/// The age at which an incomplete executable is considered abandoned.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an agent that has nothing more to do waits for the sweep to finish.
const GRACE: Duration = Duration::from_secs(2);

/// A sweep in progress, on its own thread, so that it delays no work.
pub(crate) struct Sweeping(Option<Receiver<()>>);

pub(crate) fn begin() -> Sweeping {
    scratch::keep_journal();
    let (done, swept) = channel();
    let sweep = move || {
        scratch::sweep_shared();
        if let Some(directory) = env::current_exe().ok().as_deref().and_then(Path::parent) {
            sweep_arrivals(directory);
        }
        let _ = done.send(());
    };
    Sweeping(thread::Builder::new().name("sweep".to_owned()).spawn(sweep).is_ok().then_some(swept))
}

impl Sweeping {
    /// Waits until the sweep has finished, but not forever: a file system may hang.
    pub(crate) fn end(self) {
        if let Some(swept) = self.0 {
            let _ = swept.recv_timeout(GRACE);
        }
    }
}

/// Incomplete executables are in the cache as `.new.PID`.
fn sweep_arrivals(directory: &Path) {
    if directory.file_name().and_then(OsStr::to_str).is_none_or(|name| !name.starts_with("rplay")) {
        return;
    }
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_new = entry.file_name().to_str().and_then(|name| name.strip_prefix(".new.")).is_some_and(is_number);
        let modified = entry.metadata().and_then(|found| found.modified()).ok();
        let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        if is_new && age.is_some_and(|age| age > OLD) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_halves_of_executables_are_removed_from_the_cache() {
        let there = tempfile::tempdir().unwrap();
        let directory = there.path().join("rplay");
        fs::create_dir(&directory).unwrap();
        let old = SystemTime::now() - OLD * 2;
        for (name, is_old) in [(".new.12", true), (".new.13", false), (".newer", true), ("0a1b", true)] {
            let file = fs::File::create(directory.join(name)).unwrap();
            if is_old {
                file.set_modified(old).unwrap();
            }
        }
        sweep_arrivals(&directory);
        let mut left: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".new.13", ".newer", "0a1b"]);
    }
}
