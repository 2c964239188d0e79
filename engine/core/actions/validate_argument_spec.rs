//! validate_argument_spec: holds values against the specification of arguments.

use std::sync::Arc;

use indexmap::IndexMap;
use rplay_contract::{args, wire::Map};

use super::{Context, Rendered, Result, TaskResult, required};
use crate::{
    source::{Problems, Source},
    syntax::{self, spec},
    template,
    vars::{Lazy, Value, mapping, to_wire},
};

args! {
    /// Validates values against an argument specification.
    pub struct ValidateArgumentSpec {
        /// The specification.
        argument_spec: Map,
        /// The values; others are the variables of the same names.
        provided_arguments: Option<Map>,
        /// What the result says about where the specification comes from.
        validate_args_context: Option<Map>,
    }
}

pub(super) fn validate(args: Rendered, context: &Context<'_>) -> Result<TaskResult> {
    let given;
    let options = match context.task.spec {
        Some(spec) => &spec.options,
        None => {
            given = options_of(&required(&args, "argument_spec")?)?;
            &given
        }
    };
    let mut values: IndexMap<Arc<str>, Value> = IndexMap::new();
    for name in options.keys() {
        if let Some(lazy) = context.scope.find(name) {
            let value =
                template::render(&lazy, context.scope).map_err(|error| Box::new(TaskResult::of_error(&error)))?;
            values.insert(name.clone(), value);
        }
    }
    // What is passed is stronger than all variables.
    values.extend(args.get("provided_arguments").map(super::entries).unwrap_or_default());
    for (name, option) in options {
        let given = std::iter::once(name).chain(&option.aliases).find_map(|name| values.get(name));
        if let Some(secret) = given.filter(|_| option.no_log) {
            super::conceal(secret, context.scope);
        }
    }
    let errors = spec::validate(options, &values);
    let about = match context.task.spec.and_then(|spec| Some((spec, spec.role.as_ref()?))) {
        Some((spec, (name, path))) => mapping([
            ("argument_spec_name", Value::from(spec.name.clone())),
            ("name", Value::from(name.clone())),
            ("path", Value::from(path.clone())),
            ("type", Value::from("role")),
        ]),
        None => args.get("validate_args_context").cloned().unwrap_or_else(|| mapping::<&str, Value>([])),
    };
    if errors.is_empty() {
        let result = TaskResult::default().with("msg", "The arg spec validation passed");
        return Ok(result.with("validate_args_context", about));
    }
    let texts: Vec<Value> = errors.iter().map(|error| Value::from(error.msg.as_str())).collect();
    let told: Vec<&str> = errors.iter().map(|error| error.msg.as_str()).collect();
    let mut result = TaskResult::failed(format!("Validation of arguments failed:\n{}", told.join("\n")));
    result.place = errors.into_iter().find_map(|error| error.option);
    result.set("argument_errors", texts);
    let written = match context.task.spec {
        Some(spec) => spec.written.as_ref().and_then(|node| Lazy::from_node(node).data()),
        None => args.get("argument_spec").cloned(),
    };
    result.set("argument_spec_data", written.unwrap_or_else(|| mapping::<&str, Value>([])));
    Ok(result.with("validate_args_context", about))
}

/// The options of a specification that a task passes as a value.
fn options_of(value: &Value) -> Result<IndexMap<Arc<str>, spec::ArgumentOption>> {
    let options: serde_json::Value = (&to_wire(value)).into();
    let text = serde_json::json!({ "main": { "options": options } }).to_string();
    let wrong = |problems: Problems| {
        Box::new(TaskResult::failed(format!("the argument spec is not valid: {}", problems.messages())))
    };
    let loaded = syntax::yaml::load(&Source::inline("argument_spec", text)).map_err(wrong)?;
    let mut specs = syntax::argument_specs(loaded.node).map_err(wrong)?;
    Ok(specs.entry_points.swap_remove("main").map(|spec| spec.options).unwrap_or_default())
}
