//! Inventories in YAML or JSON.

use std::sync::Arc;

use super::{Inventory, InventoryError, address, key::key, source_errors::InventoryErrors, tencent};
use crate::{
    source::{Problems, Source, nearest},
    syntax::{self, Kind, Node},
    vars::{Layer, Lazy},
};

/// Reads a whole file into the inventory.
pub(super) fn read(inventory: &mut Inventory, source: &Arc<Source>) -> Result<(), Problems> {
    let loaded = syntax::yaml::load(source)?;
    inventory.warnings.extend(loaded.warnings.iter().map(|warning| warning.to_string()));
    let groups = match &loaded.node.kind {
        Kind::Map(entries) => entries,
        Kind::Null => {
            inventory.warnings.push(format!("inventory {} is empty", source.name));
            return Ok(());
        }
        _ => {
            return Err(InventoryError::syntax(
                loaded.node.span.clone(),
                "YAML inventory has invalid structure, it should be a dictionary",
            )
            .help("write `all:`, below it `hosts:`, and below that each host followed by a colon")
            .into());
        }
    };
    if let Some(plugin) = loaded.node.get("plugin") {
        let name = plugin.as_str().unwrap_or_default();
        // Errors of the cloud and unsupported plugins are not errors in the file.
        inventory.refused = true;
        if name == tencent::PLUGIN {
            return tencent::read(inventory, &loaded.node);
        }
        if let (Some(plugins), Some(path)) = (inventory.plugins.clone(), &source.path) {
            inventory.refused = false;
            return inventory.read_with_plugins(&*plugins, &path.display().to_string(), Some(&plugin.span));
        }
        return Err(InventoryError::syntax(
            plugin.span.clone(),
            format!("the inventory plugin `{name}` is not supported"),
        )
        .help(format!(
            "only {} is; run `ansible-inventory --list --export` once, or use an executable that prints JSON",
            tencent::PLUGIN
        ))
        .into());
    }
    let mut errors = InventoryErrors::default();
    for (name, data) in groups {
        if !matches!(data.kind, Kind::Null | Kind::Map(_)) {
            let message = format!("Skipping '{}' as this is not a valid group definition", key(name));
            inventory.warnings.push(format!("{message} ({})", data.span));
            continue;
        }
        group(inventory, name, data, &mut errors);
    }
    errors.end(inventory)
}

/// Reads a group and its children; returns its index.
fn group(inventory: &mut Inventory, name: &Node, data: &Node, errors: &mut InventoryErrors) -> usize {
    let at = inventory.group_index(&key(name));
    let entries = match &data.kind {
        Kind::Null => return at,
        Kind::Map(entries) => entries,
        _ => {
            let message = format!("group `{}` must be a mapping", key(name));
            let error = InventoryError::syntax(data.span.clone(), message);
            errors.push(inventory, error.help("the valid keys are hosts, children and vars"));
            return at;
        }
    };
    // As in Ansible, a section of the wrong type is reported before any of them is read.
    for (section, content) in entries {
        if matches!(section.as_str(), Some("vars" | "children" | "hosts"))
            && !matches!(content.kind, Kind::Null | Kind::Map(_) | Kind::Str(_))
        {
            let message =
                format!("Invalid \"{}\" entry for \"{}\" group, requires a dictionary", key(section), key(name));
            let error = InventoryError::syntax(content.span.clone(), message);
            errors.push(inventory, error.help("write each name with a colon after it, and without a dash"));
        }
    }
    for (section, content) in entries {
        match section.as_str() {
            Some("vars") => {
                for (name, value) in named(content) {
                    inventory.check_names([&key(name)], &name.span);
                    let set = inventory.set_group_var(
                        at,
                        &key(name),
                        value.map_or(Lazy::Data(().into()), Lazy::from_node),
                        &name.span,
                    );
                    if let Err(error) = set {
                        errors.push(inventory, error);
                    }
                }
            }
            Some("children") => {
                for (name, data) in named(content) {
                    let nothing = Node { span: name.span.clone(), kind: Kind::Null };
                    let child = group(inventory, name, data.unwrap_or(&nothing), errors);
                    if let Err(message) = inventory.add_child(at, child) {
                        errors.push(inventory, InventoryError::syntax(name.span.clone(), message));
                    }
                }
            }
            Some("hosts") => {
                for (name, vars) in named(content) {
                    if let Err(error) = hosts(inventory, at, name, vars) {
                        errors.push(inventory, error);
                    }
                }
            }
            _ => {
                let word = key(section);
                let meant = match nearest(&word, ["vars", "children", "hosts"]) {
                    Some(meant) => format!("; did you mean `{meant}`?"),
                    None => String::new(),
                };
                let message = format!(
                    "Skipping unexpected key ({word}) in group ({}), only \"vars\", \"children\" and \"hosts\" are valid ({}){meant}",
                    key(name),
                    section.span
                );
                inventory.warnings.push(message);
            }
        }
    }
    at
}

/// The entries of a section; a single name stands for an empty mapping.
fn named(content: &Node) -> Vec<(&Node, Option<&Node>)> {
    match &content.kind {
        Kind::Map(entries) => entries.iter().map(|(name, value)| (name, Some(value))).collect(),
        Kind::Str(_) => vec![(content, None)],
        // Empty, or already reported.
        _ => Vec::new(),
    }
}

fn hosts(inventory: &mut Inventory, group: usize, name: &Node, vars: Option<&Node>) -> Result<(), InventoryError> {
    if matches!(name.kind, Kind::Int(_) | Kind::Digits(_) | Kind::Float(_) | Kind::Bool(_) | Kind::Null | Kind::Time(_))
    {
        let message =
            format!("Host pattern {} must be a string. Enclose integers/floats in quotation marks.", name.span.text());
        return Err(InventoryError::syntax(name.span.clone(), message).help("enclose it in quotation marks"));
    }
    let (names, port) =
        address::expand(&key(name)).map_err(|message| InventoryError::syntax(name.span.clone(), message))?;
    let mut layer = Layer::new();
    if let Some(port) = port {
        layer.insert("ansible_port".into(), Lazy::Data(port.into()));
    }
    match vars.map(|vars| (&vars.kind, &vars.span)) {
        None | Some((Kind::Null, _)) => {}
        Some((Kind::Map(entries), _)) => {
            for (name, value) in entries {
                inventory.check_names([&key(name)], &name.span);
                layer.insert(key(name), Lazy::from_node(value));
            }
        }
        Some((_, place)) => {
            let message =
                format!("Invalid data from file, expected dictionary for the variables of host '{}'", key(name));
            return Err(InventoryError::syntax(place.clone(), message));
        }
    }
    let address = name.span.clone();
    for name in names {
        let host = inventory.host_index(&name);
        inventory.put(group, host);
        inventory.set_host_vars(host, layer.clone());
        inventory.record_host(&name, &layer, |variable| {
            let entries = vars.and_then(Node::as_map).unwrap_or_default();
            let written = entries.iter().rev().find(|(name, _)| &*key(name) == variable);
            written.map_or_else(|| address.clone(), |(name, _)| name.span.clone())
        });
    }
    Ok(())
}
