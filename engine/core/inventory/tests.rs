//! Whole inventories, compared with the output of ansible-inventory 2.19.
//!
//! Each directory of `tests/fixtures/inventory` holds sources, the arguments (`args`), and the outputs of `--list` and
//! `--graph --vars`.

use std::{path::Path, sync::Arc, time::Instant};

use super::{GroupNames, Inventory, Listing, SourceRules, TreeVars};
use crate::{source::Problems, vault::Vault};

/// Runs `check` on every case that has this output.
fn cases(answer: &str, check: impl Fn(&str, &Inventory, Option<&Path>, &str)) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/inventory");
    let mut seen = 0;
    for case in std::fs::read_dir(directory).unwrap() {
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
        let inventory = Inventory::load(&sources, Arc::default(), &SourceRules::default())
            .unwrap_or_else(|problems| panic!("{case:?}: {problems:?}"));
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
        let mut listing = inventory.list(Listing { playbook_dir, ..Listing::default() }, &Default::default()).unwrap();
        // The recorded output does not have it.
        let profile = listing["_meta"].as_object_mut().and_then(|meta| meta.remove("profile"));
        assert_eq!(profile.as_ref().and_then(|profile| profile.as_str()), Some("inventory_legacy"));
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
        let tree =
            inventory.tree("all", Some(TreeVars { hosts: playbook_dir, groups: playbook_dir })).unwrap().unwrap();
        assert_eq!(tree.trim_end(), expected.trim_end(), "{case}");
    });
}

fn problems(sources: &[String]) -> Problems {
    Inventory::load(
        sources,
        Arc::new(Vault::default()),
        &SourceRules { any_unparsed_fails: true, ..SourceRules::default() },
    )
    .unwrap_err()
}

#[test]
fn sources_that_cannot_be_read_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    for (name, text, message) in [
        ("list.yml", "- hosts: all\n", "invalid structure"),
        ("hosts.yml", "all:\n  hosts:\n    - a\n", "Invalid \"hosts\" entry for \"all\" group"),
        ("loop.yml", "a: {children: {b: {children: {a: }}}}\n", "already below it"),
        ("plugin.yml", "plugin: amazon.aws.aws_ec2\n", "plugin `amazon.aws.aws_ec2` is not supported"),
        ("vars.yml", "all: {hosts: {h: [1]}}\n", "expected dictionary for the variables of host 'h'"),
        ("plain", "[a]\nb c\n", "Expected key=value"),
        ("noext", "all:\n  hosts: [a]\n", "Invalid \"hosts\" entry for \"all\" group"),
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
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("host_vars")).unwrap();
    std::fs::write(directory.path().join("host_vars/a.yml"), "- 1\n").unwrap();
    std::fs::write(directory.path().join("hosts"), "a\nb\n").unwrap();
    let inventory = Inventory::load(
        &[directory.path().join("hosts").display().to_string()],
        Arc::default(),
        &SourceRules::default(),
    )
    .unwrap();
    assert!(inventory.layers("b", None).unwrap().is_empty());
    assert!(inventory.layers("a", None).unwrap_err().0[0].to_string().contains("must be a mapping"));
}

#[test]
fn localhost_is_always_there_but_in_no_group() {
    let mut inventory = Inventory::load(&["a,".to_owned()], Arc::default(), &SourceRules::default()).unwrap();
    assert!(inventory.host("localhost").unwrap().implicit);
    // Its connection and its Python.
    assert_eq!(inventory.layers("localhost", None).unwrap()[0].len(), 2);
    assert!(inventory.group_names("localhost").is_empty());
    inventory.add_host("127.0.0.1", &[], Default::default());
    assert_eq!(&*inventory.host("localhost").unwrap().name, "127.0.0.1");
}

#[test]
fn hosts_and_groups_can_be_added_during_a_play() {
    let mut inventory = Inventory::load(&["a,b".to_owned()], Arc::default(), &SourceRules::default()).unwrap();
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
fn ten_thousand_hosts_are_read_quickly() {
    let directory = tempfile::tempdir().unwrap();
    let groups: String =
        (0..100).map(|g| format!("[g{g}]\nh[{}:{}]\n[g{g}:vars]\nv={g}\n", g * 100, g * 100 + 99)).collect();
    std::fs::write(directory.path().join("hosts"), groups).unwrap();
    std::fs::create_dir(directory.path().join("group_vars")).unwrap();
    std::fs::write(directory.path().join("group_vars/all.yml"), "x: 1\n").unwrap();
    let start = Instant::now();
    let inventory = Inventory::load(
        &[directory.path().join("hosts").display().to_string()],
        Arc::default(),
        &SourceRules::default(),
    )
    .unwrap();
    let layers: Vec<_> = inventory.hosts().map(|host| inventory.layers(&host.name, None).unwrap()).collect();
    assert_eq!(layers.len(), 10_000);
    // Hosts of one group share its layers.
    assert!(Arc::ptr_eq(&layers[0][0], &layers[1][0]));
    // Generous, for a debug build on a busy machine. Anything quadratic takes minutes.
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn skipped_files_cause_warnings() {
    let directory = tempfile::tempdir().unwrap();
    let vars = directory.path().join("group_vars");
    std::fs::create_dir_all(vars.join("web")).unwrap();
    for name in ["web/a.yml", "web.yml", "all.yml", "db.json", "db.yaml"] {
        std::fs::write(vars.join(name), "{}").unwrap();
    }
    std::fs::write(directory.path().join("hosts"), "a\n").unwrap();
    let inventory = Inventory::load(
        &[directory.path().join("hosts").display().to_string()],
        Arc::default(),
        &SourceRules::default(),
    )
    .unwrap();
    inventory.layers("a", None).unwrap();
    let mut warnings = inventory.take_warnings();
    warnings.sort();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("db.json is ignored") && warnings[1].contains("web.yml is ignored"));
    assert!(inventory.take_warnings().is_empty());
}

/// Each file warns once, in the order of reading, however many hosts have its variables.
#[test]
fn reserved_names_in_variable_files_cause_one_warning() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("hosts", "[web]\na\nb\n"),
        ("host_vars/a.yml", "tags: 1\nspeed: 2"),
        ("group_vars/web.yml", "lookup: 1\nwhen: 2"),
        ("group_vars/all.yml", "serial: 1"),
    ] {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let hosts = directory.path().join("hosts").display().to_string();
    let mut inventory = Inventory::load(&[hosts], Arc::default(), &SourceRules::default()).unwrap();
    inventory.layers("a", None).unwrap();
    let names: Vec<String> =
        inventory.take_reserved().iter().map(|text| text.split('\'').nth(1).unwrap().into()).collect();
    assert_eq!(names, ["tags", "lookup", "when", "serial"]);
    inventory.add_host("c", &["web"], Default::default());
    for host in ["a", "b", "c"] {
        inventory.layers(host, None).unwrap();
    }
    assert!(inventory.take_reserved().is_empty());
}

#[test]
fn hosts_before_the_error_of_a_source_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = write("good", "good\n");
    let rules = SourceRules::default();
    let load = |sources: &[String], rules: &SourceRules| Inventory::load(sources, Arc::default(), rules);
    for (name, text, line) in [
        ("section", "[web\nh\n", 1),
        ("kind", "before\n[web:foo]\nh\n", 2),
        ("vars", "before\n[web:vars]\na=1\n", 2),
        ("children", "before\n[web:children]\nnope\n", 3),
        ("quote", "before\nh a=\"b\n", 2),
        ("equals", "before\nh = a\n", 2),
        ("bracket", "before\nh[1\n", 2),
        ("list.yml", "- a\n", 1),
        ("hosts.yml", "all:\n  hosts: {before: }\n  children: {g: {hosts: [a]}}\n", 3),
        ("number.yml", "all:\n  hosts: {before: , 1: }\n", 2),
        ("open.json", "{\"all\": \n", 2),
    ] {
        let bad = write(name, text);
        let inventory = load(&[bad.clone(), good.clone()], &rules).unwrap();
        let hosts: Vec<_> = inventory.hosts().map(|host| host.name.to_string()).collect();
        // Same as in ansible-core 2.19.
        let before = text.contains("before");
        assert_eq!(hosts, if before { &["before", "good"][..] } else { &["good"] }, "{name}");
        let warnings = inventory.warnings.join("\n");
        assert!(warnings.contains(&format!("Unable to parse {bad} as an inventory source")), "{warnings}");
        assert!(warnings.contains(&format!("{name}:{line})")), "{warnings}");

        let alone = load(std::slice::from_ref(&bad), &rules).unwrap();
        assert_eq!(alone.hosts().len(), usize::from(before), "{name}");
        assert!(alone.warnings.join("\n").contains("No inventory was parsed"), "{name}");
        let silent = SourceRules { warns_of_none: false, ..rules.clone() };
        assert!(
            !load(std::slice::from_ref(&bad), &silent).unwrap().warnings.join("\n").contains("No inventory was parsed")
        );
        let none = SourceRules { none_parsed_fails: true, ..rules.clone() };
        assert!(load(std::slice::from_ref(&bad), &none).is_err());
        assert!(load(&[bad.clone(), good.clone()], &none).is_ok());
        let any = SourceRules { any_unparsed_fails: true, ..rules.clone() };
        let problems = load(&[bad, good.clone()], &any).unwrap_err();
        assert!(problems.0.iter().any(|problem| problem.to_string().contains("Completely failed")), "{name}");
    }
}

/// As in ansible-core 2.19, another format is tried, and a missing source is only a warning.
#[test]
fn sources_in_another_format_and_missing_ones() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let load = |sources: &[String]| Inventory::load(sources, Arc::default(), &SourceRules::default()).unwrap();
    let plain = load(&[write("ini.yml", "[web]\nh1\nh2\n")]);
    assert_eq!(plain.hosts_of("web").len(), 2);
    assert!(plain.warnings.is_empty(), "{:?}", plain.warnings);
    let missing = directory.path().join("nosuch").display().to_string();
    let inventory = load(&[missing.clone(), write("good", "good\n")]);
    assert_eq!(inventory.hosts().len(), 1);
    assert!(inventory.warnings.contains(&format!("Unable to parse {missing} as an inventory source")));
    // Groups are attached to `all` only after a source was read completely.
    let loose = load(&[write("loose", "[web]\nh1\n[db:childrn]\n")]);
    assert_eq!((loose.hosts_of("web").len(), loose.hosts_of("all").len()), (1, 0));
    // A source that cannot be decrypted is like one that cannot be read.
    let vaulted = load(&[write("vaulted", "$ANSIBLE_VAULT;1.1;AES256\n6162\n"), write("good", "good\n")]);
    assert_eq!(vaulted.hosts().len(), 1);
}

#[test]
fn an_empty_directory_is_no_source_wherever_it_is() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("hosts"), "a\n").unwrap();
    std::fs::create_dir(directory.path().join("empty")).unwrap();
    let sources = [directory.path().display().to_string()];
    let inventory = Inventory::load(&sources, Arc::default(), &SourceRules::default()).unwrap();
    assert!(inventory.warnings.iter().any(|text| text.ends_with("empty as an inventory source")));
    assert_eq!(inventory.hosts().len(), 1);
    assert!(problems(&sources).0.iter().any(|problem| problem.to_string().contains("Completely failed")));
}

#[test]
fn directories_skip_files_that_the_rules_ignore() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a", "b.old", "c.cfg", "draft-d"] {
        std::fs::write(directory.path().join(name), format!("{name}\n")).unwrap();
    }
    let hosts = |rules: &SourceRules| {
        let inventory = Inventory::load(&[directory.path().display().to_string()], Arc::default(), rules).unwrap();
        inventory.hosts().map(|host| host.name.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(hosts(&SourceRules::default()), "a b.old draft-d");
    let rules = SourceRules {
        ignored_extensions: vec![".old".to_owned()],
        ignored_patterns: vec![
            rplay_contract::system::pattern::Pattern::compile("^draft", Default::default()).unwrap(),
        ],
        ..SourceRules::default()
    };
    assert_eq!(hosts(&rules), "a c.cfg");
}

#[test]
fn built_in_plugins_read_only_where_they_are_enabled() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let sources = [write("a.yml", "all: {hosts: {a: }}"), write("b.ini", "b\n"), "c,".to_owned()];
    let hosts = |enabled: &[&str]| {
        let enabled = Some(enabled.iter().map(|name| (*name).to_owned()).collect());
        let rules = SourceRules { enabled, ..SourceRules::default() };
        let inventory = Inventory::load(&sources, Arc::default(), &rules).unwrap();
        inventory.hosts().map(|host| host.name.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(hosts(&["ini"]), "b");
    assert_eq!(hosts(&["ansible.builtin.yaml", "host_list"]), "a c");
    assert_eq!(hosts(&["host_list", "auto", "yaml", "ini"]), "a b c");
    // Other plugins cannot run here, so the built-in ones stand in.
    assert_eq!(hosts(&["acme.tools.cloud"]), "a b c");
}

#[test]
fn group_names_become_valid_variable_names() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hosts");
    std::fs::write(&path, "[g-x]\nh\n[x.y:children]\ng-x\n[9a:vars]\nv=1\n[9a]\nk\n").unwrap();
    let load = |group_names| {
        let rules = SourceRules { group_names, ..SourceRules::default() };
        Inventory::load(&[path.display().to_string()], Arc::default(), &rules).unwrap()
    };
    for (names, groups, warns) in [
        (GroupNames::Never, ["g-x", "x.y", "9a"], true),
        (GroupNames::Ignore, ["g-x", "x.y", "9a"], false),
        (GroupNames::Always, ["g_x", "x_y", "_a"], true),
        (GroupNames::Silently, ["g_x", "x_y", "_a"], false),
    ] {
        let mut inventory = load(names);
        assert!(groups.iter().all(|name| inventory.group(name).is_some()), "{names:?}");
        assert_eq!(inventory.groups().len(), 5);
        assert_eq!(inventory.warnings.iter().any(|warning| warning.contains("Invalid characters")), warns);
        // Groups added by a play keep their names.
        inventory.add_group("late-one", &[], &["h"]).unwrap();
        assert!(inventory.group("late-one").is_some());
    }
}

/// What a source written this way is warned of, in order.
fn warnings_of(name: &str, text: &str, rules: &SourceRules) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    if text.starts_with("#!") {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let inventory = Inventory::load(&[path.display().to_string()], Arc::default(), rules).unwrap();
    let settled = |warning: &String| warning.replace(&*directory.path().display().to_string(), "DIR");
    inventory.warnings.iter().map(settled).map(|text| text.lines().next().unwrap_or_default().to_owned()).collect()
}

/// Once for each name, however many hosts have the variable.
#[test]
fn names_that_variables_of_sources_should_not_have_are_warned_of() {
    let usual = SourceRules::default();
    let invalid = |name: &str, place: &str| {
        format!(
            "Accepting inventory variable with invalid name '{name}'. This feature will be removed from ansible-core version \
             2.23. ({place})"
        )
    };
    let ini = "[web]\na b-c=1 when=2\nd b-c=1\n[web:vars]\n1x=3\nfine_1=2\nclass=1\nnone=1\n";
    assert_eq!(
        warnings_of("hosts", ini, &usual),
        [
            invalid("b-c", "DIR/hosts:2"),
            "Found variable using reserved name 'when'. (DIR/hosts:2)".to_owned(),
            invalid("1x", "DIR/hosts:5"),
            invalid("none", "DIR/hosts:8"),
        ]
    );
    let yaml = "web:\n  hosts:\n    a: {b-c: 1}\n  vars:\n    x y: 1\n";
    assert_eq!(
        warnings_of("hosts.yml", yaml, &usual),
        [invalid("b-c", "DIR/hosts.yml:3"), invalid("x y", "DIR/hosts.yml:5")]
    );
    let silent = SourceRules { tells_deprecated: false, ..SourceRules::default() };
    assert_eq!(warnings_of("hosts", ini, &silent), ["Found variable using reserved name 'when'. (DIR/hosts:2)"]);
}

#[test]
fn old_forms_of_scripts_output_and_their_errors_are_told() {
    let usual = SourceRules::default();
    let of = |script: &str| warnings_of("script", &format!("#!/bin/sh\n{script}\n"), &usual);
    let removed = " This feature will be removed from inventory plugin 'script' in ansible-core version 2.23.";
    assert_eq!(
        of(r#"echo odd >&2; echo '{"g": ["a"], "_meta": {"hostvars": {}}}'"#),
        ["[ERROR]: odd".to_owned(), format!("Group 'g' was converted to 'dict' from 'list'.{removed}")]
    );
    let without = of(r#"case $1 in --list) echo '{"g": {"hosts": ["a"]}}';; *) echo '{"b-c": 1}';; esac"#);
    assert!(
        without[0].starts_with("Inventory scripts should always provide 'meta.hostvars'.")
            && without[0].ends_with(removed),
        "{without:?}"
    );
    assert!(without[1].starts_with("Accepting inventory variable with invalid name 'b-c'."), "{without:?}");
    let wrong = of(r#"echo '{"g": {"hosts": ["a"]}, "_meta": {"hostvars": []}}'"#);
    assert!(wrong[0].contains("Value contains '_meta.hostvars' which is 'list' instead of 'dict'."), "{wrong:?}");
}

/// As in ansible-core, the other plugins read what `script` cannot run.
#[test]
fn a_program_that_fails_is_read_as_a_list_of_hosts() {
    let usual = SourceRules::default();
    assert_eq!(warnings_of("hosts", "#!/usr/bin/env no-such-program-here\n[web]\none a=1\n", &usual), [""; 0]);
    let told = warnings_of("hosts", "#!/bin/sh\nexit 3\n", &usual);
    assert!(told[0].contains("'script' plugin: Inventory script returned non-zero exit code 3."), "{told:?}");
}
