//! Folders that a plan makes, with those they stand in.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rplay_wire::{Failure, data};

use crate::{
    Change, Plan,
    io_failure::io_failure,
    system::{
        attributes::{Wanted, state_diff},
        paths,
    },
};

/// The state of a path before and after, shown as two dicts.
pub(crate) fn turned(path: &Path, before: &str, after: &str) -> rplay_wire::Diff {
    let state = |word: &str| data! { "path" => paths::text(path), "state" => word };
    state_diff(&state(before), &state(after))
}

/// Adds the change that makes a folder and those it stands in, all with the same owner and mode.
pub(crate) fn make_folders(path: &Path, wanted: &Wanted, plan: Plan) -> Result<Plan, Failure> {
    let mut missing: Vec<PathBuf> = Vec::new();
    for folder in path.ancestors() {
        if folder.as_os_str().is_empty() || folder.is_dir() {
            break;
        }
        if folder.symlink_metadata().is_ok() {
            let msg = format!("cannot create {}: {} is not a directory", path.display(), folder.display());
            return Err(Failure::new(msg).arg("path"));
        }
        missing.push(folder.to_owned());
    }
    missing.reverse();
    let wanted = wanted.clone();
    let change = Change::new(format!("create directory {}", path.display()), move |_, _| {
        for folder in &missing {
            match fs::DirBuilder::new().mode(wanted.mode_of_new(true)).create(folder) {
                // An earlier change of the same plan made it, with an owner and mode of its own.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => continue,
                made => made.map_err(|error| io_failure("create", folder, &error))?,
            }
            wanted.apply(folder, false)?;
        }
        Ok(())
    });
    Ok(plan.change(change.diff(turned(path, "absent", "directory"))))
}
