//! One task on all its hosts: its name, its start, and `run_once`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;

use crate::{
    actions::text_of,
    event::{Event, TaskAbout, TaskId, TaskStarted},
    plan::{Field, PlanError, Task},
    run::{
        conditions,
        facts::{Facts, with_facts},
        state::{
            host::HostState,
            play::{HostExit, PlayRun},
            run::Run,
        },
    },
    template::{self, TemplateError},
    vars::{Lazy, Value, is_omit},
};

/// What applies to a task on all its hosts.
pub(crate) struct TaskRun {
    pub play: Arc<PlayRun>,
    pub task: Arc<Task>,
    pub id: TaskId,
    /// Whether a host was unreachable, even if that is ignored.
    pub unreachable: AtomicBool,
    /// Where a person wants it to run again (`debugger`).
    pub again: Mutex<Vec<Again>>,
}

/// A task to be run again on a host.
pub(crate) struct Again {
    pub host: Arc<HostState>,
    pub task: Arc<Task>,
}

impl TaskRun {
    pub(crate) fn new(run: &Run, play: &Arc<PlayRun>, task: &Arc<Task>) -> Self {
        TaskRun::of(play, task, run.task_id())
    }

    fn of(play: &Arc<PlayRun>, task: &Arc<Task>, id: TaskId) -> Self {
        let unreachable = AtomicBool::new(false);
        TaskRun { play: play.clone(), task: task.clone(), id, unreachable, again: Mutex::default() }
    }

    /// The same task once more, in another form.
    pub(crate) fn once_more(&self, task: &Arc<Task>) -> Self {
        TaskRun::of(&self.play, task, self.id)
    }
}

impl Run {
    /// The displayed name: rendered as far as possible, prefixed with the role's name.
    pub(crate) fn task_name(&self, task: &Task, scope: &Arc<crate::vars::Scope>) -> String {
        let own = match &task.name {
            Some(Field { value: Lazy::Template(template), .. }) => {
                match template::render(&Lazy::Template(template.clone()), scope) {
                    Ok(value) if is_omit(&value) || value.is_none() || value.as_str() == Some("") => title(task),
                    Ok(value) => text_of(&value),
                    Err(_) => {
                        let (shown, notes) = template::shown_text(template, scope);
                        if let Some(warning) = template::noted(&notes) {
                            self.warn_once(&warning, &template.span);
                        }
                        shown
                    }
                }
            }
            // As in Ansible, `name: no` is none.
            Some(name) if name.value.data().is_some_and(|value| !value.is_true()) => title(task),
            Some(name) => name.value.data().map_or_else(|| name.span.text().to_owned(), |value| text_of(&value)),
            None => title(task),
        };
        match task.role_shown() {
            Some(role) => format!("{} : {own}", role.name),
            None => own,
        }
    }

    pub(crate) fn start(&self, run: &TaskRun, name: String) {
        self.send(Event::TaskStarted(Arc::new(TaskStarted {
            id: run.id,
            name: name.into(),
            action: run.task.written.clone(),
            handler: run.task.handler,
            check_mode: self.options.check,
            place: run.task.span.clone(),
            about: about(&run.task),
        })));
    }

    /// Ends the run if `throttle` has no number, since it holds for all hosts.
    pub(crate) fn check_throttle(self: &Arc<Self>, task: &TaskRun, first: &Arc<HostState>) {
        let Some(field) = &task.task.settings.throttle else { return };
        let scope = self.scope(&task.play, first, Some(&task.task), None);
        let why = match conditions::own_value(Some(field), &scope) {
            Err(error) => error.to_string(),
            Ok(Some(value)) if !text_of(&value).trim().parse::<f64>().is_ok_and(f64::is_finite) => {
                format!("invalid literal for int() with base 10: '{}'", text_of(&value))
            }
            Ok(_) => return,
        };
        let msg = format!("Failed to convert the throttle value to an integer: {why}");
        self.abort(&task.play, PlanError::EndsRun { msg, at: field.span.clone(), help: None }.into());
    }

    /// The number of hosts that may run the task concurrently, if limited by `throttle`.
    pub(crate) fn throttle(self: &Arc<Self>, task: &TaskRun, hosts: &[Arc<HostState>]) -> Option<usize> {
        task.task.settings.throttle.as_ref()?;
        let scope = self.scope(&task.play, hosts.first()?, Some(&task.task), None);
        // An invalid value fails the task itself.
        let limit = conditions::number(conditions::THROTTLE, &task.task.settings, &scope).ok().flatten()?;
        (limit >= 1.0).then_some(limit as usize)
    }

    /// Shares the result of one host with the batch (`run_once`); as in Ansible, also with hosts that failed or do not
    /// take part in this include.
    pub(crate) fn share_with_batch(&self, play: &Arc<PlayRun>, task: &Task, first: &Arc<HostState>) {
        let layers = first.layers();
        let names: Vec<Arc<str>> = match (&task.register, task.action.controller()) {
            (Some(name), _) => vec![name.value.clone()],
            (None, Some(entry)) if entry.sets_arguments => task.args.named.keys().cloned().collect(),
            _ => return,
        };
        let reachable = |name: &&Arc<str>| play.exit_of(name) != Some(HostExit::Unreachable);
        let hosts = play.batch.iter().filter(reachable).filter_map(|name| self.host(name, play));
        for host in hosts.filter(|host| !Arc::ptr_eq(host, first)) {
            host.set(names.iter().filter_map(|name| Some((name.clone(), layers.set.get(name)?.clone()))));
        }
    }
}

/// What events say about a task as it was written.
fn about(task: &Task) -> TaskAbout {
    let no_log = task.settings.no_log.as_ref().map(|field| field.value.data());
    let (may_hide, no_log) = match no_log {
        Some(value) => (value.as_ref().is_none_or(Value::is_true), value.is_some_and(|value| value.is_true())),
        None => (false, false),
    };
    let named = task.args.named.iter().map(|(name, argument)| (name.clone(), argument.value.clone()));
    let free = task.args.free.iter().map(|free| ("_raw_params".into(), free.value.clone()));
    let hidden = |name: &str| may_hide || task.secrets.contains(&name);
    // Its own are the innermost, if it has any.
    let vars = if may_hide { &[][..] } else { &task.settings.vars[..] };
    let (own, around) = vars.split_at(vars.len().saturating_sub(task.around.vars.len()));
    TaskAbout {
        named: task.name.is_some(),
        args: named.chain(free).filter(|(name, _)| !hidden(name)).collect(),
        vars: own.to_vec(),
        around: around.to_vec(),
        tags: task.tags.clone(),
        role: task.role.as_ref().map(|role| (role.name.clone(), role.path.clone())),
        looped: task.looped.is_some(),
        no_log,
    }
}

/// The title of a task without a name: its action; of `include_role` with the role, as it is written.
fn title(task: &Task) -> String {
    let role = match task.includes_role() {
        true => task.args.field("name").or_else(|| task.args.field("role")),
        false => None,
    };
    let written = |field: crate::plan::Field| match field.value {
        Lazy::Template(template) => template.text.to_string(),
        other => other.data().map_or_else(String::new, |value| text_of(&value)),
    };
    match role {
        Some(role) => format!("{} : {}", task.written, written(role)),
        None => task.written.to_string(),
    }
}

/// Whether the first host does the task for all (`run_once`).
pub(crate) fn is_once(
    run: &Arc<Run>,
    facts: &dyn Facts,
    play: &Arc<PlayRun>,
    task: &Arc<Task>,
    first: &Arc<HostState>,
) -> bool {
    if play.free.load(Ordering::Acquire) && task.settings.run_once.is_some() {
        let told = "Using run_once with the free strategy is not currently supported. This task will still be executed \
                    for every host in the inventory list.";
        run.warn_once(told, None);
        return false;
    }
    let once = with_facts(facts, first, || {
        let scope = run.scope(play, first, None, None);
        conditions::own_value(task.settings.run_once.as_ref(), &scope)?;
        // A value that is no boolean fails the task itself, on every host.
        Ok(conditions::flag(conditions::RUN_ONCE, &task.settings, &scope).ok().flatten().unwrap_or(false))
    });
    once.unwrap_or_else(|error: TemplateError| {
        // As in Ansible, it must be known before any host is asked.
        run.abort(play, PlanError::EndsRun { msg: error.to_string(), at: error.at().clone(), help: None }.into());
        false
    })
}
