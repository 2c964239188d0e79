//! What `file` does at a path: sets owner, mode and times, creates files and directories, removes them. `files/link.rs`
//! makes the links.

use std::{
    io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use rplay_wire::{Diff, Failure, Map, Value, data};

use crate::system::fs;
use crate::{
    Change, Host, Plan,
    io_failure::{io_failure, python_error},
    system::{
        attributes::{Wanted, describe, state_diff, state_word},
        directories::{made_diff, make_directories_or},
        machine, paths,
        times::Times,
    },
};

/// What to do at a path.
pub(crate) struct Job {
    pub wanted: Wanted,
    pub src: Option<PathBuf>,
    pub follow: bool,
    pub force: bool,
    pub times: Times,
}

impl Job {
    pub(super) fn file(self, path: PathBuf) -> Result<Plan, Failure> {
        let path = if self.follow && path.is_symlink() { paths::real(&path) } else { path };
        let found = present(&path);
        if !matches!(found, "file" | "hard") {
            return Err(Failure::new(format!("file ({}) is {found}, cannot continue", path.display()))
                .arg("path")
                .data(data! { "state" => found })
                .help(match found {
                    "absent" => "use `state: touch` to create an empty file, or use copy or template",
                    _ => "set `state` to what it should be",
                }));
        }
        let plan = self.settled(&path, Plan::unchanged())?;
        Ok(plan.set("path", paths::text(path)))
    }

    /// Sets owner, mode and times of an existing file.
    pub(crate) fn settled(&self, path: &Path, plan: Plan) -> Result<Plan, Failure> {
        let plan = self.wanted.plan(path, self.follow, plan)?;
        let differs = self.times.difference(path, self.follow);
        let (mut before, mut after) = differs.map_err(|error| io_failure("look at", path, &error))?;
        if after.is_empty() {
            return Ok(plan);
        }
        before.insert("path".to_owned(), paths::text(path).into());
        after.insert("path".to_owned(), paths::text(path).into());
        let (times, target, follow) = (self.times, path.to_owned(), self.follow);
        let change =
            Change::new(format!("set the times of {}", path.display()), move |_, _| times.apply(&target, follow));
        Ok(plan.change(change.diff(state_diff(&before, &after))))
    }

    pub(super) fn touch(self, path: PathBuf) -> Result<Plan, Failure> {
        let target = if self.follow && path.is_symlink() { paths::real(&path) } else { path.clone() };
        // As in ansible-core, a link that leads nowhere is there already, and nothing has the times.
        if path.is_symlink() && !path.exists() {
            let what = "Error while updating modification or access time: [Errno 2] No such file or directory";
            let msg = format!("{what}: b'{}'", target.display());
            return Err(Failure::new(msg).arg("path").help("the link leads nowhere: remove it first"));
        }
        if present(&target) != "absent" {
            let mut plan = self.settled(&target, Plan::unchanged())?;
            for change in &mut plan.changes {
                change.diff = change.diff.take().map(|diff| touched(&diff, &path));
            }
            return Ok(plan);
        }
        let (wanted, times, made) = (self.wanted, self.times, target.clone());
        let now = machine::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
        let times_now = data! { "atime" => now, "mtime" => now };
        let diff = with(&made_diff(&target, &wanted, "touch"), &times_now, &times_now);
        let change = Change::new(format!("create {}", target.display()), move |_, _| {
            let open = fs::File::options().write(true).create_new(true).open(&made);
            open.map_err(|error| {
                Failure::new("Error, could not touch target.")
                    .arg("path")
                    .help(io_failure("create", &made, &error).msg)
                    .data(data! { "path" => paths::text(&made) })
            })?;
            // A file that cannot get its owner or mode does not stay.
            let settled = wanted.apply(&made, false).and_then(|_| times.apply(&made, false));
            settled.inspect_err(|_| drop(fs::remove_file(&made)))
        });
        Ok(Plan::unchanged().change(change.diff(diff)))
    }

    pub(super) fn directory(self, path: PathBuf, recurse: bool) -> Result<Plan, Failure> {
        let path = if self.follow && path.is_symlink() { paths::real(&path) } else { path };
        let found = present(&path);
        let mut plan = match found {
            "absent" if path.as_os_str().is_empty() => {
                let msg = "There was an issue creating  as requested: [Errno 2] No such file or directory: b''";
                return Err(Failure::new(msg).arg("path"));
            }
            "absent" => {
                let whole = path.clone();
                let not_made = move |directory: &Path, error: &io::Error| {
                    let msg = format!(
                        "There was an issue creating {} as requested: {}: b'{}'",
                        directory.display(),
                        python_error(error),
                        directory.display()
                    );
                    Failure::new(msg).arg("path").data(data! { "path" => paths::text(&whole) })
                };
                make_directories_or(&path, &self.wanted, Plan::unchanged(), not_made)?
            }
            "directory" => self.settled(&path, Plan::unchanged())?,
            other => {
                let msg = format!("{} already exists as a {other}", path.display());
                return Err(Failure::new(msg).arg("path"));
            }
        };
        if recurse && found == "directory" {
            plan = self.recurse(&path, plan)?;
        }
        Ok(plan.set("path", paths::text(path)))
    }

    fn recurse(&self, directory: &Path, mut plan: Plan) -> Result<Plan, Failure> {
        let entries = fs::read_dir(directory).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut entries = entries.map_err(|error| io_failure("read", directory, &error))?;
        crate::system::order::sort_by(&mut entries, |a, b| a.file_name().cmp(&b.file_name()));
        for entry in entries {
            let path = entry.path();
            plan = self.wanted.plan(&path, false, plan)?;
            let is_link = path.is_symlink();
            if path.is_dir() && (!is_link || self.follow) {
                if is_link {
                    plan = self.wanted.plan(&path, true, plan)?;
                    if directory.starts_with(paths::real(&path)) {
                        // It leads back to a directory being walked.
                        continue;
                    }
                }
                plan = self.recurse(&path, plan)?;
            } else if is_link && self.follow && path.exists() {
                plan = self.wanted.plan(&path, true, plan)?;
            }
        }
        Ok(plan)
    }
}

/// The current state of a path: `absent`, `link`, `directory`, `hard` or `file`.
pub(crate) fn present(path: &Path) -> &'static str {
    fs::symlink_metadata(path).map_or("absent", |meta| state_word(&meta))
}

/// The fields of a failure that describe its file.
pub(crate) fn described(path: &Path) -> Map {
    if path.exists() { describe(path) } else { Map::new() }
}

/// Removes what is at the path.
/// The difference of a file that is touched, with what is at the path itself.
fn touched(diff: &Diff, path: &Path) -> Diff {
    let side = |word: &str| data! { "path" => paths::text(path), "state" => word };
    with(diff, &side(present(path)), &side("touch"))
}

/// The difference of a directory that check mode does not make: without what it would be given afterwards.
pub(super) fn unmade(diff: &Diff, path: &Path) -> Diff {
    let side = |word: &str| data! { "path" => paths::text(path), "state" => word };
    match diff.after_header.is_empty() {
        true => state_diff(&side("absent"), &side("directory")),
        false => diff.clone(),
    }
}

/// The difference of two states, with more before and after.
fn with(diff: &Diff, before: &Map, after: &Map) -> Diff {
    let side = |text: &str, more: &Map| {
        let mut map = match serde_json::from_str::<serde_json::Value>(text).map(Value::from) {
            Ok(Value::Map(map)) => map,
            _ => Map::new(),
        };
        map.extend(more.clone());
        map
    };
    state_diff(&side(&diff.before, before), &side(&diff.after, after))
}

pub(super) fn absent(path: &Path, host: &Host) -> Result<Plan, Failure> {
    let found = present(path);
    if found == "absent" {
        return Ok(Plan::unchanged());
    }
    let gone = path.to_owned();
    let change = Change::new(format!("remove {}", path.display()), move |_, _: &mut Map| {
        let removed = match fs::symlink_metadata(&gone) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&gone),
            Ok(_) => fs::remove_file(&gone),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_failure("remove", &gone, &error)),
            _ => Ok(()),
        }
    });
    let mut before = data! { "path" => paths::text(path), "state" => found };
    if host.diff && found == "directory" {
        let (mut directories, mut files) = (Vec::new(), Vec::new());
        held(path, &mut directories, &mut files);
        before.insert("path_content".to_owned(), data! { "directories" => directories, "files" => files }.into());
    }
    let after = data! { "path" => paths::text(path), "state" => "absent" };
    Ok(Plan::unchanged().change(change.diff(state_diff(&before, &after))))
}

/// What is in a directory and those below: directories and anything else.
fn held(directory: &Path, directories: &mut Vec<String>, files: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut own: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    crate::system::order::sort(&mut own);
    let (below, rest): (Vec<_>, Vec<_>) = own.into_iter().partition(|path| path.is_dir());
    directories.extend(below.iter().map(paths::text));
    files.extend(rest.iter().map(paths::text));
    below.iter().filter(|path| !path.is_symlink()).for_each(|path| held(path, directories, files));
}
