//! Creates directories, including their parents.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rplay_wire::{Failure, Value, data};

use crate::{
    Change, Plan,
    io_failure::io_failure,
    system::{
        attributes::{Wanted, octal, state_diff},
        paths,
    },
};

/// The state of a path before and after, shown as two dicts.
pub fn turned(path: &Path, before: &str, after: &str) -> rplay_wire::Diff {
    let state = |word: &str| data! { "path" => paths::text(path), "state" => word };
    state_diff(&state(before), &state(after))
}

/// The state of a path that is made, `as_what`, before and after, with the owner and mode that differ from those which
/// it has at first.
pub fn made_diff(path: &Path, wanted: &Wanted, as_what: &str) -> rplay_wire::Diff {
    let state = |word: &str| data! { "path" => paths::text(path), "state" => word };
    let (mut before, mut after) = (state("absent"), state(as_what));
    let mut differs = |key: &str, old: Value, new: Value| {
        if old != new {
            before.insert(key.to_owned(), old);
            after.insert(key.to_owned(), new);
        }
    };
    let is_directory = as_what == "directory";
    let first = Wanted::default().mode_of_new(is_directory);
    differs("mode", octal(first).into(), octal(wanted.mode_of_new(is_directory)).into());
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    differs("owner", uid.into(), wanted.uid.unwrap_or(uid).into());
    differs("group", gid.into(), wanted.gid.unwrap_or(gid).into());
    state_diff(&before, &after)
}

/// Adds the change that creates a directory and its missing parents, all with the same owner and mode.
///
/// # Errors
/// If a part of the path exists and is no directory.
pub fn make_directories(path: &Path, wanted: &Wanted, plan: Plan) -> Result<Plan, Failure> {
    make_directories_or(path, wanted, plan, |directory, error| io_failure("create", directory, error).arg("path"))
}

/// Like [`make_directories`]; `not_made` tells of the directory that could not be created.
///
/// # Errors
/// Same as [`make_directories`].
pub fn make_directories_or(
    path: &Path,
    wanted: &Wanted,
    plan: Plan,
    not_made: impl Fn(&Path, &io::Error) -> Failure + 'static,
) -> Result<Plan, Failure> {
    let mut missing: Vec<PathBuf> = Vec::new();
    for directory in path.ancestors() {
        if directory.as_os_str().is_empty() || directory.is_dir() {
            break;
        }
        if directory.symlink_metadata().is_ok() {
            let below = missing.last().map_or(path, PathBuf::as_path);
            let help = format!("{} is not a directory", directory.display());
            return Err(not_made(below, &nix::errno::Errno::ENOTDIR.into()).help(help));
        }
        missing.push(directory.to_owned());
    }
    missing.reverse();
    let wanted = wanted.clone();
    let diff = made_diff(path, &wanted, "directory");
    let change = Change::new(format!("create directory {}", path.display()), move |_, _| {
        for directory in &missing {
            match fs::DirBuilder::new().mode(wanted.mode_of_new(true)).create(directory) {
                // An earlier change of the same plan created it, with its own owner and mode.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => continue,
                made => made.map_err(|error| not_made(directory, &error))?,
            }
            wanted.apply(directory, false)?;
        }
        Ok(())
    });
    Ok(plan.change(change.diff(diff)))
}
