//! Agents that run as other users.

use std::os::unix::fs::PermissionsExt;

use rplay_wire::Become;

use super::{content::Content, *};

/// Behaves like sudo. The right password is `right`.
const SUDO: &str = r#"#!/bin/sh
echo "$*" >> "$0.log"
while [ $# -gt 0 ]; do
  case $1 in
    -p) prompt=$2; shift 2 ;;
    -u) user=$2; shift 2 ;;
    -n) quiet=1; shift ;;
    --) shift; break ;;
    *) shift ;;
  esac
done
echo "We trust you have received the usual lecture:" >&2
case $user in
  open) exec "$@" ;;
  ghost) echo "sudo: unknown user ghost" >&2; exit 1 ;;
  other) echo "ops is not in the sudoers file." >&2; exit 1 ;;
esac
[ -n "$quiet" ] && { echo "sudo: a password is required" >&2; exit 1; }
printf '%s' "$prompt" >&2
read -r password
if [ "$password" != right ]; then
  printf 'Sorry, try again.\n%s' "$prompt" >&2
  read -r password
  exit 1
fi
exec "$@"
"#;

struct FakeSudo(tempfile::TempDir);

impl FakeSudo {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sudo");
        std::fs::write(&path, SUDO).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        FakeSudo(directory)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.0.path().join("sudo.log")).unwrap_or_default()
    }

    fn run(&self, links: &Links, user: &str, password: Option<&str>) -> Vec<Outcome> {
        let (mut job, heard) = job(1, &local(), vec![ping("pong"), ping("again")]);
        job.stages[0].become_user = Some(Become {
            exe: Some(self.0.path().join("sudo").to_str().unwrap().to_owned()),
            password: password.map(str::to_owned),
            ..Become::new("sudo", user)
        });
        links.dispatch(job);
        outcomes(&heard).unwrap()
    }

    fn refusal(&self, links: &Links, user: &str, password: Option<&str>) -> Failure {
        let outcomes = self.run(links, user, password);
        assert_eq!(outcomes.len(), 2);
        let failure = outcomes[0].failure.clone().expect("it should have failed");
        assert_eq!(Some(&failure), outcomes[1].failure.as_ref());
        assert!(!failure.unreachable);
        failure
    }
}

fn answered(outcomes: &[Outcome]) -> bool {
    outcomes.len() == 2 && outcomes[1].data == data! { "ping" => "again" }
}

#[test]
fn the_other_agent_is_started_once_with_and_without_a_password() {
    let (sudo, links) = (FakeSudo::new(), links());
    for _ in 0..3 {
        assert!(answered(&sudo.run(&links, "deploy", Some("right"))));
    }
    assert_eq!(sudo.log().lines().count(), 1);
    assert!(!sudo.log().contains("right"));
    assert!(answered(&sudo.run(&links, "open", None)));
    assert_eq!(sudo.log().lines().count(), 2);
    // The copy for the other user is gone once it runs.
    let copy = sudo.log().split_whitespace().find(|word| word.ends_with("/agent")).unwrap().to_owned();
    assert!(!std::path::Path::new(&copy).exists(), "{copy} is still there");
}

#[test]
fn a_wrong_password_is_reported_and_not_tried_twice() {
    let (sudo, links) = (FakeSudo::new(), links());
    for _ in 0..2 {
        let failure = sudo.refusal(&links, "deploy", Some("wrong"));
        assert!(failure.msg.starts_with("Incorrect ") && failure.msg.contains("sudo password for "), "{failure}");
    }
    assert_eq!(sudo.log().lines().count(), 1);
    assert!(answered(&sudo.run(&links, "deploy", Some("right"))));
}

#[test]
fn what_the_other_agent_has_started_ends_with_its_job_and_with_the_run() {
    let (sudo, links) = (FakeSudo::new(), links());
    let become_user = || {
        let exe = Some(sudo.0.path().join("sudo").to_str().unwrap().to_owned());
        Some(Become { exe, ..Become::new("sudo", "open") })
    };
    let pid = sudo.0.path().join("pid");
    let sleep = || command(&format!("sh -c 'echo $$ > {}; sleep 60; true'", pid.display()));
    let started = || {
        let text = eventually(|| fs::read_to_string(&pid).ok().filter(|text| text.ends_with('\n')));
        fs::remove_file(&pid).unwrap();
        format!("/proc/{}/stat", text.trim())
    };
    let over = |process: &str| {
        eventually(|| fs::read_to_string(process).map_or(true, |stat| stat.contains(") Z ")).then_some(()));
    };
    let (mut cancelled, heard) = job(1, &local(), vec![sleep(), ping("never")]);
    cancelled.stages[0].become_user = become_user();
    links.dispatch(cancelled);
    let process = started();
    links.cancel(&local(), 1);
    let ended = outcomes(&heard).unwrap();
    assert_eq!(ended[1].skipped.as_deref(), Some("cancelled"));
    over(&process);
    let (mut left, _heard) = job(2, &local(), vec![sleep()]);
    left.stages[0].become_user = become_user();
    links.dispatch(left);
    let process = started();
    links.close();
    over(&process);
}

#[test]
fn every_refusal_has_its_own_words() {
    let (sudo, links) = (FakeSudo::new(), links());
    let missing = sudo.refusal(&links, "deploy", None);
    assert!(missing.msg.ends_with("requires a password; use -K or set ansible_become_password"), "{missing}");
    let ghost = sudo.refusal(&links, "ghost", None);
    assert_eq!(ghost.msg, "user `ghost` does not exist on this host");
    let other = sudo.refusal(&links, "other", Some("right"));
    assert!(other.msg.contains("is not allowed to become other: "), "{other}");
    // The host itself is still there.
    pong(&links, &local());
}

/// Root may become anybody, so nothing has to be set up.
#[test]
fn the_real_sudo_starts_an_agent_that_an_unprivileged_user_can_execute() {
    let has_sudo = std::process::Command::new("sudo").arg("-V").output().is_ok();
    if !nix::unistd::getuid().is_root() || !has_sudo {
        println!("skipped: needs root and sudo");
        return;
    }
    let links = links();
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    for (method, user) in [("sudo", "nobody"), ("sudo", "daemon"), ("sudo", "root")] {
        let content = Content::new(1_000_000);
        let file = directory.path().join(user);
        let calls = vec![command("id -un"), content.copy_to(&file)];
        let (mut job, heard) = job(1, &local(), calls);
        job.blobs = content.source();
        job.stages[0].become_user = Some(Become::new(method, user));
        links.dispatch(job);
        let outcomes = outcomes(&heard).unwrap();
        assert_eq!(outcomes[0].data["stdout"].as_str(), Some(user), "{outcomes:?}");
        assert_eq!(outcomes[1].failure, None);
        assert_eq!(fs::read(&file).unwrap(), content.bytes);
    }
    let (mut job, heard) = job(1, &local(), vec![ping("pong")]);
    let user = "rplay-no-such-user".to_owned();
    job.stages[0].become_user = Some(Become::new("sudo", user));
    links.dispatch(job);
    let failure = outcomes(&heard).unwrap()[0].failure.clone().unwrap();
    assert_eq!(failure.msg, "user `rplay-no-such-user` does not exist on this host");
}
