//! Lookups of variables, hosts and the environment.

use minijinja::Value;

use super::Table;

use rplay_contract::system::expand;

use crate::template::{
    args::Args,
    eval::{
        lazy::Pending,
        machine::Machine,
        plugins::{self, Called},
    },
    regex,
    value::{
        containers,
        error::{Cause, EvalError, EvalResult},
        items, show,
        undefined::{UndefinedReason, is_undefined, present},
    },
};
use crate::{
    config::{ConfigInputs, PLUGIN_TYPES, Unknown, one_setting},
    vars::{PluginKind, from_wire, to_wire},
};

pub(super) const LOOKUPS: Table = &[
    ("env", env),
    ("vars", vars),
    ("varnames", varnames),
    ("inventory_hostnames", inventory_hostnames),
    ("config", config),
];

fn env(machine: &mut Machine<'_>, terms: Vec<Value>, mut options: Args) -> EvalResult<Vec<Value>> {
    let default = options.raw("default").unwrap_or_else(|| Value::from(""));
    options.finish()?;
    let mut found = Vec::new();
    for term in terms {
        let name = show::text(&term)?;
        let name = name.split_whitespace().next().unwrap_or_default().to_owned();
        found.push(match std::env::var_os(&name) {
            Some(value) => Value::from(value.to_string_lossy().into_owned()),
            // `undef()` as the default is what the lookup then returns, with a hint of its own.
            None if is_undefined(&default) => {
                let hint = format!("The environment variable '{name}' is not set.");
                machine.undefined(UndefinedReason::Message(hint), 0..machine.page.text.len())
            }
            None => default.clone(),
        });
    }
    Ok(found)
}

fn vars(machine: &mut Machine<'_>, terms: Vec<Value>, mut options: Args) -> EvalResult<Vec<Value>> {
    let default = options.optional("default")?;
    options.finish()?;
    let mut found = Vec::new();
    for term in terms {
        let Some(name) = term.as_str() else {
            return Err(EvalError::new(format!("Variable name must be 'str' not '{}'.", show::type_name(&term))));
        };
        let scope = machine.session.scope.clone();
        machine.warn_of_removal(name);
        found.push(match (scope.get(name), &default) {
            (Some(lazy), _) => present(Pending::wrap(&lazy, &scope, machine.session.library))?,
            (None, Some(default)) => default.clone(),
            (None, None) => {
                let told = format!("No variable named '{name}' was found.");
                machine.undefined(UndefinedReason::Message(told), 0..machine.page.text.len())
            }
        });
    }
    Ok(found)
}

fn varnames(machine: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    let names = machine.session.scope.names();
    let mut found = Vec::new();
    for term in terms {
        let Some(pattern) = term.as_str() else {
            let (kind, shown) = (show::type_name(&term), show::text(&term)?);
            let message = format!("Invalid setting identifier, \"{shown}\" is not a string, it is a <class '{kind}'>");
            return Err(EvalError::new(message));
        };
        let regex = regex::find(pattern, false, false).map_err(|mut error| {
            if let Cause::Failed { message, .. } = &mut error.cause {
                *message = format!("Unable to use \"{pattern}\" as a search parameter: {message}");
            }
            error
        })?;
        let matching = names.iter().filter(|name| regex.is_match(&***name).unwrap_or(false));
        found.extend(matching.map(|name| Value::from(name.clone())));
    }
    Ok(found)
}

/// Hosts by pattern: names of hosts and groups, `all`, wildcards, joined by `:` or `,`; `!` excludes, `&` intersects.
fn inventory_hostnames(machine: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    let scope = machine.session.scope.clone();
    let groups = scope.get("groups").map(|lazy| Pending::wrap(&lazy, &scope, machine.session.library));
    let groups: Vec<(String, Vec<String>)> = groups
        .map(|groups| containers::pairs(&groups))
        .unwrap_or_default()
        .iter()
        .map(|(name, hosts)| {
            let hosts = items::items(hosts).unwrap_or_default();
            (show::plain_text(name), hosts.iter().map(show::plain_text).collect())
        })
        .collect();
    let mut all: Vec<&String> = Vec::new();
    for host in groups.iter().flat_map(|(_, hosts)| hosts) {
        if !all.contains(&host) {
            all.push(host);
        }
    }
    let matches = |pattern: &str| -> Vec<String> {
        let shape = rplay_contract::system::glob::Pattern::new(pattern);
        let fits = |name: &str| shape.fits(name);
        let mut hosts: Vec<String> = Vec::new();
        let by_group = groups.iter().filter(|(name, _)| pattern == "all" || fits(name)).flat_map(|(_, hosts)| hosts);
        let by_name = all.iter().copied().filter(|host| fits(host));
        for host in by_group.chain(by_name) {
            if !hosts.contains(host) {
                hosts.push(host.clone());
            }
        }
        hosts
    };
    let mut patterns = Vec::new();
    for term in &terms {
        let text = show::text(term)?;
        patterns.extend(text.split([':', ',']).map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()));
    }
    let mut found: Vec<String> = Vec::new();
    for pattern in patterns.iter().filter(|pattern| !pattern.starts_with(['!', '&'])) {
        let hosts = matches(pattern);
        if hosts.is_empty() && pattern != "all" {
            let message = format!("Could not match supplied host pattern, ignoring: {pattern}");
            scope.magic.warn(&message, None);
        }
        for host in hosts {
            if !found.contains(&host) {
                found.push(host);
            }
        }
    }
    for pattern in patterns.iter().filter_map(|pattern| pattern.strip_prefix('&')) {
        let kept = matches(pattern);
        found.retain(|host| kept.contains(host));
    }
    for pattern in patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')) {
        let gone = matches(pattern);
        found.retain(|host| !gone.contains(host));
    }
    Ok(found.into_iter().map(Value::from).collect())
}

/// Values of settings, as the options of Ansible's lookup `config` choose them.
fn config(machine: &mut Machine<'_>, terms: Vec<Value>, mut options: Args) -> EvalResult<Vec<Value>> {
    let on_missing = options.text_or("on_missing", "error")?;
    let kind = options.text("plugin_type")?;
    let plugin = options.text("plugin_name")?;
    let with_origin = options.flag("show_origin", false)?;
    options.finish()?;
    let invalid = |value: &str, option: &str, choices: &[&str]| {
        let message = format!("Invalid value '{value}' for config '{option}' for 'config' lookup plugin.");
        EvalError::with_help(message, format!("valid values are: {}", choices.join(", ")))
    };
    if !matches!(on_missing.as_str(), "error" | "warn" | "skip") {
        return Err(invalid(&on_missing, "on_missing", &["error", "warn", "skip"]));
    }
    if let Some(kind) = kind.as_deref().filter(|kind| !PLUGIN_TYPES.contains(kind)) {
        return Err(invalid(kind, "plugin_type", PLUGIN_TYPES));
    }
    if kind.is_some() != plugin.is_some() {
        let message = "Both plugin_type and plugin_name are required, cannot use one without the other.";
        return Err(EvalError::new(message));
    }
    let of = kind.as_deref().zip(plugin.as_deref());
    let label = of.map(|(kind, plugin)| format!(" for '{plugin}' {kind} plugin")).unwrap_or_default();
    let directory = std::env::current_dir().unwrap_or_default();
    let around = ConfigInputs { env: &expand::own_environment, directory: &directory };
    let mut found = Vec::new();
    for term in terms {
        let Some(name) = term.as_str() else {
            let kind = show::type_name(&term);
            let shown = show::text(&term)?;
            let message =
                format!("Invalid setting identifier, {shown} is not a <class 'str'>, its a <class '{kind}'>.");
            return Err(EvalError::new(message));
        };
        let scope = machine.session.scope.clone();
        let library = machine.session.library;
        let variable = |name: &str| {
            let value = present(Pending::wrap(&scope.get(name)?, &scope, library)).ok()?;
            Some(serde_json::Value::from(&to_wire(&value)))
        };
        let asked = one_setting(name, of, &variable, &around).map_err(|problems| {
            EvalError::new(problems.0.first().map(|first| first.to_string()).unwrap_or_default())
        })?;
        match asked {
            Ok((_, shown)) if shown.required && shown.origin == "default" => {
                return Err(EvalError::new(format!("Required config '{name}'{label} not provided.")));
            }
            Ok((value, shown)) if with_origin => {
                found.push(Value::from(vec![from_wire(value.into()), Value::from(shown.origin)]));
            }
            Ok((value, _)) => found.push(from_wire(value.into())),
            Err(Unknown::Plugin) => {
                let (kind, plugin) = of.unwrap_or_default();
                // Only ansible-core knows the options of a plugin in Python.
                let asked = [
                    ("plugin_type", Value::from(kind)),
                    ("plugin_name", Value::from(plugin)),
                    ("on_missing", Value::from(on_missing.as_str())),
                    ("show_origin", Value::from(with_origin)),
                    ("wantlist", Value::from(true)),
                ];
                let asked = asked.map(|(name, value)| (name.to_owned(), value));
                let told = plugins::call(
                    machine,
                    PluginKind::Lookup,
                    "ansible.builtin.config",
                    std::slice::from_ref(&term),
                    &asked,
                    false,
                )?;
                if let Called::Value(value) = told {
                    found.extend(items::items(&present(value)?)?);
                    continue;
                }
                return Err(EvalError::new(format!("Unable to load {kind} plugin '{plugin}'.")));
            }
            Err(Unknown::Setting) => {
                let message = format!("No config definition exists for '{name}'{label}.");
                match on_missing.as_str() {
                    "skip" => {}
                    "warn" => {
                        let place = machine.origin.span(None);
                        machine.session.scope.magic.warn(&format!("Skipping {name}: {message}"), Some(&place));
                    }
                    _ => return Err(EvalError::new(message)),
                }
            }
        }
    }
    Ok(found)
}
