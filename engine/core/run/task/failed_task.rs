//! `ansible_failed_task`: what `rescue` and `always` can read about the task that failed.

use std::sync::Arc;

use crate::{
    plan::{Condition, Field, Settings, Task},
    run::{
        conditions::{self, Keyword},
        state::{host::HostState, run::Run},
        task::task_run::TaskRun,
    },
    template,
    vars::{Lazy, Scope, Value, is_omit, mapping},
};

/// The keywords that it contains, under their own names.
const KEYWORDS: [Keyword; 20] = [
    conditions::ANY_ERRORS_FATAL,
    conditions::BECOME,
    conditions::BECOME_EXE,
    conditions::BECOME_FLAGS,
    conditions::BECOME_METHOD,
    conditions::BECOME_USER,
    conditions::CHECK_MODE,
    conditions::CONNECTION,
    conditions::DEBUGGER,
    conditions::DELEGATE_FACTS,
    conditions::DELEGATE_TO,
    conditions::DIFF,
    conditions::IGNORE_ERRORS,
    conditions::IGNORE_UNREACHABLE,
    conditions::NO_LOG,
    conditions::PORT,
    conditions::REMOTE_USER,
    conditions::RUN_ONCE,
    conditions::THROTTLE,
    conditions::TIMEOUT,
];

impl Run {
    /// The task with its name, arguments and keywords, rendered for the host. What has no value, such as the item of a
    /// loop that is over, is replaced with a note. Keywords that nobody wrote are null.
    pub(crate) fn failed_task(self: &Arc<Self>, run: &TaskRun, host: &Arc<HostState>) -> Value {
        let task: &Task = &run.task;
        let settings: &Settings = &task.settings;
        let scope = self.scope(&run.play, host, Some(&run.task), None);
        let field = |field: &Option<Field>| field.as_ref().map_or(Value::from(()), |field| told(&field.value, &scope));
        let free = task.args.free.as_ref().map(|free| ("_raw_params".into(), told(&free.value, &scope)));
        let named = task.args.named.iter().map(|(name, argument)| (name.clone(), told(&argument.value, &scope)));
        let args: Vec<(Arc<str>, Value)> = free.into_iter().chain(named).collect();
        let own_vars = settings.vars.first().into_iter().flat_map(|layer| layer.iter());
        let vars: Vec<(Arc<str>, Value)> = own_vars.map(|(name, value)| (name.clone(), told(value, &scope))).collect();
        let collection = task.action.collection();
        let resolved = match task.action.name() {
            name if name.contains('.') => name.to_owned(),
            name => format!("{collection}.{name}"),
        };
        let mut fields: Vec<(&str, Value)> = vec![
            ("name", task.name.as_ref().map_or_else(|| "".into(), |name| told(&name.value, &scope))),
            ("action", task.written.clone().into()),
            ("_resolved_action", resolved.into()),
            ("args", mapping(args)),
            ("vars", mapping(vars)),
            ("tags", task.tags.iter().cloned().map(Value::from).collect()),
            ("when", written(&settings.when)),
            ("changed_when", written(&task.changed_when)),
            ("failed_when", written(&task.failed_when)),
            ("until", written(&task.until)),
            ("loop", task.looped.as_ref().map_or(Value::from(()), |looped| told(&looped.items.value, &scope))),
            ("loop_with", task.looped.as_ref().and_then(|looped| looped.lookup.clone()).map_or(().into(), Value::from)),
            ("register", task.register.as_ref().map_or(().into(), |name| name.value.clone().into())),
            (
                "notify",
                match task.notify.is_empty() {
                    true => ().into(),
                    false => task.notify.iter().map(|field| told(&field.value, &scope)).collect(),
                },
            ),
            ("environment", settings.environment.iter().map(|field| told(&field.value, &scope)).collect()),
            ("collections", settings.collections.iter().cloned().map(Value::from).collect()),
            ("retries", field(&task.retries)),
            ("delay", field(&task.delay)),
            ("async", field(&task.asynchronous)),
            ("poll", field(&task.poll)),
        ];
        fields.extend(KEYWORDS.iter().map(|(name, of)| (*name, field(&of(settings).cloned()))));
        mapping(fields)
    }
}

/// A value as it was for the host, as far as it can be rendered now.
fn told(value: &Lazy, scope: &Arc<Scope>) -> Value {
    match value {
        Lazy::List(items) => items.iter().map(|item| told(item, scope)).collect(),
        Lazy::Map(entries) => mapping(entries.iter().map(|(name, value)| (name.clone(), told(value, scope)))),
        value => match (template::render(value, scope), value) {
            (Ok(value), _) if is_omit(&value) => ().into(),
            (Ok(value), _) => value,
            (Err(_), Lazy::Template(template)) => template::shown_text(template, scope).0.into(),
            (Err(error), _) => error.to_string().into(),
        },
    }
}

/// Conditions as they are written.
fn written(conditions: &[Condition]) -> Value {
    let shown = |condition: &Condition| condition.value.data().unwrap_or_else(|| condition.span.text().into());
    conditions.iter().map(shown).collect()
}
