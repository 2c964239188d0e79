//! Finds modules that rplay does not implement, and their files for hosts.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;
use rplay_contract::external::Style;

use super::{
    ActionPlugin, ExternalModule, Payload, PayloadError, Rejected,
    library::{Library, directories_in},
    payload,
    plugin_places::PluginPlaces,
    style::{is_binary, shebang, style_of},
};
use crate::{
    collections::{ANSIBLE_VERSION, Collections, Qualified, Runtime},
    files,
    python::{Core, CoreError, Pythons},
};

/// Where to search for modules, and how they run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Module directories, searched after those next to playbooks and in roles.
    pub library: Vec<PathBuf>,
    /// Directories with module_utils.
    pub module_utils: Vec<PathBuf>,
    /// Role directories, whose `library/` is searched as well.
    pub roles: Vec<PathBuf>,
    /// Directories with plugins, searched after those next to playbooks and in roles.
    pub filter_plugins: Vec<PathBuf>,
    pub test_plugins: Vec<PathBuf>,
    pub lookup_plugins: Vec<PathBuf>,
    pub action_plugins: Vec<PathBuf>,
    pub become_plugins: Vec<PathBuf>,
    /// Modules that the project may not use.
    pub rejected: Rejected,
    /// The Python on this machine that has ansible-core.
    pub ansible_python: Option<PathBuf>,
    /// The Python on hosts without a configured one: a path, or `auto`.
    pub interpreter: Option<String>,
    /// The events for which modules return their traceback: `error`, `warning`, `deprecated`, `deprecated_value`.
    pub tracebacks: Vec<String>,
    /// Results of modules may contain text that is not UTF-8 (`module_strict_utf8_response`).
    pub lenient_utf8: bool,
    /// Where modules create temporary directories on hosts.
    pub remote_tmp: Option<String>,
}

/// The context of a task that names a module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// The directory of the playbook.
    pub playbook: Option<&'a Path>,
    /// The directory of the role that contains the task.
    pub role: Option<&'a Path>,
    /// Collections that are searched for short names.
    pub collections: &'a [Arc<str>],
    /// Whether to look only for a module, not for its action plugin: the plugin itself calls its module.
    pub modules_only: bool,
}

/// Why a name resolves to no module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// One sentence.
    pub msg: String,
    pub help: Option<String>,
    pub reason: Reason,
}

/// What is known about a name without a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing.
    Unknown,
    /// Its collection is not installed or has no such module, or the module is in a collection that is not searched.
    Elsewhere,
    /// The module exists, but cannot be used.
    Refused,
}

impl Missing {
    /// It exists but cannot be used.
    pub fn refused(msg: String) -> Self {
        Missing { msg, help: None, reason: Reason::Refused }
    }
}

/// The module, action plugin or new name that ansible-core has for a name.
pub enum OfCore {
    Module(&'static ExternalModule),
    /// Its action plugin does the work.
    Action(&'static ActionPlugin),
    /// It moved to this name; with a deprecation message.
    Moved {
        to: String,
        deprecated: Option<String>,
    },
}

/// Finds modules; each is read once per run.
pub struct Finder {
    pub settings: Settings,
    pub(super) collections: Arc<Collections>,
    pub(super) pythons: Pythons,
    pub(super) library: Library,
    pub(super) plugin_places: PluginPlaces,
    /// ansible-core's metadata about its names.
    runtime: OnceLock<Runtime>,
    /// By path and full name.
    known: Mutex<HashMap<(PathBuf, String), &'static ExternalModule>>,
    pub(super) actions: Mutex<HashMap<(PathBuf, String), &'static ActionPlugin>>,
    payloads: Mutex<HashMap<PathBuf, Arc<OnceLock<Result<Payload, PayloadError>>>>>,
}

impl Finder {
    pub fn new(settings: Settings, collections: Arc<Collections>) -> Self {
        let pythons = Pythons::new(settings.ansible_python.clone());
        let (known, payloads, actions) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (library, runtime) = (Library::default(), OnceLock::new());
        let plugin_places = PluginPlaces::default();
        Finder { settings, collections, pythons, library, plugin_places, runtime, known, payloads, actions }
    }

    /// The module of a short name in a `library/`: next to the playbook, in a role that was loaded, or in the
    /// configured directories. It takes precedence over one of ansible-core. Of several roles, the first one counts,
    /// whichever contains the task.
    pub fn in_library(&self, name: &str, around: Around<'_>) -> Option<&'static ExternalModule> {
        let beside = |directory: &Path| self.library.find(&directory.join("library"), name);
        let loaded =
            || self.plugin_places.libraries.read().iter().find_map(|directory| self.library.find(directory, name));
        let found = around.playbook.and_then(beside).or_else(loaded).or_else(|| around.role.and_then(beside));
        let found = found.or_else(|| {
            let mut configured = self.settings.library.iter();
            configured.find_map(|directory| self.library.find_below(directory, name))
        })?;
        self.module(found, format!("ansible.legacy.{name}"), around).ok()
    }

    /// The module with this name in the `library/` of any role that the play may have loaded before.
    pub fn in_other_roles(&self, name: &str, around: Around<'_>) -> Option<&'static ExternalModule> {
        let beside = around.playbook.map(|directory| directory.join("roles"));
        let siblings = around.role.and_then(Path::parent).map(Path::to_owned);
        let directories = beside.into_iter().chain(siblings).chain(self.settings.roles.iter().cloned());
        let found = directories.into_iter().find_map(|directory| {
            directories_in(&directory).iter().find_map(|role| self.library.find(&role.join("library"), name))
        })?;
        self.module(found, format!("ansible.legacy.{name}"), around).ok()
    }

    /// The module of a collection in this file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of_collection(
        &self,
        name: &str,
        file: PathBuf,
        around: Around<'_>,
    ) -> Result<&'static ExternalModule, Missing> {
        self.module(file, name.to_owned(), around)
    }

    /// Why there is no module with a fully qualified name.
    pub fn lacks(&self, name: &str) -> Missing {
        let Some(qualified) = Qualified::parse(name) else {
            return Missing { msg: format!("there is no module `{name}`"), help: None, reason: Reason::Unknown };
        };
        let collection = &qualified.collection;
        match self.collections.find(collection) {
            None => {
                let core = self.pythons.core().err().map_or_else(String::new, |error| format!(" ({error})"));
                Missing {
                    msg: format!("there is no module `{name}`: the collection {collection} is not installed"),
                    help: Some(format!("install it with `ansible-galaxy collection install {collection}`{core}")),
                    reason: Reason::Elsewhere,
                }
            }
            Some(found) => Missing {
                msg: format!("there is no module `{}` in the collection {collection}", qualified.resource()),
                help: nearest(&found.path.join("plugins/modules"), qualified.short()),
                reason: Reason::Elsewhere,
            },
        }
    }

    /// A module of ansible-core, or the new name of one that moved.
    ///
    /// # Errors
    /// If there is none, or no ansible-core.
    pub fn of_core(&self, name: &str, around: Around<'_>) -> Result<OfCore, Missing> {
        let core = self.pythons.core().map_err(|error| Missing {
            msg: format!("there is no module `{name}` here, and ansible-core was not found: {error}"),
            help: Some(CoreError::help().to_owned()),
            reason: Reason::Unknown,
        })?;
        if let Some(path) = self.library.find(&core.package.join("modules"), name) {
            let full = format!("ansible.builtin.{name}");
            if let Some(plugin) = self.action_of_core(core, name).filter(|_| !around.modules_only) {
                return Ok(OfCore::Action(plugin));
            }
            return self.module(path, full, around).map(OfCore::Module);
        }
        if let Some(plugin) = self.action_of_core(core, name).filter(|_| !around.modules_only) {
            return Ok(OfCore::Action(plugin));
        }
        let Some(route) = self.core_runtime(core).route("modules", name) else {
            let full = self.anywhere(name);
            let reason = if full.is_some() { Reason::Elsewhere } else { Reason::Unknown };
            let help = full.map(|full| format!("use `{full}`, or add its collection to the keyword `collections`"));
            return Err(Missing { msg: format!("there is no module `{name}`"), help, reason });
        };
        if let Some(tombstone) = &route.tombstone {
            return Err(Missing::refused(tombstone.removed(name, "ansible.builtin")));
        }
        let deprecated = route.deprecation.as_ref().map(|removal| removal.deprecated(name, "ansible.builtin"));
        match &route.redirect {
            Some(to) => Ok(OfCore::Moved { to: to.clone(), deprecated }),
            None => Err(Missing { msg: format!("there is no module `{name}`"), help: None, reason: Reason::Unknown }),
        }
    }

    /// ansible-core's metadata about its names.
    pub(super) fn core_runtime(&self, core: &Core) -> &Runtime {
        let read = || Runtime::read(&core.package.join("config/ansible_builtin_runtime.yml")).unwrap_or_default();
        self.runtime.get_or_init(read)
    }

    /// The full name of a module of any collection that is here.
    fn anywhere(&self, name: &str) -> Option<String> {
        let word = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        self.roots().iter().flat_map(|root| directories_in(root)).find_map(|namespace| {
            directories_in(&namespace).into_iter().find_map(|collection| {
                self.library.find(&collection.join("plugins/modules"), name)?;
                Some(format!("{}.{}.{name}", word(&namespace)?, word(&collection)?))
            })
        })
    }

    /// Directories named `ansible_collections`.
    fn roots(&self) -> Vec<PathBuf> {
        self.collections
            .places()
            .iter()
            .map(|place| place.join("ansible_collections"))
            .filter(|root| root.is_dir())
            .collect()
    }

    /// Whether a short name may be a module, for a reader that does not know the task's context; the resolver decides
    /// exactly. `file` contains the task.
    pub fn may_be(&self, name: &str, file: Option<&Path>) -> bool {
        if !crate::collections::is_name(name) {
            return false;
        }
        // A task file is in the role's `tasks/`, a playbook in its own directory, or either in a subdirectory.
        let directories: Vec<&Path> = file.into_iter().flat_map(Path::ancestors).skip(1).take(4).collect();
        let beside = |directory: &&Path| {
            let around = Around { playbook: Some(directory), ..Around::default() };
            self.library.find(&directory.join("library"), name).is_some()
                || self.in_other_roles(name, around).is_some()
                || self.own_action(name, around).is_some()
                || self.action_of_other_roles(name, around).is_some()
        };
        let configured =
            || self.settings.library.iter().any(|directory| self.library.find_below(directory, name).is_some());
        if directories.iter().any(beside) || configured() {
            return true;
        }
        match self.of_core(name, Around::default()) {
            Ok(_) => true,
            // A module that is rejected, or found only elsewhere, is reported where its context is known.
            Err(missing) => missing.reason != Reason::Unknown,
        }
    }

    /// The files that a host needs for a module; created once.
    ///
    /// # Errors
    /// See [`PayloadError`].
    pub fn payload(&self, module: &ExternalModule) -> Result<Payload, PayloadError> {
        let slot = self.payloads.lock().entry(module.path.clone()).or_default().clone();
        slot.get_or_init(|| payload::of(module, &self.pythons)).clone()
    }

    /// The Python on the controller that has ansible-core, if there is one.
    pub fn python(&self) -> Option<PathBuf> {
        self.pythons.core().ok().map(|core| core.python.clone())
    }

    /// The ansible-core version that is passed to modules.
    pub fn version(&self) -> String {
        self.pythons.core().map_or_else(|_| ANSIBLE_VERSION.to_owned(), |core| core.version.clone())
    }

    fn module(&self, path: PathBuf, full_name: String, around: Around<'_>) -> Result<&'static ExternalModule, Missing> {
        let mut known = self.known.lock();
        if let Some(found) = known.get(&(path.clone(), full_name.clone())) {
            return Ok(found);
        }
        let content = files::read(&path).map_err(|error| {
            Missing::refused(format!("cannot read the module `{full_name}`: {}: {error}", path.display()))
        })?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let style = style_of(&file, &content);
        let is_python = style == Some(Style::Python);
        let is_own = full_name.starts_with("ansible.legacy.");
        let near = around.role.into_iter().chain(around.playbook).map(|directory| directory.join("module_utils"));
        // Next to its `library/`, which may be in another role.
        let own =
            path.parent().and_then(Path::parent).map(|directory| directory.join("module_utils")).filter(|_| is_own);
        let mut utils: Vec<PathBuf> = Vec::new();
        for directory in own.into_iter().chain(near).chain(self.settings.module_utils.iter().cloned()) {
            if is_python && directory.is_dir() && !utils.contains(&directory) {
                utils.push(directory);
            }
        }
        let module = ExternalModule {
            name: full_name.rsplit('.').next().unwrap_or_default().to_owned(),
            roots: if is_python { self.roots() } else { Vec::new() },
            utils,
            lacks_interpreter: !is_python && !is_binary(&content) && shebang(&content).is_none(),
            shebang: shebang(&content),
            style,
            path: path.clone(),
            full_name: full_name.clone(),
        };
        let module: &'static ExternalModule = Box::leak(Box::new(module));
        known.insert((path, full_name), module);
        Ok(module)
    }
}

fn nearest(directory: &Path, name: &str) -> Option<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let names: Vec<String> =
        entries.filter_map(|entry| entry.path().file_stem().map(|stem| stem.to_string_lossy().into_owned())).collect();
    crate::source::nearest(name, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"))
}
