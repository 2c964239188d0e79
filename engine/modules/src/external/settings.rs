//! Settings for a module besides its arguments (`_ansible_check_mode` and the like), and its temporary directory.

use std::path::{Path, PathBuf};

use rplay_wire::{Failure, Map, Mode, Value};

use super::Order;
use crate::{
    Host,
    system::{paths, scratch},
};

/// The directory of one call, removed on drop.
pub(super) enum Directory {
    Shared(scratch::Directory),
    Chosen(tempfile::TempDir),
}

impl Directory {
    /// In `remote_tmp` if the controller names one, which is created if necessary; otherwise in the default temporary
    /// directory.
    pub(super) fn make(order: &Order, host: &Host) -> Result<Self, Failure> {
        let Some(chosen) = &order.remote_tmp else { return Ok(Directory::Shared(scratch::directory()?)) };
        let chosen = PathBuf::from(paths::expand(chosen, host));
        let failed = |error: std::io::Error| {
            Failure::new(format!("cannot use the remote_tmp directory {}: {error}", chosen.display()))
        };
        if !chosen.is_dir() {
            use std::os::unix::fs::DirBuilderExt;
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&chosen).map_err(failed)?;
        }
        scratch::directory_in(&chosen).map(Directory::Chosen).map_err(failed)
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Directory::Shared(directory) => directory.path(),
            Directory::Chosen(directory) => directory.path(),
        }
    }
}

/// The settings of a call, by names without `_ansible_`.
pub(super) fn of(order: &Order, mode: Mode, directory: &Path) -> Map {
    let mut settings = order.settings.clone();
    let mut set = |name: &str, value: Value| drop(settings.insert(name.to_owned(), value));
    set("check_mode", mode.check.into());
    set("diff", mode.diff.into());
    set("module_name", order.name.clone().into());
    set("tmpdir", format!("{}/", directory.display()).into());
    set("remote_tmp", order.remote_tmp.clone().unwrap_or_else(|| paths::text(std::env::temp_dir())).into());
    set("keep_remote_files", false.into());
    set("socket", Value::Null);
    set("target_log_info", Value::Null);
    set("ignore_unknown_opts", false.into());
    set("selinux_special_fs", ["fuse", "nfs", "vboxsf", "ramfs", "9p", "vfat"].map(Value::from).to_vec().into());
    settings
}
