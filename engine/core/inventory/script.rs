//! Inventory scripts, which print JSON: `--list`, and `--host NAME` if there is no `_meta`.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use indexmap::IndexSet;

use super::{Inventory, InventoryError, key::key, source_errors::InventoryErrors};
use crate::{
    program,
    source::{Problems, Source, Span},
    syntax::{self, Kind, Node},
    vars::{Layer, Lazy},
};

/// Runs the program and reads its output into the inventory.
pub(super) fn read(inventory: &mut Inventory, path: &Path) -> Result<(), Problems> {
    let list = run(inventory, path, &["--list"])?;
    let mut errors = InventoryErrors::default();
    let Some(groups) = list.as_map() else {
        return Err(InventoryError::syntax(
            list.span.clone(),
            "Unable to get JSON decoder for inventory script result: it must be a JSON object",
        )
        .into());
    };
    let mut hosts = IndexSet::new();
    for (name, data) in groups.iter().filter(|(name, _)| name.as_str() != Some("_meta")) {
        if let Err(error) = group(inventory, name, data, &mut hosts) {
            errors.push(inventory, error);
        }
    }
    let hostvars = match list.get("_meta") {
        None => None,
        Some(meta) => match meta.get("hostvars") {
            Some(hostvars) if hostvars.as_map().is_some() => Some(hostvars),
            other => {
                errors.push(inventory, wrong_type(meta, "_meta.hostvars", other, "dict"));
                return errors.end(inventory);
            }
        },
    };
    match hostvars {
        Some(hostvars) => {
            for (name, vars) in hostvars.as_map().unwrap_or_default() {
                // Like Ansible, ignores hosts that are in no group.
                if let Some(at) = hosts.get(&key(name)).map(|name| inventory.host_index(name)) {
                    let layer = layer(vars);
                    inventory.check_names(layer.keys(), &vars.span);
                    inventory.set_host_vars(at, layer);
                }
            }
        }
        None => {
            warn_of_removal(
                inventory,
                "Inventory scripts should always provide 'meta.hostvars'. Host variables will be collected by running the \
                 inventory script with the '--host' option for each host.",
            );
            for name in hosts {
                let vars = run(inventory, path, &["--host", &name])?;
                let at = inventory.host_index(&name);
                let layer = layer(&vars);
                inventory.check_names(layer.keys(), &vars.span);
                inventory.set_host_vars(at, layer);
            }
        }
    }
    errors.end(inventory)
}

/// Warns about something that Ansible will no longer accept.
fn warn_of_removal(inventory: &mut Inventory, what: &str) {
    let warning =
        format!("{what} This feature will be removed from inventory plugin 'script' in ansible-core version 2.23.");
    if inventory.tells_deprecated && !inventory.warnings.contains(&warning) {
        inventory.warnings.push(warning);
    }
}

/// The error about a part of the output that has the wrong type, in Ansible's words.
fn wrong_type(around: &Node, name: &str, found: Option<&Node>, wanted: &str) -> InventoryError {
    let kind = found.map_or("NoneType", type_of);
    let place = found.unwrap_or(around).span.clone();
    InventoryError::syntax(place, format!("Value contains '{name}' which is '{kind}' instead of '{wanted}'."))
}

/// The name of a node's type in Python.
fn type_of(node: &Node) -> &'static str {
    match &node.kind {
        Kind::Map(_) => "dict",
        Kind::Seq(_) => "list",
        Kind::Str(_) => "str",
        Kind::Int(_) | Kind::Digits(_) => "int",
        Kind::Float(_) => "float",
        Kind::Bool(_) => "bool",
        Kind::Null => "NoneType",
        _ => "object",
    }
}

/// Runs the script. What it writes to standard error is shown, as in Ansible.
fn run(inventory: &mut Inventory, path: &Path, args: &[&str]) -> Result<Node, Problems> {
    let shown = path.display().to_string();
    let failure =
        |message: String, stderr: Option<String>| InventoryError::Script { path: shown.clone(), message, stderr };
    let program = std::path::absolute(path).map_err(|error| failure(error.to_string(), None))?;
    let output = program::run(Command::new(program).args(args).stderr(Stdio::piped()))
        .map_err(|error| failure(error.to_string(), None))?;
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let stderr = (!stderr.is_empty()).then_some(stderr);
    if !output.status.success() {
        return Err(failure(
            match output.status.code() {
                Some(code) => format!("Inventory script returned non-zero exit code {code}."),
                None => format!("Inventory script failed: {}", output.status),
            },
            stderr,
        )
        .into());
    }
    inventory.warnings.extend(stderr.iter().map(|stderr| format!("[ERROR]: {stderr}")));
    let text =
        String::from_utf8(output.stdout).map_err(|_| failure("its output is not UTF-8".to_owned(), stderr.clone()))?;
    // As in Ansible, a script that prints nothing has no hosts.
    let text = if text.trim().is_empty() { "{}".to_owned() } else { text };
    let source = Source::inline(format!("{shown} {}", args.join(" ")), text);
    // The YAML parser accepts more than JSON.
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&source.text)
        && !source.text.trim().is_empty()
    {
        let lines = source.text.split_inclusive('\n').take(error.line().saturating_sub(1));
        let start = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
        let place = Span::new(&source, start..start + 1);
        return Err(InventoryError::syntax(
            place,
            format!(
                "Unable to get JSON decoder for inventory script result: Value could not be parsed as JSON: {error}"
            ),
        )
        .into());
    }
    Ok(syntax::yaml::load(&source)?.node)
}

fn layer(vars: &Node) -> Layer {
    vars.as_map().unwrap_or_default().iter().map(|(name, value)| (key(name), Lazy::from_node(value))).collect()
}

/// Reads a group; `all` collects the hosts that it names.
fn group(
    inventory: &mut Inventory,
    name: &Node,
    data: &Node,
    all: &mut IndexSet<Arc<str>>,
) -> Result<(), InventoryError> {
    let group_name = key(name);
    let at = inventory.group_index(&group_name);
    let names = |node: &Node, what: &str| match &node.kind {
        Kind::Seq(items) => Ok(items.iter().map(key).collect::<Vec<_>>()),
        Kind::Null => Ok(Vec::new()),
        _ => Err(InventoryError::syntax(node.span.clone(), format!("{what} of group `{group_name}` must be a list"))),
    };
    let mut put = |inventory: &mut Inventory, hosts: Vec<Arc<str>>| {
        for name in hosts {
            let host = inventory.host_index(&name);
            inventory.put(at, host);
            all.insert(name);
        }
    };
    if data.as_map().is_none() {
        let kind = type_of(data);
        warn_of_removal(inventory, &format!("Group '{group_name}' was converted to 'dict' from '{kind}'."));
    }
    if data.as_seq().is_some() {
        put(inventory, names(data, "the hosts")?);
        return Ok(());
    }
    if data.as_map().is_none() {
        return Err(wrong_type(data, &format!("{group_name}.hosts"), Some(data), "list"));
    }
    let (hosts, vars, children) = (data.get("hosts"), data.get("vars"), data.get("children"));
    if hosts.is_none() && vars.is_none() && children.is_none() {
        // The oldest format: a host and its variables.
        put(inventory, vec![group_name.clone()]);
        let vars = layer(data);
        inventory.check_names(vars.keys(), &data.span);
        for (name, value) in vars {
            inventory.set_group_var(at, &name, value, &data.span)?;
        }
        return Ok(());
    }
    if let Some(hosts) = hosts {
        put(inventory, names(hosts, "the hosts")?);
    }
    let vars = vars.map(layer).unwrap_or_default();
    inventory.check_names(vars.keys(), &data.span);
    for (name, value) in vars {
        inventory.set_group_var(at, &name, value, &data.span)?;
    }
    if let Some(children) = children {
        for child in names(children, "the children")? {
            let child = inventory.group_index(&child);
            inventory.add_child(at, child).map_err(|message| InventoryError::syntax(children.span.clone(), message))?;
        }
    }
    Ok(())
}
