//! Tasks, mostly includes and imports, that make no sense as written; with Ansible's messages.

use minijinja::value::ValueKind;

use super::{Arguments, PlanError, Statement, arguments};
use crate::{source::Span, syntax, vars::Lazy};

/// The arguments that name one of a role's files.
const FILES: [&str; 4] = ["tasks_from", "vars_from", "defaults_from", "handlers_from"];
const OF_ROLES: [&str; 5] = ["name", "role", "public", "allow_duplicates", "rolespec_validate"];

/// An error in a task's arguments, mostly those of an include or import, that does not depend on their rendered values.
pub(super) fn of(statement: Option<Statement>, task: &syntax::Task) -> Option<PlanError> {
    let written = &task.action.name;
    if let Some((name, _)) = task.action.args.iter().find(|(name, _)| name.value.starts_with("_ansible_")) {
        let msg = format!(
            "Invalid parameter specified beginning with keyword '_ansible_' for action '{}': '{}'. The prefix '_ansible_' \
             is reserved for internal use only.",
            written.value, name.value
        );
        return Some(PlanError::unusable(msg, &name.span));
    }
    // As in ansible-core, the place is the task's.
    let misplaced = |msg: String| Some(PlanError::misplaced(msg, &first_line(&task.span)));
    let roles = match statement? {
        Statement::IncludeRole | Statement::ImportRole => true,
        Statement::IncludeTasks | Statement::ImportTasks => false,
        _ => return None,
    };
    let args = arguments::of(&task.action);
    let applies = matches!(statement, Some(Statement::IncludeRole | Statement::IncludeTasks));
    let knows = |name: &str| match name {
        "apply" => applies,
        name if roles => OF_ROLES.contains(&name) || FILES.contains(&name),
        name => matches!(name, "file" | "_raw_params"),
    };
    let nothing = |name: &str| given(&args, name).is_none_or(|value| is_nothing(&value));
    if roles && nothing("name") && nothing("role") {
        return misplaced(format!("'name' is a required field for {}.", written.value));
    }
    if task.action.whole.is_some() {
        return misplaced(format!("Invalid options for {}: _variable_params", written.value));
    }
    let unknown: Vec<&str> = args.named.keys().map(|name| &**name).filter(|name| !knows(name)).collect();
    if !unknown.is_empty() {
        return misplaced(format!("Invalid options for {}: {}", written.value, unknown.join(",")));
    }
    if !roles {
        return match args.free.is_none() && nothing("file") && nothing("_raw_params") {
            true => misplaced(format!("No file specified for {}", written.value)),
            false => None,
        };
    }
    let wrong = |name: &'static str| Some((name, type_of(&given(&args, name)?).filter(|kind| *kind != "str")?));
    let (name, kind) = FILES.into_iter().find_map(wrong)?;
    misplaced(format!("Expected a string for {name} but got <class '{kind}'> instead"))
}

/// The first line of a place.
fn first_line(place: &Span) -> Span {
    let length = place.text().find('\n').unwrap_or(place.text().len());
    place.at(place.range().start..place.range().start + length)
}

fn given(args: &Arguments, name: &str) -> Option<Lazy> {
    args.named.get(name).map(|argument| argument.value.clone())
}

fn is_nothing(value: &Lazy) -> bool {
    value.data().is_some_and(|value| value.is_none() || value.as_str() == Some(""))
}

/// Python's name of the type, unless the value is a template.
fn type_of(value: &Lazy) -> Option<&'static str> {
    Some(match value {
        Lazy::List(_) => "list",
        Lazy::Map(_) => "dict",
        Lazy::Data(value) => match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => "list",
            ValueKind::Map => "dict",
            ValueKind::Bool => "bool",
            ValueKind::Number if value.is_integer() => "int",
            ValueKind::Number => "float",
            ValueKind::None | ValueKind::Undefined => "NoneType",
            _ => "str",
        },
        _ => return None,
    })
}
