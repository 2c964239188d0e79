//! Settings for a module besides its arguments (`_ansible_check_mode` and the like), and its temporary directory.

use std::path::{Path, PathBuf};

use rplay_wire::{Failure, Map, Mode, Value};

use super::Order;
use crate::{
    Host,
    system::{paths, scratch},
};

/// Where modules create temporary directories, unless the controller names another place.
const REMOTE_TMP: &str = "~/.ansible/tmp";

const NAMES: [&str; 17] = [
    "check_mode",
    "no_log",
    "debug",
    "diff",
    "verbosity",
    "version",
    "module_name",
    "syslog_facility",
    "selinux_special_fs",
    "socket",
    "shell_executable",
    "keep_remote_files",
    "tmpdir",
    "remote_tmp",
    "ignore_unknown_opts",
    "target_log_info",
    "tracebacks_for",
];

/// The directory of one call, removed on drop.
pub(super) enum Directory {
    Shared(scratch::Directory),
    Chosen(tempfile::TempDir),
}

impl Directory {
    /// Below `remote_tmp`, which is created if necessary. If nobody has chosen it, and it cannot be created (a user
    /// without a home), in the default temporary directory.
    pub(super) fn make(order: &Order, host: &Host) -> Result<Self, Failure> {
        let parent = PathBuf::from(paths::expand(order.remote_tmp.as_deref().unwrap_or(REMOTE_TMP), host));
        let make = || {
            if !parent.is_dir() {
                use std::os::unix::fs::DirBuilderExt;
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&parent)?;
            }
            scratch::directory_in(&parent).map(Directory::Chosen)
        };
        match make() {
            Err(_) if order.remote_tmp.is_none() => Ok(Directory::Shared(scratch::directory()?)),
            Err(error) => {
                Err(Failure::new(format!("cannot use the remote_tmp directory {}: {error}", parent.display())))
            }
            Ok(directory) => Ok(directory),
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Directory::Shared(directory) => directory.path(),
            Directory::Chosen(directory) => directory.path(),
        }
    }
}

/// The settings of a call, by names without `_ansible_`, in Ansible's order: scripts read them one by one.
pub(super) fn of(order: &Order, mode: Mode, directory: &Path) -> Map {
    let mut given = order.settings.clone();
    let remote_tmp = order.remote_tmp.as_deref().unwrap_or(REMOTE_TMP);
    let filesystems = ["fuse", "nfs", "vboxsf", "ramfs", "9p", "vfat"].map(Value::from).to_vec();
    let mut settings = Map::new();
    for name in NAMES {
        let value = given.shift_remove(name).unwrap_or_else(|| match name {
            "check_mode" => mode.check.into(),
            "diff" => mode.diff.into(),
            "module_name" => order.name.clone().into(),
            "selinux_special_fs" => filesystems.clone().into(),
            "tmpdir" => format!("{}/", directory.display()).into(),
            "remote_tmp" => remote_tmp.into(),
            "keep_remote_files" | "ignore_unknown_opts" => false.into(),
            _ => Value::Null,
        });
        settings.insert(name.to_owned(), value);
    }
    settings.extend(given);
    settings
}
