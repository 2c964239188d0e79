//! Filters, tests and lookups in Python: the user's, and those of roles, collections and ansible-core.
//!
//! ansible-core's own loaders find them. The code here only avoids starting Python before a template names a plugin
//! that is not built in: the texts of the user's files show which built-in names they may override.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use rplay_contract::wire::Become;
use serde_json::{Map, Value as Json, json};

use super::{Finder, library::directories_in};
use crate::{
    files,
    python::{CoreError, HostError, Repeat},
    source::{Span, absolute},
    template::{Exchange, variable},
    vars::{BecomeCall, PluginCall, PluginError, PluginKind, Plugins, Scope, Value},
};

impl Finder {
    /// Makes the modules and plugins next to a playbook or in a role available from now on.
    pub fn add_plugins(&self, directory: &Path, is_playbook: bool) {
        let mut directories = self.plugin_places.directories.write();
        if directories.iter().any(|known| known == directory) {
            return;
        }
        directories.push(directory.to_owned());
        let library = directory.join("library");
        if library.is_dir() {
            self.plugin_places.libraries.write().push(library);
        }
        drop(directories);
        self.plugin_places.replaced.lock().clear();
        self.pythons
            .prepare_with("values.directory", json!({ "path": absolute(directory), "is_playbook": is_playbook }));
    }

    /// The existing directories with plugins of a kind, in search order.
    fn plugin_directories(&self, kind: PluginKind) -> Vec<PathBuf> {
        let inner = format!("{}_plugins", kind.word());
        let own = self.plugin_places.directories.read();
        let near = own.iter().map(|directory| directory.join(&inner)).filter(|directory| directory.is_dir());
        let configured = match kind {
            PluginKind::Filter => &self.settings.filter_plugins,
            PluginKind::Test => &self.settings.test_plugins,
            PluginKind::Lookup => &self.settings.lookup_plugins,
        };
        let deeper = configured.iter().filter(|directory| directory.is_dir()).flat_map(|directory| {
            let inner = directories_in(directory);
            let deepest: Vec<PathBuf> = inner.iter().flat_map(|directory| directories_in(directory)).collect();
            inner.into_iter().chain(deepest).chain([directory.clone()])
        });
        near.chain(deeper).collect()
    }

    /// Whether a file in these directories may define a filter or test of that name.
    fn may_define(&self, directories: &[PathBuf], name: &str) -> bool {
        directories.iter().any(|directory| {
            let known = self.plugin_places.words.lock().get(directory).cloned();
            let words = known.unwrap_or_else(|| {
                let read = Arc::new(words_in(directory));
                self.plugin_places.words.lock().insert(directory.clone(), read.clone());
                read
            });
            words.contains(name)
        })
    }

    fn find_replacement(&self, kind: PluginKind, name: &str) -> bool {
        let directories = self.plugin_directories(kind);
        if kind == PluginKind::Lookup {
            return directories
                .iter()
                .any(|directory| self.library.find(directory, name).is_some_and(|path| is_python(&path)));
        }
        // Only ansible-core knows what a file defines.
        self.may_define(&directories, name)
            && self
                .pythons
                .ask("values.replaces", json!({ "kind": kind.word(), "name": name }))
                .is_ok_and(|found| found == Json::Bool(true))
    }

    /// Whether there may be a lookup with a short name that is not built in, for a reader that does not know the task's
    /// context. `file` contains the task.
    pub fn may_be_lookup(&self, name: &str, file: Option<&Path>) -> bool {
        if !crate::collections::is_name(name) {
            return false;
        }
        let has = |directory: &Path| self.library.find(directory, name).is_some_and(|path| is_python(&path));
        let above: Vec<&Path> = file.into_iter().flat_map(Path::ancestors).skip(1).take(4).collect();
        let beside = above.iter().map(|directory| directory.join("lookup_plugins"));
        let in_roles = above.iter().map(|directory| directory.join("roles")).chain(self.settings.roles.iter().cloned());
        let in_roles = in_roles.flat_map(|roles| directories_in(&roles)).map(|role| role.join("lookup_plugins"));
        if beside.chain(in_roles).any(|directory| has(&directory))
            || self.plugin_directories(PluginKind::Lookup).iter().any(|directory| has(directory))
        {
            return true;
        }
        let Ok(core) = self.pythons.core() else { return false };
        has(&core.package.join("plugins/lookup")) || self.core_runtime(core).route("lookup", name).is_some()
    }

    fn failed(&self, call: &PluginCall<'_>, why: &str) -> PluginError {
        PluginError::Failed(format!("The {} plugin '{}' failed: {why}", call.kind.word(), call.name))
    }

    /// The error if there is no ansible-core, or no plugin of that name.
    fn lacking(&self, call: &PluginCall<'_>) -> PluginError {
        let core = self.pythons.core().err().map(|error| {
            format!("only native ones are known, since ansible-core was not found: {error}; {}", CoreError::help())
        });
        let collection = crate::collections::Qualified::parse(call.name).map(|qualified| qualified.collection);
        let absent = collection.filter(|name| self.collections.find(name).is_none());
        let help = absent.map(|name| format!("install its collection: `ansible-galaxy collection install {name}`"));
        PluginError::Missing { help: help.or(core) }
    }
}

impl Plugins for Finder {
    fn replaces(&self, kind: PluginKind, name: &str) -> bool {
        let name = name.strip_prefix("ansible.legacy.").unwrap_or(name);
        if name.contains('.') {
            return false;
        }
        let key = (kind, name.to_owned());
        if let Some(known) = self.plugin_places.replaced.lock().get(&key) {
            return *known;
        }
        let found = self.find_replacement(kind, name);
        self.plugin_places.replaced.lock().insert(key, found);
        found
    }

    fn replaces_become(&self, method: &str) -> bool {
        self.has_own_become(method)
    }

    fn becoming(&self, call: &BecomeCall<'_>) -> Result<Option<Become>, String> {
        Finder::becoming(self, call)
    }

    fn call(&self, call: &PluginCall<'_>) -> Result<Value, PluginError> {
        if self.pythons.core().is_err() {
            return Err(self.lacking(call));
        }
        let mut exchange = Exchange::with_trust(&call.scope.magic);
        let mut encode = |value: &Value| exchange.encode(value).map_err(|why| self.failed(call, &why));
        let args = call.positional.iter().map(&mut encode).collect::<Result<Vec<_>, _>>()?;
        let named = call.named.iter().map(|(name, value)| Ok((name.clone(), encode(value)?)));
        let named = named.collect::<Result<Map<_, _>, PluginError>>()?;
        let mut with = json!({ "name": call.name, "args": args, "named": named });
        if call.is_loop {
            with["is_loop"] = Json::from(true);
        }
        if let Some(turn) = call.scope.magic.turn() {
            with["turn"] = Json::from(turn);
        }
        let op = format!("values.{}", call.kind.word());
        let asked = &mut exchange;
        let told = self.pythons.converse(&op, &with, Repeat::Yes, |op, with| serve(call, asked, op, &with));
        let mut told = told.map_err(|error| match error {
            HostError::Refused(why) => self.failed(call, &why),
            broken => self.failed(call, &broken.to_string()),
        })?;
        if let Some(error) = told.get("error").and_then(Json::as_str) {
            return Err(PluginError::Failed(error.to_owned()));
        }
        match told.get_mut("value").map(Json::take) {
            Some(value) => exchange.decode(value).map_err(|why| self.failed(call, &why)),
            None => Err(self.lacking(call)),
        }
    }
}

/// Answers a plugin's questions.
fn serve(call: &PluginCall<'_>, exchange: &mut Exchange, op: &str, with: &Json) -> Result<Json, String> {
    answer_of_scope(call.scope, call.at, exchange, op, with)
        .unwrap_or_else(|| Err(format!("nobody answers `{op}` here")))
}

/// Answers a plugin's questions about variables and secrets, and takes its warnings; `None` for other questions.
pub fn answer_of_scope(
    scope: &Arc<Scope>,
    at: &Span,
    exchange: &mut Exchange,
    op: &str,
    with: &Json,
) -> Option<Result<Json, String>> {
    matches!(op, "variable" | "has" | "names" | "decrypt" | "tell").then(|| of_scope(scope, at, exchange, op, with))
}

fn of_scope(scope: &Arc<Scope>, at: &Span, exchange: &mut Exchange, op: &str, with: &Json) -> Result<Json, String> {
    let text = |name: &str| with.get(name).and_then(Json::as_str).ok_or_else(|| format!("`{op}` without {name}"));
    let path: Vec<&str> =
        with.get("path").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
    match op {
        "variable" => match variable(scope, &path) {
            Some(value) => Ok(json!({ "value": exchange.encode(&value)? })),
            None => Ok(Json::Null),
        },
        "has" => Ok(Json::from(match path.as_slice() {
            [name] => scope.get(name).is_some(),
            path => variable(scope, path).is_some(),
        })),
        "names" => Ok(match path.as_slice() {
            [] => scope.names().iter().map(|name| Json::from(&**name)).collect(),
            path => {
                let names = variable(scope, path).and_then(|value| Some(value.try_iter().ok()?.collect::<Vec<_>>()));
                names.unwrap_or_default().iter().filter_map(|name| name.as_str().map(Json::from)).collect()
            }
        }),
        "decrypt" => scope.magic.decrypt(text("envelope")?).map(|text| Json::from(&*text)),
        "tell" => {
            match text("kind")? {
                "deprecated" => scope.magic.deprecated(text("text")?.trim(), Some(at)),
                "message" => scope.magic.message(text("text")?.trim()),
                _ => scope.magic.warn(text("text")?.trim(), Some(at)),
            }
            Ok(Json::Null)
        }
        _ => Ok(Json::Null),
    }
}

fn is_python(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "py")
}

/// The identifiers in the Python files of a directory: possible names of filters and tests.
fn words_in(directory: &Path) -> HashSet<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let texts = entries.filter(|path| is_python(path)).filter_map(|path| files::read(&path).ok());
    let mut words = HashSet::new();
    for text in texts {
        let text = String::from_utf8_lossy(&text);
        let found = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        words.extend(found.map(str::to_owned));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::external::Settings;

    #[test]
    fn a_native_name_is_replaced_only_where_a_file_may_do_so() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("filter_plugins/mine.py", "class FilterModule:\n    def filters(self):\n        return {'upper': str}\n");
        write("lookup_plugins/env.py", "");
        write("lookup_plugins/file.yml", "");
        // An interpreter that does not exist: it cannot answer anything.
        let python = Some(directory.path().join("python"));
        let finder = Finder::new(Settings { ansible_python: python, ..Settings::default() }, Arc::default());
        assert!(!finder.replaces(PluginKind::Lookup, "env"));
        finder.add_plugins(directory.path(), true);
        assert!(
            finder.replaces(PluginKind::Lookup, "env") && finder.replaces(PluginKind::Lookup, "ansible.legacy.env")
        );
        assert!(!finder.replaces(PluginKind::Lookup, "ansible.builtin.env"));
        assert!(!finder.replaces(PluginKind::Lookup, "file"));
        let directories = finder.plugin_directories(PluginKind::Filter);
        assert!(finder.may_define(&directories, "upper") && !finder.may_define(&directories, "lower"));
        assert!(finder.may_be_lookup("env", None) && !finder.may_be_lookup("nothing", None));
    }
}
