//! Builds collections from directories: selects files and writes archives.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    Galaxy, GalaxyError, Result,
    archive::{self, Content},
    directives::{Directives, matches},
    manifest::{About, GalaxyYml, Listed, files_json, manifest_json, sha256_of},
};

/// `galaxy collection build`.
#[derive(Debug, Default)]
pub struct BuildOptions {
    /// Directories of collections; by default the working directory.
    pub directories: Vec<PathBuf>,
    /// Output directory of the archives.
    pub output: PathBuf,
    pub force: bool,
}

/// The content of a collection.
pub(super) struct Built {
    pub about: About,
    /// The two JSON files.
    pub manifest: Vec<u8>,
    pub files: Vec<u8>,
    /// By name: directories, files, links.
    pub entries: Vec<(String, Content)>,
}

impl Galaxy {
    /// Builds archives of collections.
    ///
    /// # Errors
    /// If a directory is not a collection, or an archive exists and `force` is not set.
    pub fn build(&self, options: &BuildOptions) -> Result<()> {
        let here = [PathBuf::from(".")];
        let directories = if options.directories.is_empty() { &here[..] } else { &options.directories };
        for directory in directories {
            let built = self.built(directory)?;
            let about = &built.about;
            let output = PathBuf::from(crate::source::absolute(&options.output));
            let path = output.join(format!("{}-{}-{}.tar.gz", about.namespace, about.name, about.version));
            if path.is_dir() {
                return Err(GalaxyError::new(format!(
                    "The output collection artifact '{}' already exists, but is a directory - aborting",
                    path.display()
                )));
            }
            if path.exists() && !options.force {
                return Err(GalaxyError::new(format!(
                    "The file '{}' already exists. You can use --force to re-create the collection artifact.",
                    path.display()
                )));
            }
            fs::create_dir_all(&output).map_err(|error| GalaxyError::file(&output, error))?;
            let name = about.full_name();
            let mut entries = vec![
                ("MANIFEST.json".to_owned(), Content::Bytes(built.manifest)),
                ("FILES.json".to_owned(), Content::Bytes(built.files)),
            ];
            entries.extend(built.entries);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            archive::pack(&path, &entries, now)?;
            self.say(format!("Created collection for {name} at {}", path.display()));
        }
        Ok(())
    }

    /// The collection built from a directory with a `galaxy.yml`.
    pub(super) fn built(&self, directory: &Path) -> Result<Built> {
        let galaxy = GalaxyYml::read(directory)?;
        let about = galaxy.about;
        let directives = match &galaxy.manifest {
            Some((own, omit)) => Some(Directives::parse(own, *omit, &about.namespace, &about.name)?),
            None => None,
        };
        let mut ignored: Vec<String> =
            ["MANIFEST.json", "FILES.json", "galaxy.yml", "galaxy.yaml", ".git", "*.pyc", "*.retry", "tests/output"]
                .map(str::to_owned)
                .into();
        ignored.push(format!("{}-{}-*.tar.gz", about.namespace, about.name));
        ignored.extend(galaxy.build_ignore);
        let root = directory.canonicalize().map_err(|error| GalaxyError::file(directory, error))?;
        let mut found = BTreeMap::new();
        self.gather(&root, &root, &ignored, directives.as_ref(), &mut found)?;
        if directives.is_some() {
            // Directories with only excluded content are excluded.
            let kept: Vec<String> =
                found.iter().filter(|(_, c)| !matches!(c, Content::Directory)).map(|(n, _)| n.clone()).collect();
            found.retain(|name, content| {
                !matches!(content, Content::Directory) || kept.iter().any(|file| file.starts_with(&format!("{name}/")))
            });
        }
        let mut listed = vec![Listed { name: ".".to_owned(), sha256: None }];
        for (name, content) in &found {
            let sha256 = match content {
                Content::Directory => None,
                Content::File(path) => Some(sha256_of(path).map_err(|error| GalaxyError::file(path, error))?),
                Content::Link(_) => {
                    let path = root.join(name);
                    match path.is_dir() {
                        true => None,
                        false => Some(sha256_of(&path).map_err(|error| GalaxyError::file(&path, error))?),
                    }
                }
                Content::Bytes(bytes) => Some(super::manifest::sha256(bytes)),
            };
            listed.push(Listed { name: name.clone(), sha256 });
        }
        let files = files_json(&listed);
        let manifest = manifest_json(&about, &files);
        Ok(Built { about, manifest, files, entries: found.into_iter().collect() })
    }

    fn gather(
        &self,
        directory: &Path,
        root: &Path,
        ignored: &[String],
        directives: Option<&Directives>,
        found: &mut BTreeMap<String, Content>,
    ) -> Result<()> {
        let entries = fs::read_dir(directory).map_err(|error| GalaxyError::file(directory, error))?;
        for entry in entries {
            let path = entry.map_err(|error| GalaxyError::file(directory, error))?.path();
            let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned) else {
                return Err(GalaxyError::new(format!("the name of {} is not UTF-8", path.display())));
            };
            let about = path.symlink_metadata().map_err(|error| GalaxyError::file(&path, error))?;
            let short = path.file_name().unwrap_or_default().to_string_lossy();
            match directives {
                None if ignored
                    .iter()
                    .any(|pattern| matches(pattern, &name) || is_everywhere(pattern) && matches(pattern, &short)) =>
                {
                    continue;
                }
                Some(directives) if !about.is_dir() && !directives.take(&name) => continue,
                _ => {}
            }
            if about.is_symlink() {
                let Ok(real) = path.canonicalize() else {
                    return Err(GalaxyError::new(format!("the link {} has no target", path.display())));
                };
                match (relative(root, directory, &real), real.is_dir()) {
                    (Some(to), _) => drop(found.insert(name, Content::Link(to))),
                    (None, true) => {
                        self.warn(format!(
                            "Skipping '{}' as it is a symbolic link to a directory outside the collection",
                            path.display()
                        ));
                    }
                    (None, false) => drop(found.insert(name, Content::File(real))),
                }
            } else if about.is_dir() {
                found.insert(name, Content::Directory);
                self.gather(&path, root, ignored, directives, found)?;
            } else if about.is_file() {
                found.insert(name, Content::File(path));
            }
        }
        Ok(())
    }
}

/// Default patterns that apply in every directory.
fn is_everywhere(pattern: &str) -> bool {
    matches!(pattern, ".git" | "*.pyc" | "*.retry")
}

/// The relative path from a directory to a place in the collection; `None` if it is outside.
fn relative(root: &Path, from: &Path, to: &Path) -> Option<PathBuf> {
    let inner = to.strip_prefix(root).ok()?;
    let up = from.strip_prefix(root).ok()?.components().count();
    Some(std::iter::repeat_n(Path::new(".."), up).chain([inner]).collect())
}
