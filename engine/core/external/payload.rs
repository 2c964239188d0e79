//! The files that a host needs for a module, created once per run and cached between runs.

use std::path::PathBuf;

use rplay_contract::external::Style;
use serde_json::{Value as Json, json};

use super::ExternalModule;
use crate::python::{Cache, CoreError, Stamp};

/// Files on the controller that a host needs for a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The module file itself.
    File(PathBuf),
    /// Python bundles: the part shared by all modules, and the module's own; each with its SHA-256.
    Bundles { base: (String, PathBuf), own: (String, PathBuf) },
}

/// Why a module cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{msg}")]
pub struct PayloadError {
    pub msg: String,
    pub help: Option<&'static str>,
}

/// The payload of a module.
///
/// # Errors
/// If its Python is invalid, an import is missing, or there is no ansible-core to bundle it.
pub(super) fn of(module: &ExternalModule, pythons: &crate::python::Pythons) -> Result<Payload, PayloadError> {
    if module.style != Some(Style::Python) {
        return Ok(Payload::File(module.path.clone()));
    }
    let about = |reason: String| PayloadError {
        msg: match reason.strip_prefix("Task failed: ") {
            Some(_) => reason,
            None if reason.starts_with("Could not find imported module support code for {}") => {
                format!("Task failed: {}", reason.replacen("{}", &module.full_name, 1))
            }
            None => format!("Task failed: {reason}"),
        },
        help: None,
    };
    let core = pythons.core().map_err(|error| PayloadError {
        msg: format!(
            "the module {} is written in Python and needs ansible-core on the controller: {error}",
            module.full_name
        ),
        help: Some(CoreError::help()),
    })?;
    let cache = pythons.cache().map_err(about)?;
    let texts = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    let (utils, roots) = (texts(&module.utils), texts(&module.roots));
    let (path, package) = (module.path.display().to_string(), module.package());
    let mut parts = vec!["payload", include_str!("../python/host.py"), include_str!("../python/versions.py")];
    let core_package = core.package.display().to_string();
    parts.extend([core_package.as_str(), core.version.as_str(), path.as_str(), package.as_str()]);
    parts.extend(utils.iter().map(String::as_str));
    parts.push("in");
    parts.extend(roots.iter().map(String::as_str));
    let key = Cache::key(parts);
    if let Some(payload) = cache.note(&key).and_then(|note| kept(&note, cache)) {
        return Ok(payload);
    }
    let directory = cache.directory().display().to_string();
    let with =
        json!({ "path": path, "package": package, "utils": utils, "collections": roots, "directory": directory });
    let note = pythons.ask("build", with).map_err(|error| about(error.to_string()))?;
    cache.keep(&key, &note);
    bundles(&note, cache).ok_or_else(|| about(format!("cannot read back the bundle in {directory}")))
}

/// The cached payload, if none of its source files has changed.
fn kept(note: &Json, cache: &Cache) -> Option<Payload> {
    let read = note.get("read")?.as_array()?;
    let absent = note.get("absent")?.as_array()?;
    let is_current = read.iter().all(|stamp| Stamp::read(stamp).is_some_and(|stamp| stamp.is_current()))
        && absent.iter().all(|path| path.as_str().is_some_and(|path| !std::path::Path::new(path).exists()));
    is_current.then(|| bundles(note, cache)).flatten()
}

fn bundles(note: &Json, cache: &Cache) -> Option<Payload> {
    let file = |name: &str| {
        let sha256 = note.get(name)?.as_str()?;
        Some((sha256.to_owned(), cache.file(sha256)?))
    };
    Some(Payload::Bundles { base: file("base")?, own: file("bundle")? })
}
