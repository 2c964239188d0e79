//! A real sshd, started on a loopback port with its own keys.

// Each test uses a part of it.
#![allow(dead_code)]

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rplay::link::{Connection, LinkOptions, Links, SshOptions, Target};

/// An sshd that lets the present user in with a key.
pub(crate) struct Sshd {
    pub directory: tempfile::TempDir,
    pub process: Child,
    pub port: u16,
}

impl Sshd {
    /// `None`, with the reason printed, if there is no sshd on this machine. In `extra`, `@` is replaced by the
    /// server's directory.
    pub(crate) fn start(extra: &str) -> Option<Self> {
        let directory = short_directory();
        let caches = "SetEnv XDG_CACHE_HOME=@/cache TMPDIR=@\nPasswordAuthentication no";
        Self::run(directory, &format!("{extra}\n{caches}"), &[])
    }

    /// An sshd whose machine has three more users: ops, who may use sudo with his password, deploy, and guest,
    /// who may not. Each one's password is the name with `-pw`. A mount namespace keeps them from the real
    /// machine. `None`, with the reason printed, where that cannot be done.
    pub(crate) fn with_accounts() -> Option<Self> {
        let possible =
            |program: &str, args: &[&str]| Command::new(program).args(args).output().is_ok_and(|o| o.status.success());
        if !nix::unistd::getuid().is_root() || !possible("unshare", &["-m", "true"]) || !possible("sudo", &["-V"]) {
            println!("skipped: needs root, unshare and sudo");
            return None;
        }
        let directory = short_directory();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let at = |name: &str| directory.path().join(name);
        let mut passwd = fs::read_to_string("/etc/passwd").unwrap();
        let mut shadow = fs::read_to_string("/etc/shadow").unwrap();
        for (uid, user) in (45871..).zip(["ops", "deploy", "guest"]) {
            let hash = Command::new("openssl").args(["passwd", "-6", &format!("{user}-pw")]).output().unwrap();
            passwd += &format!("{user}:x:{uid}:{uid}::{}:/bin/sh\n", at(user).display());
            shadow += &format!("{user}:{}:20000:0:99999:7:::\n", String::from_utf8(hash.stdout).unwrap().trim());
            fs::create_dir(at(user)).unwrap();
            std::os::unix::fs::chown(at(user), Some(uid), Some(uid)).unwrap();
        }
        let sudoers = "Defaults lecture=always, timestamp_timeout=0\nroot ALL=(ALL) ALL\nops ALL=(ALL) ALL\n";
        for (name, text, mode) in
            [("passwd", passwd.as_str(), 0o644), ("shadow", &shadow, 0o600), ("sudoers", sudoers, 0o440)]
        {
            fs::write(at(name), text).unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let bind =
            ["passwd", "shadow", "sudoers"].map(|name| format!("mount --bind {} /etc/{name}", at(name).display()));
        let script = format!("{} && exec \"$@\"", bind.join(" && "));
        Self::run(directory, "PasswordAuthentication yes", &["unshare", "-m", "sh", "-c", &script, "sh"])
    }

    /// An sshd in its own mount namespace, in which `script` has been run; `@` is replaced by the server's directory
    /// there as well. `None`, with the reason printed, where that is impossible.
    pub(crate) fn with_mounts(script: &str) -> Option<Self> {
        let can = Command::new("unshare").args(["-m", "true"]).output().is_ok_and(|output| output.status.success());
        if !nix::unistd::getuid().is_root() || !can {
            println!("skipped: needs root and unshare");
            return None;
        }
        let directory = short_directory();
        let script = script.replace('@', &directory.path().to_string_lossy());
        let script = format!("{script} && exec \"$@\"");
        let caches = "SetEnv XDG_CACHE_HOME=@/cache TMPDIR=@\nPasswordAuthentication no";
        Self::run(directory, caches, &["unshare", "-m", "sh", "-c", &script, "sh"])
    }

    /// Starts it, behind the words of `within`.
    fn run(directory: tempfile::TempDir, config: &str, within: &[&str]) -> Option<Self> {
        let program =
            ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"].into_iter().find(|p| Path::new(p).exists());
        let Some(program) = program else {
            println!("skipped: there is no sshd on this machine");
            return None;
        };
        if nix::unistd::getuid().is_root() {
            let _ = fs::create_dir_all("/run/sshd");
        }
        let at = |name: &str| directory.path().join(name);
        for key in ["host", "user", "stranger"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at(key)).status();
            assert!(made.unwrap().success());
        }
        fs::copy(at("user.pub"), at("authorized_keys")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host_key = fs::read_to_string(at("host.pub")).unwrap();
        fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey @/host\nPidFile none\nStrictModes no\nUsePAM no\n\
             AuthorizedKeysFile @/authorized_keys\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n{config}\n"
        );
        fs::write(at("sshd_config"), config.replace('@', &directory.path().to_string_lossy())).unwrap();
        let log = fs::File::create(at("log")).unwrap();
        let words: Vec<_> = within.iter().copied().chain([program, "-D", "-e", "-f"]).collect();
        let process = Command::new(words[0]).args(&words[1..]).arg(at("sshd_config")).stderr(log).spawn().unwrap();
        let sshd = Sshd { directory, process, port };
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(10), "sshd does not start: {}", sshd.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(sshd)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default()
    }

    pub(crate) fn ssh(&self) -> SshOptions {
        let known = self.at("known_hosts");
        SshOptions {
            port: Some(self.port),
            private_key_file: Some(self.at("user")),
            args: vec![
                "-F".into(),
                "/dev/null".into(),
                "-o".into(),
                format!("UserKnownHostsFile={}", known.display()),
                "-o".into(),
                "GlobalKnownHostsFile=/dev/null".into(),
                "-o".into(),
                "IdentitiesOnly=yes".into(),
            ],
            ..SshOptions::new("127.0.0.1")
        }
    }

    pub(crate) fn target(&self, name: &str) -> Arc<Target> {
        target(name, self.ssh())
    }

    pub(crate) fn options(&self) -> LinkOptions {
        LinkOptions {
            executable: Some(executable()),
            agent_build: Some(rplay_agent::BUILD.to_owned()),
            control_directory: Some(self.at("ctl")),
            ..LinkOptions::default()
        }
    }

    pub(crate) fn links(&self) -> Links {
        Links::new(self.options()).unwrap()
    }

    /// How many connections have been logged in.
    pub(crate) fn logins(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }

    /// How many ssh masters there are.
    pub(crate) fn masters(&self) -> usize {
        let found = Command::new("pgrep").arg("-f").arg(self.at("ctl")).output().unwrap().stdout;
        found.iter().filter(|byte| **byte == b'\n').count()
    }

    /// Ends every connection, as a host that goes down.
    pub(crate) fn drop_connections(&self) {
        Command::new("pkill").args(["-KILL", "-P", &self.process.id().to_string()]).status().unwrap();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.drop_connections();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What hosts get: rplay without debug information, which is half of it.
pub(crate) fn executable() -> PathBuf {
    let whole = PathBuf::from(env!("CARGO_BIN_EXE_rplay"));
    let stripped = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rplay-stripped");
    let written = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    if written(&stripped) > written(&whole) {
        return stripped;
    }
    // Tests run in parallel.
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let new = stripped.with_extension(format!("{}-{number}", std::process::id()));
    let done = Command::new("strip").arg("-o").arg(&new).arg(&whole).status();
    match done.is_ok_and(|status| status.success()) && fs::rename(&new, &stripped).is_ok() {
        true => stripped,
        false => whole,
    }
}

/// Short, because control sockets go there.
fn short_directory() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("rs").tempdir_in("/tmp").unwrap()
}

pub(crate) fn target(name: &str, ssh: SshOptions) -> Arc<Target> {
    Arc::new(Target { name: name.into(), connection: Connection::Ssh(ssh) })
}
