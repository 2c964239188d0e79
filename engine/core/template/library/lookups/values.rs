//! Lookups of variables, hosts and the environment.

use minijinja::Value;

use super::Table;

use crate::template::{
    args::Args,
    eval::{lazy::Pending, machine::Machine},
    regex,
    value::{
        containers,
        error::{EvalError, EvalResult},
        items, show,
        undefined::{UndefinedReason, present},
    },
};

pub(super) const LOOKUPS: Table = &[
    ("env", env),
    ("vars", vars),
    ("varnames", varnames),
    ("inventory_hostnames", inventory_hostnames),
    ("config", config),
];

fn env(_: &mut Machine<'_>, terms: Vec<Value>, mut options: Args) -> EvalResult<Vec<Value>> {
    let default = options.raw("default").unwrap_or_else(|| Value::from(""));
    options.finish()?;
    let mut found = Vec::new();
    for term in terms {
        let name = show::text(&term)?;
        let name = name.split_whitespace().next().unwrap_or_default().to_owned();
        found.push(match std::env::var_os(&name) {
            Some(value) => Value::from(value.to_string_lossy().into_owned()),
            None => present(default.clone())?,
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
            return Err(EvalError::new(format!("Variable name must be 'str' not '{}'", show::type_name(&term))));
        };
        let scope = machine.session.scope.clone();
        found.push(match (scope.get(name), &default) {
            (Some(lazy), _) => present(Pending::wrap(&lazy, &scope, machine.session.library))?,
            (None, Some(default)) => default.clone(),
            (None, None) => {
                let told = format!("No variable named '{name}' was found.");
                machine.undefined(UndefinedReason::Told(told), 0..machine.page.text.len())
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
        let pattern = term.as_str().ok_or_else(|| EvalError::new("the pattern must be a text"))?;
        let regex = regex::find(pattern, false, false)?;
        let matching = names.iter().filter(|name| regex.is_match(&***name).unwrap_or(false));
        found.extend(matching.map(|name| Value::from(name.clone())));
    }
    Ok(found)
}

/// Hosts by pattern: names of hosts and groups, `all`, with `*`, joined by `:` or `,`; `!` takes away, `&` keeps.
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
        let shape = rplay_modules::system::glob::Pattern::new(pattern);
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
        for host in matches(pattern) {
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

fn config(_: &mut Machine<'_>, terms: Vec<Value>, _: Args) -> EvalResult<Vec<Value>> {
    let names = terms.iter().map(show::text).collect::<EvalResult<Vec<_>>>()?.join("`, `");
    Err(EvalError::with_help(
        format!("there is no setting `{names}`: Ansible's configuration is not read here"),
        "put the value into a variable",
    ))
}
