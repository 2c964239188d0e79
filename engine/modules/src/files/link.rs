//! Symbolic and hard links of the module `file`.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rplay_wire::{Failure, Map, data};

use crate::system::fs::{self, symlink};
use crate::{
    Change, Plan,
    files::file::job::{Job, described, present},
    io_failure::{io_failure, python_error},
    system::{attributes::state_diff, directories::turned, paths, scratch},
};

impl Job {
    pub(crate) fn link(mut self, path: PathBuf) -> Result<Plan, Failure> {
        let found = present(&path);
        let about = {
            let path = path.clone();
            move |failure: Failure| failure.data(data! { "path" => paths::text(&path) }).data(described(&path))
        };
        let mut data = data! { "dest" => paths::text(&path) };
        // As in ansible-core, a broken link is taken as it is.
        let is_kept = self.src.is_none() && found == "link" && self.follow && path.exists();
        if self.src.is_none() {
            data.insert("src".to_owned(), rplay_wire::Value::Null);
        }
        if is_kept {
            self.src = fs::read_link(&path).ok();
        }
        let Some(src) = self.src.take() else {
            if found == "absent" {
                let msg = "src is required for creating new symlinks";
                return Err(Failure::new(msg).arg("src"));
            }
            if found != "link" {
                let msg = format!("Task failed: Module failed: [Errno 22] Invalid argument: b'{}'", path.display());
                return Err(Failure::new(msg).arg("src").help(format!("it is a {found}, not a link; set `src`")));
            }
            let plan = self.wanted.plan(&path, false, Plan::unchanged()).map_err(about)?;
            return Ok(Plan { data, ..plan });
        };
        let is_directory = path.is_dir() && !path.is_symlink();
        let base = if is_directory { path.clone() } else { paths::directory(&path).to_owned() };
        if !self.force && !is_kept && !base.join(&src).exists() {
            let msg = format!(
                "src file does not exist, use 'force=yes' if you really want to create the link: {}",
                base.join(&src).display()
            );
            return Err(about(Failure::new(msg).arg("src").data(data! { "src" => paths::text(&src) })));
        }
        data.insert("src".to_owned(), paths::text(&src).into());
        if found == "link" && fs::read_link(&path).is_ok_and(|target| target == src) {
            let target = self.follow && path.exists();
            let mut plan = self.wanted.plan(&path, target, Plan::unchanged()).map_err(about)?;
            if self.follow && !path.exists() {
                plan.warnings.push(NO_TARGET.to_owned());
            }
            return Ok(Plan { data, ..plan });
        }
        self.refuse_conversion(&path, found, "symlink").map_err(&about)?;
        let before = match fs::read_link(&path) {
            Ok(target) => data! { "path" => paths::text(&path), "src" => paths::text(target) },
            Err(_) => data! { "path" => paths::text(&path), "state" => found },
        };
        let after = match found {
            "link" => data! { "path" => paths::text(&path), "src" => paths::text(&src) },
            _ => data! { "path" => paths::text(&path), "state" => "link" },
        };
        let (wanted, follow, made) = (self.wanted, self.follow, path.clone());
        let change = Change::new(format!("link {} to {}", path.display(), src.display()), move |host, _| {
            in_place(&made, |temporary| symlink(&src, temporary)).map_err(|error| not_linked(&src, &made, &error))?;
            if follow && !made.exists() {
                host.warn(NO_TARGET);
            }
            wanted.apply(&made, follow && made.exists()).map(|_| ())
        });
        Ok(Plan { data, ..Plan::unchanged().change(change.diff(state_diff(&before, &after))) })
    }

    pub(crate) fn hard(mut self, path: PathBuf) -> Result<Plan, Failure> {
        let found = present(&path);
        let mut data = data! { "dest" => paths::text(&path) };
        let Some(src) = self.src.take() else {
            if found != "hard" {
                return Err(Failure::new("src is required for creating new hardlinks").arg("src"));
            }
            data.insert("src".to_owned(), rplay_wire::Value::Null);
            return Ok(Plan { data, ..self.settled(&path, Plan::unchanged())? });
        };
        data.insert("src".to_owned(), paths::text(&src).into());
        let told = data.clone();
        let about = path.clone();
        self.hard_to(path, src, found, data).map_err(|failure| failure.data(told).data(described(&about)))
    }

    fn hard_to(self, path: PathBuf, src: PathBuf, found: &str, data: Map) -> Result<Plan, Failure> {
        let origin = fs::metadata(&src).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::new("src does not exist").arg("src"),
            _ => io_failure("look at", &src, &error).arg("src"),
        })?;
        let is_same = |meta: fs::Metadata| (meta.dev(), meta.ino()) == (origin.dev(), origin.ino());
        if found != "link" && fs::symlink_metadata(&path).is_ok_and(is_same) {
            return Ok(Plan { data, ..self.settled(&path, Plan::unchanged())? });
        }
        if found == "hard" && !self.force {
            let msg = "Cannot link, different hard link exists at destination";
            return Err(Failure::new(msg).arg("src").help("set `force: true` to replace it"));
        }
        if found == "file" && !self.force {
            let msg = "Cannot link, file exists at destination";
            return Err(Failure::new(msg).arg("path").help("set `force: true` to replace it").data(described(&path)));
        }
        self.refuse_conversion(&path, found, "hard link")?;
        let (wanted, made) = (self.wanted, path.clone());
        let diff = turned(&path, found, "hard");
        let change = Change::new(format!("link {} to {}", path.display(), src.display()), move |_, _| {
            in_place(&made, |temporary| fs::hard_link(&src, temporary))
                .map_err(|error| not_linked(&src, &made, &error))?;
            wanted.apply(&made, false).map(|_| ())
        });
        Ok(Plan { data, ..Plan::unchanged().change(change.diff(diff)) })
    }

    /// Replaces something other than a link only with `force`, and a directory only if it is empty.
    fn refuse_conversion(&self, path: &Path, found: &str, to: &str) -> Result<(), Failure> {
        let is_link = matches!((found, to), ("link", _) | ("absent", _)) || (found == "hard" && to == "hard link");
        if is_link {
            return Ok(());
        }
        if !self.force {
            let msg = format!("refusing to convert from {found} to {to} for {}", path.display());
            return Err(Failure::new(msg).arg("path").help("set `force: true` to replace it"));
        }
        if found == "directory" && fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
            let msg = format!("the directory {} is not empty, refusing to convert it", path.display());
            return Err(Failure::new(msg).arg("path"));
        }
        Ok(())
    }
}

/// Creates something under a temporary name and moves it to its destination atomically.
pub(crate) fn in_place(path: &Path, make: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    if path.is_dir() && !path.is_symlink() {
        fs::remove_dir(path)?;
    }
    let directory = scratch::directory_in(paths::directory(path))?;
    let temporary = directory.path().join("new");
    make(&temporary)?;
    fs::rename(&temporary, path)
}

/// The warning about a broken link: owner and mode cannot be set on its target.
const NO_TARGET: &str =
    "Cannot set fs attributes on a non-existent symlink target. follow should be set to False to avoid this.";

/// The failure to make a link.
fn not_linked(src: &Path, path: &Path, error: &io::Error) -> Failure {
    let (to, at) = (src.display(), path.display());
    Failure::new(format!("Error while linking: {}: b'{to}' -> b'{at}'", python_error(error)))
        .arg("src")
        .data(data! { "path" => paths::text(path) })
        .data(described(path))
}
