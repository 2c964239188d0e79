//! Steering variables: they determine how rplay reaches a host and what it does there, and no host may set them.
//!
//! Facts become variables, and facts come from hosts. If a host could set `ansible_connection: local`, the rest of its
//! play would run on the controller; with `ansible_ssh_common_args` it could start any program there. Ansible drops
//! such names from facts and warns; so does [`from_host`], which all facts pass: those of any module, of facts.d, and
//! of interfaces with odd names. Variables set by the playbook or the inventory (`set_fact`, `include_vars`,
//! `add_host`) do not come from a host and are kept.
//!
//! The engine can read a steering variable only through a [`Steering`] of this table. So every new one is automatically
//! refused from hosts.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::{run::magic_names, template, vars::Value};

/// The fact that says that all facts of a host were gathered.
pub(crate) const GATHERED: &str = "_ansible_facts_gathered";

/// A setting made by variables, with its names; the first one that is set wins.
#[derive(Clone, Copy)]
pub(crate) struct Steering(&'static [&'static str]);

impl Steering {
    pub(super) fn names(self) -> &'static [&'static str] {
        self.0
    }
}

macro_rules! steering {
    ($($name:ident: $($variable:literal)+;)+) => {
        $(pub(crate) const $name: Steering = Steering(&[$($variable),+]);)+
        const ALL: &[Steering] = &[$($name),+];
    };
}

// The strongest name first. If several are set, Ansible uses the one that the plugin's documentation lists last.
steering! {
    CONNECTION: "ansible_connection";
    HOST: "ansible_ssh_host" "ansible_host";
    USER: "ansible_ssh_user" "ansible_user";
    PORT: "ansible_ssh_port" "ansible_port";
    KEY_FILE: "ansible_ssh_private_key_file" "ansible_private_key_file";
    KEY: "ansible_ssh_private_key" "ansible_private_key";
    KEY_PASSPHRASE: "ansible_ssh_private_key_passphrase" "ansible_private_key_passphrase";
    PASSWORD: "ansible_ssh_password" "ansible_ssh_pass" "ansible_password";
    CHECK_HOST_KEY: "ansible_ssh_host_key_checking" "ansible_host_key_checking";
    TIMEOUT: "ansible_ssh_timeout" "ansible_timeout";
    SSH_ARGS: "ansible_ssh_args";
    COMMON_ARGS: "ansible_ssh_common_args";
    EXTRA_ARGS: "ansible_ssh_extra_args";
    EXECUTABLE: "ansible_ssh_executable";
    PKCS11: "ansible_ssh_pkcs11_provider";
    RETRIES: "ansible_ssh_retries";
    BECOME: "ansible_become";
    BECOME_METHOD: "ansible_become_method";
    SUDO_USER: "ansible_sudo_user" "ansible_become_user";
    SUDO_EXE: "ansible_sudo_exe" "ansible_become_exe";
    SUDO_FLAGS: "ansible_sudo_flags" "ansible_become_flags";
    SUDO_CHDIR: "ansible_sudo_chdir";
    SUDO_PASSWORD: "ansible_sudo_pass" "ansible_become_pass" "ansible_become_password";
    SU_USER: "ansible_su_user" "ansible_become_user";
    SU_EXE: "ansible_su_exe" "ansible_become_exe";
    SU_FLAGS: "ansible_su_flags" "ansible_become_flags";
    SU_PROMPTS: "ansible_su_prompt_l10n";
    SU_PASSWORD: "ansible_su_pass" "ansible_become_pass" "ansible_become_password";
    DOAS_USER: "ansible_doas_user" "ansible_become_user";
    DOAS_EXE: "ansible_doas_exe" "ansible_become_exe";
    DOAS_FLAGS: "ansible_doas_flags" "ansible_become_flags";
    DOAS_PASSWORD: "ansible_doas_pass" "ansible_become_pass" "ansible_become_password";
    ASYNC_DIR: "ansible_async_dir";
    MAX_OUTPUT: "rplay_max_output";
    PYTHON: "ansible_python_interpreter";
    REMOTE_TMP: "ansible_remote_tmp";
}

/// Other steering variables: which module a task runs, what Ansible and its plugins read, and what the engine sets for a
/// task.
const OTHERS: &[&str] = &[
    "ansible_delegated_vars",
    "ansible_executable",
    "ansible_facts",
    "ansible_failed_result",
    "ansible_failed_task",
    "ansible_index_var",
    "ansible_loop",
    "ansible_loop_var",
    "ansible_module_compression",
    "ansible_network_os",
    "ansible_no_log",
    "ansible_package_use",
    "ansible_pipelining",
    "ansible_rsync_path",
    "ansible_service_use",
    "ansible_su",
    "ansible_sudo",
    "environment",
    "vars",
];

/// Prefixes of settings of connections, shells and become plugins.
const FAMILIES: &[&str] = &[
    "ansible_become_",
    "ansible_buildah_",
    "ansible_chroot_",
    "ansible_connection_",
    "ansible_doas_",
    "ansible_docker_",
    "ansible_httpapi_",
    "ansible_jail_",
    "ansible_kubectl_",
    "ansible_local_",
    "ansible_lxc_",
    "ansible_lxd_",
    "ansible_netconf_",
    "ansible_paramiko_",
    "ansible_persistent_",
    "ansible_podman_",
    "ansible_psrp_",
    "ansible_remote_",
    "ansible_scp_",
    "ansible_sftp_",
    "ansible_shell_",
    "ansible_ssh_",
    "ansible_sshpass_",
    "ansible_su_",
    "ansible_sudo_",
    "ansible_winrm_",
    "ansible_zone_",
];

/// Facts whose names look like settings: sshd's host keys, and bridges of Docker and Podman.
fn is_fact_after_all(name: &str) -> bool {
    match name.strip_prefix("ansible_ssh_") {
        Some(rest) => rest.strip_prefix("host_key_").is_some_and(|rest| rest != "checking"),
        None => name.ends_with("_bridge") || name.ends_with("_gwbridge"),
    }
}

/// Whether hosts may not set this variable.
pub(crate) fn steers(name: &str) -> bool {
    let listed = ALL.iter().flat_map(|setting| setting.0).chain(OTHERS).any(|known| *known == name);
    let interpreter = name.starts_with("ansible_") && name.ends_with("_interpreter");
    let family = || FAMILIES.iter().any(|family| name.starts_with(family)) && !is_fact_after_all(name);
    listed || interpreter || magic_names::is_one(name) || template::is_function(name) || family()
}

/// Steering variables that ansible-core does not drop from facts, or not with a warning of their own.
const UNTOLD: &[&str] = &[
    "ansible_async_dir",
    "ansible_delegated_vars",
    "ansible_failed_",
    "ansible_index_var",
    "ansible_loop",
    "ansible_paramiko_",
    "ansible_remote_",
];

/// Whether ansible-core says in the result that it has dropped this fact.
pub(crate) fn is_restricted(name: &str) -> bool {
    let is_untold = || UNTOLD.iter().any(|untold| name.starts_with(untold)) || magic_names::is_one(name);
    name.starts_with("ansible_") && steers(name) && !is_untold()
}

/// Facts about the gathering itself, whose variables have no prefix.
const OF_GATHERING: [&str; 3] = ["discovered_interpreter_python", "gather_subset", "module_setup"];

/// The variable of a fact. Gathered facts (`prefixed`) lack the prefix `ansible_` of their variables.
pub(crate) fn variable_of(fact: &Arc<str>, prefixed: bool) -> Arc<str> {
    match prefixed && !fact.starts_with("ansible_") && !OF_GATHERING.contains(&&**fact) {
        true => format!("ansible_{fact}").into(),
        false => fact.clone(),
    }
}

/// Facts of a host as variables, and the names that it may not set.
pub(crate) fn from_host(facts: &IndexMap<Arc<str>, Value>, prefixed: bool) -> (Vec<(Arc<str>, Value)>, Vec<Arc<str>>) {
    let mut refused = Vec::new();
    let mut taken = Vec::with_capacity(facts.len());
    for (name, value) in facts {
        let variable = variable_of(name, prefixed);
        match steers(&variable) {
            true => refused.push(variable),
            false => taken.push((variable, value.clone())),
        }
    }
    (taken, refused)
}

/// The warning about names that a host tried to set; truncated, since they may be many and long.
pub(crate) fn warning(host: &str, refused: &[Arc<str>]) -> String {
    let name = |name: &Arc<str>| match name.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_string(),
    };
    let shown: Vec<String> = refused.iter().take(10).map(name).collect();
    let more = match refused.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("dropped variables from the facts of {host} that a host may not set: {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn no_host_sets_what_steers() {
        // Names that Ansible 2.19 drops from facts.
        for name in "ansible_shell_type ansible_become_user ansible_ssh_executable ansible_password ansible_become_foo \
                     ansible_sftp_extra_args ansible_timeout ansible_become ansible_ssh_common_args ansible_user \
                     ansible_port ansible_connection ansible_winrm_x ansible_local_x ansible_ssh_foo ansible_psrp_x \
                     ansible_network_os ansible_rc_interpreter ansible_python_interpreter ansible_host \
                     ansible_ssh_pipelining ansible_foo_interpreter ansible_playbook_python \
                     ansible_module_compression ansible_pipelining ansible_rsync_path ansible_ssh_ \
                     ansible_perl_interpreter ansible_shell_executable ansible_private_key_file"
            .split(' ')
        {
            assert!(steers(name), "{name}");
        }
        // Names that Ansible protects in other ways, and names that only rplay reads.
        for name in "inventory_hostname groups hostvars vars play_hosts role_name role_path omit ansible_facts \
                     ansible_play_hosts ansible_check_mode ansible_config_file ansible_search_path ansible_async_dir \
                     ansible_delegated_vars ansible_host_key_checking ansible_ssh_host_key_checking lookup query"
            .split_whitespace()
        {
            assert!(steers(name), "{name}");
        }
        for name in "ansible_python ansible_python_version ansible_ssh_host_key_rsa_public \
                     ansible_ssh_host_key_ed25519_public_keytype ansible_user_id ansible_user_dir ansible_hostname \
                     ansible_local ansible_docker0 ansible_docker_gwbridge ansible_eth0 ansible_env ansible_lo \
                     ansible_all_ipv4_addresses ansible_service_mgr ansible_pkg_mgr ansible_os_family services packages \
                     getent_passwd discovered_interpreter_python ansible_discovered_interpreter_python ansible_lsb \
                     ansible_loadavg ansible_interfaces ansible_port1"
            .split_whitespace()
        {
            assert!(!steers(name), "{name}");
        }
    }

    fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => sources(&path, found),
                false if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") => {
                    found.push(path);
                }
                false => {}
            }
        }
    }

    /// When the engine reads a new variable, this test forces a decision on who may set it.
    #[test]
    fn each_variable_that_the_engine_knows_is_refused_or_harmless() {
        let harmless = [
            // Names of results and text; nothing is steered by them.
            "ansible_",
            "ansible_failed_",
            "ansible_included_var_files",
            "ansible_job_id",
            "ansible_managed",
            "ansible_stats",
            // Facts by their names: one in `ansible_facts`, one in the error of an environment that needs it.
            "ansible_local",
            "ansible_env",
            // Only read from the inventory's own files.
            "ansible_group_priority",
        ];
        let core = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        for part in ["actions", "inventory", "link", "plan", "run", "template", "vars"] {
            sources(&core.join(part), &mut files);
        }
        let literal = regex::Regex::new(r#""(ansible_[a-z_]*)""#).unwrap();
        let mut seen = 0;
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for found in literal.captures_iter(code) {
                seen += 1;
                let name = &found[1];
                assert!(steers(name) || FAMILIES.contains(&name) || harmless.contains(&name), "{name} in {file:?}");
            }
        }
        assert!(seen > 50, "the literals were not found");
    }

    #[test]
    fn a_warning_stays_readable() {
        let many: Vec<Arc<str>> = (0..1000).map(|n| format!("ansible_ssh_{n}{}", "x".repeat(1000)).into()).collect();
        let text = warning("web1", &many);
        assert!(text.len() < 1000 && text.ends_with("and 990 more"), "{text}");
    }
}
