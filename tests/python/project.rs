//! A project with content in Python, run by the executable with the ansible-core of this machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{ansible::ansible, seen, sshd::Sshd};

/// A directory for what a test writes, and the Python that has ansible-core.
pub(crate) struct Project {
    pub directory: tempfile::TempDir,
    pub python: PathBuf,
}

impl Project {
    /// `None`, with the reason printed, where there is no ansible-core.
    pub(crate) fn new() -> Option<Project> {
        Some(Project::with(&ansible()?))
    }

    pub(crate) fn with(python: &Path) -> Project {
        Project { directory: tempfile::tempdir().unwrap(), python: python.to_owned() }
    }

    /// With an inventory of one host, behind this sshd, and further variables: of its own, and of all hosts.
    pub(crate) fn over_ssh(self, sshd: &Sshd, own: &str, all: &str) -> Project {
        let options = format!(
            "-F /dev/null -o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes",
            sshd.at("known_hosts").display()
        );
        let hosts = format!(
            "host ansible_host=127.0.0.1 {own}\n[all:vars]\nansible_port={}\nansible_ssh_private_key_file={}\n\
             ansible_ssh_common_args='{options}'\n{all}\n",
            sshd.port,
            sshd.at("user").display(),
        );
        self.write("hosts", &hosts);
        self
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What a command prints on both outputs, and its exit code.
    pub(crate) fn run(&self, words: &[&str], env: &[(&str, &str)]) -> (String, String, i32) {
        let mut command = seen::rplay();
        command.env("RPLAY_ANSIBLE_PYTHON", &self.python).env("XDG_CACHE_HOME", self.directory.path().join("cache"));
        command.env("XDG_RUNTIME_DIR", self.directory.path()).envs(env.iter().copied());
        let output = command.args(words).current_dir(self.directory.path()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (text(output.stdout), text(output.stderr), output.status.code().unwrap_or(-1))
    }

    #[track_caller]
    pub(crate) fn passes(&self, words: &[&str], env: &[(&str, &str)]) -> (String, String) {
        let (out, err, code) = self.run(words, env);
        assert_eq!(code, 0, "{out}{err}");
        (out, err)
    }

    /// Runs a play with these tasks on the host behind the sshd: its output and the exit code. `head` has further
    /// keywords of the play.
    pub(crate) fn play(&self, head: &str, tasks: &str, more: &[&str]) -> (String, i32) {
        self.write("site.yml", &format!("- hosts: host\n  gather_facts: false\n{head}  tasks:\n{tasks}"));
        let (out, err, code) = self.run(&[&["-i", "hosts", "site.yml"], more].concat(), &[]);
        (out + &err, code)
    }

    #[track_caller]
    pub(crate) fn plays(&self, head: &str, tasks: &str, more: &[&str]) -> String {
        let (text, code) = self.play(head, tasks, more);
        assert_eq!(code, 0, "{text}");
        text
    }
}
