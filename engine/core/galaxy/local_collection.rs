//! Collections that are given by location: an archive, a directory, a git repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    Galaxy, GalaxyError, Result, Wanted, archive, git,
    manifest::About,
    requirement::Origin,
    version::{Range, Version},
};

/// A collection whose content is already local.
pub(super) struct LocalCollection {
    pub about: About,
    pub content: LocalContent,
    pub signatures: Vec<String>,
}

pub(super) enum LocalContent {
    Archive(PathBuf),
    Directory(PathBuf),
}

impl Galaxy {
    /// Fetches collections that are given by location. Returns those given by name, and the content of each location.
    pub(super) fn fetch_given(
        &self,
        wanted: &[Wanted],
        scratch: &Path,
    ) -> Result<(Vec<(String, Range, Option<String>)>, Vec<LocalCollection>)> {
        let mut roots = Vec::new();
        let mut local: Vec<LocalCollection> = Vec::new();
        for (index, one) in wanted.iter().enumerate() {
            let mut found: Vec<(About, LocalContent)> = Vec::new();
            match &one.origin {
                Origin::Galaxy { server } => {
                    let name = one.name.clone().unwrap_or_default();
                    roots.push((name, one.range.clone(), server.clone()));
                }
                Origin::File(path) => {
                    if !path.is_file() {
                        return Err(GalaxyError::new(format!(
                            "the collection archive {} does not exist",
                            path.display()
                        )));
                    }
                    found.push((about_of_archive(path)?, LocalContent::Archive(path.clone())));
                }
                Origin::Url(url) => {
                    let path = scratch.join(format!("wanted-{index}.tar.gz"));
                    self.say(format!("Downloading {url} to {}", path.display()));
                    self.take(url, None, None, &path)?;
                    found.push((about_of_archive(&path)?, LocalContent::Archive(path)));
                }
                Origin::Directory(path) => {
                    found.push((About::read_source(path)?, LocalContent::Directory(path.clone())))
                }
                Origin::Subdirectories(path) => found.extend(subdirectories(path)?),
                Origin::Git { repository, directory, version } => {
                    let clone = scratch.join(format!("wanted-{index}"));
                    git::clone(repository, version.as_deref(), &clone)?;
                    let inner = match directory {
                        Some(directory) => clone.join(directory),
                        None => clone.clone(),
                    };
                    let is_inside = inner
                        .canonicalize()
                        .is_ok_and(|real| clone.canonicalize().is_ok_and(|root| real.starts_with(root)));
                    if !is_inside {
                        return Err(GalaxyError::new(format!(
                            "{repository} has no directory {}",
                            directory.as_deref().unwrap_or_default()
                        )));
                    }
                    match About::read_source(&inner) {
                        Ok(about) => found.push((about, LocalContent::Directory(inner))),
                        Err(error) => {
                            let inside = subdirectories(&inner).unwrap_or_default();
                            if inside.is_empty() {
                                return Err(error);
                            }
                            found.extend(inside);
                        }
                    }
                }
            }
            for (about, content) in found {
                let name = about.full_name();
                if let Some(server_less) = one.name.as_ref().filter(|wanted| **wanted != name) {
                    return Err(GalaxyError::new(format!(
                        "{server_less} was requested, but its source contains {name}"
                    )));
                }
                let range = Range::parse(&format!("=={}", about.version))?;
                roots.push((name.clone(), range, None));
                local.retain(|known| known.about.full_name() != name);
                local.push(LocalCollection { about, content, signatures: one.signatures.clone() });
            }
        }
        // The last location given for a collection is used.
        let ranges: Vec<(String, Version)> = local
            .iter()
            .map(|one| Ok((one.about.full_name(), Version::parse(&one.about.version)?)))
            .collect::<Result<_>>()?;
        roots.retain(|(name, range, _)| {
            !range
                .pinned()
                .is_some_and(|pinned| ranges.iter().any(|(known, version)| known == name && pinned != version))
        });
        Ok((roots, local))
    }
}

impl About {
    /// For a working directory, where `galaxy.yml` takes precedence over a manifest.
    fn read_source(directory: &Path) -> Result<Self> {
        match directory.join("galaxy.yml").is_file() || directory.join("galaxy.yaml").is_file() {
            true => About::from_galaxy_yml(directory),
            false => About::read(directory),
        }
    }
}

fn about_of_archive(path: &Path) -> Result<About> {
    let directory = tempfile::tempdir().map_err(|error| GalaxyError::new(error.to_string()))?;
    archive::unpack(path, directory.path(), 0)?;
    if !directory.path().join("MANIFEST.json").is_file() {
        return Err(GalaxyError::new(format!(
            "Collection at '{}' does not contain the required file MANIFEST.json.",
            path.display()
        )));
    }
    About::read(directory.path())
}

fn subdirectories(directory: &Path) -> Result<Vec<(About, LocalContent)>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .map_err(|error| GalaxyError::file(directory, error))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| ["galaxy.yml", "galaxy.yaml", "MANIFEST.json"].iter().any(|name| path.join(name).is_file()))
        .collect();
    paths.sort();
    paths.into_iter().map(|path| Ok((About::read_source(&path)?, LocalContent::Directory(path)))).collect()
}
