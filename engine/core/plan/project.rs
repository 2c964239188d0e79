//! The files of a project: each is read and parsed once, however often it is used.

mod roles;

pub use roles::FoundRole;

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use miette::Diagnostic;
use parking_lot::Mutex;
use rplay_contract::external::{DEPRECATED, is_deprecation};

use super::{
    PlanError, Play,
    catalogue::{Catalogue, Named},
    read_cache::ReadCache,
    yaml_file::vars_file,
};
use crate::{
    actions::ProjectFiles,
    collections::{ANSIBLE_VERSION, Collection, Collections, Mismatch, supports},
    external::{self, Finder},
    source::{self, Problems, Source, Span},
    syntax::{self, Entry, Playbook, Warning, Word, reserved_name},
    vars::{Layer, Lazy},
};

/// Decrypts the content of an encrypted file.
pub type Decrypt = dyn Fn(&Arc<Source>) -> Result<Arc<Source>, Problems> + Send + Sync;

/// Reports a warning.
pub type Warn = dyn Fn(String, Option<Span>) + Send + Sync;

/// Reads playbooks, task files, variables and roles.
pub struct Project {
    /// Searched for roles after the playbook's own `roles/`.
    roles_path: Vec<PathBuf>,
    /// The installed collections.
    pub collections: Arc<Collections>,
    /// How to handle a collection for other versions of Ansible.
    mismatch: Mismatch,
    /// Finds modules that rplay does not implement.
    finder: Finder,
    /// Whether to warn about deprecated names.
    tells_deprecated: bool,
    /// Whether to warn about metadata of groups of modules.
    pub(super) checks_groups: bool,
    /// Collections in use, and warnings already shown.
    told: Mutex<HashSet<String>>,
    decrypt: Box<Decrypt>,
    warn: Box<Warn>,
    tasks: ReadCache<(PathBuf, bool, Arc<[Arc<str>]>), Arc<[Entry]>>,
    vars: ReadCache<PathBuf, Arc<VarsFile>>,
    /// Warnings to be shown later.
    held: Mutex<Option<Vec<Warning>>>,
}

impl Project {
    pub fn new(roles_path: Vec<PathBuf>, decrypt: Box<Decrypt>, warn: Box<Warn>) -> Self {
        Project {
            roles_path,
            collections: Arc::default(),
            mismatch: Mismatch::default(),
            finder: Finder::new(external::Settings::default(), Arc::default()),
            tells_deprecated: true,
            checks_groups: true,
            told: Mutex::default(),
            decrypt,
            warn,
            tasks: ReadCache::default(),
            vars: ReadCache::default(),
            held: Mutex::default(),
        }
    }

    /// Sets the installed collections.
    pub fn with_collections(self, collections: Arc<Collections>, mismatch: Mismatch, tells_deprecated: bool) -> Self {
        Project { collections, mismatch, tells_deprecated, ..self }
    }

    /// Sets where to look for modules that rplay does not implement.
    pub fn with_external(self, settings: external::Settings) -> Self {
        Project { finder: Finder::new(settings, self.collections.clone()), ..self }
    }

    /// Sets whether to warn about metadata of groups of modules.
    pub fn checking_groups(self, checks_groups: bool) -> Self {
        Project { checks_groups, ..self }
    }

    /// Finds modules that rplay does not implement.
    pub fn finder(&self) -> &Finder {
        &self.finder
    }

    /// Warns about a deprecated name, once, unless disabled by the settings.
    pub(super) fn deprecated(&self, message: &str) {
        if self.tells_deprecated && self.told.lock().insert(message.to_owned()) {
            self.warn(format!("{DEPRECATED}{message}"), None);
        }
    }

    /// Warns once about problems of a collection that is used.
    ///
    /// # Errors
    /// If it does not support this version of Ansible, and the settings make that an error.
    pub fn begin_to_use(&self, collection: &Collection) -> Result<(), String> {
        if !self.told.lock().insert(collection.name.to_string()) {
            return Ok(());
        }
        if let Some(error) = &collection.error {
            self.warn(format!("cannot read the metadata of the collection {}: {error}", collection.name), None);
        }
        let Some(wanted) = collection.runtime.requires_ansible.as_deref().filter(|_| self.mismatch != Mismatch::Ignore)
        else {
            return Ok(());
        };
        let message = match supports(wanted, ANSIBLE_VERSION) {
            Ok(true) => return Ok(()),
            Ok(false) => format!("Collection {} does not support Ansible version {ANSIBLE_VERSION}", collection.name),
            Err(part) => {
                format!(
                    "Error parsing collection metadata requires_ansible value from collection {}: {part}",
                    collection.name
                )
            }
        };
        if self.mismatch == Mismatch::Error {
            return Err(message);
        }
        self.warn(message, None);
        Ok(())
    }

    /// Resolves a task's module, and shows warnings about its collection.
    ///
    /// # Errors
    /// Same as [`Project::begin_to_use`].
    pub fn named(&self, written: &str, search: &[Arc<str>]) -> Result<Named, String> {
        let named = Named::find(written, &self.collections, search);
        if let Some(collection) = named.collection.as_deref().and_then(|name| self.collections.find(name)) {
            self.begin_to_use(&collection)?;
        }
        named.deprecated.iter().for_each(|message| self.deprecated(message));
        Ok(named)
    }

    /// Runs work that reads files on several threads. Its warnings are shown afterwards, in the order of the files.
    pub fn at_once<R>(&self, work: impl FnOnce() -> R) -> R {
        let held = || self.held.lock();
        *held() = Some(Vec::new());
        let done = work();
        let mut warnings = held().take().unwrap_or_default();
        warnings.sort_by_key(|warning| (warning.place.source.name.clone(), warning.place.start));
        self.pass_on(warnings);
        done
    }

    /// Shows a warning, unless it is about a deprecation and the settings disable these.
    pub fn warn(&self, message: impl Into<String>, place: Option<Span>) {
        let message = message.into();
        if self.tells_deprecated || !is_deprecation(&message) {
            (self.warn)(message, place);
        }
    }

    /// Warns once.
    pub(super) fn warn_once(&self, message: &str) {
        if self.told.lock().insert(message.to_owned()) {
            self.warn(message, None);
        }
    }

    /// Warns about a problem, once however often its file is used.
    pub fn warn_of(&self, problem: &(dyn Diagnostic + Send + Sync)) {
        let place = source::span_of(problem);
        let help = problem.help().map(|help| format!("\n\n{help}")).unwrap_or_default();
        let message = format!("{problem}{help}");
        let key = format!("{message} {}", place.as_ref().map(Span::to_string).unwrap_or_default());
        if self.told.lock().insert(key) {
            self.warn(message, place);
        }
    }

    /// Reads a file and decrypts it if it is a vault. `at` is where the file is named.
    ///
    /// # Errors
    /// If it cannot be read or decrypted.
    pub fn source(&self, path: &Path, at: Option<&Span>) -> Result<Arc<Source>, Problems> {
        match Source::read(path) {
            Ok(source) if source.text.starts_with("$ANSIBLE_VAULT;") => (self.decrypt)(&source),
            Ok(source) => Ok(source),
            Err(error) => Err(unreadable(path, &error, at).into()),
        }
    }

    /// A file of plays; `home` is the collection that contains it.
    ///
    /// # Errors
    /// All errors of the file.
    pub fn playbook(&self, path: &Path, home: Option<&Arc<str>>, at: Option<&Span>) -> Result<Playbook, Problems> {
        self.read_plays(&self.source(path, at)?, home)
    }

    /// A playbook that is not a file.
    ///
    /// # Errors
    /// All errors of the text.
    pub fn playbook_of(&self, source: &Arc<Source>) -> Result<Playbook, Problems> {
        self.read_plays(source, None)
    }

    fn catalogue<'c>(&'c self, source: &'c Source, search: &'c [Arc<str>]) -> Catalogue<'c> {
        let file = source.path.as_deref();
        Catalogue { collections: &self.collections, finder: &self.finder, file, search }
    }

    fn read_plays(&self, source: &Arc<Source>, home: Option<&Arc<str>>) -> Result<Playbook, Problems> {
        let search = home.map_or(&[][..], std::slice::from_ref);
        let catalogue = self.catalogue(source, search);
        let (playbook, warnings) = syntax::read_playbook(source, &catalogue)?;
        self.pass_on(warnings);
        Ok(playbook)
    }

    /// The entries of a file of tasks or handlers; `collections` are searched for their modules.
    ///
    /// # Errors
    /// All errors of the file.
    pub fn tasks(
        &self,
        path: &Path,
        handlers: bool,
        search: &Arc<[Arc<str>]>,
        at: Option<&Span>,
    ) -> Result<Arc<[Entry]>, Problems> {
        self.tasks.get_or_read((path.to_owned(), handlers, search.clone()), || {
            let source = self.source(path, at)?;
            let catalogue = self.catalogue(&source, search);
            let (entries, warnings) = syntax::read_tasks(&source, &catalogue, handlers)?;
            self.pass_on(warnings);
            Ok(entries.into())
        })
    }

    /// Whether a task file is there and holds nothing, not even an empty list.
    pub(super) fn has_no_tasks(&self, path: &Path) -> bool {
        let is_nothing = |line: &str| line.is_empty() || line == "---" || line.starts_with('#');
        self.source(path, None).is_ok_and(|source| source.text.lines().all(|line| is_nothing(line.trim())))
    }

    /// The variables of a file.
    ///
    /// # Errors
    /// If it cannot be read or decrypted, or is not one mapping.
    pub fn vars(&self, path: &Path, at: Option<&Span>) -> Result<Arc<Layer>, Problems> {
        let file = self.vars_file(path, at)?;
        self.warn_of_reserved(file.reserved.iter().cloned());
        Ok(file.vars.clone())
    }

    /// The variables of a file in `vars_files`. As in ansible-core, such a file may also be a list of mappings, of which
    /// later ones win.
    ///
    /// # Errors
    /// If it cannot be read or decrypted, or is neither a mapping nor such a list.
    pub fn play_vars(&self, path: &Path, at: Option<&Span>) -> Result<Arc<Layer>, Problems> {
        self.vars(path, at).or_else(|problems| self.listed_vars(path).ok_or(problems))
    }

    fn listed_vars(&self, path: &Path) -> Option<Arc<Layer>> {
        let node = syntax::yaml::load(&self.source(path, None).ok()?).ok()?.node;
        let mut vars = Layer::new();
        for item in node.as_seq().filter(|items| !items.is_empty())? {
            item.as_map()?;
            vars.extend(
                super::settings::layer(item).iter().flat_map(|layer| layer.iter()).map(|(k, v)| (k.clone(), v.clone())),
            );
        }
        Some(Arc::new(vars))
    }

    fn vars_file(&self, path: &Path, at: Option<&Span>) -> Result<Arc<VarsFile>, Problems> {
        self.vars.get_or_read(path.to_owned(), || {
            let source = self.source(path, at)?;
            let (named, warnings) = syntax::read_vars(&source)?;
            self.pass_on(warnings);
            let names = named.iter().map(|(name, _)| name);
            let reserved = names.filter(|name| reserved_name(&name.value).is_some()).cloned().collect();
            let vars = named.iter().map(|(name, value)| (name.value.clone(), Lazy::from_node(value))).collect();
            Ok(Arc::new(VarsFile { vars: Arc::new(vars), reserved }))
        })
    }

    /// Warns about variables with reserved names, once each.
    pub fn warn_of_reserved(&self, names: impl IntoIterator<Item = Word>) {
        for name in names {
            if let Some(message) = reserved_name(&name.value)
                && self.told.lock().insert(format!("{message} {}", name.span))
            {
                self.pass_on(vec![Warning { message, place: name.span }]);
            }
        }
    }

    /// Reads the variable files that a play names without templates, if they exist, so that errors are reported before
    /// the play starts. The result is cached.
    pub fn check_vars_files(&self, play: &Play) -> Problems {
        let mut problems = Problems::default();
        for candidates in &play.vars_files {
            for (candidate, name) in candidates.iter().map_while(|candidate| Some((candidate, candidate.value.data()?)))
            {
                let Some(name) = name.as_str() else {
                    let msg = format!("Invalid `vars_files` value of type '{}'.", crate::template::type_name(&name));
                    let help = "A `vars_files` value should either be a string or list of strings.".to_owned();
                    let (label, help) = ("not a file name".to_owned(), Some(help));
                    problems.push(PlanError::Argument { msg, at: candidate.span.clone(), label, help });
                    break;
                };
                if let Some(path) = vars_file(&play.directory, name) {
                    problems
                        .0
                        .extend(self.play_vars(&path, Some(&candidate.span)).err().into_iter().flat_map(|more| more.0));
                    break;
                }
            }
        }
        problems
    }

    fn pass_on(&self, warnings: Vec<Warning>) {
        if let Some(held) = &mut *self.held.lock() {
            return held.extend(warnings);
        }
        for Warning { message, place } in warnings {
            self.warn(message, Some(place));
        }
    }
}

/// The contents of a file of variables.
struct VarsFile {
    vars: Arc<Layer>,
    /// Names that variables should not have.
    reserved: Vec<Word>,
}

fn unreadable(path: &Path, error: &io::Error, at: Option<&Span>) -> PlanError {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    };
    match at {
        Some(at) if error.kind() == io::ErrorKind::NotFound => {
            PlanError::Missing { path: path.display().to_string(), at: at.clone() }
        }
        Some(at) => PlanError::Unreadable { path: path.display().to_string(), reason, at: at.clone() },
        None => PlanError::NoFile { path: path.display().to_string(), reason },
    }
}

impl ProjectFiles for Project {
    fn source(&self, path: &Path) -> Result<Arc<Source>, Problems> {
        Project::source(self, path, None)
    }

    fn vars(&self, path: &Path) -> Result<Arc<Layer>, Problems> {
        Project::vars(self, path, None)
    }

    fn mapping(&self, path: &Path) -> Result<Arc<Layer>, Problems> {
        self.vars_file(path, None).map(|file| file.vars.clone())
    }
}
