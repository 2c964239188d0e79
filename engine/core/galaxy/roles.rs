//! Installed roles, and their metadata.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;

use super::{Galaxy, GalaxyError, Result, WantedRole, manifest::to_json};
use crate::{
    source::Source,
    syntax::{Node, yaml},
};

/// A role in one of the role directories.
#[derive(Debug)]
pub(super) struct InstalledRole {
    pub name: String,
    pub path: PathBuf,
}

impl InstalledRole {
    /// The role in a directory, if it has metadata.
    pub(super) fn at(place: &Path, name: &str) -> Option<Self> {
        let path = place.join(name);
        let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains('/');
        (is_name && meta_file(&path).is_some()).then(|| InstalledRole { name: name.to_owned(), path })
    }

    fn yaml(&self, path: &Path) -> Option<Node> {
        Some(yaml::load(&Source::read(path).ok()?).ok()?.node)
    }

    /// The record of its installation.
    fn install_info(&self) -> Option<Node> {
        self.yaml(&self.path.join("meta/.galaxy_install_info"))
    }

    /// The installed version; empty if none was requested.
    pub(super) fn version(&self) -> String {
        let node = self.install_info();
        let version = node.as_ref().and_then(|node| node.get("version")).filter(|node| !node.is_null());
        version.map(|node| node.as_str().map_or_else(|| node.span.text().to_owned(), str::to_owned)).unwrap_or_default()
    }

    /// `meta/main.yml`.
    pub(super) fn meta(&self) -> Option<Json> {
        Some(to_json(&self.yaml(&meta_file(&self.path)?)?))
    }

    pub(super) fn install_date(&self) -> Option<String> {
        self.install_info()?.get("install_date")?.as_str().map(str::to_owned)
    }

    /// The dependencies that can be fetched: those with a source, or a name on Galaxy.
    pub(super) fn dependencies(&self) -> Result<Vec<WantedRole>> {
        let mut found = Vec::new();
        let meta = meta_file(&self.path).and_then(|path| self.yaml(&path));
        if let Some(list) = meta.as_ref().and_then(|meta| meta.get("dependencies")) {
            found.extend(WantedRole::of_list(list).map_err(|error| GalaxyError::file(&self.path, error))?);
        }
        for name in ["requirements.yml", "requirements.yaml"] {
            if let Some(list) = self.yaml(&self.path.join("meta").join(name)) {
                found.extend(WantedRole::of_list(&list).map_err(|error| GalaxyError::file(&self.path, error))?);
            }
        }
        // A short name is a role in the same directory; three parts are a role in a collection.
        found.retain(|role| role.scm.is_some() || role.src.contains(['/', '@']) || role.src.matches('.').count() == 1);
        Ok(found)
    }
}

pub(super) fn meta_file(role: &Path) -> Option<PathBuf> {
    ["main.yml", "main.yaml"].map(|name| role.join("meta").join(name)).into_iter().find(|path| path.is_file())
}

impl Galaxy {
    /// A role, from the first directory that has it.
    pub(super) fn installed_role(&self, name: &str) -> Option<InstalledRole> {
        self.roles_path.iter().find_map(|place| InstalledRole::at(place, name))
    }

    /// Removes roles.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn remove_roles(&self, names: &[String]) -> Result<()> {
        if names.is_empty() {
            return Err(GalaxyError::new("- you must specify at least one role to remove."));
        }
        for name in names {
            let Some(role) = self.installed_role(name) else {
                self.say(format!("- {name} is not installed, skipping."));
                continue;
            };
            // A link is removed itself, not its target.
            let removed = match role.path.is_symlink() {
                true => fs::remove_file(&role.path),
                false => fs::remove_dir_all(&role.path),
            };
            removed.map_err(|error| GalaxyError::new(format!("Failed to remove role {name}: {error}")))?;
            self.say(format!("- successfully removed {name}"));
        }
        Ok(())
    }
}
