//! Passwords of accounts: for logging in, and for becoming another user.

use rplay_wire::Become;

use super::*;

fn as_user(sshd: &Sshd, user: &str, password: Option<&str>) -> Arc<Target> {
    let ssh = SshOptions { user: Some(user.into()), password: password.map(Secret::new), ..sshd.ssh() };
    let private_key_file = ssh.private_key_file.clone().filter(|_| password.is_none());
    let mut ssh = SshOptions { private_key_file, ..ssh };
    if password.is_some() {
        ssh.args.extend(["-o".into(), "PubkeyAuthentication=no".into()]);
    }
    target("web1", ssh)
}

/// Who answers, after becoming somebody.
fn who(links: &Links, target: &Arc<Target>, become_user: Option<Become>) -> Result<String, String> {
    let (events, heard) = channel();
    let args = data! { "_raw_params" => "sh -c 'echo $(id -un) $HOME'" };
    links.dispatch(Job {
        key: 1,
        target: target.clone(),
        stages: vec![Stage {
            become_user,
            calls: vec![Call {
                module: "command".into(),
                args,
                mode: Mode::default(),
                environment: Vec::new(),
                background: None,
            }],
            parallel: 1,
            required: false,
        }],
        blobs: Arc::new(|_| Err(io::Error::other("there is none"))),
        sinks: Arc::new(|_| None),
        events: Arc::new(events),
    });
    let outcome = end(&heard).map_err(|failure| failure.msg)?.remove(0);
    match outcome.failure {
        Some(failure) => Err(failure.msg),
        None => Ok(outcome.data["stdout"].as_str().unwrap().to_owned()),
    }
}

fn to(method: &str, user: &str, password: Option<&str>) -> Option<Become> {
    Some(Become { password: password.map(str::to_owned), ..Become::new(method, user) })
}

#[test]
fn a_password_logs_in_and_a_wrong_one_does_not() {
    let Some(sshd) = Sshd::with_accounts() else { return };
    let home = format!("ops {}", sshd.at("ops").display());
    assert_eq!(who(&sshd.links(), &as_user(&sshd, "ops", Some("ops-pw")), None), Ok(home));
    let why = who(&sshd.links(), &as_user(&sshd, "guest", Some("wrong")), None).unwrap_err();
    assert!(why.ends_with("guest@127.0.0.1: Permission denied (publickey,password)"), "{why}");
}

#[test]
fn sudo_and_su_with_passwords() {
    let Some(sshd) = Sshd::with_accounts() else { return };
    let links = sshd.links();
    let ops = as_user(&sshd, "ops", None);
    let deploy = format!("deploy {}", sshd.at("deploy").display());
    assert_eq!(who(&links, &ops, to("sudo", "root", Some("ops-pw"))), Ok("root /root".into()));
    assert_eq!(who(&links, &ops, to("sudo", "deploy", Some("ops-pw"))), Ok(deploy.clone()));
    assert_eq!(who(&links, &ops, to("su", "deploy", Some("deploy-pw"))), Ok(deploy));
    assert!(who(&links, &ops, to("sudo", "ops", None)).unwrap().starts_with("ops "));
    for (wanted, expected) in [
        (to("sudo", "root", Some("wrong")), "Incorrect sudo password for ops"),
        (to("sudo", "root", None), "sudo on this host requires a password; use -K or set ansible_become_password"),
        (to("su", "deploy", Some("wrong")), "Incorrect su password for deploy"),
        (to("su", "deploy", None), "su on this host requires a password; use -K or set ansible_become_password"),
        (to("sudo", "ghost", Some("ops-pw")), "user `ghost` does not exist on this host"),
        (to("su", "ghost", Some("ops-pw")), "user `ghost` does not exist on this host"),
    ] {
        let (method, user) = wanted.as_ref().map(|w| (w.method.clone(), w.user.clone())).unwrap();
        assert_eq!(who(&links, &ops, wanted).as_ref().map_err(String::as_str), Err(expected), "{method} {user}");
    }
    let guest = who(&links, &as_user(&sshd, "guest", None), to("sudo", "root", Some("guest-pw"))).unwrap_err();
    assert!(guest.starts_with("guest is not allowed to become root: "), "{guest}");
    let cached = fs::read_dir(sshd.at("ops/.cache/rplay")).unwrap().count();
    assert_eq!(cached, 1);
}
