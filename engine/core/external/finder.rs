//! Finds modules that rplay has not natively, and what goes to hosts for them.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;

use super::{
    ExternalModule, Payload, PayloadError, Style,
    library::{Library, folders_in},
    payload,
    plugins::Plugged,
    style::shebang,
};
use crate::{
    collections::{Collections, Qualified, Runtime},
    files,
    python::{Core, CoreError, Pythons},
};

/// Where modules are looked for, and what is said of how they run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Folders with modules, after those beside playbooks and in roles.
    pub library: Vec<PathBuf>,
    /// Folders with module_utils.
    pub module_utils: Vec<PathBuf>,
    /// Folders with roles, whose `library/` is looked into as well.
    pub roles: Vec<PathBuf>,
    /// Folders with plugins, after those beside playbooks and in roles.
    pub filter_plugins: Vec<PathBuf>,
    pub test_plugins: Vec<PathBuf>,
    pub lookup_plugins: Vec<PathBuf>,
    /// The Python on this machine that has ansible-core.
    pub ansible_python: Option<PathBuf>,
    /// The Python of hosts whose variables name none: a path, or `auto`.
    pub interpreter: Option<String>,
    /// Where modules make temporary folders on hosts.
    pub remote_tmp: Option<String>,
}

/// What surrounds a task that names a module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// The folder of the playbook.
    pub playbook: Option<&'a Path>,
    /// The folder of the role in which the task stands.
    pub role: Option<&'a Path>,
    /// Collections that short names are looked for in.
    pub collections: &'a [Arc<str>],
}

/// Why a name leads to no module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// One sentence.
    pub msg: String,
    pub help: Option<String>,
    pub reason: Reason,
}

/// What is known of a name that leads to no module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing.
    Unknown,
    /// Its collection is not here or has no such module, or it is one of a collection that was not named.
    Elsewhere,
    /// The module is there, but cannot be used in this way or not any more.
    Refused,
}

impl Missing {
    /// It is there, and cannot be used.
    pub fn refused(msg: String) -> Self {
        Missing { msg, help: None, reason: Reason::Refused }
    }
}

/// What ansible-core has under a name.
pub enum OfCore {
    Module(&'static ExternalModule),
    /// It has moved to this name; what is to be told of the old one.
    Moved {
        to: String,
        deprecated: Option<String>,
    },
}

/// Finds modules; each is read once a run.
pub struct Finder {
    pub settings: Settings,
    pub(super) collections: Arc<Collections>,
    pub(super) pythons: Pythons,
    pub(super) library: Library,
    pub(super) plugged: Plugged,
    /// What ansible-core says of its names.
    runtime: OnceLock<Runtime>,
    /// By the path and the full name.
    known: Mutex<HashMap<(PathBuf, String), &'static ExternalModule>>,
    payloads: Mutex<HashMap<PathBuf, Arc<OnceLock<Result<Payload, PayloadError>>>>>,
}

impl Finder {
    pub fn new(settings: Settings, collections: Arc<Collections>) -> Self {
        let pythons = Pythons::new(settings.ansible_python.clone());
        let (known, payloads) = (Mutex::default(), Mutex::default());
        let (library, runtime) = (Library::default(), OnceLock::new());
        let plugged = Plugged::default();
        Finder { settings, collections, pythons, library, plugged, runtime, known, payloads }
    }

    /// The module in a `library/` that a short name stands for: beside the playbook, in the role, in the configured
    /// folders. Such a one comes before one of ansible-core.
    pub fn in_library(&self, name: &str, around: Around<'_>) -> Option<&'static ExternalModule> {
        let near = around.playbook.into_iter().chain(around.role).map(|folder| folder.join("library"));
        let found = near.into_iter().find_map(|folder| self.library.find(&folder, name));
        let found = found.or_else(|| {
            let mut configured = self.settings.library.iter();
            configured.find_map(|folder| self.library.find_below(folder, name))
        })?;
        self.module(found, format!("ansible.legacy.{name}"), around).ok()
    }

    /// The module in the `library/` of any role that the play may have loaded before.
    pub fn in_other_roles(&self, name: &str, around: Around<'_>) -> Option<&'static ExternalModule> {
        let beside = around.playbook.map(|folder| folder.join("roles"));
        let siblings = around.role.and_then(Path::parent).map(Path::to_owned);
        let folders = beside.into_iter().chain(siblings).chain(self.settings.roles.iter().cloned());
        let found = folders.into_iter().find_map(|folder| {
            folders_in(&folder).iter().find_map(|role| self.library.find(&role.join("library"), name))
        })?;
        self.module(found, format!("ansible.legacy.{name}"), around).ok()
    }

    /// The module of a collection that lies in this file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of_collection(
        &self,
        name: &str,
        file: PathBuf,
        around: Around<'_>,
    ) -> Result<&'static ExternalModule, Missing> {
        self.module(file, name.to_owned(), around)
    }

    /// Why a full name cannot be used though it is there: its work is done on the controller.
    pub fn acts(&self, name: &str) -> Option<Missing> {
        let qualified = Qualified::parse(name)?;
        let found = self.collections.find(&qualified.collection)?;
        let plugin = found.path.join("plugins/action").join(qualified.path()).with_extension("py");
        let routed = found.runtime.route("action", &qualified.resource()).is_some_and(|route| route.redirect.is_some());
        let moved = found.runtime.route("modules", &qualified.resource()).is_some_and(|route| route.redirect.is_some());
        (plugin.is_file() || routed && !moved).then(|| needs_action(name))
    }

    /// Why there is no module of a full name.
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

    /// A module of ansible-core itself, or where one has moved from there.
    ///
    /// # Errors
    /// There is none, or no ansible-core to look into.
    pub fn of_core(&self, name: &str, around: Around<'_>) -> Result<OfCore, Missing> {
        let core = self.pythons.core().map_err(|error| Missing {
            msg: format!("there is no module `{name}` here, and ansible-core was not found to look there: {error}"),
            help: Some(CoreError::help().to_owned()),
            reason: Reason::Unknown,
        })?;
        if let Some(path) = self.library.find(&core.package.join("modules"), name) {
            let full = format!("ansible.builtin.{name}");
            if core.package.join("plugins/action").join(format!("{name}.py")).is_file() {
                return Err(needs_action(&full));
            }
            return self.module(path, full, around).map(OfCore::Module);
        }
        let Some(route) = self.core_runtime(core).route("modules", name) else {
            let full = self.anywhere(name);
            let reason = if full.is_some() { Reason::Elsewhere } else { Reason::Unknown };
            let help =
                full.map(|full| format!("write `{full}`, or name its collection with the keyword `collections`"));
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

    /// What ansible-core says of its names.
    pub(super) fn core_runtime(&self, core: &Core) -> &Runtime {
        let read = || Runtime::read(&core.package.join("config/ansible_builtin_runtime.yml")).unwrap_or_default();
        self.runtime.get_or_init(read)
    }

    /// The full name of a module of any collection that is here.
    fn anywhere(&self, name: &str) -> Option<String> {
        let word = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        self.roots().iter().flat_map(|root| folders_in(root)).find_map(|namespace| {
            folders_in(&namespace).into_iter().find_map(|collection| {
                self.library.find(&collection.join("plugins/modules"), name)?;
                Some(format!("{}.{}.{name}", word(&namespace)?, word(&collection)?))
            })
        })
    }

    /// Folders called `ansible_collections`.
    fn roots(&self) -> Vec<PathBuf> {
        self.collections
            .places()
            .iter()
            .map(|place| place.join("ansible_collections"))
            .filter(|root| root.is_dir())
            .collect()
    }

    /// Whether a short name may be one of a module, for a reader that does not know what surrounds the task; the
    /// resolver says it exactly. `file` is where it stands.
    pub fn may_be(&self, name: &str, file: Option<&Path>) -> bool {
        if !crate::collections::is_name(name) {
            return false;
        }
        // A file of tasks lies in the role's `tasks/`, a playbook in its own folder, or either some folders deeper.
        let folders: Vec<&Path> = file.into_iter().flat_map(Path::ancestors).skip(1).take(4).collect();
        let beside = |folder: &&Path| {
            let around = Around { playbook: Some(folder), ..Around::default() };
            self.library.find(&folder.join("library"), name).is_some() || self.in_other_roles(name, around).is_some()
        };
        let configured = || self.settings.library.iter().any(|folder| self.library.find_below(folder, name).is_some());
        if folders.iter().any(beside) || configured() {
            return true;
        }
        match self.of_core(name, Around::default()) {
            Ok(_) => true,
            // A module that is refused, or found only elsewhere, is reported where its surroundings are known.
            Err(missing) => missing.reason != Reason::Unknown,
        }
    }

    /// What goes to hosts for a module; made once.
    ///
    /// # Errors
    /// See [`PayloadError`].
    pub fn payload(&self, module: &ExternalModule) -> Result<Payload, PayloadError> {
        let slot = self.payloads.lock().entry(module.path.clone()).or_default().clone();
        slot.get_or_init(|| payload::of(module, &self.pythons)).clone()
    }

    /// The Python on this machine that has ansible-core, if there is one.
    pub fn python(&self) -> Option<PathBuf> {
        self.pythons.core().ok().map(|core| core.python.clone())
    }

    /// The version of ansible-core that modules are told.
    pub fn version(&self) -> String {
        self.pythons.core().map_or_else(|_| "2.19.0".to_owned(), |core| core.version.clone())
    }

    fn module(&self, path: PathBuf, full_name: String, around: Around<'_>) -> Result<&'static ExternalModule, Missing> {
        let mut known = self.known.lock();
        if let Some(found) = known.get(&(path.clone(), full_name.clone())) {
            return Ok(found);
        }
        let content = files::read(&path).map_err(|error| {
            Missing::refused(format!("the module `{full_name}` cannot be read: {}: {error}", path.display()))
        })?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let style = Style::of(&file, &content);
        let is_python = style == Style::Python;
        let is_own = full_name.starts_with("ansible.legacy.");
        let near = around.role.into_iter().chain(around.playbook).map(|folder| folder.join("module_utils"));
        // Beside the `library/` in which it lies, which may be another role's.
        let own = path.parent().and_then(Path::parent).map(|folder| folder.join("module_utils")).filter(|_| is_own);
        let mut utils: Vec<PathBuf> = Vec::new();
        for folder in own.into_iter().chain(near).chain(self.settings.module_utils.iter().cloned()) {
            if is_python && folder.is_dir() && !utils.contains(&folder) {
                utils.push(folder);
            }
        }
        let module = ExternalModule {
            name: full_name.rsplit('.').next().unwrap_or_default().to_owned(),
            roots: if is_python { self.roots() } else { Vec::new() },
            utils,
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

fn nearest(folder: &Path, name: &str) -> Option<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names: Vec<String> =
        entries.filter_map(|entry| entry.path().file_stem().map(|stem| stem.to_string_lossy().into_owned())).collect();
    crate::source::nearest(name, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"))
}

fn needs_action(name: &str) -> Missing {
    Missing {
        help: Some("modules without an action plugin of their name can be used".to_owned()),
        ..Missing::refused(format!(
            "`{name}` does its work on the controller (an action plugin), which is not supported yet"
        ))
    }
}
