//! `rplay inventory`: hosts, groups and variables, as ansible-inventory shows them.

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
    sync::Arc,
};

use miette::Diagnostic;
use rplay::{
    config::Config,
    inventory::{Inventory, SourceRules},
    python::InventoryPlugins,
    source::{Problems, nearest},
    syntax::emit,
    visible::visible,
};
use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::{args::InventoryArgs, faults, output, passwords};

#[derive(Debug, Error, Diagnostic)]
enum InventoryCommandError {
    #[error("there is no {what} `{name}` in the inventory")]
    Unknown {
        what: &'static str,
        name: String,
        #[help]
        help: Option<String>,
    },
    #[error("the inventory cannot be written as YAML: {0}")]
    Yaml(String),
}

/// Prints the inventory as `ansible-inventory` does.
pub fn command(args: &InventoryArgs) -> Result<u8, Problems> {
    let (config, warnings) = Config::load()?;
    faults::show(&warnings);
    let mut exit_code = 1;
    let (text, warnings) = match shown(args, &config, &mut exit_code) {
        Ok(shown) => shown,
        Err(problems) => return Ok(faults::end(&problems, exit_code)),
    };
    for warning in warnings {
        output::aside(&format!("[WARNING]: {}\n", visible(&warning)));
    }
    output::show(format!("{}\n", visible(text.trim_end())).as_bytes())?;
    Ok(0)
}

/// What is to be printed, and what is to be warned of. Where that fails, `exit_code` says how the process ends.
fn shown(args: &InventoryArgs, config: &Config, exit_code: &mut u8) -> Result<(String, Vec<String>), Problems> {
    let vault = passwords::vault(&args.sources.passwords, config, faults::secrets())?;
    let sources = config.inventory_sources(&args.sources.inventory);
    let folder = args.playbook_dir.as_deref();
    let folders = folder.map(Path::to_owned).into_iter().collect();
    let plugins = InventoryPlugins::new(config.ansible_python.value.clone(), folders, true);
    let rules = SourceRules { plugins: Some(Arc::new(plugins)), ..config.source_rules() };
    let mut inventory = Inventory::load(&sources, vault.clone(), &rules)?;
    let unknown = |what, name: &str, known: Vec<&str>| InventoryCommandError::Unknown {
        what,
        name: name.to_owned(),
        help: nearest(name, known).map(|meant| format!("did you mean `{meant}`?")),
    };
    let text = if let Some(group) = &args.graph {
        let tree = inventory.tree(group, args.vars.then_some(folder));
        let tree =
            tree.ok_or_else(|| unknown("group", group, inventory.groups().map(|group| &*group.name).collect()))?;
        tree.inspect_err(|_| *exit_code = faults::UNREADABLE)?
    } else {
        // Extra variables win over all others, as in a play.
        let extra = rplay::vars::extra_vars(&args.sources.extra_vars, &vault)?;
        let json = match &args.host {
            Some(host) if inventory.host(host).is_none() => {
                return Err(unknown("host", host, inventory.hosts().map(|host| &*host.name).collect()).into());
            }
            Some(host) => inventory.host_vars(host, folder, &extra),
            None => inventory.list(folder, &extra),
        };
        let json = json.inspect_err(|_| *exit_code = faults::UNREADABLE)?;
        let text = match (args.yaml, &args.host) {
            (false, _) => pretty(&json),
            (true, Some(_)) => yaml(&json)?,
            (true, None) => yaml(&nested(&json))?,
        };
        std::mem::forget(json);
        text
    };
    let mut warnings = std::mem::take(&mut inventory.warnings);
    warnings.extend(inventory.take_warnings());
    // The process ends soon: to free it piece by piece would only take time.
    std::mem::forget(inventory);
    Ok((text, warnings))
}

/// Indented by four, as Ansible indents.
fn pretty(json: &Json) -> String {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, formatter);
    match serde::Serialize::serialize(json, &mut writer) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => error.to_string(),
    }
}

/// The listing in the shape of an inventory file: groups within groups, and the variables of a host where it
/// is named first.
fn nested(listing: &Json) -> Json {
    let mut told = HashSet::new();
    Json::Object(Map::from_iter([("all".to_owned(), nested_group("all", listing, &mut told))]))
}

/// `told` holds the groups and hosts, told apart by their kind, of which all has been said.
fn nested_group<'l>(name: &str, listing: &'l Json, told: &mut HashSet<(&'static str, &'l str)>) -> Json {
    let empty = || Json::Object(Map::new());
    let mut group = Map::new();
    for kind in ["children", "hosts"] {
        let members = listing.get(name).and_then(|group| group.get(kind)).and_then(Json::as_array);
        let mut shown = Map::new();
        // As the emitter sorts them, so that the first one says it all.
        let members: BTreeSet<&str> = members.into_iter().flatten().filter_map(Json::as_str).collect();
        for member in members {
            let about = match (told.insert((kind, member)), kind) {
                (false, _) => empty(),
                (true, "children") => nested_group(member, listing, told),
                (true, _) => listing["_meta"]["hostvars"].get(member).cloned().unwrap_or_else(empty),
            };
            shown.insert(member.to_owned(), about);
        }
        if !shown.is_empty() {
            group.insert(kind.to_owned(), Json::Object(shown));
        }
    }
    Json::Object(group)
}

fn yaml(json: &Json) -> Result<String, InventoryCommandError> {
    let value = rplay::vars::from_wire(json.clone().into());
    emit::to_yaml(&value, &emit::Options { vaults: true, ..emit::Options::nice() })
        .map_err(|error| InventoryCommandError::Yaml(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::args::{Cli, Command};

    fn inventory(words: &[&str]) -> Result<String, String> {
        let words = ["rplay", "inventory"].iter().chain(words);
        let Some(Command::Inventory(args)) = Cli::read(words).unwrap().command else { panic!("not inventory") };
        let around = rplay::config::Surroundings { env: &|_| None, folder: Path::new("/") };
        shown(&args, &Config::read(&around).unwrap().0, &mut 0)
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
    /// What reads as something else in YAML 1.1 must come back as the text that it was.
    #[test]
    fn the_yaml_is_an_inventory_that_says_the_same() {
        let words = [
            "yes",
            "off",
            "y",
            "0644",
            "1:20",
            "0x1f",
            "1_000",
            "~",
            "null",
            "2001-01-01",
            ".5",
            "=",
            "<<",
            "a: b",
            "#",
            "{{ x }}",
            "",
        ];
        let words: Vec<Json> = words.into_iter().map(Json::from).collect();
        let file = |suffix: &str, text: &str| {
            let file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
            std::fs::write(file.path(), text).unwrap();
            file
        };
        let given = serde_json::json!({"all": {
            "hosts": {"lone": {}},
            "children": {
                "web": {"hosts": {"w1": {"words": words, "yes": true, "number": 5, "part": 0.5, "none": null}, "w2": {}}},
                "zone": {"children": {"db": {"hosts": {"d1": {"text": "one\ntwo\n"}, "w1": {}}}, "web": {}}},
            },
        }});
        let given = file(".json", &given.to_string());
        let list = |file: &tempfile::NamedTempFile, more: &[&str]| {
            let path = file.path().to_str().unwrap();
            inventory(&[&["-i", path, "--list"], more].concat()).unwrap()
        };
        let text = list(&given, &["--yaml"]);
        assert!(text.starts_with("all:\n    children:\n"), "{text}");
        // Other readers of YAML see the same, too.
        let listing: Json = serde_json::from_str(&list(&given, &[])).unwrap();
        assert_eq!(serde_yaml::from_str::<Json>(&text).unwrap(), nested(&listing), "{text}");
        assert_eq!(list(&file(".yml", &text), &[]), list(&given, &[]), "{text}");
    }

    /// An encrypted value stays one, nested or not, and can be read again.
    #[test]
    fn encrypted_values_are_shown_as_such() {
        let file = |text: &str| {
            let file = tempfile::Builder::new().suffix(".yml").tempfile().unwrap();
            std::fs::write(file.path(), text).unwrap();
            file
        };
        let vault = "!vault |\n          $ANSIBLE_VAULT;1.1;AES256\n          6162\n          6364\n";
        let deeper = vault.replace("          ", "            ");
        let given = format!(
            "all:\n  hosts:\n    h:\n      pw: {vault}      conf: [{{a: 1}}]\n      deep:\n        - pw: {deeper}"
        );
        let given = file(&given);
        let host = |file: &tempfile::NamedTempFile, more: &[&str]| {
            inventory(&[&["-i", file.path().to_str().unwrap(), "--host", "h"], more].concat()).unwrap()
        };
        let text = host(&given, &["--yaml"]);
        assert_eq!(text.matches("!vault |\n").count(), 2, "{text}");
        let again = text.lines().map(|line| format!("      {line}\n")).collect::<String>();
        let again = file(&format!("all:\n  hosts:\n    h:\n{again}"));
        assert_eq!(host(&again, &[]), host(&given, &[]), "{text}");
        assert!(host(&given, &[]).contains("\"__ansible_vault\": \"$ANSIBLE_VAULT;1.1;AES256\\n6162\\n6364\\n\""));
    }
}
