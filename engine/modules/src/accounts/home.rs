//! The home directory of an account that has none.

use std::{
    io,
    path::{Path, PathBuf},
};

use rplay_wire::Failure;

use crate::{
    Change, Host,
    io_failure::io_failure,
    system::{
        accounts::User,
        attributes::Wanted,
        fs,
        mode::Mode,
        place::Content,
        regular,
        tree::{self, Kind},
    },
};

/// Where useradd(8) takes the content of a home directory from.
const SKELETON: &str = "/etc/skel";

/// The change that creates the home directory of an existing user, from a skeleton as useradd(8) does.
pub(super) fn create(name: &str, home: PathBuf, skeleton: Option<PathBuf>, umask: Option<String>) -> Change {
    let name = name.to_owned();
    let mode = mode(umask.as_deref(), &regular::read_to_string("/etc/login.defs").unwrap_or_default());
    Change::new(format!("create the home directory {}", home.display()), move |_: &Host, _| {
        let user = User::named(&name).ok_or_else(|| Failure::new(format!("user {name} does not exist")))?;
        fill(&home, skeleton.as_deref().unwrap_or(Path::new(SKELETON)), mode, (user.uid, user.gid))
    })
}

/// The permissions of a home directory: what `umask` leaves, or what login.defs(5) says.
fn mode(umask: Option<&str>, defs: &str) -> u32 {
    let octal = |text: &str| u32::from_str_radix(text, 8).ok();
    let setting = |name: &str| {
        let mut words = defs.lines().map(str::split_whitespace);
        words.find_map(|mut words| words.next().filter(|word| *word == name).and_then(|_| words.next()))
    };
    let left = |mask: u32| 0o777 & !mask;
    umask
        .and_then(octal)
        .map(left)
        .or_else(|| setting("HOME_MODE").and_then(octal))
        .or_else(|| setting("UMASK").and_then(octal).map(left))
        .unwrap_or(0o755)
}

/// Creates the directory with the content of the skeleton, all of it owned by `owner` (user and group ID).
fn fill(home: &Path, skeleton: &Path, mode: u32, owner: (u32, u32)) -> Result<(), Failure> {
    let failed = |path: &Path, error: io::Error| io_failure("create", path, &error);
    if let Some(above) = home.parent() {
        fs::create_dir_all(above).map_err(|error| failed(above, error))?;
    }
    let directory = |path: &Path| fs::create_dir(path).map_err(|error| failed(path, error));
    directory(home)?;
    let owned = |mode: Option<u32>| Wanted {
        uid: Some(owner.0),
        gid: Some(owner.1),
        mode: mode.map(Mode::Bits),
        ..Wanted::default()
    };
    let nodes = if skeleton.is_dir() { tree::walk(skeleton, false)? } else { Vec::new() };
    for node in nodes {
        let path = home.join(&node.path);
        match node.kind {
            Kind::Directory => directory(&path)?,
            Kind::Link(target) => fs::symlink(&target, &path).map_err(|error| failed(&path, error))?,
            Kind::File(Content::File(source)) => {
                let copied = regular::open(&source).and_then(|mut from| {
                    let mut to = fs::File::options().write(true).create_new(true).open(&path)?;
                    io::copy(&mut from, &mut to)
                });
                copied.map_err(|error| failed(&path, error))?;
            }
            Kind::File(_) => continue,
        }
        owned(node.mode).apply(&path, false)?;
    }
    owned(Some(mode)).apply(home, false).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn permissions_come_from_the_argument_or_login_defs() {
        let defs = "# HOME_MODE 0000\nUMASK\t\t022\n";
        assert_eq!(mode(None, defs), 0o755);
        assert_eq!(mode(None, &format!("{defs}HOME_MODE 0750\n")), 0o750);
        assert_eq!(mode(Some("077"), defs), 0o700);
        assert_eq!(mode(None, ""), 0o755);
    }

    #[test]
    fn a_home_is_a_copy_of_the_skeleton() {
        let base = tempfile::tempdir().unwrap();
        let (skeleton, home) = (base.path().join("skel"), base.path().join("a/b"));
        std::fs::create_dir_all(skeleton.join("d")).unwrap();
        std::fs::write(skeleton.join("d/f"), "x").unwrap();
        std::os::unix::fs::symlink("d/f", skeleton.join("l")).unwrap();
        let owner = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        fill(&home, &skeleton, 0o750, owner).unwrap();
        assert_eq!(home.metadata().unwrap().mode() & 0o7777, 0o750);
        assert_eq!(std::fs::read_to_string(home.join("l")).unwrap(), "x");
        assert!(home.join("l").is_symlink());
        assert!(fill(&home, &skeleton, 0o750, owner).is_err());
    }
}
