//! Settings from files and the environment.

use std::os::unix::fs::PermissionsExt;

use super::{settings::FOLLOWED, *};
use crate::vault::{PasswordFrom, PasswordSource};

fn read(directory: &Path, env: &[(&str, &str)]) -> Result<(Config, Problems), Problems> {
    let home = ("HOME", "/home/me");
    let env = |name: &str| env.iter().chain([&home]).find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
    Config::read(&ConfigInputs { env: &env, directory })
}

fn directory(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ansible.cfg"), text).unwrap();
    directory
}

const FILE: &str = "\
# comment
[defaults]
inventory = hosts, more
remote_user= \"admin\"
Forks : 20   ; many
host_key_checking=False
roles_path = roles:~/roles:/srv/{{CWD}}
private_key_file = keys/id
vault_identity_list = dev@secrets/dev, ops@prompt
nocows = 1
gathering=smart
[privilege_escalation]
become = yes
[ssh_connection]
ssh_common_args = -o ProxyJump=gate
    -o Compression=yes
pipelining = True
[callback_profile]
anything = goes
";

#[test]
fn a_file_is_read_with_its_values_relative_to_it() {
    let directory = directory(FILE);
    let here = |path: &str| directory.path().join(path);
    let (config, warnings) = read(directory.path(), &[]).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(config.inventory.0, [here("hosts"), here("more")].map(|path| path.display().to_string()));
    assert_eq!(config.remote_user.as_deref(), Some("admin"));
    assert_eq!((config.forks.value, config.host_key_checking.value, config.become_.value), (Some(20), false, true));
    let cwd = format!("/srv/{}", directory.path().display());
    assert_eq!(config.roles_path.0, [here("roles"), "/home/me/roles".into(), cwd.into()]);
    assert_eq!(config.private_key_file.as_deref(), Some(&*here("keys/id")));
    let dev = PasswordSource { id: "dev".to_owned(), from: PasswordFrom::File(here("secrets/dev")) };
    assert_eq!(config.vault_identity_list.0, [dev, PasswordSource::parse("ops@prompt")]);
    assert_eq!(config.gathering.value, Gathering::Smart);
    assert_eq!(config.ssh_common_args.as_deref(), Some("-o ProxyJump=gate\n-o Compression=yes"));
    assert_eq!(config.timeout.value, 10);
    let changed = config.changed();
    let (_, value, origin) = changed.iter().find(|(name, ..)| *name == "forks").unwrap();
    assert_eq!(value, "Some(20)");
    assert!(origin.to_string().ends_with("ansible.cfg:5"), "{origin}");
    assert!(!changed.iter().any(|(name, ..)| *name == "timeout"));
}

#[test]
fn the_environment_overrides_the_file() {
    let directory = directory(FILE);
    let env = [("ANSIBLE_FORKS", "3"), ("NO_COLOR", "1"), ("ANSIBLE_INVENTORY", "a,b,"), ("ANSIBLE_BECOME", "0")];
    let (config, _) = read(directory.path(), &env).unwrap();
    assert_eq!((config.forks.value, config.nocolor.value, config.become_.value), (Some(3), true, false));
    assert_eq!(config.inventory_sources(&[]), ["a,b,"]);
    assert_eq!(config.inventory_sources(&["x".to_owned()]), ["x"]);
    assert!(matches!(config.forks.origin, Origin::Environment("ANSIBLE_FORKS")));
}

#[test]
fn which_file_is_read() {
    let named = directory("[defaults]\nforks=7\n");
    let here = directory("[defaults]\nforks=8\n");
    let path = named.path().display().to_string();
    assert_eq!(read(here.path(), &[("ANSIBLE_CONFIG", &path)]).unwrap().0.forks.value, Some(7));
    assert_eq!(read(here.path(), &[]).unwrap().0.forks.value, Some(8));
    std::fs::set_permissions(here.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let (config, warnings) = read(here.path(), &[]).unwrap();
    assert_eq!(config.forks.value, None);
    assert!(matches!(warnings.0.len(), 1) && warnings.0[0].to_string().contains("world-writable"));
}

#[test]
fn mistakes_are_reported_at_their_place() {
    for (text, message) in [
        ("[defaults]\nforks=many\n", "must be a whole number"),
        ("[defaults]\nhost_key_checking=perhaps\n", "not a valid boolean"),
        ("[defaults]\ngathering=never\n", "must be one of implicit, explicit, smart"),
        ("[defaults]\nhash_behaviour=mix\n", "must be one of replace, merge"),
        ("forks=1\n", "before any [section]"),
        ("[defaults\n", "not a section"),
        ("[defaults]\nforks\n", "expected key = value"),
    ] {
        let directory = directory(text);
        let problems = read(directory.path(), &[]).unwrap_err();
        assert!(problems.0[0].to_string().contains(message), "{text}: {}", problems.0[0]);
        assert!(problems.0[0].labels().is_some(), "{text}");
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(read(empty.path(), &[("ANSIBLE_FORKS", "x")]).is_err());
}

#[test]
fn unknown_keys_cause_warnings_with_a_suggestion() {
    // A plugin may read any other section.
    let directory = directory("[defaults]\nrole_path=x\nbecome_method=su\nmine=1\n[mine]\nother=1\n");
    let (_, warnings) = read(directory.path(), &[]).unwrap();
    let help: Vec<String> =
        warnings.0.iter().map(|w| w.help().map(|help| help.to_string()).unwrap_or_default()).collect();
    assert_eq!(
        help,
        ["did you mean `roles_path`?", "`become_method` belongs to the section [privilege_escalation]", ""]
    );
}

/// Settings of Ansible that rplay does not support are never ignored silently.
#[test]
fn ignored_settings_cause_warnings() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[defaults]\nfacts_modules = x\nretry_files_enabled = no\nnocows = 1\n";
    std::fs::write(directory.path().join("ansible.cfg"), text).unwrap();
    let env = |name: &str| (name == "ANSIBLE_PLAYBOOK_VARS_ROOT").then(|| "all".to_owned());
    let (_, warnings) = Config::read(&ConfigInputs { env: &env, directory: directory.path() }).unwrap();
    let told: Vec<String> = warnings.0.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|warning| warning.contains("`facts_modules`") && warning.contains("ansible.cfg")));
    assert!(told.iter().any(|warning| warning.contains("ANSIBLE_PLAYBOOK_VARS_ROOT")), "{told:?}");
}

#[test]
fn deprecated_settings_are_told_unless_disabled() {
    let text = "[defaults]\njinja2_native = true\n[jinja2]\ndont_type_filters = x\n";
    let here = directory(text);
    let told = |env: &[(&str, &str)]| -> Vec<String> {
        read(here.path(), env).unwrap().1.0.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        told(&[("ANSIBLE_NULL_REPRESENTATION", "")])
            .iter()
            .map(|text| text.split(' ').next().unwrap())
            .collect::<Vec<_>>(),
        ["DEFAULT_JINJA2_NATIVE", "DEFAULT_NULL_REPRESENTATION", "STRING_TYPE_FILTERS"]
    );
    assert_eq!(
        told(&[])[0],
        "DEFAULT_JINJA2_NATIVE option. Reason: This option is no longer used in the Ansible Core code base.\nAlternatives: \
         Jinja2 native mode is now the default and only option. This feature will be removed from ansible-core version 2.23."
    );
    assert!(told(&[("ANSIBLE_DEPRECATION_WARNINGS", "0")]).is_empty());
}

/// `rplay config list` shows rplay's own settings, too.
#[test]
fn every_setting_of_rplay_itself_is_listed() {
    let none = |_: &str| None;
    let directory = tempfile::tempdir().unwrap();
    let listed = Overview::defaults(&ConfigInputs { env: &none, directory: directory.path() }).own;
    let (config, _) = Config::read(&ConfigInputs { env: &none, directory: directory.path() }).unwrap();
    for (_, keys, variables) in FOLLOWED.iter().filter(|(_, keys, _)| keys.iter().any(|key| key.starts_with("rplay.")))
    {
        let setting = listed.iter().find(|setting| setting.keys == *keys);
        assert!(setting.is_some_and(|setting| setting.variables == *variables), "{keys:?}");
    }
    let default = |name: &str| listed.iter().find(|setting| setting.name == name).map(|setting| setting.default);
    assert_eq!(default("RPLAY_LINK_TIMEOUT"), Some(config.link_timeout.to_string().as_str()));
    assert_eq!(default("RPLAY_MAX_FILE_SIZE"), Some(config.max_file_size.to_string().as_str()));
    assert_eq!(default("RPLAY_PROGRAM_TIMEOUT"), Some(config.program_timeout.to_string().as_str()));
    assert_eq!(default("RPLAY_RECURSION_LIMIT"), Some(config.recursion_limit.to_string().as_str()));
    assert_eq!(default("RPLAY_STALL_TIMEOUT"), Some(config.stall_timeout.to_string().as_str()));
}
