//! Skeletons of collections and roles.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    Galaxy, GalaxyError, Result,
    skeleton::{self, Skeleton},
};
use crate::{collections::is_collection_name, vars::Layer};

/// `galaxy collection init` and `galaxy role init`.
#[derive(Debug, Default)]
pub struct InitOptions {
    pub name: String,
    /// The parent directory.
    pub path: PathBuf,
    pub force: bool,
    /// The user's own skeleton.
    pub skeleton: Option<Skeleton>,
    /// `--extra-vars`: further variables of its templates.
    pub vars: Layer,
    /// `--type` of a role.
    pub role_type: String,
}

impl Galaxy {
    /// Creates the skeleton of a collection.
    ///
    /// # Errors
    /// If it exists, or its name is invalid.
    pub fn init_collection(&self, options: &InitOptions) -> Result<()> {
        let name = &options.name;
        let Some((namespace, short)) = name.split_once('.').filter(|_| is_collection_name(name)) else {
            return Err(GalaxyError::new(format!(
                "Invalid collection name '{name}', name must be in the format <namespace>.<collection>. Please make sure \
                 namespace and collection name contains characters from [a-zA-Z0-9_] only."
            )));
        };
        let directory = options.path.join(namespace).join(short);
        begin(&directory, options)?;
        if let Some(skeleton) = &options.skeleton {
            let about = json!({
                "namespace": namespace, "collection_name": short, "version": "1.0.0", "readme": "README.md",
                "authors": ["your name <example@domain.com>"], "description": "your collection description",
                "license": ["GPL-2.0-or-later"], "license_file": "", "tags": [], "dependencies": {}, "build_ignore": [],
                "repository": "http://example.com/repository", "documentation": "http://docs.example.com",
                "homepage": "http://example.com", "issues": "http://example.com/issue/tracker",
            });
            return self.init_from(skeleton, &directory, about, options, &format!("Collection {name}"));
        }
        let readme = format!("# Collection {name}\n\nThe content of this collection, and how to use it.\n");
        let galaxy = galaxy_yml(namespace, short);
        let runtime = "---\n# The versions of Ansible that it supports; Galaxy requires this.\nrequires_ansible: '>=2.16.0'\n\n\
                       # Names that were moved, deprecated or removed, and groups of modules that share defaults:\n\
                       # plugin_routing:\n# action_groups:\n";
        let plugins = "Plugins and modules, each kind in a directory of its own: modules, module_utils, action, filter,\nlookup, test, inventory, callback, connection, become, cache, vars and so on.\n";
        let files = [
            ("README.md", readme.as_str()),
            ("galaxy.yml", &galaxy),
            ("meta/runtime.yml", runtime),
            ("plugins/README.md", plugins),
        ];
        write(&directory, &files, &["docs", "roles"])?;
        self.say(format!("- Collection {name} was created successfully"));
        Ok(())
    }

    /// Creates the skeleton of a role.
    ///
    /// # Errors
    /// If it exists, or its name is not a valid directory name.
    pub fn init_role(&self, options: &InitOptions) -> Result<()> {
        let name = &options.name;
        if name.is_empty() || name.starts_with('.') || name.contains('\0') {
            return Err(GalaxyError::new(format!("`{name}` is not a valid role name")));
        }
        let directory = options.path.join(name);
        begin(&directory, options)?;
        if let Some(skeleton) = &options.skeleton {
            let about = json!({
                "role_name": name, "role_type": options.role_type, "author": "your name",
                "description": "your role description", "company": "your company (optional)",
                "license": "license (GPL-2.0-or-later, MIT, etc)",
                "issue_tracker_url": "http://example.com/issue/tracker",
                "repository_url": "http://example.com/repository", "documentation_url": "http://docs.example.com",
                "homepage_url": "http://example.com", "min_ansible_version": "2.1", "dependencies": [],
            });
            return self.init_from(skeleton, &directory, about, options, &format!("Role {name}"));
        }
        let readme = format!(
            "{name}\n{}\n\nWhat this role does, the variables it reads, and an example of its use.\n",
            "=".repeat(name.len())
        );
        let meta = "---\ngalaxy_info:\n  author: your name\n  description: what this role is for\n  license: MIT\n  min_ansible_version: '2.16'\n  galaxy_tags: []\n\n# Roles that run before this one.\ndependencies: []\n";
        let part = |what: &str| format!("---\n# {what} of {name}\n");
        let (defaults, handlers, tasks, vars) = (part("defaults"), part("handlers"), part("tasks"), part("variables"));
        let test = format!("---\n- hosts: localhost\n  roles:\n    - {name}\n");
        let files = [
            ("README.md", readme.as_str()),
            ("defaults/main.yml", &defaults),
            ("handlers/main.yml", &handlers),
            ("meta/main.yml", meta),
            ("tasks/main.yml", &tasks),
            ("vars/main.yml", &vars),
            ("tests/inventory", "localhost\n"),
            ("tests/test.yml", &test),
        ];
        write(&directory, &files, &["files", "templates"])?;
        self.say(format!("- Role {name} was created successfully"));
        Ok(())
    }
}

impl Galaxy {
    fn init_from(
        &self,
        skeleton: &Skeleton,
        directory: &Path,
        about: serde_json::Value,
        options: &InitOptions,
        what: &str,
    ) -> Result<()> {
        let mut vars = skeleton::layer(about);
        vars.extend(options.vars.iter().map(|(name, value)| (name.clone(), value.clone())));
        skeleton.copy(directory, vars, what)?;
        self.say(format!("- {what} was created successfully"));
        Ok(())
    }
}

fn galaxy_yml(namespace: &str, name: &str) -> String {
    format!(
        "# Metadata for Galaxy. These five are required.\n\
         namespace: {namespace}\nname: {name}\n# A semantic version.\nversion: 1.0.0\nreadme: README.md\n\
         authors:\n- your name <you@example.com>\n\n\
         # These are optional.\ndescription: what this collection is for\nlicense:\n- GPL-2.0-or-later\n\
         license_file: ''\ntags: []\n\
         # Required collections, each with a range such as '>=1.0.0,<2.0.0'.\ndependencies: {{}}\n\
         repository: https://example.com/repository\ndocumentation: https://example.com/documentation\n\
         homepage: https://example.com\nissues: https://example.com/issues\n\
         # Patterns of files that do not go into the archive.\nbuild_ignore: []\n"
    )
}

fn begin(directory: &Path, options: &InitOptions) -> Result<()> {
    if directory.is_file() {
        return Err(GalaxyError::new(format!(
            "- the path {} already exists, but is a file - aborting",
            directory.display()
        )));
    }
    if directory.exists() && !options.force {
        return Err(GalaxyError::new(format!(
            "- the directory {} already exists. You can use --force to re-initialize this directory,\nhowever it will reset \
             any main.yml files that may have\nbeen modified there already.",
            directory.display()
        )));
    }
    if let Some(skeleton) = options.skeleton.as_ref().filter(|skeleton| !skeleton.directory.exists()) {
        let what = if options.role_type.is_empty() { "collection" } else { "role" };
        return Err(GalaxyError::new(format!(
            "- the skeleton path '{}' does not exist, cannot init {what}",
            skeleton.directory.display()
        )));
    }
    Ok(())
}

fn write(directory: &Path, files: &[(&str, &str)], directories: &[&str]) -> Result<()> {
    for name in directories {
        let path = directory.join(name);
        fs::create_dir_all(&path).map_err(|error| GalaxyError::file(&path, error))?;
    }
    for (name, text) in files {
        let path = directory.join(name);
        let parent = path.parent().unwrap_or(directory);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| GalaxyError::file(&path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::galaxy_yml;
    use crate::{
        source::Source,
        syntax::{Kind, yaml},
    };

    #[test]
    fn the_skeleton_has_no_dependencies_and_ignores_no_files() {
        let loaded = yaml::load(&Source::inline("galaxy.yml", galaxy_yml("acme", "tools"))).unwrap();
        let kind = |key: &str| &loaded.node.get(key).unwrap().kind;
        assert!(matches!(kind("dependencies"), Kind::Map(entries) if entries.is_empty()));
        assert!(matches!(kind("build_ignore"), Kind::Seq(items) if items.is_empty()));
        assert!(matches!(kind("name"), Kind::Str(name) if &*name.value == "tools"));
    }
}
