//! `rplay inventory`: what the sources say, as JSON or as a tree.

use std::sync::Arc;

use rplay::{config::Config, inventory::Inventory, secrets::Secrets, source::Problems};

use crate::{args::InventoryArgs, faults, passwords, run};

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("there is no group `{0}`")]
struct NoGroup(String);

/// Prints the inventory as `ansible-inventory` does.
pub fn command(args: &InventoryArgs) -> Result<u8, Problems> {
    let (config, warnings) = Config::load()?;
    faults::show(&warnings);
    let secrets = Arc::new(Secrets::default());
    let vault = passwords::vault(&args.sources.passwords, &config, &secrets)?;
    let sources = run::sources(&args.sources.inventory, &config);
    let inventory = Inventory::load(&sources, vault)?;
    let folder = args.playbook_dir.as_deref();
    let text = match (&args.host, &args.graph) {
        (Some(host), _) => pretty(&inventory.host_vars(host, folder)?),
        (None, Some(group)) => match inventory.tree(group, args.vars.then_some(folder)) {
            Some(tree) => tree?,
            None => return Err(NoGroup(group.clone()).into()),
        },
        (None, None) => pretty(&inventory.list(folder)?),
    };
    println!("{}", text.trim_end());
    Ok(0)
}

fn pretty(json: &serde_json::Value) -> String {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, formatter);
    match serde::Serialize::serialize(json, &mut writer) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => error.to_string(),
    }
}
