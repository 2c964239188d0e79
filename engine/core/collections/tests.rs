use std::fs;

use super::*;

const RUNTIME: &str = "\
requires_ansible: '>=2.9,<2.12'
plugin_routing:
  modules:
    old: {redirect: ansible.builtin.ping, deprecation: {removal_version: 9.0.0, warning_text: Use ping.}}
    dated: {redirect: my.coll.old, deprecation: {removal_date: 2030-01-01}}
    dead: {tombstone: {removal_version: 1.0.0, warning_text: Use ping.}}
    a: {redirect: my.coll.b}
    b: {redirect: my.coll.a}
action_groups:
  some: [old, ansible.builtin.debug]
  more: [{metadata: {extend_group: [my.coll.some, more]}}, other.coll.x]
";

fn installed() -> (tempfile::TempDir, Collections) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ansible_collections/my/coll");
    for inner in ["meta", "roles/one/tasks", "roles/sub/two", "playbooks/deep", "plugins/modules"] {
        fs::create_dir_all(path.join(inner)).unwrap();
    }
    fs::write(path.join("meta/runtime.yml"), RUNTIME).unwrap();
    fs::write(path.join("playbooks/site.yml"), "[]").unwrap();
    fs::write(path.join("playbooks/deep/er.yaml"), "[]").unwrap();
    fs::write(path.join("plugins/modules/own.py"), "").unwrap();
    fs::write(path.join("galaxy.yml"), "namespace: my\nname: coll\nversion: 1.10\n").unwrap();
    let collections = Collections::new(vec![directory.path().join("ansible_collections")], false);
    (directory, collections)
}

#[test]
fn roles_and_playbooks_are_found_by_their_full_names() {
    let (directory, collections) = installed();
    let base = directory.path().join("ansible_collections/my/coll");
    let role = |name: &str, search: &[&str]| {
        let search: Vec<Arc<str>> = search.iter().map(|name| Arc::from(*name)).collect();
        collections.role(name, &search).map(|(path, _)| path.strip_prefix(&base).unwrap().to_owned())
    };
    assert_eq!(role("my.coll.one", &[]), Some("roles/one".into()));
    assert_eq!(role("my.coll.sub.two", &[]), Some("roles/sub/two".into()));
    assert_eq!(role("one", &["no.such", "my.coll"]), Some("roles/one".into()));
    for (name, search) in [("one", &[][..]), ("my.coll.none", &[]), ("../one", &["my.coll"]), ("my.coll...one", &[])] {
        assert_eq!(role(name, search), None, "{name}");
    }
    let playbook =
        |name: &str| collections.playbook(name).map(|(path, _)| path.strip_prefix(&base).unwrap().to_owned());
    assert_eq!(playbook("my.coll.site"), Some("playbooks/site.yml".into()));
    assert_eq!(playbook("my.coll.site.yml"), Some("playbooks/site.yml".into()));
    assert_eq!(playbook("my.coll.deep.er"), Some("playbooks/deep/er.yaml".into()));
    assert_eq!(playbook("my.coll.none"), None);
    assert_eq!(collections.of_path(&base.join("playbooks/site.yml")).unwrap().name.as_ref(), "my.coll");
    assert_eq!(version_of(&base).as_deref(), Some("1.10"));
}

#[test]
fn redirected_names_are_followed() {
    let (_directory, collections) = installed();
    let to = |name: &str, deprecated: &[&str]| Routed::To {
        name: name.to_owned(),
        deprecated: deprecated.iter().map(|text| text.to_string()).collect(),
    };
    let old = "my.coll.old has been deprecated. Use ping. This feature will be removed from collection 'my.coll' version 9.0.0.";
    let dated = "my.coll.dated has been deprecated. This feature will be removed from collection 'my.coll' in a release after 2030-01-01.";
    assert_eq!(collections.route("my.coll.old"), to("ansible.builtin.ping", &[old]));
    assert_eq!(collections.route("my.coll.dated"), to("ansible.builtin.ping", &[dated, old]));
    assert_eq!(collections.route("my.coll.own"), to("my.coll.own", &[]));
    assert_eq!(collections.route("no.coll.own"), to("no.coll.own", &[]));
    assert_eq!(collections.route("my.coll.a"), Routed::Circle);
    let gone = "The 'my.coll.dead' module has been removed. Use ping. This feature was removed from collection 'my.coll' version 1.0.0.";
    assert_eq!(collections.route("my.coll.dead"), Routed::Removed(gone.to_owned()));
    assert!(collections.module_file("my.coll.own").is_some());
    assert!(collections.module_file("my.coll.old").is_none());
}

#[test]
fn groups_may_extend_each_other() {
    let (_directory, collections) = installed();
    assert_eq!(collections.group("my.coll.more"), ["other.coll.x", "my.coll.old", "ansible.builtin.debug"]);
    assert!(collections.group("my.coll.none").is_empty());
}

/// A collection next to a playbook may be added after its name was looked up.
#[test]
fn directories_next_to_playbooks_come_first() {
    let (directory, collections) = installed();
    assert!(collections.find("late.one").is_none());
    for name in ["late/one", "my/coll"] {
        let inner = Path::new("collections/ansible_collections").join(name);
        fs::create_dir_all(directory.path().join("play").join(inner)).unwrap();
    }
    collections.add_playbooks(&directory.path().join("play"));
    assert!(collections.find("late.one").is_some());
    assert!(collections.find("my.coll").unwrap().path.starts_with(directory.path().join("play")));
}
