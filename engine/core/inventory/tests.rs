//! Whole inventories, compared with what ansible-inventory 2.19 says of them.
//!
//! Each folder of `tests/fixtures/inventory` holds sources, the arguments (`args`), and the answers to
//! `--list` and `--graph --vars`.

use std::{path::Path, sync::Arc, time::Instant};

use super::Inventory;
use crate::{source::Problems, vault::Vault};

/// Every case, for one of its answers.
fn cases(answer: &str, check: impl Fn(&str, &Inventory, Option<&Path>, &str)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/inventory");
    let mut seen = 0;
    for case in std::fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let args = std::fs::read_to_string(case.join("args")).unwrap();
        let words: Vec<&str> = args.split_whitespace().collect();
        let value =
            |pair: &&[&str]| (case.join(pair[1]).exists() || !pair[1].contains(',')).then(|| case.join(pair[1]));
        let mut sources = Vec::new();
        let mut playbook_dir = None;
        for pair in words.chunks(2) {
            let path = value(&pair);
            match pair[0] {
                "-i" => sources.push(path.map_or(pair[1].to_owned(), |path| path.display().to_string())),
                _ => playbook_dir = path,
            }
        }
        let inventory =
            Inventory::load(&sources, Arc::default()).unwrap_or_else(|problems| panic!("{case:?}: {problems:?}"));
        let expected = std::fs::read_to_string(case.join(answer)).unwrap();
        check(&case.display().to_string(), &inventory, playbook_dir.as_deref(), &expected);
        seen += 1;
    }
    assert!(seen > 5);
}

fn pretty(json: &serde_json::Value) -> String {
    serde_json::to_string_pretty(json).unwrap()
}

#[test]
fn listings_are_those_of_ansible() {
    cases("list.json", |case, inventory, playbook_dir, expected| {
        let mut expected: serde_json::Value = serde_json::from_str(expected).unwrap();
        expected["_meta"].as_object_mut().unwrap().remove("profile");
        let listing = inventory.list(playbook_dir, &Default::default()).unwrap();
        let (shown, expected) = (pretty(&listing), pretty(&expected));
        for (ours, theirs) in shown.lines().zip(expected.lines()) {
            assert_eq!(ours, theirs, "{case}");
        }
        assert_eq!(shown.len(), expected.len(), "{case}");
    });
}

#[test]
fn graphs_are_those_of_ansible() {
    cases("graph.txt", |case, inventory, playbook_dir, expected| {
        let tree = inventory.tree("all", Some(playbook_dir)).unwrap().unwrap();
        assert_eq!(tree.trim_end(), expected.trim_end(), "{case}");
    });
}

fn problems(sources: &[String]) -> Problems {
    Inventory::load(sources, Arc::new(Vault::default())).unwrap_err()
}

#[test]
fn sources_that_cannot_be_read_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    for (name, text, message) in [
        ("list.yml", "- hosts: all\n", "must be a mapping of groups"),
        ("hosts.yml", "all:\n  hosts:\n    - a\n", "`hosts` must be a mapping"),
        ("loop.yml", "a: {children: {b: {children: {a: }}}}\n", "already below it"),
        ("plugin.yml", "plugin: amazon.aws.aws_ec2\n", "plugin `amazon.aws.aws_ec2` is not supported"),
        ("vars.yml", "all: {hosts: {h: [1]}}\n", "variables of host `h` must be a mapping"),
        ("plain", "[a]\nb c\n", "expected key=value"),
        ("noext", "all:\n  hosts: [a]\n", "`hosts` must be a mapping"),
        ("prog", "#!/bin/sh\necho {}\n", "not executable"),
        ("x.toml", "[web]\n", "TOML"),
    ] {
        let found = problems(&[write(name, text)]);
        assert!(found.0[0].to_string().contains(message), "{name}: {}", found.0[0]);
    }
    assert!(problems(&["/no/such".to_owned()]).0[0].to_string().contains("does not exist"));
    assert!(problems(&["a,-oProxyCommand=x".to_owned()]).0[0].to_string().contains("dash"));
}

#[test]
fn broken_variables_are_found_when_a_host_needs_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("host_vars")).unwrap();
    std::fs::write(folder.path().join("host_vars/a.yml"), "- 1\n").unwrap();
    std::fs::write(folder.path().join("hosts"), "a\nb\n").unwrap();
    let inventory = Inventory::load(&[folder.path().join("hosts").display().to_string()], Arc::default()).unwrap();
    assert!(inventory.layers("b", None).unwrap().is_empty());
    assert!(inventory.layers("a", None).unwrap_err().0[0].to_string().contains("must be a mapping"));
}

#[test]
fn localhost_is_always_there_but_in_no_group() {
    let mut inventory = Inventory::load(&["a,".to_owned()], Arc::default()).unwrap();
    assert!(inventory.host("localhost").unwrap().implicit);
    assert_eq!(inventory.layers("localhost", None).unwrap()[0].len(), 1);
    assert!(inventory.group_names("localhost").is_empty());
    inventory.add_host("127.0.0.1", &[], Default::default());
    assert_eq!(&*inventory.host("localhost").unwrap().name, "127.0.0.1");
}

#[test]
fn hosts_and_groups_can_be_added_during_a_play() {
    let mut inventory = Inventory::load(&["a,b".to_owned()], Arc::default()).unwrap();
    inventory.layers("a", None).unwrap();
    let vars = || [("x".into(), crate::vars::Value::from(1).into())].into_iter().collect();
    assert!(inventory.add_host("c", &["new", "web"], vars()));
    assert!(!inventory.add_host("c", &["new", "web"], vars()));
    assert!(inventory.add_group("os_debian", &["linux"], &["a", "c"]).unwrap());
    assert!(!inventory.add_group("os_debian", &["linux"], &["a", "c"]).unwrap());
    assert!(inventory.add_group("linux", &["os_debian"], &[]).is_err());
    let names = |names: Vec<Arc<str>>| names.join(" ");
    assert_eq!(names(inventory.hosts_of("linux")), "a c");
    assert_eq!(names(inventory.group_names("c")), "linux new os_debian web");
    assert_eq!(names(inventory.hosts_of("ungrouped")), "b");
    assert_eq!(names(inventory.hosts_of("all")), "b c a");
    assert_eq!(inventory.layers("c", None).unwrap().len(), 1);
}

#[test]
fn ten_thousand_hosts_take_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let groups: String =
        (0..100).map(|g| format!("[g{g}]\nh[{}:{}]\n[g{g}:vars]\nv={g}\n", g * 100, g * 100 + 99)).collect();
    std::fs::write(folder.path().join("hosts"), groups).unwrap();
    std::fs::create_dir(folder.path().join("group_vars")).unwrap();
    std::fs::write(folder.path().join("group_vars/all.yml"), "x: 1\n").unwrap();
    let start = Instant::now();
    let inventory = Inventory::load(&[folder.path().join("hosts").display().to_string()], Arc::default()).unwrap();
    let layers: Vec<_> = inventory.hosts().map(|host| inventory.layers(&host.name, None).unwrap()).collect();
    assert_eq!(layers.len(), 10_000);
    // Hosts of one group share its layers.
    assert!(Arc::ptr_eq(&layers[0][0], &layers[1][0]));
    // Generous: a debug build on a busy machine. Anything quadratic takes minutes.
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn files_that_are_passed_over_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let vars = folder.path().join("group_vars");
    std::fs::create_dir_all(vars.join("web")).unwrap();
    for name in ["web/a.yml", "web.yml", "all.yml", "db.json", "db.yaml"] {
        std::fs::write(vars.join(name), "{}").unwrap();
    }
    std::fs::write(folder.path().join("hosts"), "a\n").unwrap();
    let inventory = Inventory::load(&[folder.path().join("hosts").display().to_string()], Arc::default()).unwrap();
    inventory.layers("a", None).unwrap();
    let mut warnings = inventory.take_warnings();
    warnings.sort();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("db.json is not read") && warnings[1].contains("web.yml is not read"));
    assert!(inventory.take_warnings().is_empty());
}
