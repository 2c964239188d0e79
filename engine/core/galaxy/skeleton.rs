//! Skeletons of the user's own for new roles and collections (`--role-skeleton`, `--collection-skeleton`).

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
};

use regex::Regex;

use super::{GalaxyError, Result};
use crate::{
    source::Source,
    template::{self, FileOptions},
    vars::{Layer, Lazy, Scope},
};

/// A directory that new roles or collections are copied from.
#[derive(Debug)]
pub struct Skeleton {
    pub directory: PathBuf,
    /// Regular expressions for paths in it that are not copied (`role_skeleton_ignore`).
    pub ignore: Vec<String>,
}

impl Skeleton {
    /// Copies the skeleton. Files named `*.j2` are templates with these variables, except in a directory `templates`.
    /// `what` is what is created, in the words of errors.
    pub(super) fn copy(&self, target: &Path, vars: Layer, what: &str) -> Result<()> {
        let ignore = |pattern: &String| {
            Regex::new(&format!("^(?:{pattern})"))
                .map_err(|error| GalaxyError::new(format!("`{pattern}` is not a regular expression: {error}")))
        };
        let copying = Copying {
            ignore: self.ignore.iter().map(ignore).collect::<Result<_>>()?,
            scope: Arc::new(Scope::new(vec![Arc::new(vars)], Arc::new(()), Arc::default())),
            what,
        };
        create(target)?;
        copying.directory(&self.directory, target, Path::new(""))
    }
}

struct Copying<'a> {
    ignore: Vec<Regex>,
    scope: Arc<Scope>,
    what: &'a str,
}

impl Copying<'_> {
    /// Copies what is in a directory; `inside` is its path in the skeleton.
    fn directory(&self, from: &Path, to: &Path, inside: &Path) -> Result<()> {
        let entries = fs::read_dir(from).map_err(|error| GalaxyError::file(from, error))?;
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            let (source, inner) = (from.join(&name), inside.join(&name));
            if self.ignore.iter().any(|pattern| pattern.is_match(&inner.to_string_lossy())) {
                continue;
            }
            let target = to.join(&name);
            if source.is_symlink() {
                let leads = fs::read_link(&source).map_err(|error| GalaxyError::file(&source, error))?;
                if target.is_symlink() {
                    let _ = fs::remove_file(&target);
                }
                symlink(leads, &target).map_err(|error| GalaxyError::file(&target, error))?;
            } else if source.is_dir() {
                create(&target)?;
                self.directory(&source, &target, &inner)?;
            } else {
                let is_template = !inside.components().any(|part| part.as_os_str() == "templates");
                let name = name.to_string_lossy();
                match name.strip_suffix(".j2").filter(|_| is_template) {
                    Some(name) => self.template(&source, &to.join(name))?,
                    None => {
                        let copied = fs::read(&source).and_then(|content| fs::write(&target, content));
                        copied.map_err(|error| GalaxyError::file(&source, error))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn template(&self, source: &Path, target: &Path) -> Result<()> {
        let text = Source::read(source).map_err(|error| GalaxyError::file(source, error))?;
        let options = FileOptions { keep_trailing_newline: true, trim_blocks: false, ..FileOptions::default() };
        let text = template::render_file(&text, &self.scope, &options).map_err(|error| {
            let (what, path) = (self.what, source.display());
            GalaxyError::new(format!("Failed to create {what}. Templating {path} failed with the error: {error}"))
        })?;
        fs::write(target, text).map_err(|error| GalaxyError::file(target, error))
    }
}

fn create(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(|error| GalaxyError::file(directory, error))
}

/// Values as variables of a skeleton's templates.
pub(super) fn layer(values: serde_json::Value) -> Layer {
    let entries = values.as_object().cloned().unwrap_or_default();
    let lazy =
        |(name, value): (String, serde_json::Value)| (name.into(), Lazy::Data(crate::vars::from_wire(value.into())));
    entries.into_iter().map(lazy).collect()
}
