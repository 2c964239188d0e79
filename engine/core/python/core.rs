//! The user's ansible-core: its interpreter, its version, and the plugin host.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value as Json, json};

use super::{Cache, HostError, PluginHost, Serve, Stamp};
use crate::program::in_path;

/// Information about an installed ansible-core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// Its interpreter.
    pub python: PathBuf,
    pub version: String,
    /// The directory of the Python package `ansible`.
    pub package: PathBuf,
    /// Directories named `ansible_collections` next to it.
    pub collections: Vec<PathBuf>,
}

/// No usable ansible-core was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct CoreError {
    /// Where it was searched for, and what is wrong.
    why: String,
}

impl CoreError {
    /// What to do about it.
    pub fn help() -> &'static str {
        "install it for a Python on this machine (`pip install ansible-core`), or name the interpreter that has it: the \
         setting `ansible_python` in the section [rplay], or RPLAY_ANSIBLE_PYTHON"
    }
}

/// Finds ansible-core on first use, and holds its plugin host.
pub struct Pythons {
    /// The interpreter named by the settings.
    named: Option<PathBuf>,
    cache: OnceLock<Result<Cache, String>>,
    core: OnceLock<Result<Core, CoreError>>,
    host: Mutex<Option<Arc<PluginHost>>>,
    /// Requests that every plugin host gets first, in this order.
    preparation: Mutex<Vec<(String, Json)>>,
}

/// Whether a request is repeated when the host died, possibly because of another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It has no side effects, so it is sent once more, to a separate host.
    Yes,
    /// It may have had side effects, so it fails.
    No,
}

impl Pythons {
    pub fn new(named: Option<PathBuf>) -> Self {
        Pythons {
            named,
            cache: OnceLock::new(),
            core: OnceLock::new(),
            host: Mutex::default(),
            preparation: Mutex::default(),
        }
    }

    /// The cache between runs.
    ///
    /// # Errors
    /// If there is no directory for it.
    pub fn cache(&self) -> Result<&Cache, String> {
        let open = || Cache::open().map_err(|error| format!("no cache directory: {error}"));
        self.cache.get_or_init(open).as_ref().map_err(Clone::clone)
    }

    /// ansible-core; searched for once.
    ///
    /// # Errors
    /// If no interpreter has a usable one.
    pub fn core(&self) -> Result<&Core, CoreError> {
        self.core.get_or_init(|| self.find()).as_ref().map_err(Clone::clone)
    }

    /// Sends a request to the plugin host, which is started if necessary. After a failure, the next request starts
    /// another one. Several threads may call it concurrently.
    ///
    /// # Errors
    /// If there is no ansible-core, or no response.
    pub fn ask(&self, op: &str, with: Json) -> Result<Json, HostError> {
        let nothing = |op: &str, _: Json| Err(format!("no handler for `{op}`"));
        self.converse(op, &with, Repeat::Yes, nothing)
    }

    /// Like [`ask`](Self::ask); `serve` answers the host's own questions on this thread. A request that fails because
    /// the host died with several pending may be repeated; then `serve` is called from the beginning.
    ///
    /// # Errors
    /// If there is no ansible-core, or no response.
    pub fn converse(
        &self,
        op: &str,
        with: &Json,
        repeat: Repeat,
        mut serve: impl FnMut(&str, Json) -> Result<Json, String>,
    ) -> Result<Json, HostError> {
        let core = self.core().map_err(|error| HostError::Refused(error.to_string()))?;
        let host = self.running(core)?;
        let response = self.prepare(&host).and_then(|()| host.ask(op, with, Some(&mut serve as Serve<'_>)));
        drop(host);
        match response {
            Err(HostError::Broken { with_others: true, .. }) if repeat == Repeat::Yes => {
                let host = PluginHost::start(&core.python)?.0;
                self.prepare(&host)?;
                host.ask(op, with, Some(&mut serve as Serve<'_>))
            }
            response => response,
        }
    }

    /// Like [`converse`](Self::converse), for requests with side effects and of any duration: they are not repeated and
    /// have no time limit.
    ///
    /// # Errors
    /// If there is no ansible-core, or no response.
    pub fn carry_out(
        &self,
        op: &str,
        with: &Json,
        mut serve: impl FnMut(&str, Json) -> Result<Json, String>,
    ) -> Result<Json, HostError> {
        /// Longer than any task may take.
        const NO_LIMIT: Duration = Duration::from_secs(100_000_000);
        let core = self.core().map_err(|error| HostError::Refused(error.to_string()))?;
        let host = self.running(core)?;
        self.prepare(&host)?;
        host.ask_within(op, with, Some(&mut serve as Serve<'_>), NO_LIMIT)
    }

    /// Sends this to every plugin host, the running one and later ones, before the next request. Does not start one.
    pub fn prepare_with(&self, op: &str, with: Json) {
        self.preparation.lock().push((op.to_owned(), with));
    }

    fn prepare(&self, host: &PluginHost) -> Result<(), HostError> {
        let mut prepared = host.prepared.lock();
        loop {
            let Some((op, with)) = self.preparation.lock().get(*prepared).cloned() else { return Ok(()) };
            host.ask(&op, &with, None)?;
            *prepared += 1;
        }
    }

    fn running(&self, core: &Core) -> Result<Arc<PluginHost>, HostError> {
        let mut slot = self.host();
        match &*slot {
            Some(host) if !host.is_useless() => Ok(host.clone()),
            _ => {
                let host = Arc::new(PluginHost::start(&core.python)?.0);
                // Waiting threads keep the old host until it answers.
                *slot = Some(host.clone());
                Ok(host)
            }
        }
    }

    fn host(&self) -> MutexGuard<'_, Option<Arc<PluginHost>>> {
        self.host.lock()
    }

    fn find(&self) -> Result<Core, CoreError> {
        let candidates = match &self.named {
            Some(named) => vec![named.clone()],
            None => candidates(),
        };
        if candidates.is_empty() {
            return Err(CoreError { why: "there is no Python on the controller".to_owned() });
        }
        let mut looked = Vec::new();
        for python in candidates {
            match self.look_at(&python) {
                Ok(core) => return Ok(core),
                Err(HostError::Refused(why)) => looked.push(format!("{}: {why}", python.display())),
                Err(broken) => looked.push(broken.to_string()),
            }
        }
        Err(CoreError { why: format!("no ansible-core was found ({})", looked.join("; ")) })
    }

    /// The ansible-core of an interpreter, from the cache if nothing has changed.
    fn look_at(&self, python: &Path) -> Result<Core, HostError> {
        let cache = self.cache().ok();
        let path = python.display().to_string();
        let key = Cache::key(["core", path.as_str()].into_iter().chain(super::host::program()));
        if let Some(core) = cache.and_then(|cache| known(&cache.note(&key)?, python)) {
            return Ok(core);
        }
        let (host, hello) = PluginHost::start(python)?;
        *self.host() = Some(Arc::new(host));
        let core = read(&hello, python).ok_or_else(|| HostError::Refused("it gave an invalid answer".to_owned()))?;
        let stamp = Stamp::of(&core.package.join("release.py")).map(|stamp| stamp.to_json());
        if let (Some(cache), Some(stamp)) = (cache, stamp) {
            cache.keep(&key, &json!({ "hello": hello, "release": stamp }));
        }
        Ok(core)
    }
}

fn known(note: &Json, python: &Path) -> Option<Core> {
    let core = read(note.get("hello")?, python)?;
    let is_current = Stamp::read(note.get("release")?)?.is_current() && python.exists();
    (is_current && core.collections.iter().all(|directory| directory.is_dir())).then_some(core)
}

fn read(hello: &Json, python: &Path) -> Option<Core> {
    let text = |name: &str| hello.get(name).and_then(Json::as_str);
    let directories = hello.get("collections")?.as_array()?.iter().filter_map(Json::as_str).map(PathBuf::from);
    let (version, package) = (text("version")?.to_owned(), PathBuf::from(text("package")?));
    Some(Core { python: python.to_owned(), version, package, collections: directories.collect() })
}

/// Candidate interpreters, the most likely first: of the virtual environment, of the `ansible` in PATH, `python3`.
fn candidates() -> Vec<PathBuf> {
    let in_environment = env::var_os("VIRTUAL_ENV").map(|directory| PathBuf::from(directory).join("bin/python3"));
    let of_ansible =
        ["ansible", "ansible-playbook"].into_iter().filter_map(in_path).find_map(|path| interpreter_of(&path));
    let mut found: Vec<PathBuf> = Vec::new();
    for path in [in_environment, of_ansible, in_path("python3")].into_iter().flatten().filter(|path| path.is_file()) {
        if !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

/// The interpreter in a script's first lines. pip writes long paths after `exec`, in the second line.
fn interpreter_of(script: &Path) -> Option<PathBuf> {
    let script = script.canonicalize().ok()?;
    let mut lines = BufReader::new(std::fs::File::open(&script).ok()?.take(4096)).lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut words = first.strip_prefix("#!")?.split_whitespace();
    let program = PathBuf::from(words.next()?);
    match program.file_name()?.to_str()? {
        name if name.starts_with("python") => Some(program),
        "env" => in_path(words.find(|word| !word.starts_with('-'))?),
        "sh" => {
            let second = lines.next()?;
            let path = second.strip_prefix("'''exec' ").or_else(|| second.strip_prefix("''''exec "))?.trim_start();
            let path = match path.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next()?,
                None => path.split_whitespace().next()?,
            };
            Some(PathBuf::from(path))
        }
        // With pipx or a distribution it may be a link into a virtual environment.
        _ => script.parent().map(|directory| directory.join("python3")).filter(|path| path.is_file()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_of_a_script_is_read_from_its_first_lines() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("ansible");
        for (text, python) in [
            ("#!/opt/x/bin/python3.11\n", "/opt/x/bin/python3.11"),
            ("#! /opt/x/bin/python -s\n", "/opt/x/bin/python"),
            ("#!/bin/sh\n'''exec' \"/a b/bin/python3\" \"$0\" \"$@\"\n' '''\n", "/a b/bin/python3"),
            ("#!/bin/sh\n'''exec' /long/bin/python3 \"$0\" \"$@\"\n", "/long/bin/python3"),
        ] {
            std::fs::write(&script, text).unwrap();
            assert_eq!(interpreter_of(&script), Some(PathBuf::from(python)), "{text}");
        }
        std::fs::write(&script, "#!/bin/bash\n").unwrap();
        assert_eq!(interpreter_of(&script), None);
    }

    #[test]
    fn an_interpreter_without_ansible_core_is_named_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let named = directory.path().join("python-of-nobody");
        let error = Pythons::new(Some(named.clone())).core().unwrap_err().to_string();
        assert!(error.contains(&named.display().to_string()) && error.contains("no ansible-core was found"), "{error}");
        assert!(CoreError::help().contains("pip install ansible-core"));
    }
}
