use super::*;

/// An archive built from bytes, since the writer itself rejects such names.
fn hostile(name: &str, kind: EntryType, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    let raw = header.as_gnu_mut().unwrap();
    raw.name[..name.len()].copy_from_slice(name.as_bytes());
    raw.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o4777);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn unpacked(parts: &[Vec<u8>]) -> (tempfile::TempDir, Result<()>) {
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("a.tar");
    fs::write(&archive, [parts.concat(), vec![0; 1024]].concat()).unwrap();
    let target = directory.path().join("target");
    fs::create_dir(&target).unwrap();
    let result = unpack(&archive, &target, 0);
    (directory, result)
}

#[test]
fn nothing_leaves_the_target() {
    let file = |name: &str| hostile(name, EntryType::Regular, "", b"x");
    let link = |name: &str, to: &str| hostile(name, EntryType::Symlink, to, b"");
    for (parts, said) in [
        (vec![file("../evil")], "leads out"),
        (vec![file("/tmp/rplay-evil")], "leads out"),
        (vec![file("a/../../evil")], "leads out"),
        (vec![link("l", "/etc")], "leads out"),
        (vec![link("l", ".."), file("l/evil")], "leads out"),
        (vec![link("a/l", "../../evil")], "leads out"),
        (vec![hostile("h", EntryType::Link, "/etc/passwd", b"")], "neither a file"),
        (vec![hostile("d", EntryType::Char, "", b"")], "neither a file"),
        (vec![hostile("f", EntryType::Fifo, "", b"")], "neither a file"),
        (vec![file("a"), file("a")], "duplicate"),
        (vec![file("a"), link("./a", "b")], "duplicate"),
        // Each of them stays inside, but not all together.
        (vec![link("d/x", "."), link("d/y", "x/../../d/x/.."), link("up", "d/x/../.."), file("d/f")], "leads out"),
    ] {
        let (directory, result) = unpacked(&parts);
        let message = result.expect_err(said).to_string();
        assert!(message.contains(said), "{message}");
        assert!(!directory.path().join("evil").exists() && !Path::new("/tmp/rplay-evil").exists());
    }
}

#[test]
fn files_directories_and_inner_links_are_unpacked_without_special_modes() {
    let (directory, result) = unpacked(&[
        hostile("a/", EntryType::Directory, "", b""),
        hostile("a/f", EntryType::Regular, "", b"content"),
        hostile("a/l", EntryType::Symlink, "f", b""),
    ]);
    result.unwrap();
    let file = directory.path().join("target/a/f");
    assert_eq!(fs::read(directory.path().join("target/a/l")).unwrap(), b"content");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o755);
}

/// A wrong size in the header is an error, not a file of zeroes.
#[test]
fn a_truncated_archive_is_refused() {
    let mut part = hostile("a", EntryType::Regular, "", &[7; 4096]);
    part.truncate(1024);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.tar"), part).unwrap();
    fs::create_dir(directory.path().join("t")).unwrap();
    assert!(unpack(&directory.path().join("a.tar"), &directory.path().join("t"), 0).is_err());
}
