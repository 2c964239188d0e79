//! The argument `apply` of includes: keywords for all that is included.

use std::sync::Arc;

use rplay_contract::wire::{Map, Value as Wire};

use crate::{
    plan::{self, Field, Settings},
    run::shorthand::data,
    source::Span,
    vars::{Layer, Lazy, from_wire},
};

/// Applies the keywords of `apply`, which were rendered with the include's arguments.
///
/// `written` is the unrendered `apply`: conditions are taken from it, because the output of a template is data and must
/// not become an expression.
pub(super) fn apply_to(settings: &mut Settings, apply: &Map, written: Option<&Lazy>, at: &Span) {
    for (name, value) in apply {
        let field = || Field { value: Lazy::Data(from_wire(value.clone())), span: at.clone() };
        let slot = match name.as_str() {
            "tags" => {
                let words: Vec<Wire> = match value {
                    Wire::List(items) => items.clone(),
                    Wire::Str(text) => text.split(',').map(|tag| Wire::Str(tag.trim().to_owned())).collect(),
                    other => vec![other.clone()],
                };
                settings
                    .tags
                    .extend(words.into_iter().map(|tag| Field { value: data(from_wire(tag)), span: at.clone() }));
                continue;
            }
            "when" => {
                let conditions: Vec<Lazy> = match written {
                    Some(Lazy::Data(_)) => vec![Lazy::Data(from_wire(value.clone()))],
                    Some(Lazy::Map(entries)) => match entries.get("when") {
                        Some(Lazy::List(items)) => items.to_vec(),
                        Some(one) => vec![one.clone()],
                        None => Vec::new(),
                    },
                    // If `apply` as a whole is a template, only booleans can be told apart from expressions.
                    _ => vec![Lazy::Data(minijinja::Value::from(matches!(value, Wire::Bool(true))))],
                };
                settings.when.extend(conditions.into_iter().map(|value| plan::Condition { value, span: at.clone() }));
                continue;
            }
            "vars" => {
                if let Wire::Map(vars) = value {
                    let layer: Layer =
                        vars.iter().map(|(k, v)| (k.as_str().into(), data(from_wire(v.clone())))).collect();
                    settings.vars.insert(0, Arc::new(layer));
                }
                continue;
            }
            "notify" => {
                settings.notify.push(field());
                continue;
            }
            "module_defaults" => {
                settings.module_defaults.push(field());
                continue;
            }
            "environment" => {
                settings.environment.push(field());
                continue;
            }
            "become" => &mut settings.become_,
            "become_user" => &mut settings.become_user,
            "become_method" => &mut settings.become_method,
            "become_flags" => &mut settings.become_flags,
            "become_exe" => &mut settings.become_exe,
            "debugger" => &mut settings.debugger,
            "delegate_to" => &mut settings.delegate_to,
            "delegate_facts" => &mut settings.delegate_facts,
            "ignore_errors" => &mut settings.ignore_errors,
            "ignore_unreachable" => &mut settings.ignore_unreachable,
            "no_log" => &mut settings.no_log,
            "run_once" => &mut settings.run_once,
            "check_mode" => &mut settings.check_mode,
            "diff" => &mut settings.diff,
            "connection" => &mut settings.connection,
            "remote_user" => &mut settings.remote_user,
            "port" => &mut settings.port,
            "any_errors_fatal" => &mut settings.any_errors_fatal,
            "throttle" => &mut settings.throttle,
            "timeout" => &mut settings.timeout,
            _ => continue,
        };
        *slot = Some(field());
    }
}
