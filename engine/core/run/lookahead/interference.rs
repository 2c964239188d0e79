//! Whether the hosts of a play can affect each other.

use std::collections::HashMap;

use rplay_contract::wire::{Call, Map, Value};

use crate::{
    link::{Connection, Target},
    plan::module,
};

/// Programs that contact other hosts, or may trigger something that does. Tasks that run them keep their order across
/// hosts.
const REACHING: &[&str] = &[
    "ansible",
    "apk",
    "apt",
    "apt-get",
    "aria2c",
    "aws",
    "cockroach",
    "consul",
    "corosync",
    "crictl",
    "ctr",
    "curl",
    "dig",
    "dnf",
    "docker",
    "docker-compose",
    "drbdadm",
    "etcdctl",
    "ftp",
    "galera_new_cluster",
    "gcloud",
    "getent",
    "git",
    "gluster",
    "halt",
    "helm",
    "host",
    "http",
    "init",
    "initctl",
    "ip",
    "k3s",
    "kubeadm",
    "kubectl",
    "mongo",
    "mongosh",
    "mount",
    "mysql",
    "mysqladmin",
    "nc",
    "ncat",
    "nerdctl",
    "nmap",
    "nomad",
    "nslookup",
    "patroni",
    "patronictl",
    "pcs",
    "pg_basebackup",
    "pg_isready",
    "ping",
    "pip",
    "pip3",
    "podman",
    "poweroff",
    "psql",
    "rabbitmqctl",
    "rc-service",
    "reboot",
    "redis-cli",
    "rsync",
    "run-parts",
    "scp",
    "service",
    "sftp",
    "shutdown",
    "socat",
    "ssh",
    "start-stop-daemon",
    "supervisorctl",
    "systemctl",
    "telnet",
    "vault",
    "wget",
    "yum",
    "zypper",
];

/// The hosts of a task.
pub(crate) struct Interference {
    hosts: usize,
    /// Names and addresses with the index of their host; `None` if several hosts share it.
    words: HashMap<String, Option<usize>>,
    places: HashMap<String, usize>,
    ours: bool,
}

impl Interference {
    /// Of hosts with their targets. `None` if some of several targets are the same machine, so that they see each
    /// other's changes.
    pub(crate) fn of(targets: &[(&str, &Target)]) -> Option<Self> {
        let mut interference =
            Interference { hosts: targets.len(), words: HashMap::new(), places: HashMap::new(), ours: false };
        let mut machines: Vec<(&str, Option<u16>)> = Vec::new();
        for (at, (name, target)) in targets.iter().enumerate() {
            let address = match &target.connection {
                Connection::Local(_) => "localhost",
                Connection::Ssh(ssh) => ssh.host.as_str(),
                Connection::Container(container) => container.name.as_str(),
                // Each call goes to the plugin on its own.
                Connection::Plugin(_) => return None,
            };
            let port = match &target.connection {
                Connection::Ssh(ssh) => ssh.port,
                _ => None,
            };
            interference.ours |= !matches!(&target.connection, Connection::Ssh(ssh) if !is_this_machine(&ssh.host));
            machines.push((address, port));
            interference.places.insert((*name).to_owned(), at);
            for word in [*name, address] {
                let owner = interference.words.entry(word.to_lowercase()).or_insert(Some(at));
                if *owner != Some(at) {
                    *owner = None;
                }
            }
        }
        machines.sort_unstable();
        let shared = machines.windows(2).any(|pair| pair[0] == pair[1]);
        (!shared).then_some(interference)
    }

    /// Whether there is more than one host.
    pub(crate) fn is_many(&self) -> bool {
        self.hosts > 1
    }

    /// Whether tasks on these hosts may change files of the controller.
    pub(crate) fn changes_our_files(&self) -> bool {
        self.ours
    }

    /// Whether a call on one host does not concern the others.
    pub(crate) fn keeps_to(&self, host: &str, call: &Call) -> bool {
        let own = self.places.get(host).copied();
        let Some(module) = module(&call.module) else { return false };
        if module.fetches(&call.args) {
            return false;
        }
        // File content written elsewhere cannot reach this host.
        if !module.runs_commands {
            return true;
        }
        let text_is_quiet = |text: &str| !self.mentions(text, own) && !reaches(text);
        all_texts(&call.args, &text_is_quiet) && call.environment.iter().all(|(_, value)| text_is_quiet(value))
    }

    /// Whether a text names a host other than `own`.
    fn mentions(&self, text: &str, own: Option<usize>) -> bool {
        let text = text.to_lowercase();
        let is_other = |word: &str| self.words.get(word).is_some_and(|owner| owner.is_none() || *owner != own);
        let other_word = words(&text).any(|word| {
            let short = word.split('.').next().unwrap_or(word);
            // For options such as `-hdb1`.
            let option = word.strip_prefix('-').and_then(|rest| rest.get(1..)).unwrap_or_default();
            [word.trim_matches(['-', '.']), short, option].into_iter().any(is_other)
        });
        // Words contain no colon, but addresses may.
        other_word
            || self
                .words
                .keys()
                .filter(|word| !word.chars().all(is_of_word))
                .any(|word| is_other(word) && text.contains(word.as_str()))
    }
}

/// Whether a command runs a program that reaches beyond its host.
fn reaches(text: &str) -> bool {
    words(text).any(|word| REACHING.binary_search(&word).is_ok()) || text.contains("://") || text.contains("/dev/tcp")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_of_word(c)).filter(|word| !word.is_empty())
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '.' | '_')
}

fn all_texts(args: &Map, holds: &impl Fn(&str) -> bool) -> bool {
    fn of_value(value: &Value, holds: &impl Fn(&str) -> bool) -> bool {
        match value {
            Value::Str(text) => holds(text),
            Value::Bytes(bytes) => std::str::from_utf8(bytes).is_ok_and(holds),
            // Its content is not inspected.
            Value::Blob(_) => false,
            Value::List(items) => items.iter().all(|item| of_value(item, holds)),
            Value::Map(map) => all_texts(map, holds),
            _ => true,
        }
    }
    args.iter().all(|(name, value)| holds(name) && of_value(value, holds))
}

fn is_this_machine(host: &str) -> bool {
    let own = || nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    host == "localhost" || host == "::1" || host.starts_with("127.") || host == own()
}

#[cfg(test)]
mod tests {
    use rplay_contract::wire::{Mode, data};

    use super::*;
    use crate::link::SshOptions;

    fn interference(hosts: &[(&str, &str, Option<u16>)]) -> Option<Interference> {
        let target = |(name, address, port): &(&str, &str, Option<u16>)| Target {
            name: (*name).to_owned(),
            connection: match *address {
                "" => Connection::Local("/".into()),
                address => Connection::Ssh(SshOptions { port: *port, ..SshOptions::new(address) }),
            },
        };
        let targets: Vec<Target> = hosts.iter().map(target).collect();
        Interference::of(&hosts.iter().map(|host| host.0).zip(&targets).collect::<Vec<_>>())
    }

    fn call(module: &str, text: &str) -> Call {
        let args = data! { "_raw_params" => text };
        Call { module: module.into(), args, mode: Mode::default(), environment: Vec::new(), background: None }
    }

    #[test]
    fn programs_are_sorted_so_that_each_is_found() {
        assert!(REACHING.is_sorted());
    }

    #[test]
    fn several_hosts_on_one_machine_are_no_party() {
        assert!(interference(&[("a", "10.0.0.1", None), ("b", "10.0.0.2", None)]).is_some());
        assert!(interference(&[("a", "10.0.0.1", Some(22)), ("b", "10.0.0.1", Some(2222))]).is_some());
        assert!(interference(&[("a", "10.0.0.1", None), ("b", "10.0.0.1", None)]).is_none());
        assert!(interference(&[("a", "", None), ("b", "", None)]).is_none());
        assert!(interference(&[("a", "", None)]).is_some());
    }

    #[test]
    fn our_own_machine_is_known() {
        for (address, ours) in [("", true), ("127.0.0.2", true), ("localhost", true), ("10.0.0.1", false)] {
            assert_eq!(interference(&[("a", address, None)]).unwrap().changes_our_files(), ours, "{address}");
        }
    }

    #[test]
    fn who_names_another_host_does_not_keep_to_its_own() {
        let interference =
            interference(&[("db1", "10.0.0.1", None), ("web10", "10.0.0.2", None), ("web1", "fd00::7", None)]).unwrap();
        for quiet in ["true", "touch /srv/web10/x", "echo 10.0.0.2", "echo web100 mydb1 10.0.0.11", "./db1_dump"] {
            assert!(interference.keeps_to("web10", &call("command", quiet)), "{quiet}");
        }
        for loud in [
            "nmap db1",
            "echo DB1",
            "x --host=db1",
            "x -hdb1",
            "u@db1:/srv",
            "x db1.example.org",
            "x 10.0.0.1:80",
            "echo web1",
            "x [fd00::7]:80",
            "x db1.",
        ] {
            assert!(!interference.keeps_to("web10", &call("command", loud)), "{loud}");
        }
        let mut call = call("command", "true");
        call.environment.push(("PRIMARY".into(), "db1".into()));
        assert!(!interference.keeps_to("web10", &call));
        assert!(interference.keeps_to("db1", &call));
    }

    #[test]
    fn commands_that_reach_out_keep_their_order_and_texts_about_them_do_not_matter() {
        let interference = interference(&[("a1", "10.0.0.1", None), ("b1", "10.0.0.2", None)]).unwrap();
        for loud in ["systemctl restart x", "cd /x && docker compose up", "/usr/bin/curl x", "get http://x", "(ssh x)"]
        {
            assert!(!interference.keeps_to("a1", &call("shell", loud)), "{loud}");
        }
        assert!(!interference.keeps_to("a1", &call("expect", "ssh b1")), "whatever runs commands");
        for quiet in ["echo curly", "make", "ls /srv/x.docker.d"] {
            assert!(interference.keeps_to("a1", &call("shell", quiet)), "{quiet}");
        }
        assert!(interference.keeps_to("a1", &call("copy", "curl http://b1")));
        assert!(
            !interference.keeps_to("a1", &Call { args: data! { "src" => "http://x/y.tar" }, ..call("unarchive", "") })
        );
        let mut script = call("script", "x.sh");
        script.args.insert("_content".into(), Value::Bytes(b"ssh elsewhere".to_vec()));
        assert!(!interference.keeps_to("a1", &script));
        script
            .args
            .insert("_content".into(), Value::Blob(rplay_contract::wire::Blob { sha256: String::new(), size: 9 }));
        assert!(!interference.keeps_to("a1", &script));
    }
}
