//! Values that must be known before a run: names of imported files and roles, tags.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    PlanError, RunMagic,
    step::{Field, Role, Settings},
};
use crate::{
    source::absolute,
    template,
    vars::{Layer, Lazy, Magic, Scope, Value},
};

/// The variables that an import may use: `-e`, the surrounding ones, those of its role and play, and magic variables
/// of the whole run.
pub(super) fn scope(
    extra: &Arc<Layer>,
    magic: &Arc<RunMagic>,
    settings: &Settings,
    role: Option<&Arc<Role>>,
    play_vars: &Arc<Layer>,
    playbook: &Path,
) -> Arc<Scope> {
    let mut layers = vec![extra.clone()];
    layers.extend(role.map(|role| role.params.clone()));
    layers.extend(settings.vars.iter().cloned());
    layers.extend(role.map(|role| role.vars.clone()));
    layers.push(play_vars.clone());
    layers.extend(role.map(|role| role.defaults.clone()));
    let directories: Vec<_> = role.map(|role| role.path.clone()).into_iter().chain([playbook.to_owned()]).collect();
    let magic = Arc::new(Known { role: role.cloned(), playbook: playbook.to_owned(), run: magic.clone() });
    Arc::new(Scope::new(layers, magic, directories.into()))
}

/// The rendered value.
pub(super) fn value(field: &Field, scope: &Arc<Scope>, name: &'static str) -> Result<Value, PlanError> {
    template::render(&field.value, scope).map_err(|error| PlanError::NotConstant {
        name,
        reason: error.to_string(),
        at: field.span.clone(),
        help: name.starts_with("import").then(|| {
            format!(
                "imports are resolved before the run, without facts and registered results; {}",
                match name {
                    "import_playbook" => "set the variable with `-e`".to_owned(),
                    _ => format!("use `{}`", name.replace("import", "include")),
                }
            )
        }),
    })
}

/// The rendered value as a flag, as lenient as Ansible's arguments are.
pub(super) fn flag(field: &Field, scope: &Arc<Scope>, name: &'static str) -> Result<bool, PlanError> {
    let value = value(field, scope, name)?;
    Ok(match value.as_str() {
        Some(text) => matches!(text.trim().to_lowercase().as_str(), "y" | "yes" | "on" | "1" | "true" | "t"),
        None => value.is_true(),
    })
}

/// The rendered value as text.
pub(super) fn text(field: &Field, scope: &Arc<Scope>, name: &'static str) -> Result<String, PlanError> {
    let value = value(field, scope, name)?;
    Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Adds a word, or each word of a list.
pub(super) fn words(value: &Value, words: &mut Vec<String>) {
    match value.as_str() {
        Some(text) => words.push(text.to_owned()),
        None if value.kind() == minijinja::value::ValueKind::Seq => {
            for item in value.try_iter().into_iter().flatten() {
                self::words(&item, words);
            }
        }
        None => words.push(value.to_string()),
    }
}

/// The magic variables that are known before a run.
struct Known {
    role: Option<Arc<Role>>,
    playbook: PathBuf,
    run: Arc<RunMagic>,
}

impl Magic for Known {
    fn get(&self, name: &str) -> Option<Lazy> {
        let parents = || Some(self.role.as_ref()?.including()?.iter());
        let list = |values: Vec<Value>| Some(Lazy::Data(Value::from(values)));
        match name {
            "ansible_parent_role_names" => {
                return list(parents()?.map(|parent| Value::from(parent.name.clone())).collect());
            }
            "ansible_parent_role_paths" => {
                return list(parents()?.map(|parent| Value::from(parent.path.display().to_string())).collect());
            }
            _ => {}
        }
        let value = match name {
            "playbook_dir" => absolute(&self.playbook),
            "role_path" => absolute(&self.role.as_ref()?.path),
            "role_name" => self.role.as_ref()?.short_name().to_owned(),
            "ansible_role_name" => self.role.as_ref()?.name.to_string(),
            "ansible_collection_name" => self.role.as_ref()?.collection.as_deref()?.to_owned(),
            // No host has been chosen yet.
            "play_hosts" | "ansible_play_batch" | "ansible_play_hosts" | "ansible_play_hosts_all" => {
                return list(Vec::new());
            }
            name => return self.run.value(name).map(Lazy::Data),
        };
        Some(Lazy::Data(value.into()))
    }

    fn names(&self) -> Vec<Arc<str>> {
        ["playbook_dir", "role_path", "role_name", "ansible_role_name", "ansible_collection_name"]
            .map(Arc::from)
            .to_vec()
    }
}
