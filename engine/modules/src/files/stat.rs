//! stat: information about a file.

use std::{
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
};

use rplay_wire::{Failure, Map, Value, data};

use crate::system::fs::{self, Metadata};
use crate::system::machine::{AccessFlags, access, major, minor};
use crate::{
    Host, Module, Plan, args,
    argtypes::{Flag, PathArg},
    io_failure::{io_failure, reason},
    system::{
        accounts::{Group, User},
        digest::Algorithm,
        flags, paths, process, times,
    },
};

args! {
    /// Returns information about a file: whether it exists, its type, owner, times, checksum.
    pub struct Stat {
        /// The file.
        path: PathArg | "dest" | "name",
        /// Whether to follow a symbolic link.
        follow: Flag = Flag(false),
        /// Whether to compute a checksum of a regular file.
        get_checksum: Flag = Flag(true),
        /// The checksum algorithm.
        checksum_algorithm: Algorithm | "checksum" | "checksum_algo" = Algorithm::Sha1,
        /// Whether to determine the MIME type, if the host has file(1).
        get_mime: Flag | "mime" | "mime_type" | "mime-type" = Flag(true),
        /// Whether to return the attributes shown by lsattr(1).
        get_attributes: Flag | "attr" | "attributes" = Flag(true),
    }
}

impl Module for Stat {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = self.path.on(host);
        let meta = if self.follow.0 { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        let meta = match meta {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Plan::unchanged().set("stat", data! { "exists" => false }));
            }
            Err(error) => return Err(Failure::new(reason(&error)).help(io_failure("look at", &path, &error).msg)),
        };
        let mut stat = describe(&path, &meta);
        // A number that has no name is not told.
        let owner = User::numbered(meta.uid()).map(|user| ("pw_name", user.name));
        let group = Group::numbered(meta.gid()).map(|group| ("gr_name", group.name));
        for (key, name) in owner.into_iter().chain(group) {
            stat.insert(key.to_owned(), name.into());
        }
        if meta.is_symlink() {
            stat.insert("lnk_source".to_owned(), paths::text(paths::real(&path)).into());
            stat.insert("lnk_target".to_owned(), fs::read_link(&path).map(paths::text).ok().into());
        }
        if meta.is_file() && self.get_checksum.0 && access(&path, AccessFlags::R_OK).is_ok() {
            let digest = self.checksum_algorithm.of_file(&path).map_err(|error| io_failure("read", &path, &error))?;
            stat.insert("checksum".to_owned(), digest.into());
        }
        if self.get_mime.0 {
            let (kind, charset) = kind_of(host, &path);
            stat.insert("mimetype".to_owned(), kind.into());
            stat.insert("charset".to_owned(), charset.into());
        }
        if self.get_attributes.0 {
            // As in ansible-core, those of a link itself, even if it is followed, and it has none.
            let bits = flags::of(&path).unwrap_or_default();
            if path.is_symlink() || !meta.is_file() && !meta.is_dir() {
                stat.insert("version".to_owned(), Value::Null);
            }
            stat.insert("attr_flags".to_owned(), flags::letters(bits).into());
            stat.insert("attributes".to_owned(), flags::names(bits).into());
        }
        Ok(Plan::unchanged().set("stat", stat))
    }
}

/// The file information in results of stat and find.
pub(crate) fn describe(path: &Path, meta: &Metadata) -> Map {
    let bit = |bit: u32| Value::from(meta.mode() & bit != 0);
    let may = |flags| Value::from(access(path, flags).is_ok());
    let kind = meta.file_type();
    data! {
        "exists" => true,
        "path" => paths::text(path),
        "mode" => format!("{:04o}", meta.mode() & 0o7777),
        "isdir" => meta.is_dir(),
        "ischr" => kind.is_char_device(),
        "isblk" => kind.is_block_device(),
        "isreg" => meta.is_file(),
        "isfifo" => kind.is_fifo(),
        "islnk" => meta.is_symlink(),
        "issock" => kind.is_socket(),
        "uid" => meta.uid(),
        "gid" => meta.gid(),
        "size" => meta.size(),
        "inode" => meta.ino(),
        "dev" => meta.dev(),
        "nlink" => meta.nlink(),
        "atime" => times::seconds(meta.atime(), meta.atime_nsec()),
        "mtime" => times::seconds(meta.mtime(), meta.mtime_nsec()),
        "ctime" => times::seconds(meta.ctime(), meta.ctime_nsec()),
        "wusr" => bit(0o200),
        "rusr" => bit(0o400),
        "xusr" => bit(0o100),
        "wgrp" => bit(0o020),
        "rgrp" => bit(0o040),
        "xgrp" => bit(0o010),
        "woth" => bit(0o002),
        "roth" => bit(0o004),
        "xoth" => bit(0o001),
        "isuid" => bit(0o4000),
        "isgid" => bit(0o2000),
        "blocks" => meta.blocks(),
        "block_size" => meta.blksize(),
        // Like Ansible, the device number of a device file.
        "device_type" => major(meta.rdev()) << 8 | minor(meta.rdev()),
        "readable" => may(AccessFlags::R_OK),
        "writeable" => may(AccessFlags::W_OK),
        "executable" => may(AccessFlags::X_OK),
    }
}

/// The MIME type and the encoding reported by file(1), of a link itself; "unknown" if it is not installed.
fn kind_of(host: &Host, path: &Path) -> (String, String) {
    let mut file = host.command("file");
    let said = process::run(file.args(["--mime-type", "--mime-encoding", "--"]).arg(path), None, 1 << 16);
    let said = said.map(|done| done.stdout).unwrap_or_default();
    let kind = said.rsplit_once(": ").and_then(|(_, kind)| kind.trim().split_once("; charset="));
    match kind {
        Some((kind, charset)) => (kind.to_owned(), charset.to_owned()),
        None => ("unknown".to_owned(), "unknown".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::tests::call;

    fn stat(args: Map) -> Map {
        call("stat", args).data["stat"].as_map().unwrap().clone()
    }

    #[test]
    fn files_links_and_what_is_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("f"), directory.path().join("l"));
        fs::write(&file, "abc").unwrap();
        std::os::unix::fs::symlink("f", &link).unwrap();
        let found = stat(data! { "path" => file.to_str().unwrap() });
        assert_eq!(found["checksum"], "a9993e364706816aba3e25717850c26c9cd0d89d".into());
        assert_eq!((&found["isreg"], &found["size"]), (&true.into(), &3.into()));
        let found = stat(data! { "path" => link.to_str().unwrap(), "checksum_algorithm" => "sha256" });
        assert_eq!((&found["islnk"], &found["lnk_target"]), (&true.into(), &"f".into()));
        assert_eq!(found["lnk_source"], paths::real(&file).to_str().unwrap().into());
        assert!(!found.contains_key("checksum"));
        let found = stat(data! { "path" => link.to_str().unwrap(), "follow" => "yes", "get_checksum" => "no" });
        assert_eq!((&found["isreg"], &found["attributes"]), (&true.into(), &Value::List(Vec::new())));
        assert!(matches!(found["mimetype"].as_str(), Some("inode/symlink" | "unknown")), "{found:?}");
        assert!(!found.contains_key("checksum") && !found.contains_key("lnk_source"));
        let found = stat(data! { "path" => directory.path().join("gone").to_str().unwrap() });
        assert_eq!(found, data! { "exists" => false });
    }
}
