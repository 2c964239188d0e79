//! Uses real local repositories, and the machine's own git.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rplay_wire::{Map, data};

use super::remote::{Heads, Version};
use crate::{
    runner::tests::{call, checked},
    system::paths,
};

fn git(directory: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(directory).args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]);
    let done = command.args(args).output().unwrap();
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn commit(directory: &Path, text: &str) -> String {
    fs::write(directory.join("f"), text).unwrap();
    git(directory, &["add", "f"]);
    git(directory, &["commit", "-q", "-m", text]);
    git(directory, &["rev-parse", "HEAD"])
}

fn has_git() -> bool {
    Command::new("git").arg("--version").output().is_ok_and(|done| done.status.success())
}

/// A repository with one commit, in a directory.
fn repository(directory: &Path) -> PathBuf {
    let repo = directory.join("repo");
    fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "-q", "-b", "main"]);
    commit(&repo, "one");
    repo
}

#[test]
fn a_checkout_follows_its_repository() {
    if !has_git() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let (repo, dest) = (root.path().join("repo"), root.path().join("dest"));
    fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "-q", "-b", "main"]);
    let first = commit(&repo, "one");
    git(&repo, &["tag", "-a", "v1", "-m", "v1"]);
    let args = |version: &str| -> Map {
        data! { "repo" => paths::text(&repo), "dest" => paths::text(&dest), "version" => version }
    };
    assert!(checked("git", args("HEAD")).changed && !dest.exists());
    let cloned = call("git", args("HEAD"));
    assert_eq!(git(&dest, &["config", "remote.origin.url"]), format!("file://{}", repo.display()));
    let full = data! { "repo" => paths::text(&repo), "dest" => paths::text(root.path()) };
    let refused = call("git", full);
    assert!(refused.data.contains_key("cmd"), "{refused:?}");
    assert!(refused.failure.unwrap().msg.starts_with("fatal: destination path "));
    assert!(cloned.changed && cloned.failure.is_none(), "{cloned:?}");
    assert_eq!(cloned.data["after"], first.as_str().into());
    // The tag is at the same commit: nothing changes but where the checkout stands.
    let branch = || git(&dest, &["rev-parse", "--abbrev-ref", "HEAD"]);
    assert!(!call("git", args("HEAD")).changed && branch() == "main");
    assert!(!checked("git", args("v1")).changed && branch() == "main");
    assert!(!call("git", args("v1")).changed && branch() == "HEAD");
    let second = commit(&repo, "two");
    let updated = call("git", args("main"));
    assert_eq!(
        (updated.changed, &updated.data["before"], &updated.data["after"]),
        (true, &first.as_str().into(), &second.as_str().into())
    );
    assert!(!call("git", args("main")).changed && branch() == "main");
    assert!(call("git", args("v1")).changed, "back to the tag");
    assert_eq!(fs::read_to_string(dest.join("f")).unwrap(), "one");
    assert!(!call("git", args("v1")).changed && !call("git", args(&first)).changed);
    assert!(!call("git", args(&first[..10])).changed, "a short name that the checkout knows");
    fs::write(dest.join("f"), "by hand").unwrap();
    let refused = call("git", args("main"));
    assert!(refused.failure.is_some_and(|failure| failure.msg.starts_with("Local modifications exist")));
    let mut forced = args("main");
    forced.insert("force".into(), true.into());
    assert!(call("git", forced).changed);
    assert_eq!(fs::read_to_string(dest.join("f")).unwrap(), "two");
    let missing = call("git", args("nosuch"));
    let missing = missing.failure.unwrap();
    assert_eq!((missing.arg.as_deref(), missing.msg.as_str()), (Some("version"), "Failed to checkout nosuch"));
}

#[test]
fn an_archive_follows_the_version() {
    if !has_git() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let repo = repository(root.path());
    let archive = root.path().join("a.tar");
    let args = data! {
        "repo" => paths::text(&repo), "dest" => paths::text(root.path().join("dest")),
        "archive" => paths::text(&archive), "archive_prefix" => "in/",
    };
    assert!(checked("git", args.clone()).changed && !archive.exists());
    let done = call("git", args.clone());
    assert!(done.changed && done.failure.is_none(), "{done:?}");
    assert!(String::from_utf8_lossy(&fs::read(&archive).unwrap()).contains("in/f"));
    assert!(!call("git", args.clone()).changed);
    fs::remove_file(&archive).unwrap();
    assert!(checked("git", args.clone()).changed && !archive.exists());
    assert!(call("git", args.clone()).changed && archive.exists(), "the archive alone is missing");
    commit(&repo, "two");
    let before = fs::read(&archive).unwrap();
    assert!(call("git", args.clone()).changed && fs::read(&archive).unwrap() != before);
    let refused = |key: &str, value: &str| {
        let mut args = args.clone();
        args.insert(key.into(), value.into());
        call("git", args).failure.unwrap().msg
    };
    assert!(refused("archive", "/a.odd").contains("Unable to get file extension from archive file name : /a.odd"));
}

#[test]
fn the_repository_may_be_elsewhere() {
    if !has_git() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let (repo, dest, elsewhere) = (repository(root.path()), root.path().join("dest"), root.path().join("else"));
    let plain = data! { "repo" => paths::text(&repo), "dest" => paths::text(&dest) };
    let mut args = plain.clone();
    args.insert("separate_git_dir".into(), paths::text(&elsewhere).into());
    assert!(call("git", args.clone()).changed && dest.join(".git").is_file() && elsewhere.join("HEAD").is_file());
    assert!(!call("git", args.clone()).changed);
    // The same for a checkout that has its repository inside.
    fs::remove_dir_all(&dest).unwrap();
    fs::remove_dir_all(&elsewhere).unwrap();
    call("git", plain);
    assert!(checked("git", args.clone()).changed && dest.join(".git").is_dir());
    let moved = call("git", args.clone());
    assert!(moved.changed && moved.failure.is_none(), "{moved:?}");
    assert_eq!(moved.data["git_dir_before"], paths::text(dest.join(".git")).into());
    assert!(dest.join(".git").is_file() && !call("git", args).changed);
}

#[test]
fn an_unsigned_commit_is_refused() {
    if !has_git() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let repo = repository(root.path());
    let dest = paths::text(root.path().join("dest"));
    let args = data! { "repo" => paths::text(&repo), "dest" => dest, "verify_commit" => true };
    let msg = call("git", args).failure.unwrap().msg;
    assert_eq!(msg, "Failed to verify GPG signature of commit/tag \"HEAD\"");
}

#[test]
fn a_bare_and_a_shallow_one() {
    if !has_git() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let repo = repository(root.path());
    commit(&repo, "two");
    let url = format!("file://{}", repo.display());
    for more in [data! { "bare" => true }, data! { "depth" => 1 }] {
        let dest = root.path().join(more.keys().next().unwrap());
        let mut args = data! { "repo" => url.as_str(), "dest" => paths::text(&dest) };
        args.extend(more);
        let done = call("git", args.clone());
        assert!(done.changed && done.failure.is_none(), "{done:?}");
        assert!(!call("git", args.clone()).changed);
        commit(&repo, &paths::text(&dest));
        let again = call("git", args.clone());
        assert!(again.changed && again.failure.is_none(), "{again:?}");
        assert!(!call("git", args).changed);
    }
    assert_eq!(git(&root.path().join("depth"), &["rev-list", "--count", "HEAD"]), "1");
}

#[test]
fn what_the_repository_says() {
    let heads = Heads::parse(
        "ref: refs/heads/main\tHEAD\naaa\tHEAD\naaa\trefs/heads/main\nbbb\trefs/heads/dev\nccc\trefs/tags/v1\nddd\trefs/tags/v1^{}\n",
    );
    assert_eq!(heads.version("HEAD"), Version::Branch { name: "main".into(), commit: "aaa".into() });
    assert_eq!(heads.version("dev"), Version::Branch { name: "dev".into(), commit: "bbb".into() });
    assert_eq!(heads.version("v1"), Version::Tag { name: "v1".into(), commit: "ddd".into() });
    assert_eq!(heads.version("1234567").commit(), None);
}

#[test]
fn a_password_in_the_address_is_not_shown() {
    if !has_git() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let args = data! { "repo" => "http://me:hush@127.0.0.1:1/x.git", "dest" => paths::text(root.path().join("d")) };
    let done = call("git", args);
    assert!(done.failure.is_some() && !format!("{:?}", done.failure).contains("hush"), "{done:?}");
}
