//! What goes into an archive.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use rplay_wire::{Failure, Map, data};

use crate::{
    Host,
    argtypes::PathArg,
    io_failure::io_failure,
    system::{
        fs,
        glob::{Pattern, is_pattern, matching},
        paths, regular,
    },
};

/// A file, link or directory to be packed.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) path: PathBuf,
    /// Its name in the archive.
    pub(super) name: String,
}

/// The paths of a task, with patterns expanded.
pub(super) struct Sources {
    /// As the task writes them.
    pub(super) written: Vec<String>,
    pub(super) expanded: Vec<PathBuf>,
    excluded: Vec<PathBuf>,
    pub(super) missing: Vec<PathBuf>,
    patterns: Vec<Pattern>,
    has_pattern: bool,
    /// The directory that all names are taken from, with a slash at its end.
    root: String,
}

impl Sources {
    /// Expands the paths of a task. `exclude` are those to leave out, `patterns` names to leave out.
    pub(super) fn find(
        path: &[PathArg],
        exclude: &[PathArg],
        patterns: Option<&[PathArg]>,
        host: &Host,
    ) -> Result<Sources, Failure> {
        let texts = |paths: &[PathArg]| paths.iter().map(|path| paths::expand(&path.0, host)).collect::<Vec<_>>();
        let written = texts(path);
        let (expanded, excluded) = (expanded(&written), expanded(&texts(exclude)));
        if expanded.is_empty() {
            let told = data! { "path" => written.join(", "), "expanded_paths" => "", "expanded_exclude_paths" => "" };
            return Err(Failure::new("Error, no source paths were found").arg("path").data(told));
        }
        let kept: Vec<&PathBuf> = expanded.iter().filter(|path| !excluded.contains(path)).collect();
        let missing = kept.iter().filter(|path| fs::symlink_metadata(path).is_err()).map(|path| (*path).clone());
        let patterns = patterns.into_iter().flatten().map(|pattern| Pattern::new(&pattern.0)).collect();
        Ok(Sources {
            root: root(&kept),
            missing: missing.collect(),
            has_pattern: written.iter().any(|path| is_pattern(path)),
            written,
            expanded,
            excluded,
            patterns,
        })
    }

    /// Whether it is more than one file.
    pub(super) fn are_many(&self) -> bool {
        self.has_pattern || self.expanded.len() > 1 || self.expanded.iter().any(|path| path.is_dir())
    }

    /// The fields of the result that describe it.
    pub(super) fn told(&self) -> Map {
        let texts = |paths: &[PathBuf]| paths.iter().map(paths::text).collect::<Vec<_>>();
        data! {
            "arcroot" => self.root.as_str(),
            "missing" => texts(&self.missing),
            "expanded_paths" => texts(&self.expanded),
            "expanded_exclude_paths" => texts(&self.excluded),
        }
    }

    /// The paths of the task that are there.
    pub(super) fn present(&self, dest: &Path) -> Vec<PathBuf> {
        let kept = self.expanded.iter().filter(|path| !self.excluded.contains(path) && path.as_path() != dest);
        kept.filter(|path| fs::symlink_metadata(path).is_ok()).cloned().collect()
    }

    /// All files to be packed. Of a directory of the task only its content is, each directory before what is in it.
    pub(super) fn members(&self, dest: &Path) -> Vec<Member> {
        let mut members = Vec::new();
        for path in self.present(dest) {
            let is_directory = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir());
            match is_directory {
                true => self.walk(&path, dest, &mut members),
                false => members.extend(self.member(path)),
            }
        }
        members
    }

    fn walk(&self, directory: &Path, dest: &Path, members: &mut Vec<Member>) {
        let mut below: Vec<PathBuf> =
            fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        crate::system::order::sort(&mut below);
        let is_directory = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
        let (directories, files): (Vec<PathBuf>, Vec<PathBuf>) = below.into_iter().partition(is_directory);
        for path in directories.iter().chain(&files).filter(|path| path.as_path() != dest) {
            members.extend(self.member(path.clone()));
        }
        for path in directories {
            self.walk(&path, dest, members);
        }
    }

    /// `None` if its name is excluded.
    fn member(&self, path: PathBuf) -> Option<Member> {
        let text = paths::text(&path);
        let name = text.strip_prefix(&self.root).unwrap_or(&text).trim_start_matches('/').to_owned();
        let is_excluded = self.patterns.iter().any(|pattern| pattern.fits(&name));
        (!is_excluded && !name.is_empty()).then_some(Member { path, name })
    }
}

impl Member {
    /// Opens it to be read.
    pub(super) fn open(&self) -> Result<fs::File, Failure> {
        regular::open(&self.path).map_err(|error| self.failure(&error))
    }

    pub(super) fn failure(&self, error: &io::Error) -> Failure {
        io_failure("pack", &self.path, error)
    }
}

fn expanded(written: &[String]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in written {
        match is_pattern(path) {
            true => all.extend(matching(Path::new(path))),
            // Missing files are reported later.
            false => all.push(PathBuf::from(path)),
        }
    }
    all
}

/// The directory that all paths lie in. A path with a slash at its end is that directory itself.
fn root(paths: &[&PathBuf]) -> String {
    let directory = |path: &PathBuf| match path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        true => path.clone(),
        false => paths::directory(path).to_owned(),
    };
    let mut directories = paths.iter().map(|path| directory(path));
    let Some(first) = directories.next() else { return "/".to_owned() };
    let common = directories.fold(first, |common, next| {
        let same = common.components().zip(next.components()).take_while(|(one, other)| one == other);
        same.map(|(part, _): (Component<'_>, _)| part).collect()
    });
    let text = paths::text(common);
    if text.ends_with('/') { text } else { format!("{text}/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_from_the_directory_that_all_lie_in() {
        let root = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            super::root(&paths.iter().collect::<Vec<_>>())
        };
        assert_eq!(root(&["/t/a"]), "/t/");
        assert_eq!(root(&["/t/a/"]), "/t/a/");
        assert_eq!(root(&["/t/a", "/t/c/d"]), "/t/");
        assert_eq!(root(&["/a", "/b"]), "/");
    }
}
