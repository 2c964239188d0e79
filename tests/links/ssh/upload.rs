//! Where the executable goes on a host, and when it is sent again.

use super::*;

#[test]
fn without_a_usable_home_the_executable_goes_to_another_directory() {
    let Some(sshd) = Sshd::start("SetEnv XDG_CACHE_HOME=/proc/none TMPDIR=@") else { return };
    let links = sshd.links();
    ping(&links, &sshd.target("web1")).unwrap();
    let other = sshd.at(&format!("rplay-{}", nix::unistd::getuid()));
    assert_eq!(fs::metadata(&other).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
}

/// The executable in a cache directory that ssh sessions use.
fn cached(directory: &Path) -> PathBuf {
    let all: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

#[test]
fn a_damaged_executable_is_replaced_in_the_same_run() {
    let Some(sshd) = Sshd::start("") else { return };
    let links = Links::new(LinkOptions { patience: Duration::from_secs(5), ..sshd.options() }).unwrap();
    ping(&links, &sshd.target("web1")).unwrap();
    let file = cached(&sshd.at("cache/rplay"));
    let whole = fs::read(&file).unwrap();
    // Not overwritten in place: an agent may still be running.
    let remove = || fs::remove_file(&file).unwrap();
    let put = |content: &[u8]| {
        remove();
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
    };
    let overwrite = |at: usize, with: &[u8]| {
        let mut content = whole.clone();
        content[at..at + with.len()].copy_from_slice(with);
        put(&content);
    };
    let damages: [(&str, &dyn Fn()); 13] = [
        ("gone", &remove),
        ("empty", &|| put(b"")),
        ("cut in half", &|| put(&whole[..whole.len() / 2])),
        ("cut a little", &|| put(&whole[..whole.len() - 100])),
        ("words of a shell", &|| put(b"exit 0\n")),
        ("a program that waits for its input to end", &|| put(b"#!/bin/sh\ncat >/dev/null\n")),
        ("other bytes at its head", &|| overwrite(0, &[7; 64])),
        ("other bytes in the middle", &|| overwrite(whole.len() / 2, &[0x55; 1 << 16])),
        ("one other byte at its end", &|| overwrite(whole.len() - 1, &[whole[whole.len() - 1] ^ 1])),
        ("not to be executed", &|| fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap()),
        ("a directory", &|| {
            remove();
            fs::create_dir_all(file.join("a/b")).unwrap();
        }),
        ("a link to nothing", &|| {
            remove();
            std::os::unix::fs::symlink("/nonexistent", &file).unwrap();
        }),
        ("a pipe", &|| {
            remove();
            nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }),
    ];
    for (what, damage) in damages {
        links.reset(&sshd.target("web1"));
        damage();
        timed(what, || ping(&links, &sshd.target("web1")));
        assert!(file.is_file() && !file.is_symlink() && fs::read(&file).unwrap() == whole, "{what}");
        assert_eq!(cached(&sshd.at("cache/rplay")), file, "{what}");
    }
}

/// Full only during the upload, read-only, noexec, or missing.
#[test]
fn an_unusable_home_is_skipped_even_during_the_upload() {
    let full = "mkdir @/cache && mount -t tmpfs -o size=1m,mode=700 tmpfs @/cache";
    let read_only = "mkdir -p @/cache/rplay && mount -t tmpfs -o ro tmpfs @/cache";
    let read_only_directory = "mkdir -p @/cache/rplay && mount --bind @/cache/rplay @/cache/rplay && \
                            mount -o remount,ro,bind @/cache/rplay";
    let noexec = "mkdir @/cache && mount -t tmpfs -o noexec,mode=700 tmpfs @/cache";
    for (what, script) in [
        ("full", full.to_owned()),
        ("read-only", read_only.to_owned()),
        ("a read-only directory", read_only_directory.to_owned()),
        ("noexec", noexec.to_owned()),
        ("a file", "touch @/cache".to_owned()),
        ("noexec with the executable in it", with_executable("@/cache", noexec)),
    ] {
        let Some(sshd) = Sshd::with_mounts(&script) else { return };
        let links = sshd.links();
        timed(what, || ping(&links, &sshd.target("web1")));
        let other = sshd.at(&format!("rplay-{}", nix::unistd::getuid()));
        assert_eq!(fs::read_dir(&other).unwrap().count(), 1, "{what}");
        links.reset(&sshd.target("web1"));
        timed("again", || ping(&links, &sshd.target("web1")));
    }
}

/// A script that also puts the executable into the cache directory.
fn with_executable(directory: &str, script: &str) -> String {
    use sha2::Digest;
    let executable = sshd::executable();
    let digest = sha2::Sha256::digest(fs::read(&executable).unwrap());
    let name = hex::encode(digest);
    let executable = executable.display();
    format!(
        "{script} && mkdir -m 700 {directory}/rplay && cp {executable} {directory}/rplay/{name} && chmod 700 {directory}/rplay/{name}"
    )
}

#[test]
fn where_no_directory_is_usable_the_reason_is_reported() {
    let script = "mkdir @/cache && mount -t tmpfs -o size=1m tmpfs @/cache && touch @/rplay-0 && \
                  mount -t tmpfs -o noexec tmpfs /dev/shm && mount --rbind @ /mnt && \
                  mount -t tmpfs -o noexec tmpfs /tmp && mkdir -p @ && mount --rbind /mnt @";
    let Some(sshd) = Sshd::with_mounts(script) else { return };
    let failure = ping(&sshd.links(), &sshd.target("web1")).unwrap_err();
    assert!(failure.unreachable);
    assert!(failure.msg.contains("no directory for the agent: the home directory"), "{failure}");
    assert!(failure.msg.contains("No space left on device"), "{failure}");
}
