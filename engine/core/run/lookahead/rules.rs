//! What is certain about a task in advance: from its definition alone, whatever a host may answer.

use crate::{
    plan::{Action, Condition, Field, Statement, Step, Task},
    run::conditions,
};

/// Whether this kind of task can be prepared in advance.
pub(crate) fn may_follow(task: &Task) -> bool {
    let kind = match task.action {
        Action::Module(_) | Action::External(_) => true,
        Action::Controller(entry) => entry.is_foreseeable,
        Action::Statement(_) => false,
        // It decides by itself what to ask of its host.
        Action::Plugin(_) => false,
    };
    let seen = task.settings.debugger.is_none();
    kind && seen
        && task.settings.delegate_to.is_none()
        && task.settings.timeout.is_none()
        && task.asynchronous.is_none()
}

/// Whether hosts wait for each other at this task: one host runs it for all, its concurrency is limited, or it reaches
/// beyond its host.
pub(crate) fn holds_others_up(task: &Task) -> bool {
    task.settings.run_once.is_some()
        || task.settings.throttle.is_some()
        || task.settings.delegate_to.is_some()
        || !task.action.traits().keeps_to_host
}

/// Whether one host may end these steps for other hosts that are elsewhere in them.
pub(crate) fn may_end_play(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Task(task) => match task.action.statement() {
            // The content is not known yet.
            Some(Statement::IncludeTasks | Statement::IncludeRole) => true,
            Some(Statement::Meta) => {
                let word = task.args.free.as_ref().and_then(|field| field.value.data());
                word.is_none_or(|word| word.as_str().is_none_or(|word| word.trim().starts_with("end_")))
            }
            _ => false,
        },
        Step::Block(block) => [&block.body, &block.rescue, &block.always].into_iter().any(|steps| may_end_play(steps)),
        Step::Role(role) => may_end_play(&role.steps),
        Step::Flush => false,
    })
}

/// Whether its result brings no facts of the host.
pub(crate) fn keeps_facts(task: &Task) -> bool {
    match task.action {
        Action::Module(_) | Action::Controller(_) => !task.action.traits().brings_facts,
        // The agent ends the batch if a module brings facts (`Outcome::holds_up`).
        Action::External(_) => true,
        Action::Statement(_) => true,
        // It decides by itself what to ask of its host.
        Action::Plugin(_) => false,
    }
}

/// `meta: flush_handlers` without conditions.
pub(crate) fn is_flush(task: &Task) -> bool {
    let word = || task.args.free.as_ref().and_then(|field| field.value.data());
    task.action.statement() == Some(Statement::Meta)
        && task.settings.when.is_empty()
        && word().is_some_and(|word| word.as_str().map(str::trim) == Some("flush_handlers"))
}

/// Whether a condition is already a boolean; text is an expression.
pub(crate) fn is_constant(condition: &Condition) -> bool {
    constant(condition).is_some()
}

fn constant(condition: &Condition) -> Option<bool> {
    let value = condition.value.data()?;
    (value.kind() == minijinja::value::ValueKind::Bool).then(|| value.is_true())
}

/// Whether `failed_when` is the constant false.
pub(crate) fn never_fails(task: &Task) -> bool {
    task.failed_when.iter().any(|condition| constant(condition) == Some(false))
        && task.failed_when.iter().all(is_constant)
}

/// Whether a failure of one of its calls stops later tasks, as far as the agent can know.
pub(crate) fn is_required(task: &Task) -> bool {
    let ignored = task.settings.ignore_errors.as_ref().and_then(|field| field.value.data());
    !never_fails(task) && ignored.and_then(|value| conditions::truth_of(&value)) != Some(true)
}

/// Whether a keyword is set and not the constant false.
pub(crate) fn may_be_true(field: Option<&Field>) -> bool {
    field.is_some_and(|field| field.value.data().and_then(|value| conditions::truth_of(&value)) != Some(false))
}
