//! Roles as used by plays and tasks: found, read, and preceded by their dependencies.

use std::{
    path::{Component, Path},
    sync::Arc,
};

use super::{
    Action, FoundRole, PlanError, arguments,
    place::{Place, search_directories},
    resolve::{Found, Resolver},
    settings::{layer, searched, split_tags},
    statics,
    step::*,
};
use crate::{
    source::{Problem, Problems, Span, nearest},
    syntax::{self, Keywords, spec::ArgumentSpec},
    vars::{Argument, Arguments, Layer, Lazy},
};

/// Which files of a role to load.
#[derive(Clone, Debug)]
pub struct RoleFiles {
    pub tasks: String,
    pub vars: String,
    pub defaults: String,
    pub handlers: String,
    pub validate: bool,
}

impl Default for RoleFiles {
    fn default() -> Self {
        let main = || "main".to_owned();
        RoleFiles { tasks: main(), vars: main(), defaults: main(), handlers: main(), validate: true }
    }
}

impl Resolver {
    pub(super) fn import_role(&self, task: &syntax::Task, place: &Place, found: &mut Found, steps: &mut Vec<Step>) {
        let args = arguments::of(&task.action);
        let scope = self.static_scope(&place.settings, place.role.as_ref(), &place.play_vars, &place.playbook);
        let Some(name) = args.field("name").or_else(|| args.field("role")) else {
            found.problems.push(arguments::missing(&task.action.name, "name"));
            return;
        };
        let mut files = RoleFiles::default();
        for (slot, key) in [
            (&mut files.tasks, "tasks_from"),
            (&mut files.vars, "vars_from"),
            (&mut files.defaults, "defaults_from"),
            (&mut files.handlers, "handlers_from"),
        ] {
            if let Some(field) = args.field(key) {
                match statics::text(&field, &scope, "import_role") {
                    Ok(text) => *slot = text,
                    Err(problem) => found.problems.push(problem),
                }
            }
        }
        let mut flag = |name| match args.field(name).map(|field| statics::flag(&field, &scope, "import_role")) {
            Some(Ok(flag)) => Some(flag),
            Some(Err(problem)) => {
                found.problems.push(problem);
                None
            }
            None => None,
        };
        files.validate = flag("rolespec_validate").unwrap_or(true);
        let (allow_duplicates, public) = (flag("allow_duplicates"), flag("public"));
        match statics::text(&name, &scope, "import_role") {
            Ok(role) => {
                let wanted = RoleCall {
                    name: &role,
                    at: &name.span,
                    params: Arc::default(),
                    files,
                    own: included(task.keywords.vars.as_ref().and_then(layer).as_ref()),
                    allow_duplicates: allow_duplicates.or(Some(true)),
                    public,
                    dependency: false,
                };
                if let Some((role, step)) = self.role(&wanted, place, &line_of(place.role.as_ref()), found) {
                    found.roles.push(role);
                    steps.push(step);
                }
            }
            Err(problem) => found.problems.push(problem),
        }
    }

    pub(super) fn role_use(
        &self,
        role_use: &syntax::RoleUse,
        place: &Place,
        parents: &[Arc<Role>],
        found: &mut Found,
    ) -> Option<Step> {
        let settings = place.settings.with(&role_use.keywords, None);
        let defaults = role_use.keywords.module_defaults.as_ref();
        self.project.check_defaults(defaults, &settings.collections, &mut found.problems);
        let place = Place { settings, ..place.clone() };
        let scope = self.static_scope(&place.settings, place.role.as_ref(), &place.play_vars, &place.playbook);
        let written = Field { value: Lazy::from_text(&role_use.name), span: role_use.name.span.clone() };
        let name = match statics::text(&written, &scope, "role") {
            Ok(name) => name,
            Err(problem) => {
                found.problems.push(problem);
                return None;
            }
        };
        let params: Layer =
            role_use.params.iter().map(|(key, node)| (key.value.clone(), Lazy::from_node(node))).collect();
        let wanted = RoleCall {
            name: &name,
            at: &role_use.name.span,
            params: Arc::new(params),
            files: RoleFiles::default(),
            own: own_words(&role_use.keywords),
            allow_duplicates: None,
            public: None,
            dependency: !parents.is_empty(),
        };
        let (role, step) = self.role(&wanted, &place, parents, found)?;
        found.roles.push(role);
        Some(step)
    }

    /// A role, preceded by its dependencies. `place` has the settings of its use.
    pub fn role(
        &self,
        wanted: &RoleCall<'_>,
        place: &Place,
        parents: &[Arc<Role>],
        found: &mut Found,
    ) -> Option<(Arc<Role>, Step)> {
        let asking = place.role.as_ref().map(|role| role.path.clone());
        let searched = &place.settings.collections;
        let role = match self.project.role(wanted.name, &place.playbook, asking.as_deref(), searched, wanted.at) {
            Ok(role) => role,
            Err(problem) => {
                found.problems.push(problem);
                return None;
            }
        };
        // An include may lead back to its role, since a condition can end the recursion.
        if wanted.dependency && parents.iter().any(|parent| parent.path == role.path) {
            found.problems.push(PlanError::Endless { file: wanted.name.to_owned(), at: wanted.at.clone() });
            return None;
        }
        match self.role_at(role, wanted, place, parents, found) {
            Ok(role) => Some(role),
            Err(more) => {
                found.problems.0.extend(more.0);
                None
            }
        }
    }

    fn role_at(
        &self,
        FoundRole { path, collection, by_path }: FoundRole,
        wanted: &RoleCall<'_>,
        place: &Place,
        parents: &[Arc<Role>],
        found: &mut Found,
    ) -> Result<(Arc<Role>, Step), Problems> {
        // The plugins of a role in a collection have full names.
        if collection.is_none() {
            self.project.finder().add_plugins(&path, false);
        }
        let meta = self.project.role_meta(&path)?;
        let listed = meta.collections.as_ref().map(syntax::collection_names).unwrap_or_default();
        let short: Arc<str> =
            path.file_name().map_or_else(|| wanted.name.into(), |name| name.to_string_lossy().into_owned().into());
        let mut role = Role {
            name: match &collection {
                Some(collection) => format!("{collection}.{short}").into(),
                None if by_path => short,
                None => wanted.name.into(),
            },
            collections: searched(collection.as_ref().or(place.settings.home.as_ref()), &listed),
            collection,
            identity: format!("{}|{:?}|{:?}|{}", path.display(), wanted.params, wanted.files, wanted.own),
            allow_duplicates: wanted.allow_duplicates.unwrap_or_else(|| {
                meta.allow_duplicates.as_ref().is_some_and(|n| matches!(n.kind, syntax::Kind::Bool(true)))
            }),
            public: wanted.public,
            params: wanted.params.clone(),
            vars: self.role_vars(&path, "vars", &wanted.files.vars, wanted.at)?,
            defaults: self.role_vars(&path, "defaults", &wanted.files.defaults, wanted.at)?,
            parents: parents.to_vec(),
            dependency: wanted.dependency,
            dependencies: Vec::new(),
            path,
        };
        for (kind, file) in [("tasks", &wanted.files.tasks), ("handlers", &wanted.files.handlers)] {
            stays_inside(&role, kind, file, wanted.at)?;
        }
        let mut steps = Vec::new();
        let line: Vec<Arc<Role>> = {
            // Dependencies see this role as a parent; its own dependencies are not known yet.
            let parent = Arc::new(role.shallow());
            std::iter::once(parent).chain(parents.iter().cloned()).collect()
        };
        for dependency in &meta.dependencies {
            let settings = place.settings.searching(&role.collections);
            let inner = Place { role: Some(line[0].clone()), settings, ..place.clone() };
            if let Some(step) = self.role_use(dependency, &inner, &line, found) {
                if let Step::Role(inner) = &step {
                    role.dependencies.push(inner.role.clone());
                }
                steps.push(step);
            }
        }
        let role = Arc::new(role);
        let tasks_directory = role.path.join("tasks");
        let settings = place.settings.searching(&role.collections);
        let inner = Place { role: Some(role.clone()), directory: tasks_directory.clone(), settings, ..place.clone() };
        let mut own = Vec::new();
        if wanted.files.validate
            && let Some(spec) =
                self.project.argument_specs(&role.path, &meta)?.entry_points.swap_remove(wanted.files.tasks.as_str())
        {
            own.extend(self.validation(spec, wanted, &inner));
        }
        match super::yaml_file::yaml_file(&tasks_directory, &wanted.files.tasks) {
            Some(file) => own.extend(self.task_file(&file, Some(wanted.at), &inner, found)),
            None => found.problems.0.extend(not_in_role(&tasks_directory, "tasks", &wanted.files.tasks, wanted.at)),
        }
        let handlers = Place { handler: true, directory: role.path.join("handlers"), ..inner };
        if let Some(file) = super::yaml_file::yaml_file(&handlers.directory, &wanted.files.handlers) {
            let steps = self.task_file(&file, Some(wanted.at), &handlers, found);
            found.handlers.extend(steps);
        } else {
            let missing = not_in_role(&handlers.directory, "handlers", &wanted.files.handlers, wanted.at);
            found.problems.0.extend(missing);
        }
        steps.extend(own);
        let step = Step::Role(Arc::new(RoleSteps { role: role.clone(), steps }));
        Ok((role, step))
    }

    fn role_vars(&self, role: &Path, kind: &'static str, name: &str, at: &Span) -> Result<Arc<Layer>, Problems> {
        match self.project.role_vars(role, kind, name)? {
            Some(vars) => Ok(vars),
            None => match not_in_role(&role.join(kind), kind, name, at) {
                Some(missing) => Err(Problems(vec![missing])),
                None => Ok(Arc::default()),
            },
        }
    }

    /// The task that validates a role's arguments; it runs whatever the tags. Its own arguments are the role's parameters.
    fn validation(&self, mut spec: ArgumentSpec, wanted: &RoleCall<'_>, place: &Place) -> Option<Step> {
        let (at, entry_point) = (wanted.at, &wanted.files.tasks);
        let action = Action::find("validate_argument_spec")?;
        let mut settings = Settings::clone(&place.settings);
        settings.tags.push(Field { value: Lazy::Data("always".into()), span: at.clone() });
        let settings = Arc::new(settings);
        if !self.taken(&settings, place).unwrap_or(true) {
            return None;
        }
        spec.role = place.role.as_ref().map(|role| (role.short_name().into(), crate::source::absolute(&role.path)));
        let about = spec.short_description.as_ref().map(|text| format!(" - {text}"));
        let name = format!("Validating arguments against arg spec '{entry_point}'{}", about.unwrap_or_default());
        let written = "ansible.builtin.validate_argument_spec";
        let settings = Settings::clone(&settings);
        let tags: Vec<String> =
            settings.tags.iter().filter_map(|tag| tag.value.data()?.as_str().map(str::to_owned)).collect();
        let task = Task::implied(action, written, &name, at.clone(), settings, place.settings.clone());
        let mut args = Arguments::default();
        if !wanted.params.is_empty() {
            let value =
                Lazy::Map(Arc::new(wanted.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect()));
            let params = Argument { value, name_span: at.clone(), span: at.clone() };
            args.named.insert("provided_arguments".into(), params);
        }
        Some(Step::Task(Arc::new(Task {
            args,
            spec: Some(Arc::new(spec)),
            tags: tags.into(),
            role: place.role.clone(),
            directories: search_directories(place),
            ..task
        })))
    }
}

/// The error for a missing file of `tasks_from` and the like. As in Ansible, a role without that directory is accepted.
fn not_in_role(directory: &Path, kind: &'static str, file: &str, at: &Span) -> Option<Problem> {
    if file == "main" || !directory.is_dir() {
        return None;
    }
    let listed = std::fs::read_dir(directory).ok()?.flatten();
    let names: Vec<String> = listed.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let stems = names.iter().map(|name| name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem));
    let help = nearest(file, stems).map(|meant| format!("did you mean `{meant}`?"));
    Some(Box::new(PlanError::NotInRole { kind, file: file.to_owned(), at: at.clone(), help }))
}

/// Refuses a file of `tasks_from` and the like that is outside the role's directory of its kind.
fn stays_inside(role: &Role, kind: &str, file: &str, at: &Span) -> Result<(), Problems> {
    let directory = role.path.join(kind);
    let mut left = 0;
    let escapes = Path::new(file).components().any(|part| {
        left += match part {
            Component::Normal(_) => 1,
            Component::ParentDir => -1,
            _ => 0,
        };
        left < 0 || part == Component::RootDir
    });
    if !escapes {
        return Ok(());
    }
    let (path, directory) = (directory.join(file).display().to_string(), directory.display().to_string());
    let name = &role.name;
    let msg =
        format!("Failed loading '{path}' for role ({name}) as it is not inside the expected role path: '{directory}'");
    Err(Problems(vec![Box::new(PlanError::misplaced(msg, at))]))
}

/// Besides its parameters, what distinguishes one use of a role from another.
fn own_words(keywords: &Keywords) -> String {
    let tags = keywords.tags.as_ref().map(split_tags).unwrap_or_default();
    let tags: Vec<String> = tags.iter().map(|tag| format!("{:?}", tag.value)).collect();
    let conditions = Condition::of_when(keywords.when.as_ref());
    let when: Vec<&str> = conditions.iter().map(|condition| condition.span.text()).collect();
    format!("{tags:?}{when:?}{:?}", keywords.vars.as_ref().and_then(layer))
}

/// What distinguishes one import or include of a role from another: its variables.
pub fn included(vars: Option<&Arc<Layer>>) -> String {
    format!("included {vars:?}")
}

/// A use of a role.
pub struct RoleCall<'a> {
    pub name: &'a str,
    pub at: &'a Span,
    pub params: Arc<Layer>,
    pub files: RoleFiles,
    /// This use's own conditions, tags and variables. Together with the parameters and files, they distinguish two uses
    /// of a role. As in Ansible, those of enclosing blocks do not count.
    pub own: String,
    /// `None`: as in the role's `meta/main.yml`.
    pub allow_duplicates: Option<bool>,
    /// Whether the play sees its variables; `None`: determined by the setting `private_role_vars`.
    pub public: Option<bool>,
    /// Whether another role names it under `dependencies`.
    pub dependency: bool,
}

/// The chain of roles that contain something, the innermost first.
pub fn line_of(role: Option<&Arc<Role>>) -> Vec<Arc<Role>> {
    role.into_iter().flat_map(|role| std::iter::once(role).chain(&role.parents)).cloned().collect()
}
