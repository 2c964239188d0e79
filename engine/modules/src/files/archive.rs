//! `archive`: an archive of files, or a compressed file, on the host.

mod format;
mod sources;
mod zip;

use std::path::{Path, PathBuf};

use rplay_wire::{Failure, Map, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg},
    system::{
        attributes::{Attributes, describe},
        fs, paths,
        place::{Content, Placement},
        scratch,
    },
};
use format::Format;
use sources::Sources;

args! {
    /// Packs files into an archive on the host, or compresses one file.
    pub struct Archive {
        ..attributes: Attributes,
        /// The files and directories; patterns with `*`, `?` and `[...]` are expanded.
        path: Vec<PathArg>,
        /// The archive. By default, for one file, its name with that of the format.
        dest: Option<PathArg>,
        /// The format. With `gz`, `bz2` and `xz`, a single file is compressed, others are packed with tar before.
        format: Format = Format::Gz,
        /// Paths to leave out of `path`; patterns are expanded.
        exclude_path: Vec<PathArg> = Vec::new(),
        /// Patterns of names to leave out of the archive, as they stand in it.
        exclusion_patterns: Option<Vec<PathArg>>,
        /// Pack a single file, too.
        force_archive: Flag = Flag(false),
        /// Remove what was packed.
        remove: Flag = Flag(false),
    }
}

impl Module for Archive {
    fn check(&self) -> Result<(), ArgError> {
        self.attributes.check()
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let sources = Sources::find(&self.path, &self.exclude_path, self.exclusion_patterns.as_deref(), host)?;
        let packs = self.force_archive.0 || sources.are_many() || matches!(self.format, Format::Tar | Format::Zip);
        let dest = match (&self.dest, sources.expanded.first()) {
            (Some(dest), _) => dest.on(host),
            (None, Some(path)) if !self.force_archive.0 && !sources.are_many() => {
                PathBuf::from(format!("{}.{}", path.display(), self.format.word()))
            }
            _ => {
                let msg = "Error, must specify \"dest\" when archiving multiple files or trees";
                let told = data! { "dest" => "None", "path" => sources.written.join(", ") };
                return Err(Failure::new(msg).arg("dest").data(told));
            }
        };
        let members = sources.members(&dest);
        let mut plan = Plan::unchanged();
        plan.data = sources.told();
        plan = plan.set("dest", paths::text(&dest));
        let is_missing = !sources.missing.is_empty();
        let state = move |is_there: bool| match (is_there, packs) {
            (false, _) => "absent",
            (true, true) if is_missing => "incomplete",
            (true, true) => "archive",
            (true, false) => "compress",
        };
        let finish = dest.clone();
        if members.is_empty() {
            // Of nothing no archive is made; one that is there stays.
            plan = plan.set("archived", Vec::<String>::new()).set(
                "dest_state",
                if dest.exists() {
                    if packs || looks_packed(&dest) { "archive" } else { "compress" }
                } else {
                    "absent"
                },
            );
            if dest.exists() {
                plan = self.attributes.resolve()?.plan(&dest, true, plan)?;
            }
            return Ok(plan.finish(move |_, data| {
                data.extend(described(&finish));
                Ok(())
            }));
        }
        let names: Vec<String> = members.iter().map(|member| paths::text(&member.path)).collect();
        let is_same = dest.is_file() && self.format.holds(host, packs, &dest, &members)?;
        plan =
            plan.set("archived", if host.check { Vec::new() } else { names }).set("dest_state", state(dest.exists()));
        if !is_same {
            let (format, target, attributes) = (self.format, dest.clone(), self.attributes.clone());
            let what = format!("{} {}", if dest.exists() { "replace" } else { "create" }, dest.display());
            let told = sources.written.join(", ");
            plan = plan.change(Change::new(what, move |host, data| {
                let failed = |error: std::io::Error| {
                    let kind = if packs { "archive" } else { "compressed file" };
                    let reason = crate::io_failure::python_error(&error);
                    let msg = format!("Unable to write to {kind}: {reason}: '{}'", target.display());
                    Failure::new(msg).data(data! { "path" => told.as_str(), "dest" => paths::text(&target) })
                };
                let directory = scratch::directory_in(paths::directory(&target)).map_err(failed)?;
                let made = format.write(host, packs, directory.path(), &members)?;
                Placement::new(&target, Content::File(made), &attributes).put(host, data)?;
                data.insert("dest_state".to_owned(), state(true).into());
                Ok(())
            }));
        } else {
            plan = self.attributes.resolve()?.plan(&dest, true, plan)?;
        }
        if self.remove.0 {
            plan = plan.change(removal(sources.present(&dest)).auxiliary());
        }
        Ok(plan.finish(move |_, data| {
            data.extend(described(&finish));
            Ok(())
        }))
    }
}

/// The fields of the result that describe the archive, if it exists.
fn described(path: &Path) -> Map {
    if path.exists() { describe(path) } else { Map::new() }
}

/// Whether the name of a file is that of an archive.
fn looks_packed(path: &Path) -> bool {
    let name = paths::text(path).to_lowercase();
    [".zip", ".tar", ".tar.gz", ".tgz", ".tbz2", ".tar.bz2", ".tar.xz", ".txz"].iter().any(|end| name.ends_with(end))
}

fn removal(paths: Vec<PathBuf>) -> Change {
    Change::new("remove what is packed", move |_, _| {
        for path in &paths {
            match fs::symlink_metadata(path) {
                Ok(meta) if meta.is_dir() => fs::remove_dir_all(path)?,
                Ok(_) => fs::remove_file(path)?,
                Err(_) => {}
            }
        }
        Ok(())
    })
}
