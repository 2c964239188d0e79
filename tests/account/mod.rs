//! An account at a simulated Tencent Cloud, and runs of the executable that use it.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Output,
    thread,
};

use cloud_stand_in::{Cloud, Settings};
use serde_json::{Value, json};

use crate::seen;

/// A simulated cloud with its own directory for keys, and a port at which its hosts can be reached.
pub(crate) struct Account {
    pub cloud: Cloud,
    pub directory: tempfile::TempDir,
    pub port: u16,
}

/// The output of a run, and how it ended.
pub(crate) struct Run {
    pub text: String,
    pub code: Option<i32>,
}

impl Account {
    pub(crate) fn new(change: impl FnOnce(&mut Settings)) -> Account {
        let mut settings = Settings { addresses: vec!["127.0.0.1".to_owned(); 40], ..Settings::default() };
        change(&mut settings);
        let ssh = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = ssh.local_addr().unwrap().port();
        thread::spawn(move || ssh.incoming().for_each(drop));
        let cloud = Cloud::start("127.0.0.1:0", settings).unwrap();
        Account { cloud, directory: tempfile::tempdir().unwrap(), port }
    }

    pub(crate) fn variables(&self) -> Value {
        json!({
            "tencent_endpoint": self.cloud.url, "tencent_secrets_dir": self.directory.path(), "tencent_poll_delay": 0.01,
            "tencent_backoff": 0.01, "tencent_drain_seconds": 0, "tencent_ssh_port": self.port,
        })
    }

    /// Runs the executable with the account's key in the environment.
    pub(crate) fn command(&self, arguments: &[&str], id: &str, key: &str) -> Output {
        let mut command = seen::rplay();
        command.env("TENCENTCLOUD_SECRET_ID", id).env("TENCENTCLOUD_SECRET_KEY", key);
        command.args(arguments).current_dir(project()).output().unwrap()
    }

    pub(crate) fn run(&self, playbook: &str, more: &[&str]) -> Run {
        let settings = Settings::default();
        self.run_as(playbook, more, &settings.secret_id, &settings.secret_key)
    }

    pub(crate) fn run_as(&self, playbook: &str, more: &[&str], id: &str, key: &str) -> Run {
        let playbook = format!("playbooks/{playbook}.yml");
        let variables = self.variables().to_string();
        let mut arguments = vec![playbook.as_str(), "-i", "localhost,", "-e", &variables];
        arguments.extend(more);
        let output = self.command(&arguments, id, key);
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        Run { text: text.into_owned(), code: output.status.code() }
    }

    /// A run that succeeds; returns how many tasks changed something.
    pub(crate) fn succeeds(&self, playbook: &str, more: &[&str]) -> usize {
        let run = self.run(playbook, more);
        assert_eq!(run.code, Some(0), "{}", run.text);
        run.changed()
    }

    /// An inventory that queries the simulated cloud.
    pub(crate) fn inventory(&self, more: &str) -> String {
        let path = self.directory.path().join("cloud.yml");
        let text = format!(
            "plugin: rplay.builtin.tencentcloud\nregion: ap-guangzhou\nstack: todo\nendpoint: {}\n{more}",
            self.cloud.url
        );
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn with_inventory(&self, inventory: &str, arguments: &[&str]) -> Run {
        let settings = Settings::default();
        let mut all = vec!["-i", inventory];
        all.extend(arguments);
        let output = self.command(&all, &settings.secret_id, &settings.secret_key);
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        Run { text: text.into_owned(), code: output.status.code() }
    }

    pub(crate) fn has(&self, wanted: &str) {
        let wanted: Value = serde_json::from_str(wanted).unwrap();
        assert_eq!(self.cloud.state().counts(), wanted);
    }
}

impl Run {
    /// How many tasks changed something, on all hosts.
    pub(crate) fn changed(&self) -> usize {
        let (_, recap) = self.text.rsplit_once("PLAY RECAP").unwrap();
        recap.split(" changed=").skip(1).map(|rest| rest.split(' ').next().unwrap().parse::<usize>().unwrap()).sum()
    }

    pub(crate) fn fails_with(&self, said: &str) {
        assert_eq!(self.code, Some(2), "{}", self.text);
        assert!(self.text.contains(said), "{said} is not in {}", self.text);
    }
}

pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
