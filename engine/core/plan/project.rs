//! The files of a project: each is read and parsed once, however often it is used.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use miette::Diagnostic;
use parking_lot::Mutex;

use super::{
    PlanError, Play,
    catalogue::{Catalogue, Named},
    shelf::Shelf,
    yaml_file::{files_below, names_in, vars_file, yaml_file},
};
use crate::{
    actions::ProjectFiles,
    collections::{ANSIBLE_VERSION, Collection, Collections, Mismatch, Qualified, supports},
    external::{self, Finder},
    files::{self, Descent},
    source::{self, Problems, Source, Span},
    syntax::spec::ArgumentSpecs,
    syntax::{self, Entry, Playbook, RoleMeta, Warning, Word, reserved_name},
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
    tasks: Shelf<(PathBuf, bool, Arc<[Arc<str>]>), Arc<[Entry]>>,
    vars: Shelf<PathBuf, Arc<VarsFile>>,
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
            tasks: Shelf::default(),
            vars: Shelf::default(),
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
            self.warn(message, None);
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

    pub fn warn(&self, message: impl Into<String>, place: Option<Span>) {
        (self.warn)(message.into(), place);
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
        let help = problem.help().map(|help| format!("; {help}")).unwrap_or_default();
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
        self.tasks.take((path.to_owned(), handlers, search.clone()), || {
            let source = self.source(path, at)?;
            let catalogue = self.catalogue(&source, search);
            let (entries, warnings) = syntax::read_tasks(&source, &catalogue, handlers)?;
            self.pass_on(warnings);
            Ok(entries.into())
        })
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

    fn vars_file(&self, path: &Path, at: Option<&Span>) -> Result<Arc<VarsFile>, Problems> {
        self.vars.take(path.to_owned(), || {
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
            let found = candidates
                .iter()
                .map_while(|candidate| Some((candidate, candidate.value.data()?)))
                .find_map(|(candidate, name)| Some((candidate, vars_file(&play.folder, name.as_str()?)?)));
            if let Some((candidate, path)) = found
                && let Err(more) = self.vars(&path, Some(&candidate.span))
            {
                problems.0.extend(more.0);
            }
        }
        problems
    }

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
        let folder = role.join(kind);
        if let Some(file) = yaml_file(&folder, name) {
            return self.vars(&file, None).map(Some);
        }
        let folder = folder.join(name);
        if !folder.is_dir() {
            return Ok(None);
        }
        let mut all = Layer::new();
        for file in files_below(&folder, &mut Descent::default()) {
            let vars = self.vars(&file, None)?;
            all.extend(vars.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        Ok(Some(Arc::new(all)))
    }

    /// The directory of a role and its collection. Searched in order: the collection in its name or those to search,
    /// next to the playbook, next to the requesting role, and the roles path.
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
    ) -> Result<(PathBuf, Option<Arc<str>>), PlanError> {
        if let Some((path, collection)) = self.collections.role(name, search) {
            return match self.begin_to_use(&collection) {
                Ok(()) => Ok((path, Some(collection.name.clone()))),
                Err(msg) => Err(PlanError::unusable(msg, at)),
            };
        }
        let beside = asking.and_then(Path::parent).map(Path::to_owned);
        let mut folders: Vec<PathBuf> = vec![playbook.join("roles")];
        folders.extend(beside);
        folders.extend(self.roles_path.iter().cloned());
        folders.push(playbook.to_owned());
        let given = files::filled_in(name);
        let candidates = folders.iter().map(|folder| folder.join(&given));
        if let Some(found) = candidates.clone().find(|path| path.is_dir()) {
            return Ok((found, None));
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
        let known: Vec<String> = folders.iter().flat_map(|folder| names_in(folder)).collect();
        let nearest = crate::source::nearest(name, known.iter().map(String::as_str));
        let looked = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
        let searched = folders.iter().map(|folder| crate::source::absolute(folder)).collect::<Vec<_>>().join(":");
        Err(PlanError::RoleNotFound {
            name: name.to_owned(),
            searched,
            at: at.clone(),
            help: of_collection
                .or(nearest.map(|nearest| format!("did you mean `{nearest}`?")))
                .or_else(|| Some(format!("searched in {looked}"))),
        })
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
