//! `loop`, `with_*` and `loop_control`: from a task to its iterations on a host, and back to one result.

use std::{sync::Arc, time::Duration};

use minijinja::value::ValueKind;
use parking_lot::Mutex;

use crate::{
    actions::{Rendered, TaskResult},
    plan::{Action, Task},
    run::{
        conditions,
        reads::ReadTracker,
        shorthand::data,
        state::{host::HostState, play::PlayRun, run::Run},
    },
    syntax,
    template::{self, TemplateError},
    vars::{Layer, Scope, Value, is_omit, mapping},
};

/// One iteration of a task on a host.
#[derive(Clone, Default)]
pub(crate) struct Iteration {
    pub index: usize,
    pub item: Option<Value>,
    /// Loop variables; the strongest layer.
    pub top: Option<Arc<Layer>>,
    /// The arguments of the first attempt, if the task may have several.
    first: Option<Arc<Mutex<Option<Rendered>>>>,
    /// Whether this is not the first attempt.
    again: bool,
}

impl Iteration {
    /// As ansible-core, renders the arguments once, however often the task is tried.
    ///
    /// # Errors
    /// Those of `render`.
    pub(crate) fn arguments<E>(&self, render: impl FnOnce() -> Result<Rendered, E>) -> Result<Rendered, E> {
        if let Some(args) = self.first.as_ref().filter(|_| self.again).and_then(|first| first.lock().clone()) {
            return Ok(args);
        }
        let args = render()?;
        if let Some(first) = &self.first {
            *first.lock() = Some(args.clone());
        }
        Ok(args)
    }

    /// The next attempt begins.
    pub(crate) fn retry(&mut self) {
        self.again = true;
    }
}

/// One attempt at an iteration, while its result is evaluated.
pub(crate) struct Attempt<'w> {
    pub iteration: &'w Iteration,
    /// Starts at 1.
    pub number: u32,
    pub looped: bool,
    pub delegated: Option<&'w Arc<HostState>>,
}

/// All iterations of a task on a host.
pub(crate) struct Iterations {
    pub looped: bool,
    pub iterations: Vec<Iteration>,
    /// Whether no iteration depends on another one's effects on the controller, so that they can be sent together.
    pub independent: bool,
    pub parallel: u32,
    pub pause: Option<Duration>,
}

/// The iterations of a task on a host, or its result if there are none to run.
pub(crate) fn iterations(
    run: &Arc<Run>,
    play: &Arc<PlayRun>,
    task: &Arc<Task>,
    host: &Arc<HostState>,
    reads: Option<&Arc<ReadTracker>>,
) -> Result<Iterations, Box<TaskResult>> {
    let scope = run.tracked_scope(play, host, Some(task), None, reads);
    let first = || task.tries().then(Arc::default);
    let Some(items) = items(task, &scope)? else {
        let iteration = Iteration { first: first(), ..Iteration::default() };
        return Ok(Iterations {
            looped: false,
            iterations: vec![iteration],
            independent: false,
            parallel: 1,
            pause: None,
        });
    };
    let failed = |error: TemplateError| Box::new(TaskResult::of_loop_control(&error));
    let control = &task.control;
    let name: Arc<str> = loop_var(task, &scope).map_err(failed)?;
    if !syntax::is_variable_name(&name) {
        let mut result = TaskResult::failed(format!("Invalid variable name '{name}'."));
        result.unbegun = true;
        result.place = control.loop_var.as_ref().map(|field| field.span.clone());
        return Err(Box::new(result));
    }
    if !items.is_empty() && scope.find(&name).is_some() {
        let help = "You should set the `loop_var` value in the `loop_control` option for the task to something else to \
                    avoid variable collisions and unexpected behavior.";
        let place = control.loop_var.as_ref().map(|field| &field.span);
        let unplaced = match place {
            Some(_) => String::new(),
            // As in ansible-core, which does not know where the name comes from.
            None => format!("\nOrigin: <unknown>\n\n{name}"),
        };
        run.warn_once(&format!("The loop variable '{name}' is already in use.{unplaced}\n\n{help}"), place);
    }
    let index_var = conditions::own_text(control.index_var.as_ref(), &scope).map_err(failed)?;
    let extended =
        conditions::own_flag("extended", control.extended.as_ref(), &scope).map_err(failed)?.unwrap_or(false);
    let all_items = conditions::own_flag("extended_allitems", control.extended_allitems.as_ref(), &scope);
    let all_items = all_items.map_err(failed)?.unwrap_or(true);
    let pause = conditions::own_number("pause", control.pause.as_ref(), &scope).map_err(failed)?;
    let pause = pause.filter(|seconds| *seconds > 0.0);
    let parallel =
        conditions::own_number("parallel", control.parallel.as_ref(), &scope).map_err(failed)?.unwrap_or(1.0);
    let all: Option<Value> = (extended && all_items).then(|| items.iter().cloned().collect());
    let iterations = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let mut top = Layer::new();
            top.insert(name.clone(), data(item.clone()));
            top.insert("ansible_loop_var".into(), data(name.clone()));
            if let Some(index_var) = &index_var {
                top.insert(index_var.as_str().into(), data(index));
                top.insert("ansible_index_var".into(), data(index_var.clone()));
            }
            if extended {
                top.insert("ansible_loop".into(), data(about(index, &items, all.as_ref())));
            }
            Iteration { index, item: Some(item.clone()), top: Some(Arc::new(top)), first: first(), again: false }
        })
        .collect();
    Ok(Iterations {
        looped: true,
        iterations,
        independent: independent(task, parallel > 1.0) && pause.is_none() && (run.options.batch || parallel > 1.0),
        parallel: parallel.max(1.0) as u32,
        pause: pause.map(Duration::from_secs_f64),
    })
}

/// The name of the loop variable.
pub(crate) fn loop_var(task: &Task, scope: &Arc<Scope>) -> Result<Arc<str>, TemplateError> {
    Ok(conditions::own_text(task.control.loop_var.as_ref(), scope)?.map_or_else(|| "item".into(), Arc::from))
}

/// The items of a task's loop; `None` without a loop.
pub(crate) fn items(task: &Task, scope: &Arc<Scope>) -> Result<Option<Vec<Value>>, Box<TaskResult>> {
    let Some(looped) = &task.looped else { return Ok(None) };
    let items = match &looped.lookup {
        None => template::render(&looped.items.value, scope),
        Some(name) => template::render_terms(name, &looped.items.value, scope)
            .and_then(|terms| template::lookup(name, terms, subdirectory(name, task), scope))
            .map(Value::from),
    };
    match items {
        Ok(value) if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) => {
            Ok(Some(value.try_iter().into_iter().flatten().collect()))
        }
        // Nothing can be left out here.
        Ok(value) if is_omit(&value) => {
            let error = TemplateError::Omitted { at: looped.items.span.clone(), via: Vec::new() };
            Err(Box::new(TaskResult::of_loop(&error)))
        }
        Ok(value) => {
            let kind = template::type_name(&value);
            let mut result = TaskResult::failed(format!("The `loop` value must resolve to a 'list', not '{kind}'."));
            result.unbegun = true;
            result.place = Some(looped.items.span.clone());
            result.help = Some("Provide a list of items/templates, or a template resolving to a list.".into());
            Err(Box::new(result))
        }
        // A task that is skipped need not have valid items.
        Err(error) => match conditions::first_false(&task.settings.when, scope) {
            Ok(Some(condition)) => Err(Box::new(skipped(condition))),
            _ => Err(Box::new(TaskResult::of_loop(&error))),
        },
    }
}

/// Where `with_first_found` looks: in the directory of the kind of files that the action is about, by its name.
fn subdirectory(lookup: &str, task: &Task) -> Vec<(String, Value)> {
    let kind = ["template", "var"].into_iter().find(|kind| task.written.contains(kind)).unwrap_or("file");
    match lookup.rsplit('.').next() {
        Some("first_found") => vec![("_subdir".to_owned(), Value::from(format!("{kind}s")))],
        _ => Vec::new(),
    }
}

/// Whether no iteration affects how another one is prepared. Iterations with retries keep their order, unless the task
/// runs them concurrently anyway.
fn independent(task: &Task, parallel: bool) -> bool {
    let once = task.until.is_empty() && task.retries.is_none();
    // Each iteration has its own time limit.
    let limited = task.settings.timeout.is_some() || task.asynchronous.is_some();
    let alone = !limited && (once || parallel) && task.control.break_when.is_empty();
    let on_host = match task.action {
        Action::Module(_) | Action::External(_) => true,
        Action::Controller(entry) => entry.has_independent_items,
        Action::Statement(_) => false,
        Action::Plugin(_) => false,
    };
    alone && on_host
}

/// `ansible_loop` of `loop_control.extended`.
fn about(index: usize, items: &[Value], all: Option<&Value>) -> Value {
    let length = items.len();
    let mut about: Vec<(&str, Value)> = vec![
        ("index", Value::from(index + 1)),
        ("index0", Value::from(index)),
        ("first", Value::from(index == 0)),
        ("last", Value::from(index + 1 == length)),
        ("length", Value::from(length)),
        ("revindex", Value::from(length - index)),
        ("revindex0", Value::from(length - index - 1)),
    ];
    if let Some(all) = all {
        about.push(("allitems", all.clone()));
    }
    if let Some(next) = items.get(index + 1) {
        about.push(("nextitem", next.clone()));
    }
    if let Some(previous) = index.checked_sub(1).and_then(|before| items.get(before)) {
        about.push(("previtem", previous.clone()));
    }
    mapping(about)
}

/// The result of a task that is skipped because of a condition.
pub(crate) fn skipped(condition: &crate::plan::Condition) -> TaskResult {
    let shown = condition.value.data().unwrap_or_else(|| Value::from(condition.span.text()));
    TaskResult::skipped("Conditional result was False")
        .with("false_condition", shown)
        .with("skip_reason", "Conditional result was False")
}
