//! `rplay inventory`: shows hosts, groups and variables, like `ansible-inventory`.

use std::{collections::HashSet, path::Path, sync::Arc};

use miette::Diagnostic;
use rplay::{
    config::Config,
    inventory::{Inventory, Limit, Listing, SourceRules, TreeVars},
    python::InventoryPlugins,
    source::{Problems, nearest},
    visible::visible,
};
use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::{args::inventory::InventoryArgs, diagnostics, output, passwords, toml};

#[derive(Debug, Error, Diagnostic)]
enum InventoryCommandError {
    #[error("No action selected, at least one of --host, --graph or --list needs to be specified.")]
    NoAction,
    #[error("Conflicting options used, only one of --host, --graph or --list can be used at the same time.")]
    Conflict,
    #[error("Pattern must be valid group name when using --graph")]
    NoGroup {
        #[help]
        help: Option<String>,
    },
    #[error("You must pass a single valid host to --host parameter")]
    NoHost {
        #[help]
        help: Option<String>,
    },
    #[error("{path} cannot be written: {error}")]
    File { path: String, error: std::io::Error },
}

/// Why the command ended, and its exit code.
struct Ended(Problems, u8);

impl From<Problems> for Ended {
    fn from(problems: Problems) -> Self {
        let code = diagnostics::exit_code(&problems);
        Ended(problems, code)
    }
}

impl From<InventoryCommandError> for Ended {
    fn from(error: InventoryCommandError) -> Self {
        let code = if matches!(error, InventoryCommandError::File { .. }) { 1 } else { diagnostics::OPTIONS };
        Ended(error.into(), code)
    }
}

/// Prints the inventory in the format of `ansible-inventory`.
pub(crate) fn command(args: &InventoryArgs) -> Result<u8, Problems> {
    let (config, warnings) = Config::load()?;
    diagnostics::look_like(*config.diagnostics);
    diagnostics::show(&warnings);
    let (text, warnings) = match shown(args, &config) {
        Ok(shown) => shown,
        Err(Ended(problems, code)) => return Ok(diagnostics::end(&problems, code)),
    };
    for warning in warnings {
        diagnostics::warn(&warning);
    }
    match &args.output {
        Some(path) => {
            let failed = |error| InventoryCommandError::File { path: path.display().to_string(), error };
            std::fs::write(path, text.trim_end()).map_err(failed)?;
        }
        None => output::show(format!("{}\n", visible(text.trim_end())).as_bytes())?,
    }
    Ok(0)
}

/// The text to print, and warnings.
fn shown(args: &InventoryArgs, config: &Config) -> Result<(String, Vec<String>), Ended> {
    match usize::from(args.list) + usize::from(args.graph) + usize::from(args.host.is_some()) {
        0 => return Err(InventoryCommandError::NoAction.into()),
        1 => {}
        _ => return Err(InventoryCommandError::Conflict.into()),
    }
    let vault = passwords::vault(&args.sources.passwords, config, diagnostics::secrets())?;
    let sources = config.inventory_sources(&args.sources.inventory);
    let directory = args.playbook_dir.as_deref().or(config.playbook_dir.as_deref());
    // Hosts have the variables that a playbook here would see; variables of groups need a named directory.
    let here = std::env::current_dir().ok();
    let of_hosts = directory.or(here.as_deref());
    let directories = directory.map(Path::to_owned).into_iter().collect();
    let plugins = InventoryPlugins::new(
        config.ansible_python.value.clone(),
        directories,
        !args.flush_cache,
        crate::project::vars_settings(config),
    )
    .with_extra(args.sources.extra_vars.clone());
    let rules = SourceRules { plugins: Some(Arc::new(plugins)), ..config.source_rules() };
    let mut inventory = Inventory::load(&sources, vault.clone(), &rules)?;
    let unreadable = |problems| Ended(problems, diagnostics::UNREADABLE);
    // Warnings that come before any output.
    let mut notes = Vec::new();
    let text = if args.graph {
        let group = args.group.as_deref().unwrap_or("all");
        let tree = inventory.tree(group, args.vars.then_some(TreeVars { hosts: of_hosts, groups: directory }));
        let help = || nearest(group, inventory.groups().map(|group| &*group.name));
        tree.ok_or_else(|| InventoryCommandError::NoGroup {
            help: help().map(|meant| format!("did you mean `{meant}`?")),
        })?
        .map_err(unreadable)?
    } else {
        // As in a play, extra variables take precedence over all others.
        let extra = rplay::vars::extra_vars(&args.sources.extra_vars, &vault)?;
        let json = match &args.host {
            Some(host) if inventory.host(host).is_none() => {
                if inventory.group(host).is_none() {
                    let message = format!("Could not match supplied host pattern, ignoring: {}", visible(host));
                    output::aside(&format!("[WARNING]: {message}\n"));
                }
                let meant = nearest(host, inventory.hosts().map(|host| &*host.name));
                return Err(InventoryCommandError::NoHost {
                    help: meant.map(|meant| format!("did you mean `{meant}`?")),
                }
                .into());
            }
            Some(host) if args.export || *config.inventory_export => inventory.own_vars(host, directory),
            Some(host) => inventory.host_vars(host, of_hosts, &extra),
            None => {
                let limit = args.limit.as_ref().map(|limit| Limit::parse(limit)).transpose().map_err(Problems::from)?;
                let allowed = limit.map(|limit| limit.matched(&inventory)).transpose().map_err(Problems::from)?;
                notes.extend(allowed.iter().flat_map(|allowed| allowed.warnings.iter().cloned()));
                let export = args.export || *config.inventory_export;
                let playbook_dir = if export { directory } else { of_hosts };
                inventory.list(Listing { playbook_dir, export, allowed: allowed.as_ref() }, &extra)
            }
        };
        let json = json.map_err(unreadable)?;
        let text = match (args.yaml, args.toml, &args.host) {
            (true, _, Some(_)) => output::yaml(&json).map_err(|problems| Ended(problems, 1))?,
            (true, _, None) => output::yaml(&nested(&json)).map_err(|problems| Ended(problems, 1))?,
            (_, true, Some(_)) => toml::text(&json),
            (_, true, None) => toml::text(&by_group(&json)),
            (_, _, Some(_)) => output::json(&plain(&json)),
            _ => output::json(&json),
        };
        std::mem::forget(json);
        text
    };
    let mut warnings = std::mem::take(&mut inventory.warnings);
    warnings.extend(inventory.take_warnings());
    warnings.extend(notes);
    // The process ends soon; freeing it would only take time.
    std::mem::forget(inventory);
    Ok((text, warnings))
}

/// Variables of a host: as in ansible-core, only a listing marks text that must never be a template.
fn plain(value: &Json) -> Json {
    match value {
        Json::Object(entries) => match toml::unsafe_text(value) {
            Some(text) => text.into(),
            None => Json::Object(entries.iter().map(|(name, value)| (name.clone(), plain(value))).collect()),
        },
        Json::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// The listing as in a TOML inventory: one table per group; a host's variables where the host first occurs.
fn by_group(listing: &Json) -> Json {
    let mut told = HashSet::new();
    let mut groups = Map::new();
    for (name, group) in listing.as_object().into_iter().flatten().filter(|(name, _)| *name != "_meta") {
        let mut shown = Map::new();
        for key in ["children", "vars"] {
            if let Some(value) = group.get(key) {
                shown.insert(key.to_owned(), value.clone());
            }
        }
        let hosts = group.get("hosts").and_then(Json::as_array);
        let about = |host: &str| listing["_meta"]["hostvars"].get(host).cloned();
        let hosts: Map<String, Json> = hosts
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .map(|host| {
                let vars = about(host).filter(|_| told.insert(host)).unwrap_or_else(|| Json::Object(Map::new()));
                (host.to_owned(), vars)
            })
            .collect();
        if !hosts.is_empty() {
            shown.insert("hosts".to_owned(), Json::Object(hosts));
        }
        groups.insert(name.clone(), Json::Object(shown));
    }
    Json::Object(groups)
}

/// The listing in the format of an inventory file: nested groups, with a host's variables where the host first occurs.
fn nested(listing: &Json) -> Json {
    let mut told = HashSet::new();
    let all = nested_group("all", listing, &mut told);
    // As in Ansible, an empty inventory is an empty mapping.
    let all = Some(("all".to_owned(), all)).filter(|(_, all)| all.as_object().is_some_and(|all| !all.is_empty()));
    Json::Object(Map::from_iter(all))
}

/// `told` has the groups and hosts that have already been written in full, with their kind.
fn nested_group<'l>(name: &str, listing: &'l Json, told: &mut HashSet<(&'static str, &'l str)>) -> Json {
    let empty = || Json::Object(Map::new());
    let mut group = Map::new();
    for kind in ["children", "hosts"] {
        let members = listing.get(name).and_then(|group| group.get(kind)).and_then(Json::as_array);
        let mut shown = Map::new();
        // In the inventory's own order, as in Ansible: the complete occurrence need not be the first one in the text,
        // which is sorted.
        for member in members.into_iter().flatten().filter_map(Json::as_str) {
            let first = told.insert((kind, member));
            let about = match (first, kind) {
                (false, _) => empty(),
                (true, "children") => nested_group(member, listing, told),
                (true, _) => listing["_meta"]["hostvars"].get(member).cloned().unwrap_or_else(empty),
            };
            // As in Ansible, empty groups are left out.
            if kind == "hosts" || about.as_object().is_some_and(|group| !group.is_empty()) || !first {
                shown.insert(member.to_owned(), about);
            }
        }
        if !shown.is_empty() {
            group.insert(kind.to_owned(), Json::Object(shown));
        }
    }
    if let Some(vars) = listing.get(name).and_then(|group| group.get("vars")) {
        group.insert("vars".to_owned(), vars.clone());
    }
    Json::Object(group)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::args::{Cli, Command};

    fn inventory(words: &[&str]) -> Result<String, String> {
        let words = ["rplay", "inventory"].iter().chain(words);
        let Some(Command::Inventory(args)) = Cli::read(words).unwrap().command else { panic!("not inventory") };
        let around = rplay::config::ConfigInputs { env: &|_| None, directory: Path::new("/") };
        shown(&args, &Config::read(&around).unwrap().0)
            .map(|(text, _)| text)
            .map_err(|Ended(problems, code)| format!("{} ({code})", problems.0[0]))
    }

    #[test]
    fn hosts_groups_and_variables_are_shown() {
        assert_eq!(inventory(&["-i", "a,b", "--graph"]).unwrap(), "@all:\n  |--@ungrouped:\n  |  |--a\n  |  |--b\n");
        assert_eq!(inventory(&["-i", "a:23,b", "--host", "a"]).unwrap(), "{\n    \"ansible_port\": 23\n}");
        assert!(inventory(&["-i", "a,b", "--list", "-e", "x=1"]).unwrap().contains("\"x\": \"1\""));
        assert_eq!(
            inventory(&["-i", "web1,", "--host", "web2"]).unwrap_err(),
            "You must pass a single valid host to --host parameter (5)"
        );
        let refused = |words: &[&str]| inventory(&[&["-i", "a,"], words].concat()).unwrap_err();
        assert_eq!(refused(&["--graph", "x"]), "Pattern must be valid group name when using --graph (5)");
        assert!(refused(&[]).starts_with("No action selected, at least one of --host, --graph or --list"));
        assert!(refused(&["--graph", "--list"]).starts_with("Conflicting options used"));
    }

    #[test]
    fn only_listings_mark_text_that_is_no_template() {
        let json = serde_json::json!({ "a": { "__ansible_unsafe": "{{ x }}" }, "b": [{ "__ansible_unsafe": "y" }, 1] });
        assert_eq!(plain(&json), serde_json::json!({ "a": "{{ x }}", "b": ["y", 1] }));
    }

    /// `--export` leaves variables where they were defined; `--limit` leaves hosts out.
    #[test]
    fn listings_are_exported_and_limited() {
        let file = tempfile::Builder::new().suffix(".ini").tempfile().unwrap();
        std::fs::write(file.path(), "[web]\nw1 a=1\nw2\n[db]\nd1\n[web:vars]\ny=2\n[all:vars]\nx=1\n").unwrap();
        let path = file.path().to_str().unwrap();
        let list = |more: &[&str]| inventory(&[&["-i", path, "--list"], more].concat()).unwrap();
        let json = |more: &[&str]| serde_json::from_str::<Json>(&list(more)).unwrap();
        let exported = json(&["--export"]);
        assert_eq!(exported["_meta"]["hostvars"], serde_json::json!({"w1": {"a": 1}}));
        assert_eq!((&exported["web"]["vars"]["y"], &exported["all"]["vars"]["x"]), (&Json::from(2), &Json::from(1)));
        assert!(list(&["--export", "-y"]).contains("w1:\n          a: 1\n"));
        let one = inventory(&["-i", path, "--host", "w1", "--export"]).unwrap();
        assert_eq!(serde_json::from_str::<Json>(&one).unwrap(), serde_json::json!({"a": 1}));
        let limited = json(&["-l", "web:!w2"]);
        assert_eq!(limited["web"]["hosts"], serde_json::json!(["w1"]));
        assert!(limited["_meta"]["hostvars"].get("d1").is_none() && limited.get("db").is_none());
        let toml = list(&["--toml"]);
        assert!(toml.contains("[web.hosts.w1]\na = 1\nx = 1\ny = 2\n"), "{toml}");
        assert!(toml.contains("[web.hosts.w2]\nx = 1\n") && toml.contains("[all]\nchildren = [\n    \"ungrouped\",\n"));
    }
    #[test]
    fn the_implicit_localhost_is_told_as_plain_text() {
        assert!(inventory(&["-i", "a,", "--host", "localhost"]).unwrap().contains("\"ansible_connection\": \"local\""));
    }

    /// A group with several parents is written in full where the inventory first has it.
    #[test]
    fn groups_are_complete_below_their_first_parent() {
        let file = tempfile::Builder::new().suffix(".ini").tempfile().unwrap();
        std::fs::write(file.path(), "[zone:children]\nshared\n[area:children]\nshared\n[shared]\nh\n").unwrap();
        let text = inventory(&["-i", file.path().to_str().unwrap(), "--list", "--yaml"]).unwrap();
        let (area, zone) = text.split_once("    zone:\n").unwrap();
        assert!(area.contains("shared: {}") && zone.contains("shared:\n          hosts:\n"), "{text}");
    }

    /// Text that YAML 1.1 would parse as another type must round-trip as text.
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
        assert!(text.starts_with("all:\n  children:\n"), "{text}");
        // Other readers of YAML see the same, too.
        let listing: Json = serde_json::from_str(&list(&given, &[])).unwrap();
        assert_eq!(serde_yaml::from_str::<Json>(&text).unwrap(), nested(&listing), "{text}");
        assert_eq!(list(&file(".yml", &text), &[]), list(&given, &[]), "{text}");
    }

    /// An encrypted value stays encrypted, nested or not, and can be read again.
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
