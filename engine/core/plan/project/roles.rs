//! The files of roles: paths, metadata, argument specifications, variables.

use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::Project;
use crate::{
    collections::Qualified,
    files::{self, Descent},
    plan::{
        PlanError,
        yaml_file::{files_below, names_in, yaml_file},
    },
    source::{Problems, Span},
    syntax::spec::ArgumentSpecs,
    syntax::{self, RoleMeta},
    vars::Layer,
};

impl Project {
    /// A role's `meta/main.yml`; empty if there is none.
    ///
    /// # Errors
    /// If it cannot be read, or is invalid.
    pub fn role_meta(&self, role: &Path) -> Result<RoleMeta, Problems> {
        let Some(path) = yaml_file(&role.join("meta"), "main") else { return Ok(RoleMeta::default()) };
        let source = self.source(&path, None)?;
        let (meta, warnings) = syntax::read_role_meta(&source)?;
        self.pass_on(warnings);
        Ok(meta)
    }

    /// The argument specifications of a role: a separate file, or part of `meta/main.yml`.
    ///
    /// # Errors
    /// If they cannot be read, or are invalid.
    pub fn argument_specs(&self, role: &Path, meta: &RoleMeta) -> Result<ArgumentSpecs, Problems> {
        let Some(path) = yaml_file(&role.join("meta"), "argument_specs") else {
            return meta.argument_specs.clone().map_or_else(|| Ok(ArgumentSpecs::default()), syntax::argument_specs);
        };
        let source = self.source(&path, None)?;
        let (specs, warnings) = syntax::read_argument_specs(&source)?;
        self.pass_on(warnings);
        Ok(specs)
    }

    /// A role's `defaults/` or `vars/`: one file, or all files of a directory of that name.
    ///
    /// # Errors
    /// If one of them cannot be read, or is not one mapping.
    pub fn role_vars(&self, role: &Path, kind: &str, name: &str) -> Result<Option<Arc<Layer>>, Problems> {
        let directory = role.join(kind);
        if let Some(file) = yaml_file(&directory, name) {
            return self.vars(&file, None).map(Some);
        }
        let directory = directory.join(name);
        if !directory.is_dir() {
            return Ok(None);
        }
        let mut all = Layer::new();
        for file in files_below(&directory, &mut Descent::default()) {
            let vars = self.vars(&file, None)?;
            all.extend(vars.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        Ok(Some(Arc::new(all)))
    }

    /// Finds a role. Searched in order: the collection in its name or those to search, next to the playbook, next to
    /// the requesting role, the roles path, and the name as a path.
    ///
    /// # Errors
    /// If there is no such role; the help names where it was searched.
    pub fn role(
        &self,
        name: &str,
        playbook: &Path,
        asking: Option<&Path>,
        search: &[Arc<str>],
        at: &Span,
    ) -> Result<FoundRole, PlanError> {
        if let Some((path, collection)) = self.collections.role(name, search) {
            return match self.begin_to_use(&collection) {
                Ok(()) => Ok(FoundRole { path, collection: Some(collection.name.clone()), by_path: false }),
                Err(msg) => Err(PlanError::unusable(msg, at)),
            };
        }
        let beside = asking.and_then(Path::parent).map(Path::to_owned);
        let mut directories: Vec<PathBuf> = vec![playbook.join("roles")];
        directories.extend(beside);
        directories.extend(self.roles_path.iter().cloned());
        directories.push(playbook.to_owned());
        let given = files::filled_in(name);
        // As in ansible-core, `..` leads out of a directory that does not exist, too.
        let leaves = given.components().any(|part| part == Component::ParentDir);
        let place = |directory: &PathBuf| match leaves {
            true => PathBuf::from(crate::source::absolute(&directory.join(&given))),
            false => directory.join(&given),
        };
        // What has to be expanded is no path in a directory.
        let is_expanded = name.starts_with(['~', '$']);
        let searched = directories.iter().filter(|_| !is_expanded).map(place).map(|path| (path, false));
        let from_here = std::iter::once((PathBuf::from(crate::source::absolute(&given)), true));
        if let Some((path, by_path)) = searched.chain(from_here).find(|(path, _)| path.is_dir()) {
            return Ok(FoundRole { path: without_links(path), collection: None, by_path });
        }
        let of_collection = Qualified::parse(name).map(|qualified| match self.collections.find(&qualified.collection) {
            Some(collection) => format!("the collection in {} has no such role", collection.path.display()),
            None => {
                let places = self.collections.places();
                let places = places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ");
                format!(
                    "the collection `{0}` was not found in {places}; install it with `rplay galaxy collection install {0}`",
                    qualified.collection
                )
            }
        });
        let known: Vec<String> = directories.iter().flat_map(|directory| names_in(directory)).collect();
        let nearest = crate::source::nearest(name, known.iter().map(String::as_str));
        let looked = directories.iter().map(|directory| directory.display().to_string()).collect::<Vec<_>>().join(", ");
        let searched =
            directories.iter().map(|directory| crate::source::absolute(directory)).collect::<Vec<_>>().join(":");
        Err(PlanError::RoleNotFound {
            name: name.to_owned(),
            searched,
            at: at.clone(),
            help: of_collection
                .or(nearest.map(|nearest| format!("did you mean `{nearest}`?")))
                .or_else(|| Some(format!("searched in {looked}"))),
        })
    }
}

/// Where a role is.
#[derive(Debug)]
pub struct FoundRole {
    pub path: PathBuf,
    pub collection: Option<Arc<str>>,
    /// Its name is a path from the working directory, or one that had to be expanded. As in ansible-core, the last part
    /// is the name of the role.
    pub by_path: bool,
}

/// The real path of a role that is reached through symbolic links, as under ansible-core: what its files name relative
/// to themselves lies beside the real ones. A path without links stays as it is written.
fn without_links(path: PathBuf) -> PathBuf {
    match (path.canonicalize(), std::path::absolute(&path)) {
        (Ok(real), Ok(plain)) if real != Path::new(&crate::source::absolute(&plain)) => real,
        _ => path,
    }
}
