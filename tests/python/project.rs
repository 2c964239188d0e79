//! A project with content in Python, run by the executable with the ansible-core of this machine.

use std::{fs, path::PathBuf};

use crate::{ansible::ansible, seen};

/// A directory for what a test writes, and the Python that has ansible-core.
pub(crate) struct Project {
    pub folder: tempfile::TempDir,
    pub python: PathBuf,
}

impl Project {
    /// `None`, with the reason printed, where there is no ansible-core.
    pub(crate) fn new() -> Option<Project> {
        Some(Project { folder: tempfile::tempdir().unwrap(), python: ansible()? })
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What a command prints on both outputs, and its exit code.
    pub(crate) fn run(&self, words: &[&str], env: &[(&str, &str)]) -> (String, String, i32) {
        let mut command = seen::rplay();
        command.env("RPLAY_ANSIBLE_PYTHON", &self.python).env("XDG_CACHE_HOME", self.folder.path().join("cache"));
        command.env("XDG_RUNTIME_DIR", self.folder.path()).envs(env.iter().copied());
        let output = command.args(words).current_dir(self.folder.path()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (text(output.stdout), text(output.stderr), output.status.code().unwrap_or(-1))
    }

    #[track_caller]
    pub(crate) fn passes(&self, words: &[&str], env: &[(&str, &str)]) -> (String, String) {
        let (out, err, code) = self.run(words, env);
        assert_eq!(code, 0, "{out}{err}");
        (out, err)
    }
}
