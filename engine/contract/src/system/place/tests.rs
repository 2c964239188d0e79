use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use rplay_wire::Map;
use rustix::fs::{XattrFlags, getxattr, setxattr};

use super::*;
use crate::{
    Host, NoBlobs, Plan,
    system::{attributes::Wanted, flags, mode::Mode},
};

fn host() -> Host {
    Host::new(Vec::new(), Arc::new(NoBlobs))
}

fn placement(path: &Path, text: &str) -> Placement {
    Placement {
        path: path.to_owned(),
        content: Content::Bytes(text.into()),
        wanted: Wanted::default(),
        refused: None,
        backup: false,
        link: None,
        validate: None,
        unsafe_writes: Some(false),
        shown: true,
    }
}

#[test]
fn the_same_content_is_no_change_and_other_content_is_shown_and_put() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs::write(&file, "old\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(placement(&file, "old\n").plan(&host(), Plan::unchanged()).unwrap().changes.is_empty());
    let plan = placement(&file, "new\n").plan(&host(), Plan::unchanged()).unwrap();
    let diff = plan.changes[0].diff.as_ref().unwrap();
    assert_eq!((diff.before.as_str(), diff.after.as_str()), ("old\n", "new\n"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "old\n", "planning changes nothing");
    let mut data = Map::new();
    placement(&file, "new\n").backup(true).put(&host(), &mut data).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "new\n");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
    let kept = data["backup_file"].as_str().unwrap();
    assert_eq!(fs::read_to_string(kept).unwrap(), "old\n");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn content_that_does_not_validate_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    let good = placement(&file, "good").validate(Some("grep -q good %s".into()));
    good.put(&host(), &mut Map::new()).unwrap();
    let bad = placement(&file, "bad").validate(Some("grep -q good %s".into()));
    let failure = bad.put(&host(), &mut Map::new()).unwrap_err();
    assert_eq!(failure.data["exit_status"], 1.into());
    assert_eq!(fs::read_to_string(&file).unwrap(), "good");
    let without = placement(&file, "x").validate(Some("true".into()));
    assert!(without.plan(&host(), Plan::unchanged()).is_err());
}

#[test]
fn a_link_is_replaced_and_not_written_through() {
    let directory = tempfile::tempdir().unwrap();
    let (file, link) = (directory.path().join("f"), directory.path().join("l"));
    fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert!(placement(&link, "old").differs().unwrap());
    placement(&link, "new").put(&host(), &mut Map::new()).unwrap();
    assert!(!link.is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
}

/// u::rw-, u:1:rw-, g::r--, m::rw-, o::---: the permission bits show as 0660.
const ACL: &[u8] = &[
    2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 6, 0, 1, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 6, 0,
    255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
];

/// Sets an extended attribute; returns whether this file system and user can.
fn attribute(path: &Path, name: &str, value: &[u8]) -> bool {
    let is_set = setxattr(path, name, value, XattrFlags::empty()).is_ok();
    if !is_set {
        eprintln!("skipped: {name} cannot be set here");
    }
    is_set
}

fn found(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut buffer = [0; 256];
    getxattr(path, name, &mut buffer).ok().map(|length| buffer[..length].to_vec())
}

fn bits(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn the_new_file_and_the_backup_have_the_attributes_of_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    // cap_net_raw+ep in the kernel's format.
    let capability = [[1, 0, 0, 2, 0, 32, 0, 0].as_slice(), &[0; 12]].concat();
    let all = [
        ("user.note", b"hi".as_slice()),
        ("trusted.note", b"root"),
        ("system.posix_acl_access", ACL),
        ("security.capability", &capability),
    ];
    fs::write(&file, "old").unwrap();
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&file, Some(1), Some(1)).unwrap();
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4755)).unwrap();
    let kept: Vec<_> = all.into_iter().filter(|(name, value)| attribute(&file, name, value)).collect();
    let (mode, owner) = (bits(&file), fs::metadata(&file).unwrap().uid());
    let mut data = Map::new();
    let host = host();
    placement(&file, "new").backup(true).put(&host, &mut data).unwrap();
    let backup = PathBuf::from(data["backup_file"].as_str().unwrap());
    for path in [&file, &backup] {
        assert_eq!((bits(path), fs::metadata(path).unwrap().uid()), (mode, owner));
        for (name, value) in &kept {
            assert_eq!(found(path, name).as_deref(), Some(*value), "{name} of {}", path.display());
        }
    }
    assert_eq!(host.take_warnings(), Vec::<String>::new());
}

#[test]
fn explicit_permissions_move_the_mask_and_not_the_group() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs::write(&file, "old").unwrap();
    if !attribute(&file, "system.posix_acl_access", ACL) {
        return;
    }
    let mut placement = placement(&file, "new");
    placement.wanted.mode = Some(Mode::Bits(0o640));
    placement.put(&host(), &mut Map::new()).unwrap();
    let acl = crate::system::acl::Acl::read(&found(&file, "system.posix_acl_access").unwrap()).unwrap();
    assert_eq!((bits(&file), acl), (0o640, crate::system::acl::Acl::read(ACL).unwrap().with_mode(0o640, 7)));
}

#[test]
fn a_directorys_default_list_does_not_affect_a_replaced_file() {
    let directory = tempfile::tempdir().unwrap();
    if !attribute(directory.path(), "system.posix_acl_default", ACL) {
        return;
    }
    let file = directory.path().join("f");
    let made = tempfile::NamedTempFile::new().unwrap();
    fs::write(&made, "old").unwrap();
    // A moved file has no list.
    if made.persist(&file).is_err() || found(&file, "system.posix_acl_access").is_some() {
        return;
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    placement(&file, "new").put(&host(), &mut Map::new()).unwrap();
    assert_eq!((bits(&file), found(&file, "system.posix_acl_access")), (0o640, None));
}

#[test]
fn another_owner_gets_neither_setuid_nor_capabilities() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4755)).unwrap();
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let mut placement = placement(&file, "new");
    placement.wanted.uid = Some(1);
    placement.put(&host(), &mut Map::new()).unwrap();
    assert_eq!((bits(&file), fs::metadata(&file).unwrap().uid()), (0o755, 1));
}

#[test]
fn backups_within_a_second_do_not_replace_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs::write(&file, "1").unwrap();
    let kept = |text: &str| {
        let mut data = Map::new();
        placement(&file, text).backup(true).put(&host(), &mut data).unwrap();
        fs::read_to_string(data["backup_file"].as_str().unwrap()).unwrap()
    };
    assert_eq!((kept("2"), kept("3"), kept("4")), ("1".into(), "2".into(), "3".into()));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 4);
}

#[test]
fn special_files_are_not_replaced_and_links_to_them_are() {
    let directory = tempfile::tempdir().unwrap();
    let (fifo, link) = (directory.path().join("fifo"), directory.path().join("link"));
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    symlink(&fifo, &link).unwrap();
    let said = format!("cannot replace {}: it is a FIFO, not a regular file", fifo.display());
    let refused = placement(&fifo, "x").plan(&host(), Plan::unchanged()).map(|_| ()).unwrap_err();
    assert_eq!(refused.msg, said);
    assert_eq!(placement(&fifo, "x").put(&host(), &mut Map::new()).unwrap_err().msg, said);
    placement(&link, "x").plan(&host(), Plan::unchanged()).unwrap();
    placement(&link, "x").put(&host(), &mut Map::new()).unwrap();
    assert!(link.is_file() && !link.is_symlink() && !fifo.is_file());
}

#[test]
fn files_of_proc_have_content_but_no_length() {
    let text = fs::read_to_string("/proc/version").unwrap();
    assert!(!placement(Path::new("/proc/version"), &text).differs().unwrap());
    assert!(placement(Path::new("/proc/version"), "other").differs().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("f");
    let from_proc = Placement::plain(&copy, Content::File("/proc/version".into()));
    from_proc.put(&host(), &mut Map::new()).unwrap();
    assert_eq!(fs::read_to_string(&copy).unwrap(), text);
    assert!(!Placement::plain(&copy, Content::File("/proc/version".into())).differs().unwrap());
}

/// Runs only as root, and only on file systems with these attributes.
#[test]
fn a_locked_file_is_reported_and_nothing_is_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    let (file, inner) = (directory.path().join("f"), directory.path().join("d"));
    fs::write(&file, "old").unwrap();
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("g"), "old").unwrap();
    for (path, letter, name) in [
        (&file, 'i', "immutable"),
        (&file, 'a', "append-only"),
        (&inner, 'i', "immutable"),
        (&inner, 'a', "append-only"),
    ] {
        if flags::change(path, &format!("+{letter}")).is_err() {
            eprintln!("skipped: {letter} cannot be set here");
            return;
        }
        let target = if path.is_dir() { inner.join("g") } else { file.clone() };
        let refused = placement(&target, "new").backup(true).put(&host(), &mut Map::new());
        let in_place =
            Placement { unsafe_writes: Some(true), ..placement(&target, "new") }.put(&host(), &mut Map::new());
        let by_environment = |value: &str| {
            let host = Host::new(vec![("ANSIBLE_UNSAFE_WRITES".into(), value.into())], Arc::new(NoBlobs));
            Placement { unsafe_writes: None, ..placement(&target, "new") }.put(&host, &mut Map::new())
        };
        assert!(by_environment("no").is_err());
        assert_eq!(by_environment("1").is_ok(), path.is_dir());
        let changed = flags::change(path, &format!("-{letter}"));
        let said = format!("Operation not permitted, because it is {name} (attribute `{letter}`)");
        assert!(refused.as_ref().unwrap_err().msg.ends_with(&said), "{refused:?}");
        changed.unwrap();
        if path.is_dir() {
            in_place.unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), "new");
            fs::write(&target, "old").unwrap();
        } else {
            assert!(in_place.is_err());
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        assert_eq!((fs::read_dir(directory.path()).unwrap().count(), fs::read_dir(&inner).unwrap().count()), (2, 1));
    }
}

#[test]
fn a_new_file_in_an_append_only_directory_gets_its_name_at_once() {
    let directory = tempfile::tempdir().unwrap();
    if flags::change(directory.path(), "+a").is_err() {
        eprintln!("skipped: no directory can be append-only here");
        return;
    }
    let mut placement = placement(&directory.path().join("f"), "new").validate(Some("grep -q new %s".into()));
    placement.wanted.mode = Some(Mode::Bits(0o640));
    let made = placement.put(&host(), &mut Map::new());
    flags::change(directory.path(), "-a").unwrap();
    made.unwrap();
    assert_eq!(fs::read_to_string(directory.path().join("f")).unwrap(), "new");
    assert_eq!((bits(&directory.path().join("f")), fs::read_dir(directory.path()).unwrap().count()), (0o640, 1));
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let directory = tempfile::tempdir().unwrap();
    let mount = directory.path().join("m");
    fs::create_dir(&mount).unwrap();
    let small = nix::mount::mount(Some("tmpfs"), &mount, Some("tmpfs"), nix::mount::MsFlags::empty(), Some("size=16k"));
    if small.is_err() {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    let file = mount.join("f");
    fs::write(&file, "old").unwrap();
    let failure = placement(&file, &"x".repeat(100_000)).put(&host(), &mut Map::new()).map_err(|failure| failure.msg);
    let left: Vec<_> = fs::read_dir(&mount).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let content = fs::read_to_string(&file).unwrap();
    // The same directory, now read-only.
    let flags = nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY;
    nix::mount::mount(None::<&str>, &mount, None::<&str>, flags, None::<&str>).unwrap();
    let read_only = placement(&file, "new").put(&host(), &mut Map::new()).map_err(|failure| failure.msg);
    nix::mount::umount(&mount).unwrap();
    assert_eq!(failure.unwrap_err(), format!("cannot write {}: No space left on device", file.display()));
    assert_eq!((left, content.as_str()), (vec!["f".into()], "old"));
    assert_eq!(read_only.unwrap_err(), format!("cannot write {}: Read-only file system", file.display()));
}

#[test]
fn a_mount_point_is_written_into_only_on_request() {
    let directory = tempfile::tempdir().unwrap();
    let (below, point) = (directory.path().join("below"), directory.path().join("point"));
    fs::write(&below, "old, and long").unwrap();
    fs::write(&point, "").unwrap();
    let bind = nix::mount::MsFlags::MS_BIND;
    if nix::mount::mount(Some(&below), &point, None::<&str>, bind, None::<&str>).is_err() {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    let refused = placement(&point, "new").put(&host(), &mut Map::new());
    let written = Placement { unsafe_writes: Some(true), ..placement(&point, "new") }.put(&host(), &mut Map::new());
    nix::mount::umount(&point).unwrap();
    let refused = refused.unwrap_err();
    assert!(refused.msg.ends_with("Device or resource busy") && refused.help.unwrap().contains("unsafe_writes"));
    written.unwrap();
    assert_eq!(fs::read_to_string(&below).unwrap(), "new");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn long_and_binary_content_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs::write(&file, [0, 159, 1]).unwrap();
    let plan = placement(&file, &"x".repeat(200_000)).plan(&host(), Plan::unchanged()).unwrap();
    let diff = plan.changes[0].diff.as_ref().unwrap();
    assert!(diff.before_header.contains("binary") && diff.after_header.contains("longer"));
    assert!(diff.after.is_empty());
}
