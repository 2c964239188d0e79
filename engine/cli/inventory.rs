//! `rplay inventory`: hosts, groups and variables, as ansible-inventory shows them.

use std::sync::Arc;

use miette::Diagnostic;
use rplay::{
    config::Config,
    inventory::Inventory,
    secrets::Secrets,
    source::{Problems, nearest},
};
use thiserror::Error;

use crate::{args::InventoryArgs, faults, passwords};

#[derive(Debug, Error, Diagnostic)]
enum Fault {
    #[error("there is no {what} `{name}` in the inventory")]
    Unknown {
        what: &'static str,
        name: String,
        #[help]
        help: Option<String>,
    },
}

/// Prints the inventory as `ansible-inventory` does.
pub fn command(args: &InventoryArgs) -> Result<u8, Problems> {
    let (config, warnings) = Config::load()?;
    faults::show(&warnings);
    let (text, warnings) = shown(args, &config)?;
    for warning in warnings {
        eprintln!("[WARNING]: {warning}");
    }
    println!("{}", text.trim_end());
    Ok(0)
}

/// What is to be printed, and what is to be warned of.
fn shown(args: &InventoryArgs, config: &Config) -> Result<(String, Vec<String>), Problems> {
    let vault = passwords::vault(&args.sources.passwords, config, &Arc::new(Secrets::default()))?;
    let mut inventory = Inventory::load(&config.inventory_sources(&args.sources.inventory), vault.clone())?;
    let folder = args.playbook_dir.as_deref();
    let unknown = |what, name: &str, known: Vec<&str>| Fault::Unknown {
        what,
        name: name.to_owned(),
        help: nearest(name, known).map(|meant| format!("did you mean `{meant}`?")),
    };
    let text = if let Some(group) = &args.graph {
        let tree = inventory.tree(group, args.vars.then_some(folder));
        tree.ok_or_else(|| unknown("group", group, inventory.groups().map(|group| &*group.name).collect()))??
    } else {
        // Extra variables win over all others, as in a play.
        let extra = rplay::vars::extra_vars(&args.sources.extra_vars, &vault)?;
        let json = match &args.host {
            Some(host) if inventory.host(host).is_none() => {
                return Err(unknown("host", host, inventory.hosts().map(|host| &*host.name).collect()).into());
            }
            Some(host) => inventory.host_vars(host, folder, &extra)?,
            None => inventory.list(folder, &extra)?,
        };
        pretty(&json)
    };
    let more = inventory.take_warnings();
    inventory.warnings.extend(more);
    Ok((text, inventory.warnings))
}

/// Indented by four, as Ansible indents.
fn pretty(json: &serde_json::Value) -> String {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, formatter);
    match serde::Serialize::serialize(json, &mut writer) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::args::{Cli, Command};

    fn inventory(words: &[&str]) -> Result<String, String> {
        let words = ["rplay", "inventory"].iter().chain(words);
        let Some(Command::Inventory(args)) = Cli::read(words).unwrap().command else { panic!("not inventory") };
        let around = rplay::config::Surroundings { env: &|_| None, folder: Path::new("/"), home: None };
        shown(&args, &Config::read(&around).unwrap().0)
            .map(|(text, _)| text)
            .map_err(|problems| problems.0[0].to_string())
    }

    #[test]
    fn hosts_groups_and_variables_are_shown() {
        assert_eq!(inventory(&["-i", "a,b", "--graph"]).unwrap(), "@all:\n  |--@ungrouped:\n  |  |--a\n  |  |--b\n");
        assert_eq!(inventory(&["-i", "a:23,b", "--host", "a"]).unwrap(), "{\n    \"ansible_port\": 23\n}");
        assert!(inventory(&["-i", "a,b", "--list", "-e", "x=1"]).unwrap().contains("\"x\": \"1\""));
        assert_eq!(
            inventory(&["-i", "web1,", "--host", "web2"]).unwrap_err(),
            "there is no host `web2` in the inventory"
        );
        assert_eq!(inventory(&["-i", "a,", "--graph", "x"]).unwrap_err(), "there is no group `x` in the inventory");
    }
}
