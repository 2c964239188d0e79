//! Resolves the entries of plays, task files and roles to steps: follows imports, inlines roles, filters by tags.
//!
//! The same code is used at the start of a run (whole playbooks) and during it (`include_tasks`, `include_role`); only
//! the context in [`Place`] differs.

use std::{path::Path, sync::Arc};

use rayon::prelude::*;

use super::{
    Action, FoundRole, PlanError, Project, RunMagic, Statement, arguments, misuse,
    place::{Place, directory_of, real, search_directories, task_file},
    statics,
    step::*,
};
use crate::{
    external::Around,
    limits,
    source::{Problems, Span},
    syntax::{self, Entry, Node, Word},
    vars::{Layer, Scope},
};

/// From this number of roles on, threads are worthwhile.
const MANY: usize = 8;

/// Resolves plays, task files and roles.
pub struct Resolver {
    pub project: Arc<Project>,
    /// `-e`. An import may use these, the surrounding variables and what `magic` has, but no others.
    pub extra: Arc<Layer>,
    pub magic: Arc<RunMagic>,
    /// From the command line; weaker than the play's own settings.
    pub base: Arc<Settings>,
}

/// What resolving found besides the steps.
#[derive(Default)]
pub struct Found {
    pub handlers: Vec<Step>,
    pub roles: Vec<Arc<Role>>,
    pub problems: Problems,
    /// Errors that Ansible only detects when the task runs: reported as warnings before the run.
    pub foreseen: Problems,
}

impl Found {
    pub(super) fn take(&mut self, mut more: Found) {
        self.handlers.append(&mut more.handlers);
        self.roles.append(&mut more.roles);
        self.problems.0.append(&mut more.problems.0);
        self.foreseen.0.append(&mut more.foreseen.0);
    }
}

impl Resolver {
    /// The steps of a play's roles. They are independent, so many of them are read in parallel.
    pub(super) fn roles(&self, uses: &[syntax::RoleUse], place: &Place, found: &mut Found) -> Vec<Step> {
        let resolve = |role_use| {
            let mut found = Found::default();
            let step = self.role_use(role_use, place, &[], &mut found);
            (step, found)
        };
        let resolved: Vec<_> = match uses.len() {
            0..MANY => uses.iter().map(resolve).collect(),
            _ => {
                self.announce(uses, place);
                self.project.at_once(|| uses.par_iter().map(resolve).collect())
            }
        };
        let (steps, more): (Vec<_>, Vec<_>) = resolved.into_iter().unzip();
        more.into_iter().for_each(|more| found.take(more));
        steps.into_iter().flatten().collect()
    }

    /// Loads modules and plugins of roles in the order of the roles, whichever is read first.
    fn announce(&self, uses: &[syntax::RoleUse], place: &Place) {
        for role_use in uses {
            let (name, searched) = (&role_use.name, &place.settings.collections);
            let role = self.project.role(name, &place.playbook, None, searched, &name.span);
            if let Ok(FoundRole { path, collection: None, .. }) = role {
                self.project.finder().add_plugins(&path, false);
            }
        }
    }

    /// The steps of a list of tasks and blocks.
    pub fn steps(&self, entries: &[Entry], place: &Place, found: &mut Found) -> Vec<Step> {
        let mut steps = Vec::with_capacity(entries.len());
        for entry in entries {
            match entry {
                Entry::Task(task) => self.task(task, place, found, &mut steps),
                Entry::Block(block) if place.handler && place.in_block => {
                    let msg = "Using a block as a handler is not supported.".to_owned();
                    found.problems.push(PlanError::misplaced(msg, &block.span));
                }
                Entry::Block(block) => {
                    let settings = place.settings.with(&block.keywords, block.notify.as_ref());
                    let defaults = block.keywords.module_defaults.as_ref();
                    self.project.check_defaults(defaults, &settings.collections, &mut found.problems);
                    let place = Place { in_block: true, settings, ..place.clone() };
                    let rescued = Place { may_fail: place.may_fail || !block.rescue.is_empty(), ..place.clone() };
                    let block = Block {
                        span: block.span.clone(),
                        body: self.steps(&block.body, &rescued, found),
                        rescue: self.steps(&block.rescue, &place, found),
                        always: self.steps(&block.always, &place, found),
                    };
                    if !(block.body.is_empty() && block.always.is_empty()) {
                        steps.push(Step::Block(Arc::new(block)));
                    }
                }
            }
        }
        steps
    }

    fn task(&self, task: &syntax::Task, place: &Place, found: &mut Found, steps: &mut Vec<Step>) {
        let settings = place.settings.with(&task.keywords, None);
        let defaults = task.keywords.module_defaults.as_ref();
        self.project.check_defaults(defaults, &settings.collections, &mut found.problems);
        let role = place.role.as_ref().map(|role| role.path.as_path());
        let around =
            Around { playbook: Some(&place.playbook), role, collections: &settings.collections, modules_only: false };
        let named = match task.action.name.value.contains("{{") {
            true => Ok(Action::late()),
            false => self.project.action(&task.action.name, around),
        };
        let action = match named {
            Ok(action) => self.project.action_with(action, argument_names(task), around),
            Err(missing) => return found.problems.push(arguments::unknown_action(&task.action.name, missing)),
        };
        if action.statement() == Some(Statement::Meta)
            && let Some(problem) = misplaced(task, place)
        {
            return found.problems.push(problem);
        }
        if let Some(problem) = misuse::of(action.statement(), task) {
            return found.problems.push(problem);
        }
        match action.statement() {
            Some(statement @ (Statement::IncludeRole | Statement::ImportRole)) if place.handler => {
                let name = if statement == Statement::ImportRole { "import_role" } else { "include_role" };
                let msg = format!("Using '{name}' as a handler is not supported.");
                found.problems.push(PlanError::misplaced(msg, &task.action.name.span));
            }
            // The `notify` of an import applies to each of its tasks.
            Some(Statement::ImportTasks) => {
                let settings = place.settings.with(&task.keywords, task.notify.as_ref());
                let place = Place { settings, ..place.clone() };
                self.import_tasks(task, &place, found, steps);
            }
            Some(Statement::ImportRole) => {
                let settings = place.settings.with(&task.keywords, task.notify.as_ref());
                let place = Place { settings, ..place.clone() };
                self.import_role(task, &place, found, steps);
            }
            _ => match self.tags_of(&settings, place) {
                // Notified handlers run whatever their tags.
                Ok(tags) if place.handler || self.magic.tags.takes(&tags) => {
                    let task = Task { tags: tags.into(), ..self.resolved(task, action, settings, place) };
                    // A task that is expected to fail needs no warning.
                    if !place.may_fail && !task.may_fail() {
                        arguments::check(&task, &mut found.foreseen);
                        if let Some(problem) = no_async(&task) {
                            found.foreseen.push(problem);
                        }
                    }
                    steps.push(Step::Task(Arc::new(task)));
                }
                Ok(_) => {}
                Err(problem) => found.problems.push(problem),
            },
        }
    }

    /// Whether the tags selected on the command line include a task.
    pub(super) fn taken(&self, settings: &Arc<Settings>, place: &Place) -> Result<bool, PlanError> {
        // Notified handlers run whatever their tags.
        if place.handler {
            return Ok(true);
        }
        Ok(self.magic.tags.takes(&self.tags_of(settings, place)?))
    }

    /// The variables that the imports of a role or play may use.
    pub(super) fn static_scope(
        &self,
        settings: &Settings,
        role: Option<&Arc<Role>>,
        play_vars: &Arc<Layer>,
        playbook: &Path,
    ) -> Arc<Scope> {
        statics::scope(&self.extra, &self.magic, settings, role, play_vars, playbook)
    }

    /// The rendered tags of a task.
    ///
    /// # Errors
    /// If a template in them fails.
    pub fn tags_of(&self, settings: &Arc<Settings>, place: &Place) -> Result<Vec<String>, PlanError> {
        let mut tags = Vec::new();
        let mut scope = None;
        for tag in &settings.tags {
            match tag.value.data() {
                Some(value) => statics::words(&value, &mut tags),
                None => {
                    let scope = scope.get_or_insert_with(|| {
                        self.static_scope(settings, place.role.as_ref(), &place.play_vars, &place.playbook)
                    });
                    statics::words(&statics::value(tag, scope, "tags")?, &mut tags);
                }
            }
        }
        Ok(tags)
    }

    fn resolved(&self, task: &syntax::Task, action: Action, settings: Arc<Settings>, place: &Place) -> Task {
        Task {
            span: task.span.clone(),
            name: task.keywords.name.as_ref().filter(|name| !name.is_null()).map(field),
            action,
            written: task.action.name.value.clone(),
            args: arguments::of(&task.action),
            spec: None,
            secrets: secrets(&action),
            settings,
            looped: task.looped.as_ref().map(|looped| Loop {
                lookup: looped.lookup.as_ref().map(|word| word.value.clone()),
                items: field(&looped.items),
            }),
            control: LoopControl {
                loop_var: task.loop_control.loop_var.as_ref().map(field),
                index_var: task.loop_control.index_var.as_ref().map(field),
                label: task.loop_control.label.as_ref().map(field),
                pause: task.loop_control.pause.as_ref().map(field),
                extended: task.loop_control.extended.as_ref().map(field),
                extended_allitems: task.loop_control.extended_allitems.as_ref().map(field),
                break_when: Condition::all_of(task.loop_control.break_when.as_ref()),
                parallel: parallel(task).map(field),
            },
            register: task
                .register
                .as_ref()
                .and_then(|node| Some(Word { value: node.as_str()?.into(), span: node.span.clone() })),
            changed_when: Condition::written(task.changed_when.as_ref()),
            failed_when: Condition::written(task.failed_when.as_ref()),
            until: Condition::all_of(task.until.as_ref()),
            retries: task.retries.as_ref().map(field),
            delay: task.delay.as_ref().map(field),
            notify: task.notify.as_ref().map(fields).unwrap_or_default(),
            listen: task.listen.as_ref().map(fields).unwrap_or_default(),
            asynchronous: task.asynchronous.as_ref().map(field),
            poll: task.poll.as_ref().map(field),
            role: place.role.clone(),
            directories: search_directories(place),
            handler: place.handler,
            tags: Arc::default(),
            around: place.settings.clone(),
            unknown: arguments::unknown(&action, argument_names(task)),
        }
    }

    fn import_tasks(&self, task: &syntax::Task, place: &Place, found: &mut Found, steps: &mut Vec<Step>) {
        let args = arguments::of(&task.action);
        if let Some(looped) = &task.looped {
            found.problems.push(PlanError::Unsupported {
                what: "loop on import_tasks".to_owned(),
                at: looped.items.span.clone(),
                help: Some("imports are resolved before the run; use `include_tasks`".to_owned()),
            });
            return;
        }
        let scope = self.static_scope(&place.settings, place.role.as_ref(), &place.play_vars, &place.playbook);
        let Some(file) = args.field("file").or_else(|| args.free.clone()) else {
            found.problems.push(arguments::missing(&task.action.name, "file"));
            return;
        };
        match statics::text(&file, &scope, "import_tasks") {
            Ok(name) => {
                let path = task_file(place, &name);
                let imported = self.task_file(&path, Some(&file.span), place, found);
                if imported.is_empty() && self.project.has_no_tasks(&path) {
                    let path = crate::source::absolute(&path);
                    self.project.warn_once(&format!("file {path} is empty and had no tasks to include"));
                }
                steps.extend(imported);
            }
            Err(problem) => found.problems.push(problem),
        }
    }

    /// The steps of a task file. The caller has put its context into `place`.
    pub fn task_file(&self, path: &Path, at: Option<&Span>, place: &Place, found: &mut Found) -> Vec<Step> {
        let own = real(path);
        if place.trail.contains(&own) || place.trail.len() >= limits::depth() {
            if let Some(at) = at {
                found.problems.push(PlanError::Endless { file: path.display().to_string(), at: at.clone() });
            }
            return Vec::new();
        }
        match self.project.tasks(path, place.handler, &place.settings.collections, at) {
            Ok(entries) => {
                let mut place = Place { directory: directory_of(path), in_block: false, ..place.clone() };
                place.trail.push(own);
                self.steps(&entries, &place, found)
            }
            Err(more) => {
                found.problems.0.extend(more.0);
                Vec::new()
            }
        }
    }
}

fn argument_names(task: &syntax::Task) -> impl Iterator<Item = &Arc<str>> {
    task.action.args.iter().map(|(name, _)| &name.value)
}

/// The number of concurrent items of a loop: `loop_control: parallel`, or the task's variable `rplay_parallel`, which
/// ansible-core accepts too.
fn parallel(task: &syntax::Task) -> Option<&Node> {
    task.loop_control.parallel.as_ref().or_else(|| task.keywords.vars.as_ref()?.get("rplay_parallel"))
}

/// The names of an action's secret arguments, including aliases.
pub fn secrets(action: &Action) -> Vec<&'static str> {
    let secret = action.args().into_iter().filter(|arg| arg.secret);
    secret.flat_map(|arg| std::iter::once(arg.name).chain(arg.aliases.iter().copied())).collect()
}

/// A meta task in a place where it is not allowed; with Ansible's message.
fn misplaced(task: &syntax::Task, place: &Place) -> Option<PlanError> {
    let args = arguments::of(&task.action);
    let field = args.free.clone().or_else(|| args.field("free_form"))?;
    let word = field.value.data()?;
    let msg = match (word.as_str()?.trim(), place.handler) {
        ("flush_handlers", true) => "flush_handlers cannot be used as a handler",
        ("end_role", true) => "Cannot execute 'end_role' from a handler",
        ("end_role", false) if place.role.is_none() => "Cannot execute 'end_role' from outside of a role",
        _ => return None,
    };
    Some(PlanError::misplaced(msg.to_owned(), &field.span))
}

/// The error of `async` with an action of the controller.
fn no_async(task: &Task) -> Option<PlanError> {
    if !matches!(task.action, Action::Controller(_) | Action::Statement(_)) {
        return None;
    }
    let field = task.asynchronous.as_ref()?;
    let value = field.value.data()?;
    let written = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    written.trim().parse::<f64>().ok().filter(|seconds| *seconds > 0.0)?;
    Some(PlanError::Argument {
        msg: format!("This action ({}) does not support async.", task.written),
        at: field.span.clone(),
        label: "not supported here".to_owned(),
        help: Some("only modules, which run on the host, can run in the background".to_owned()),
    })
}
