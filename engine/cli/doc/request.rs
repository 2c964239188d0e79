//! A request for documentation.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use rplay::{
    collections::{BUILTIN, Collections, Qualified, is_collection_name},
    config::Config,
    docs::{Documentation, Library, Located, PluginType, plain},
    files,
    plan::Action,
    python::Pythons,
};
use serde_json::{Map, Value as Json, json};

use super::{
    NO_NAMES,
    doc_output::{DocOutput, pretty, yaml},
    keywords::Keywords,
    native, page,
    plugins::BuiltIn,
    roles::{self, absolute},
};
use crate::{args::doc::DocArgs, diagnostics, output};

/// What is requested, and where to search.
pub(super) struct Request<'a> {
    args: &'a DocArgs,
    library: Library,
    /// Directories with roles, in the order in which they are searched.
    roles: Vec<PathBuf>,
    columns: usize,
    /// Whether deprecation warnings are shown.
    warns: bool,
    python: Pythons,
    /// Whether it was called by Ansible's name: then Ansible's own documentation takes precedence.
    is_ansible: bool,
}

fn split(paths: &[String]) -> Vec<PathBuf> {
    let paths = paths.iter().flat_map(|paths| paths.split(':')).filter(|path| !path.is_empty());
    paths.map(files::filled_in).collect()
}

/// A configured directory, preceded by its subdirectories two levels deep, which may also contain plugins.
fn with_inner(directory: &Path) -> Vec<PathBuf> {
    let first = directories_of(directory);
    let second: Vec<PathBuf> = first.iter().flat_map(|directory| directories_of(directory)).collect();
    first.into_iter().chain(second).chain([directory.to_owned()]).collect()
}

fn directories_of(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut directories: Vec<PathBuf> =
        entries.filter(|path| path.is_dir() && !path.ends_with("__pycache__")).collect();
    directories.sort();
    directories
}

/// Where to search for plugins: the configured directories, those next to playbooks in a directory, and further ones
/// with modules.
pub(crate) fn library(config: &Config, beside: Option<&Path>, modules: &[String]) -> Library {
    let python = config.ansible_python.value.clone();
    let collections = Collections::new(config.collections_path.0.clone(), *config.collections_scan_sys_path)
        .with_interpreter(python.clone());
    if let Some(directory) = beside {
        collections.add_playbooks(directory);
    }
    let own = PluginType::all().map(|kind| {
        let configured: &[PathBuf] = match kind.name() {
            "module" => &config.library.0,
            "filter" => &config.filter_plugins.0,
            "test" => &config.test_plugins.0,
            "lookup" => &config.lookup_plugins.0,
            "callback" => &config.callback_plugins.0,
            "become" => &config.become_plugins.0,
            "vars" => &config.vars_plugins.0,
            _ => &[],
        };
        let mut directories = if kind.name() == "module" { split(modules) } else { Vec::new() };
        directories.extend(beside.iter().map(|directory| match kind.name() {
            "module" => directory.join("library"),
            name => directory.join(format!("{name}_plugins")),
        }));
        directories.extend(configured.iter().flat_map(|directory| with_inner(directory)));
        (kind, directories.into_iter().map(|directory| absolute(&directory)).collect())
    });
    let core = Pythons::new(python).core().ok().map(|core| core.package.clone());
    Library { collections: Arc::new(collections), core, own: own.collect() }
}

impl<'a> Request<'a> {
    pub(super) fn new(args: &'a DocArgs, config: &Config, is_ansible: bool) -> Self {
        let python = Pythons::new(config.ansible_python.value.clone());
        let beside = args.playbook_dir.clone().or_else(|| config.playbook_dir.value.clone());
        let beside = beside.map(|directory| absolute(&directory));
        let library = library(config, beside.as_deref(), &args.module_path);
        let mut roles: Vec<PathBuf> = beside.iter().map(|directory| directory.join("roles")).collect();
        roles.extend(split(&args.roles_path));
        roles.extend(config.roles_path.0.iter().cloned());
        roles.extend(beside.clone());
        let columns = if std::io::IsTerminal::is_terminal(&std::io::stdout()) { diagnostics::columns() } else { 80 };
        Request { args, library, roles, columns, warns: *config.deprecation_warnings, python, is_ansible }
    }

    /// The collections that a list is limited to.
    fn wanted_collections(&self) -> Result<&[String], (String, u8)> {
        for name in &self.args.names {
            if !is_collection_name(name) {
                return Err((format!("Invalid collection name (must be of the form namespace.collection): {name}"), 1));
            }
            let is_known =
                matches!(name.as_str(), "ansible.builtin" | "ansible.legacy") || self.library.place(name).is_some();
            if !is_known {
                return Err((
                    format!("Cannot use supplied collection '{name}': unable to locate collection {name}"),
                    1,
                ));
            }
        }
        Ok(&self.args.names)
    }

    /// The descriptions of Jinja's own filters or tests, by name. Only if called by Ansible's name, since Ansible
    /// documents them as part of ansible-core.
    fn of_jinja(&self, kind: PluginType) -> BTreeMap<String, String> {
        if !self.is_ansible || !kind.is_callable() || self.library.core.is_none() {
            return BTreeMap::new();
        }
        let told = self.python.ask("jinja", json!({ "kind": kind.name() }));
        told.ok().and_then(|told| serde_json::from_value(told).ok()).unwrap_or_default()
    }

    fn told_keywords(&self) -> Keywords {
        let core = self.library.core.as_ref().filter(|_| self.is_ansible);
        Keywords::new(core.map(|core| rplay::docs::keywords(core)).unwrap_or_default())
    }

    pub(super) fn list(&self, kind: PluginType) -> DocOutput {
        let only = self.wanted_collections()?;
        let mut entries: BTreeMap<String, String> = BTreeMap::new();
        for listed in self.library.list(kind, only) {
            let said = match self.args.list_files {
                true => listed.located.file.display().to_string(),
                false => Documentation::summary(&listed.located),
            };
            entries.insert(listed.name, said);
        }
        let has_builtin = only.is_empty() || only.iter().any(|name| BUILTIN.contains(&name.as_str()));
        if kind.name() == "module" && has_builtin {
            // Built-in modules exist without ansible-core.
            for action in Action::all() {
                let name = native::full_name(&action);
                let is_wanted =
                    only.is_empty() || only.iter().any(|only| action.collection() == only || only == "ansible.legacy");
                let is_listed = self.library.core.is_some() && action.collection() == "ansible.builtin";
                if is_wanted && !is_listed && !self.args.list_files {
                    entries.entry(name).or_insert_with(|| native::first_sentence(action.doc()));
                }
            }
        }
        // Scripts that call Ansible's name get Ansible's list.
        if has_builtin && !self.args.list_files && !(self.is_ansible && self.library.core.is_some()) {
            for entry in BuiltIn::all(kind.name()) {
                entries.entry(entry.full_name()).or_insert_with(|| entry.summary());
            }
        }
        if has_builtin {
            for (name, said) in self.of_jinja(kind) {
                let name = format!("ansible.builtin.{name}");
                match entries.get_mut(&name) {
                    // ansible-core has it, too, but does not document it.
                    Some(own) if own == "UNDOCUMENTED" => *own = said,
                    Some(_) => {}
                    None => drop(entries.insert(name, if self.args.list_files { "None".to_owned() } else { said })),
                }
            }
        }
        if self.args.json {
            return Ok(pretty(
                &entries.into_iter().map(|(name, said)| (name, Json::from(said))).collect::<Map<_, _>>().into(),
            ));
        }
        let width = entries.keys().map(String::len).max().unwrap_or_default();
        let room = self.columns.saturating_sub(6).saturating_sub(width).max(20);
        let lines = entries.iter().map(|(name, said)| match self.args.list_files {
            true => format!("{name:width$} {said:room$}\n"),
            false => format!("{name:width$} {:room$}\n", output::shortened(&plain(said), room)),
        });
        Ok(lines.collect())
    }

    /// The documentation of the named plugins. Missing ones cause warnings.
    pub(super) fn plugins(&self, kind: PluginType) -> DocOutput {
        let mut pages = Vec::new();
        let mut found = Map::new();
        for name in &self.args.names {
            let located = self.library.find(kind, name);
            let action = Some(name).filter(|_| kind.name() == "module").and_then(|name| Action::find(name));
            match (located, action) {
                // The built-in module is what runs, not a file of the same name.
                (_, Some(action)) if !self.is_ansible && !self.args.json => pages.push(native::page(&action)),
                (Some(located), _) => {
                    self.warn_of(&located);
                    let read = self.read(&located)?;
                    if self.args.json {
                        found.insert(name.clone(), whole(&read));
                    } else {
                        read.check(&located).map_err(|error| (error.to_string(), 1))?;
                        pages.push(page::page(&located, &read, self.columns, self.args.verbose > 0));
                    }
                }
                (None, Some(action)) if self.args.json => {
                    found.insert(name.clone(), native::whole(&action));
                }
                (None, Some(action)) => pages.push(native::page(&action)),
                (None, None) => match (BuiltIn::find(kind.name(), name), self.nearest(kind, name)) {
                    (Some(_), _) if self.of_jinja(kind).contains_key(short(name)) => {
                        let said = self.of_jinja(kind).remove(short(name)).unwrap_or_default();
                        let (located, read) = jinja(kind, short(name), &said);
                        match self.args.json {
                            true => drop(found.insert(name.clone(), whole(&read))),
                            false => pages.push(page::page(&located, &read, self.columns, self.args.verbose > 0)),
                        }
                    }
                    (Some(entry), _) if self.args.json => drop(found.insert(name.clone(), entry.json())),
                    (Some(_), _) if self.is_ansible => pages.push(page::of_jinja(kind, name)),
                    (Some(entry), _) => pages.push(entry.page()),
                    (None, near) => {
                        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                        output::aside(&format!("[WARNING]: {name} was not found{near}\n"));
                    }
                },
            }
        }
        if self.args.json { Ok(pretty(&Json::Object(found))) } else { Ok(page::joined(&pages)) }
    }

    /// Warns if a plugin is deprecated: its file name begins with an underscore.
    fn warn_of(&self, located: &Located) {
        let short = &located.short;
        let is_old = located.file.file_stem().is_some_and(|stem| *stem == *format!("_{short}"));
        if is_old && self.warns {
            output::aside(&format!(
                "[WARNING]: Deprecation warnings can be disabled by setting `deprecation_warnings=False` in ansible.cfg.\n\
                 [DEPRECATION WARNING]: Plugin '{short}' automatically redirected to '_{short}'. This feature will be removed \
                 from ansible-core version 2.23. Use '_{short}' instead of '{short}' to refer to the plugin.\n"
            ));
        }
    }

    fn nearest(&self, kind: PluginType, name: &str) -> Option<String> {
        let is_short = kind.name() == "module" && Qualified::parse(name).is_none();
        is_short.then(|| Action::nearest(name)).flatten().map(str::to_owned)
    }

    fn read(&self, located: &Located) -> Result<Documentation, (String, u8)> {
        use rplay::docs::DocumentationError as Error;
        Documentation::read(located, &self.library).map_err(|error| match error {
            Error::None { kind, ref name, .. } => {
                (format!("{kind} {name} Missing documentation (or could not parse documentation): {error}"), 1)
            }
            error => (error.to_string(), 1),
        })
    }

    pub(super) fn snippets(&self, kind: PluginType) -> DocOutput {
        if !matches!(kind.name(), "module" | "lookup" | "inventory") {
            let message = "Snippets are only available for the following plugin types: inventory, lookup, module";
            return Err((message.to_owned(), 1));
        }
        let mut texts = Vec::new();
        for name in &self.args.names {
            match self.library.find(kind, name) {
                Some(located) => texts.push(page::snippet(&located, &self.read(&located)?.doc)),
                None => match Action::find(name).filter(|_| kind.name() == "module") {
                    Some(action) => {
                        let located = Located {
                            kind,
                            name: name.clone(),
                            short: action.name().to_owned(),
                            file: PathBuf::new(),
                            docs: PathBuf::new(),
                            collection: String::new(),
                        };
                        texts.push(page::snippet(&located, native::doc(&action).as_object().unwrap_or(&Map::new())));
                    }
                    None => output::aside(&format!("[WARNING]: {name} was not found\n")),
                },
            }
        }
        Ok(texts.concat())
    }

    pub(super) fn keywords(&self) -> DocOutput {
        if self.args.list || self.args.list_files {
            let list = self.told_keywords().list().into_iter();
            let list: Map<String, Json> = list.map(|(name, doc)| (name, doc.into())).collect();
            // Markup is replaced only after wrapping, so that lines break where Ansible breaks them.
            return Ok(if self.args.json { pretty(&list.into()) } else { plain(&yaml(&list.into())?) });
        }
        let keywords = self.told_keywords();
        let (found, unknown) = keywords.named(&self.args.names);
        for name in unknown {
            output::aside(&format!("[WARNING]: Skipping invalid keyword '{name}': '{name}'\n"));
        }
        Ok(if self.args.json { pretty(&found.into()) } else { plain(&yaml(&found.into())?) })
    }

    pub(super) fn roles(&self) -> DocOutput {
        let found = roles::Roles::new(&self.library, &self.roles);
        if self.args.names.is_empty() && !self.args.list && !self.args.list_files {
            return Err((NO_NAMES.to_owned(), diagnostics::OPTIONS));
        }
        if self.args.list || self.args.list_files {
            return found.list(self.wanted_collections()?, self.args.json, self.columns);
        }
        found.shown(self.args, self.columns)
    }

    /// All available documentation, for tools.
    pub(super) fn dump(&self) -> DocOutput {
        let only = self.wanted_collections()?;
        let mut all = Map::new();
        for kind in PluginType::all() {
            let mut of_kind = Map::new();
            for listed in self.library.list(kind, only) {
                let read = Documentation::read(&listed.located, &self.library);
                match read {
                    Ok(read) => drop(of_kind.insert(listed.name, whole(&read))),
                    Err(error) if self.args.no_fail_on_errors => {
                        drop(of_kind.insert(listed.name, json!({ "error": error.to_string() })));
                    }
                    // Missing documentation is not an error.
                    Err(rplay::docs::DocumentationError::None { .. }) => {}
                    Err(error) => return Err((error.to_string(), 1)),
                }
            }
            all.insert(kind.name().to_owned(), of_kind.into());
        }
        let keywords = self.told_keywords();
        let names: Vec<String> = keywords.list().into_keys().collect();
        all.insert("keyword".to_owned(), keywords.named(&names).0.into());
        all.insert(
            "role".to_owned(),
            roles::Roles::new(&self.library, &self.roles).dump(only, self.args.no_fail_on_errors)?,
        );
        Ok(pretty(&json!({ "all": all })))
    }
}

/// The name without its collection.
fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The documentation of one of Jinja's own filters or tests, in Ansible's format, which scripts know.
fn jinja(kind: PluginType, short: &str, said: &str) -> (Located, Documentation) {
    let name = format!("ansible.builtin.{short}");
    let page = format!("https://jinja.palletsprojects.com/en/stable/templates/#jinja-{}s.{short}", kind.name());
    let what = format!("This is the Jinja builtin {} plugin '{short}'.", kind.name());
    let doc = json!({
        "collection": "ansible.builtin",
        "description": [said, "", what, format!("See: U({page})")],
        "filename": "",
        "plugin_name": name,
        "short_description": said,
    });
    let collection = "ansible.builtin".to_owned();
    let (file, docs) = (PathBuf::new(), PathBuf::from("Jinja2"));
    let located = Located { kind, name, short: short.to_owned(), file, docs, collection };
    let doc = doc.as_object().cloned().unwrap_or_default();
    (located, Documentation { doc, examples: None, returns: Json::Null, metadata: Json::Null })
}

/// A documentation in the format for tools.
fn whole(read: &Documentation) -> Json {
    json!({ "doc": read.doc, "examples": read.examples, "metadata": read.metadata, "return": read.returns })
}
