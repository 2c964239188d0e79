//! The settings that rplay reads, each with its default, its keys and its environment variables.

use std::path::PathBuf;

use super::{
    file::ConfigFile,
    inputs::ConfigInputs,
    kinds::{Diagnostics, Directories, Gathering, Identities, Patterns, Secret, Sources},
    servers::ServerSection,
    setting::{Origin, Setting, setting},
};
use crate::{
    collections::Mismatch, inventory::GroupNames, source::Problems, syntax::DuplicateKeys, vars::HashBehaviour,
};

macro_rules! settings {
    ($(
        $(#[doc = $doc:literal])*
        $name:ident: $ty:ty = $default:expr, [$($ini:literal),*], [$($env:literal),*];
    )*) => {
        /// All settings.
        #[derive(Clone, Debug)]
        pub struct Config {
            /// The file that was read.
            pub file: Option<PathBuf>,
            /// The settings of each server in `galaxy_server_list`.
            pub galaxy_sections: Vec<ServerSection>,
            $( $(#[doc = $doc])* pub $name: Setting<$ty>, )*
        }

        /// Section and key of every setting, separated by a dot.
        pub(super) const KNOWN: &[&str] = &[$( $($ini,)* )*];

        /// The field, keys and environment variables of each setting.
        pub(super) const FOLLOWED: &[(&str, &[&str], &[&str])] = &[$( (stringify!($name), &[$($ini),*], &[$($env),*]), )*];

        impl Config {
            pub(super) fn from(file: &ConfigFile, inputs: &ConfigInputs<'_>, problems: &mut Problems) -> Self {
                Config {
                    file: file.source.as_ref().and_then(|source| source.path.clone()),
                    galaxy_sections: Vec::new(),
                    $( $name: setting(file, inputs, &[$($ini),*], &[$($env),*], problems)
                        .unwrap_or_else(|| Setting { value: $default, origin: Origin::Default }), )*
                }
            }

            /// Settings that differ from their default: name, value, origin.
            pub fn changed(&self) -> Vec<(&'static str, String, &Origin)> {
                let all = [$( (stringify!($name), format!("{:?}", self.$name.value), &self.$name.origin), )*];
                all.into_iter().filter(|(_, _, origin)| !matches!(origin, Origin::Default)).collect()
            }
        }
    };
}

/// Ansible's settings that are parsed but not supported yet. Setting one gives a warning.
pub(super) const WITHOUT_EFFECT: &[&str] = &["ssh_password_mechanism", "ssh_verbosity", "sshpass_prompt"];

settings! {
    /// Inventory sources if `-i` is not given.
    inventory: Sources = Sources::default(), ["defaults.inventory"], ["ANSIBLE_INVENTORY"];
    /// End the run if no inventory source can be parsed.
    inventory_unparsed_failed: bool = false,
        ["inventory.unparsed_is_failed"], ["ANSIBLE_INVENTORY_UNPARSED_FAILED"];
    /// End the run if any inventory source cannot be parsed.
    inventory_any_unparsed_failed: bool = false,
        ["inventory.any_unparsed_is_failed"], ["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"];
    /// Warn if no inventory source can be parsed.
    inventory_unparsed_warning: bool = true,
        ["inventory.inventory_unparsed_warning"], ["ANSIBLE_INVENTORY_UNPARSED_WARNING"];
    /// The plugins that may read sources of the inventory, in order.
    inventory_enabled: Option<Vec<String>> = None, ["inventory.enable_plugins"], ["ANSIBLE_INVENTORY_ENABLED"];
    /// Extensions of files to skip in inventory directories.
    inventory_ignore_extensions: Option<Vec<String>> = None,
        ["defaults.inventory_ignore_extensions", "inventory.ignore_extensions"], ["ANSIBLE_INVENTORY_IGNORE"];
    /// Regular expressions for files to ignore in inventory directories.
    inventory_ignore_patterns: Patterns = Patterns::default(),
        ["defaults.inventory_ignore_patterns", "inventory.ignore_patterns"], ["ANSIBLE_INVENTORY_IGNORE_REGEX"];
    /// How to handle characters in group names that are invalid in variable names.
    force_valid_group_names: GroupNames = GroupNames::Never,
        ["defaults.force_valid_group_names"], ["ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS"];
    /// Warn about deprecated features.
    deprecation_warnings: bool = true, ["defaults.deprecation_warnings"], ["ANSIBLE_DEPRECATION_WARNINGS"];
    /// Render string literals with templates in conditions and lookups.
    allow_embedded_templates: bool = true,
        ["defaults.allow_embedded_templates"], ["ANSIBLE_ALLOW_EMBEDDED_TEMPLATES"];
    /// Accept conditions of any type.
    allow_broken_conditionals: bool = false,
        ["defaults.allow_broken_conditionals"], ["ANSIBLE_ALLOW_BROKEN_CONDITIONALS"];
    /// The module that `ansible` runs when none is named.
    module_name: String = "command".to_owned(), ["defaults.module_name"], [];
    /// Arguments of the module that `ansible` runs when none is named.
    module_args: Option<String> = None, ["defaults.module_args"], ["ANSIBLE_MODULE_ARGS"];
    /// The directory to use as a playbook's where there is no playbook.
    playbook_dir: Option<PathBuf> = None, ["defaults.playbook_dir"], ["ANSIBLE_PLAYBOOK_DIR"];
    /// `rplay inventory --list` shows variables where they were defined.
    inventory_export: bool = false, ["inventory.export"], ["ANSIBLE_INVENTORY_EXPORT"];
    /// Directories with roles, after those next to the playbook.
    roles_path: Directories = Directories::usual("roles"), ["defaults.roles_path"], ["ANSIBLE_ROLES_PATH"];
    /// Collection directories.
    collections_path: Directories = Directories::usual("collections"),
        ["defaults.collections_paths", "defaults.collections_path"], ["ANSIBLE_COLLECTIONS_PATH"];
    /// Also search for collections in Python's packages.
    collections_scan_sys_path: bool = true,
        ["defaults.collections_scan_sys_path"], ["ANSIBLE_COLLECTIONS_SCAN_SYS_PATH"];
    /// How to handle a collection that does not support this version of Ansible.
    collections_on_ansible_version_mismatch: Mismatch = Mismatch::Warning,
        ["defaults.collections_on_ansible_version_mismatch"], ["ANSIBLE_COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH"];
    /// Module directories, searched after those next to playbooks and in roles.
    library: Directories = Directories::usual("plugins/modules"), ["defaults.library"], ["ANSIBLE_LIBRARY"];
    /// Directories with code that modules import as `ansible.module_utils`.
    module_utils: Directories = Directories::usual("plugins/module_utils"), ["defaults.module_utils"], ["ANSIBLE_MODULE_UTILS"];
    /// Directories with filters, tests and lookups in Python, after those next to playbooks and in roles.
    filter_plugins: Directories = Directories::usual("plugins/filter"), ["defaults.filter_plugins"], ["ANSIBLE_FILTER_PLUGINS"];
    test_plugins: Directories = Directories::usual("plugins/test"), ["defaults.test_plugins"], ["ANSIBLE_TEST_PLUGINS"];
    lookup_plugins: Directories = Directories::usual("plugins/lookup"), ["defaults.lookup_plugins"], ["ANSIBLE_LOOKUP_PLUGINS"];
    /// Directories with action plugins in Python, after those next to playbooks and in roles.
    action_plugins: Directories = Directories::usual("plugins/action"), ["defaults.action_plugins"], ["ANSIBLE_ACTION_PLUGINS"];
    /// The file that says which modules may not be used.
    plugin_filters_cfg: Option<PathBuf> = None, ["defaults.plugin_filters_cfg"], [];
    /// Directories with become plugins in Python, after those next to playbooks and in roles.
    become_plugins: Directories = Directories::usual("plugins/become"), ["defaults.become_plugins"], ["ANSIBLE_BECOME_PLUGINS"];
    /// Directories with vars plugins in Python, after those next to playbooks and in roles.
    vars_plugins: Directories = Directories::usual("plugins/vars"), ["defaults.vars_plugins"], ["ANSIBLE_VARS_PLUGINS"];
    /// The enabled vars plugins among those that must be named.
    vars_plugins_enabled: Vec<String> = vec!["host_group_vars".to_owned()],
        ["defaults.vars_plugins_enabled"], ["ANSIBLE_VARS_ENABLED"];
    /// The order of a host's group variables, weakest first.
    precedence: Option<Vec<String>> = None, ["defaults.precedence"], ["ANSIBLE_PRECEDENCE"];
    /// Extensions of files with variables of groups and hosts, and of inventories in YAML.
    yaml_valid_extensions: Option<Vec<String>> = None,
        ["defaults.yaml_valid_extensions"], ["ANSIBLE_YAML_FILENAME_EXT"];
    /// When vars plugins run: `demand` or `start`.
    run_vars_plugins: String = "demand".to_owned(), ["defaults.run_vars_plugins"], ["ANSIBLE_RUN_VARS_PLUGINS"];
    /// The Python of hosts: a path, or `auto`.
    interpreter_python: Option<String> = None, ["defaults.interpreter_python"], ["ANSIBLE_PYTHON_INTERPRETER"];
    /// Where modules in Python and other languages create temporary directories on hosts.
    remote_tmp: Option<String> = None, ["defaults.remote_tmp"], ["ANSIBLE_REMOTE_TMP", "ANSIBLE_REMOTE_TEMP"];
    /// The Python on the controller that has ansible-core, for modules in Python. Not a setting of Ansible.
    ansible_python: Option<PathBuf> = None, ["rplay.ansible_python"], ["RPLAY_ANSIBLE_PYTHON"];
    /// The Galaxy server, if no list of servers is set.
    galaxy_server: Option<String> = None, ["galaxy.server"], ["ANSIBLE_GALAXY_SERVER"];
    /// Names of servers, each with a section [galaxy_server.NAME], in order of preference.
    galaxy_server_list: Vec<String> = Vec::new(), ["galaxy.server_list"], ["ANSIBLE_GALAXY_SERVER_LIST"];
    /// The directory that `galaxy role init` copies, and regular expressions for paths in it that are not copied.
    galaxy_role_skeleton: Option<PathBuf> = None, ["galaxy.role_skeleton"], ["ANSIBLE_GALAXY_ROLE_SKELETON"];
    galaxy_role_skeleton_ignore: Vec<String> = vec!["^.git$".to_owned(), "^.*/.git_keep$".to_owned()],
        ["galaxy.role_skeleton_ignore"], ["ANSIBLE_GALAXY_ROLE_SKELETON_IGNORE"];
    /// The same for `galaxy collection init`.
    galaxy_collection_skeleton: Option<PathBuf> = None,
        ["galaxy.collection_skeleton"], ["ANSIBLE_GALAXY_COLLECTION_SKELETON"];
    galaxy_collection_skeleton_ignore: Vec<String> = vec!["^.git$".to_owned(), "^.*/.git_keep$".to_owned()],
        ["galaxy.collection_skeleton_ignore"], ["ANSIBLE_GALAXY_COLLECTION_SKELETON_IGNORE"];
    /// The file with the Galaxy token, instead of `~/.ansible/galaxy_token`.
    galaxy_token_path: Option<PathBuf> = None, ["galaxy.token_path"], ["ANSIBLE_GALAXY_TOKEN_PATH"];
    /// Do not verify the certificates of Galaxy servers.
    galaxy_ignore_certs: bool = false, ["galaxy.ignore_certs"], ["ANSIBLE_GALAXY_IGNORE"];
    /// Timeout of Galaxy servers in seconds.
    galaxy_server_timeout: u32 = 60, ["galaxy.server_timeout"], ["ANSIBLE_GALAXY_SERVER_TIMEOUT"];
    /// The keyring for verifying collections.
    galaxy_gpg_keyring: Option<PathBuf> = None, ["galaxy.gpg_keyring"], ["ANSIBLE_GALAXY_GPG_KEYRING"];
    /// Do not verify signatures of collections.
    galaxy_disable_gpg_verify: bool = false, ["galaxy.disable_gpg_verify"], ["ANSIBLE_GALAXY_DISABLE_GPG_VERIFY"];
    /// How many signatures of a collection must be valid.
    galaxy_required_valid_signature_count: String = "1".to_owned(),
        ["galaxy.required_valid_signature_count"], ["ANSIBLE_GALAXY_REQUIRED_VALID_SIGNATURE_COUNT"];
    /// gpg status codes that do not invalidate a signature.
    galaxy_ignore_signature_status_codes: Vec<String> = Vec::new(),
        ["galaxy.ignore_signature_status_codes"], ["ANSIBLE_GALAXY_IGNORE_SIGNATURE_STATUS_CODES"];
    /// Hosts to work on at once; rplay's own default is higher than Ansible's 5.
    forks: Option<u32> = None, ["defaults.forks"], ["ANSIBLE_FORKS"];
    /// When facts are gathered.
    gathering: Gathering = Gathering::Implicit, ["defaults.gathering"], ["ANSIBLE_GATHERING"];
    /// Where facts are cached between runs: `memory` (not at all), `jsonfile`, or the name of a cache plugin.
    fact_caching: String = "memory".to_owned(), ["defaults.fact_caching"], ["ANSIBLE_CACHE_PLUGIN"];
    /// The directory of `jsonfile`. Other cache plugins read this setting themselves.
    fact_caching_connection: Option<PathBuf> = None,
        ["defaults.fact_caching_connection"], ["ANSIBLE_CACHE_PLUGIN_CONNECTION"];
    /// The prefix of its files' names.
    fact_caching_prefix: Option<String> = None, ["defaults.fact_caching_prefix"], ["ANSIBLE_CACHE_PLUGIN_PREFIX"];
    /// Seconds after which cached facts are no longer used; 0 for never.
    fact_caching_timeout: u32 = 86400, ["defaults.fact_caching_timeout"], ["ANSIBLE_CACHE_PLUGIN_TIMEOUT"];
    /// How to combine a mapping that is defined twice.
    hash_behaviour: HashBehaviour = HashBehaviour::Replace, ["defaults.hash_behaviour"], ["ANSIBLE_HASH_BEHAVIOUR"];
    /// The strategy of plays without one.
    strategy: String = "linear".to_owned(), ["defaults.strategy"], ["ANSIBLE_STRATEGY"];
    /// How to treat duplicate keys in a YAML mapping: `ignore`, `warn` or `error`.
    duplicate_dict_key: DuplicateKeys = DuplicateKeys::Warn,
        ["defaults.duplicate_dict_key"], ["ANSIBLE_DUPLICATE_YAML_DICT_KEY"];
    /// Whether facts are also set as variables, such as `ansible_hostname`.
    inject_facts_as_vars: bool = true, ["defaults.inject_facts_as_vars"], ["ANSIBLE_INJECT_FACT_VARS"];
    /// Whether variables of roles are visible only in the role.
    private_role_vars: bool = false, ["defaults.private_role_vars"], ["ANSIBLE_PRIVATE_ROLE_VARS"];
    /// Whether notifying a handler that does not exist is an error.
    error_on_missing_handler: bool = true, ["defaults.error_on_missing_handler"], ["ANSIBLE_ERROR_ON_MISSING_HANDLER"];
    /// Run notified handlers even after a failure.
    force_handlers: bool = false, ["defaults.force_handlers"], ["ANSIBLE_FORCE_HANDLERS"];
    /// End the play if any host fails.
    any_errors_fatal: bool = false, ["defaults.any_errors_fatal"], ["ANSIBLE_ANY_ERRORS_FATAL"];
    /// Hide the output of all tasks.
    no_log: bool = false, ["defaults.no_log"], ["ANSIBLE_NO_LOG"];
    /// Time limit of a task in seconds; 0 for none.
    task_timeout: u32 = 0, ["defaults.task_timeout"], ["ANSIBLE_TASK_TIMEOUT"];
    /// Seconds between polls of an asynchronous task.
    poll_interval: u32 = 15, ["defaults.poll_interval"], ["ANSIBLE_POLL_INTERVAL"];
    /// Directory on hosts for the results of background tasks.
    async_dir: Option<String> = None, ["defaults.async_dir"], ["ANSIBLE_ASYNC_DIR"];
    /// The text of the variable `ansible_managed`.
    ansible_managed: String = "Ansible managed".to_owned(), ["defaults.ansible_managed"], [];
    /// Extensions of Jinja, such as `jinja2.ext.do`.
    jinja2_extensions: Vec<String> = Vec::new(), ["defaults.jinja2_extensions"], ["ANSIBLE_JINJA2_EXTENSIONS"];
    /// Tags to run when no `--tags` is given.
    tags_run: Vec<String> = Vec::new(), ["tags.run"], ["ANSIBLE_RUN_TAGS"];
    /// Tags to skip when no `--skip-tags` is given.
    tags_skip: Vec<String> = Vec::new(), ["tags.skip"], ["ANSIBLE_SKIP_TAGS"];
    /// How to treat a host pattern that matches nothing: `ignore`, `warning` or `error`.
    host_pattern_mismatch: Mismatch = Mismatch::Warning,
        ["inventory.host_pattern_mismatch"], ["ANSIBLE_HOST_PATTERN_MISMATCH"];

    /// The connection type: `ssh`, `local` ...
    transport: Option<String> = None, ["defaults.transport"], ["ANSIBLE_TRANSPORT"];
    /// The user to log in as.
    remote_user: Option<String> = None, ["defaults.remote_user"], ["ANSIBLE_REMOTE_USER"];
    /// The ssh port.
    remote_port: Option<u32> = None, ["defaults.remote_port"], ["ANSIBLE_REMOTE_PORT", "ANSIBLE_SSH_PORT"];
    /// The private key to log in with.
    private_key_file: Option<PathBuf> = None, ["defaults.private_key_file"], ["ANSIBLE_PRIVATE_KEY_FILE"];
    /// Reject hosts with an unknown key.
    host_key_checking: bool = true, ["defaults.host_key_checking", "ssh_connection.host_key_checking"],
        ["ANSIBLE_HOST_KEY_CHECKING", "ANSIBLE_SSH_HOST_KEY_CHECKING"];
    /// Connection timeout in seconds.
    timeout: u32 = 10, ["defaults.timeout", "ssh_connection.timeout"], ["ANSIBLE_TIMEOUT", "ANSIBLE_SSH_TIMEOUT"];
    /// Prompt for the login password.
    ask_pass: bool = false, ["defaults.ask_pass"], ["ANSIBLE_ASK_PASS"];
    /// File with the login password.
    connection_password_file: Option<PathBuf> = None,
        ["defaults.connection_password_file"], ["ANSIBLE_CONNECTION_PASSWORD_FILE"];
    /// The shell on hosts.
    executable: String = "/bin/sh".to_owned(), ["defaults.executable"], ["ANSIBLE_EXECUTABLE"];
    /// Arguments for ssh, instead of rplay's own options for connection sharing.
    ssh_args: Option<String> = None, ["ssh_connection.ssh_args"], ["ANSIBLE_SSH_ARGS"];
    /// Additional arguments for ssh.
    ssh_common_args: Option<String> = None, ["ssh_connection.ssh_common_args"], ["ANSIBLE_SSH_COMMON_ARGS"];
    /// Further arguments for ssh.
    ssh_extra_args: Option<String> = None, ["ssh_connection.ssh_extra_args"], ["ANSIBLE_SSH_EXTRA_ARGS"];
    /// The ssh program.
    ssh_executable: String = "ssh".to_owned(), ["ssh_connection.ssh_executable"], ["ANSIBLE_SSH_EXECUTABLE"];
    /// Maximum seconds without data in the middle of an agent's reply. Between replies there is no limit.
    stall_timeout: u32 = 60, ["rplay.stall_timeout"], ["RPLAY_STALL_TIMEOUT"];
    /// Number of further attempts if the host cannot be reached.
    ssh_retries: u32 = 0, ["ssh_connection.retries", "connection.retries"], ["ANSIBLE_SSH_RETRIES"];
    /// Seconds of silence after which an ssh connection is considered lost and its host's processes are ended; 0 for
    /// never. Not a setting of Ansible, which relies on `ServerAliveInterval`.
    link_timeout: u32 = 60, ["rplay.link_timeout"], ["RPLAY_LINK_TIMEOUT"];

    /// The PKCS#11 provider for keys on smart cards.
    pkcs11_provider: Option<String> = None, ["ssh_connection.pkcs11_provider"], ["ANSIBLE_PKCS11_PROVIDER"];
    /// The private key itself, not the name of its file.
    ssh_private_key: Option<Secret> = None, [], ["ANSIBLE_PRIVATE_KEY"];
    /// The passphrase of the private key in `ANSIBLE_PRIVATE_KEY`.
    ssh_private_key_passphrase: Option<Secret> = None, [], ["ANSIBLE_PRIVATE_KEY_PASSPHRASE"];
    /// The ssh-agent for private keys that variables hold: `none`, `auto` starts one for the run, or a socket's path.
    ssh_agent: String = "none".to_owned(), ["connection.ssh_agent"], ["ANSIBLE_SSH_AGENT"];
    /// The program that `auto` starts.
    ssh_agent_executable: String = "ssh-agent".to_owned(),
        ["connection.ssh_agent_executable"], ["ANSIBLE_SSH_AGENT_EXECUTABLE"];
    /// Seconds for which a key stays in the ssh-agent.
    ssh_agent_key_lifetime: Option<u32> = None,
        ["connection.ssh_agent_key_lifetime"], ["ANSIBLE_SSH_AGENT_KEY_LIFETIME"];
    /// How passwords are passed to ssh.
    ssh_password_mechanism: Option<String> = None,
        ["ssh_connection.password_mechanism"], ["ANSIBLE_SSH_PASSWORD_MECHANISM"];
    /// The prompt that sshpass waits for.
    sshpass_prompt: Option<String> = None, ["ssh_connection.sshpass_prompt"], ["ANSIBLE_SSHPASS_PROMPT"];
    /// ssh's verbosity.
    ssh_verbosity: Option<String> = None, ["ssh_connection.verbosity"], ["ANSIBLE_SSH_VERBOSITY"];

    /// Run tasks as another user.
    become_: bool = false, ["privilege_escalation.become"], ["ANSIBLE_BECOME"];
    /// The become method: `sudo`, `su` ...
    become_method: String = "sudo".to_owned(), ["privilege_escalation.become_method"], ["ANSIBLE_BECOME_METHOD"];
    /// The user to become.
    become_user: String = "root".to_owned(), ["privilege_escalation.become_user"], ["ANSIBLE_BECOME_USER"];
    /// Prompt for the become password.
    become_ask_pass: bool = false, ["privilege_escalation.become_ask_pass"], ["ANSIBLE_BECOME_ASK_PASS"];
    /// Call the password in the prompt `BECOME`, and not by the become method.
    agnostic_become_prompt: bool = true, ["privilege_escalation.agnostic_become_prompt"], ["ANSIBLE_AGNOSTIC_BECOME_PROMPT"];
    /// File with the become password.
    become_password_file: Option<PathBuf> = None, ["defaults.become_password_file"], ["ANSIBLE_BECOME_PASSWORD_FILE"];
    /// The program of the become method.
    become_exe: Option<String> = None, ["privilege_escalation.become_exe"], ["ANSIBLE_BECOME_EXE"];
    /// Arguments of the program of the become method.
    become_flags: Option<String> = None, ["privilege_escalation.become_flags"], ["ANSIBLE_BECOME_FLAGS"];
    /// The become password.
    become_pass: Option<Secret> = None, [], ["ANSIBLE_BECOME_PASS"];
    /// The user to become with sudo.
    sudo_user: Option<String> = None, ["sudo_become_plugin.user"], ["ANSIBLE_SUDO_USER"];
    /// The program for sudo.
    sudo_exe: Option<String> = None, ["sudo_become_plugin.executable"], ["ANSIBLE_SUDO_EXE"];
    /// Arguments of sudo.
    sudo_flags: Option<String> = None, ["sudo_become_plugin.flags"], ["ANSIBLE_SUDO_FLAGS"];
    /// The password for sudo.
    sudo_pass: Option<Secret> = None, ["sudo_become_plugin.password"], ["ANSIBLE_SUDO_PASS"];
    /// The working directory for sudo.
    sudo_chdir: Option<String> = None, ["sudo_become_plugin.chdir"], ["ANSIBLE_SUDO_CHDIR"];
    /// The user to become with su.
    su_user: Option<String> = None, ["su_become_plugin.user"], ["ANSIBLE_SU_USER"];
    /// The program for su.
    su_exe: Option<String> = None, ["su_become_plugin.executable"], ["ANSIBLE_SU_EXE"];
    /// Arguments of su.
    su_flags: Option<String> = None, ["su_become_plugin.flags"], ["ANSIBLE_SU_FLAGS"];
    /// The password for su.
    su_pass: Option<Secret> = None, ["su_become_plugin.password"], ["ANSIBLE_SU_PASS"];
    /// Additional words in su's password prompt. rplay recognizes the prompt in any language.
    su_prompt_l10n: Option<String> = None, ["su_become_plugin.localized_prompts"], ["ANSIBLE_SU_PROMPT_L10N"];
    /// The user to become with doas.
    doas_user: Option<String> = None, ["doas_become_plugin.user"], ["ANSIBLE_DOAS_USER"];
    /// The program for doas.
    doas_exe: Option<String> = None, ["doas_become_plugin.executable"], ["ANSIBLE_DOAS_EXE"];
    /// Arguments of doas.
    doas_flags: Option<String> = None, ["doas_become_plugin.flags"], ["ANSIBLE_DOAS_FLAGS"];
    /// The password for doas.
    doas_pass: Option<Secret> = None, ["doas_become_plugin.password"], ["ANSIBLE_DOAS_PASS"];

    /// File with the vault password, or a program that prints it.
    vault_password_file: Option<PathBuf> = None, ["defaults.vault_password_file"], ["ANSIBLE_VAULT_PASSWORD_FILE"];
    /// Further vault passwords: `name@file`.
    vault_identity_list: Identities = Identities::default(), ["defaults.vault_identity_list"], ["ANSIBLE_VAULT_IDENTITY_LIST"];
    /// The vault ID of passwords that are given without one.
    vault_identity: String = "default".to_owned(), ["defaults.vault_identity"], ["ANSIBLE_VAULT_IDENTITY"];
    /// The vault ID to encrypt with.
    vault_encrypt_identity: Option<String> = None,
        ["defaults.vault_encrypt_identity"], ["ANSIBLE_VAULT_ENCRYPT_IDENTITY"];
    /// The salt for encryption, instead of a random one.
    vault_encrypt_salt: Option<String> = None, ["defaults.vault_encrypt_salt"], ["ANSIBLE_VAULT_ENCRYPT_SALT"];
    /// The program that shows long texts on a terminal, a page at a time.
    pager: String = "less".to_owned(), ["defaults.pager"], ["ANSIBLE_PAGER", "PAGER"];
    /// The editor for encrypted files.
    editor: String = "vi".to_owned(), ["defaults.editor"], ["ANSIBLE_EDITOR", "EDITOR"];
    /// Whether only the password of the same name may decrypt.
    vault_id_match: bool = false, ["defaults.vault_id_match"], ["ANSIBLE_VAULT_ID_MATCH"];
    /// Prompt for the vault password.
    ask_vault_pass: bool = false, ["defaults.ask_vault_pass"], ["ANSIBLE_ASK_VAULT_PASS"];

    /// The look of errors and warnings with a place: `auto`, `boxes` or `lines`.
    diagnostics: Diagnostics = Diagnostics::Auto, ["rplay.diagnostics"], ["RPLAY_DIAGNOSTICS"];
    /// Use colours even without a terminal.
    force_color: bool = false, ["defaults.force_color"], ["ANSIBLE_FORCE_COLOR"];
    /// Use no colours. `NO_COLOR` has the same effect, whatever its value.
    nocolor: bool = false, ["defaults.nocolor"], ["ANSIBLE_NOCOLOR"];
    /// The colour of results that are ok.
    color_ok: Option<String> = None, ["colors.ok"], ["ANSIBLE_COLOR_OK"];
    /// The colour of results that changed something.
    color_changed: Option<String> = None, ["colors.changed"], ["ANSIBLE_COLOR_CHANGED"];
    /// The colour of results that were skipped, and of included files.
    color_skip: Option<String> = None, ["colors.skip"], ["ANSIBLE_COLOR_SKIP"];
    /// The colour of failures.
    color_error: Option<String> = None, ["colors.error"], ["ANSIBLE_COLOR_ERROR"];
    /// The colour of hosts that cannot be reached.
    color_unreachable: Option<String> = None, ["colors.unreachable"], ["ANSIBLE_COLOR_UNREACHABLE"];
    /// The colour of warnings.
    color_warn: Option<String> = None, ["colors.warn"], ["ANSIBLE_COLOR_WARN"];
    /// The colour of details that `-v` shows.
    color_verbose: Option<String> = None, ["colors.verbose"], ["ANSIBLE_COLOR_VERBOSE"];
    /// The colour of lines that a change adds.
    color_diff_add: Option<String> = None, ["colors.diff_add"], ["ANSIBLE_COLOR_DIFF_ADD"];
    /// The colour of lines that a change removes.
    color_diff_remove: Option<String> = None, ["colors.diff_remove"], ["ANSIBLE_COLOR_DIFF_REMOVE"];
    /// The colour of line numbers in changes.
    color_diff_lines: Option<String> = None, ["colors.diff_lines"], ["ANSIBLE_COLOR_DIFF_LINES"];
    /// The verbosity, as with `-v`, `-vv` ...
    verbosity: u32 = 0, ["defaults.verbosity"], ["ANSIBLE_VERBOSITY"];
    /// Show tasks that were skipped.
    display_skipped_hosts: bool = true, ["defaults.display_skipped_hosts"], ["ANSIBLE_DISPLAY_SKIPPED_HOSTS"];
    /// Show tasks that changed nothing.
    display_ok_hosts: bool = true, ["defaults.display_ok_hosts"], ["ANSIBLE_DISPLAY_OK_HOSTS"];
    /// Write failures to standard error.
    display_failed_stderr: bool = false, ["defaults.display_failed_stderr"], ["ANSIBLE_DISPLAY_FAILED_STDERR"];
    /// Show the place of a failed task.
    show_task_path_on_failure: bool = false,
        ["defaults.show_task_path_on_failure"], ["ANSIBLE_SHOW_TASK_PATH_ON_FAILURE"];
    /// Mark task lines in check mode.
    check_mode_markers: bool = false, ["defaults.check_mode_markers"], ["ANSIBLE_CHECK_MODE_MARKERS"];
    /// Show statistics of `set_stats` at the end.
    show_custom_stats: bool = false, ["defaults.show_custom_stats"], ["ANSIBLE_SHOW_CUSTOM_STATS"];
    /// The output format: `default`, `json`, `junit` ...
    stdout_callback: String = "default".to_owned(), ["defaults.stdout_callback"], ["ANSIBLE_STDOUT_CALLBACK"];
    /// The events for which modules in Python return their traceback: `error`, `warning`, `deprecated`,
    /// `deprecated_value`, `always` or `never`.
    display_traceback: Vec<String> = vec!["never".to_owned()],
        ["defaults.display_traceback"], ["ANSIBLE_DISPLAY_TRACEBACK"];
    /// Refuse results of modules with text that is not UTF-8.
    module_strict_utf8_response: bool = true,
        ["defaults.module_strict_utf8_response"], ["ANSIBLE_MODULE_STRICT_UTF8_RESPONSE"];
    /// Callback plugins, besides those that need not be enabled.
    callbacks_enabled: Option<Vec<String>> = None,
        ["defaults.callbacks_enabled", "defaults.callback_whitelist"],
        ["ANSIBLE_CALLBACKS_ENABLED", "ANSIBLE_CALLBACK_WHITELIST"];
    /// Directories with callback plugins.
    callback_plugins: Directories = Directories::usual("plugins/callback"),
        ["defaults.callback_plugins"], ["ANSIBLE_CALLBACK_PLUGINS"];
    /// Call callback plugins for `rplay adhoc`, too.
    load_callback_plugins: bool = false,
        ["defaults.bin_ansible_callbacks"], ["ANSIBLE_LOAD_CALLBACK_PLUGINS"];
    /// How results are shown: `json` or `yaml`.
    result_format: String = "json".to_owned(),
        ["defaults.callback_result_format", "defaults.result_format"], ["ANSIBLE_CALLBACK_RESULT_FORMAT"];
    /// Spaces per level in the formats `json` (4) and `jsonl` (none).
    json_indent: Option<String> = None, ["defaults.json_indent"], ["ANSIBLE_JSON_INDENT"];
    /// Maximum number of rows in the table of `profile_tasks`, or `all`.
    profile_tasks_limit: String = "20".to_owned(),
        ["callback_profile_tasks.task_output_limit"], ["PROFILE_TASKS_TASK_OUTPUT_LIMIT"];
    /// Its order: `descending`, `ascending` or `none`.
    profile_tasks_order: String = "descending".to_owned(),
        ["callback_profile_tasks.sort_order"], ["PROFILE_TASKS_SORT_ORDER"];
    /// Only the table of `profile_tasks`, no line at each task.
    profile_tasks_summary: bool = false,
        ["callback_profile_tasks.summary_only"], ["PROFILE_TASKS_SUMMARY_ONLY"];
    /// Only the table of `profile_roles`, no line at each task.
    profile_roles_summary: bool = false,
        ["callback_profile_roles.summary_only"], ["PROFILE_ROLES_SUMMARY_ONLY"];
    /// The directory in which `log_plays` keeps a log for each host.
    log_plays_directory: PathBuf = "/var/log/ansible/hosts".into(),
        ["callback_log_plays.log_folder"], ["ANSIBLE_LOG_FOLDER"];
    /// The directory in which `tree` keeps the last result of each host.
    tree_directory: Option<PathBuf> = None, ["callback_tree.directory"], ["ANSIBLE_CALLBACK_TREE_DIR"];
    /// The directory in which `junit` writes.
    junit_output_dir: Option<PathBuf> = None, [], ["JUNIT_OUTPUT_DIR"];
    /// Count changes as failures in `junit`.
    junit_fail_on_change: bool = false, [], ["JUNIT_FAIL_ON_CHANGE"];
    /// Count ignored failures as failures in `junit`.
    junit_fail_on_ignore: bool = false, [], ["JUNIT_FAIL_ON_IGNORE"];
    /// Leave arguments out of the names of test cases.
    junit_hide_task_arguments: bool = false, [], ["JUNIT_HIDE_TASK_ARGUMENTS"];
    /// Include tasks that gather facts as test cases.
    junit_include_setup_tasks: bool = true, [], ["JUNIT_INCLUDE_SETUP_TASKS_IN_REPORT"];
    /// Use files as the classes of test cases.
    junit_task_class: bool = false, [], ["JUNIT_TASK_CLASS"];
    /// The directory to which paths of test cases are relative.
    junit_task_relative_path: Option<PathBuf> = None, [], ["JUNIT_TASK_RELATIVE_PATH"];
    /// Replaces the directory of files outside it.
    junit_replace_out_of_tree_path: Option<String> = None, [], ["JUNIT_REPLACE_OUT_OF_TREE_PATH"];
    /// Only tasks whose names begin with this, and failures, are test cases.
    junit_test_case_prefix: String = String::new(), [], ["JUNIT_TEST_CASE_PREFIX"];
    /// Indent results and make them easy to read; by default for YAML only.
    pretty_results: Option<bool> = None, ["defaults.callback_format_pretty"], ["ANSIBLE_CALLBACK_FORMAT_PRETTY"];
    /// Show a line when a host starts a task.
    show_per_host_start: bool = false, ["defaults.show_per_host_start"], ["ANSIBLE_SHOW_PER_HOST_START"];
    /// A file that also receives the output.
    log_path: Option<PathBuf> = None, ["defaults.log_path"], ["ANSIBLE_LOG_PATH"];
    /// Warn if the inventory has no hosts.
    localhost_warning: bool = true, ["defaults.localhost_warning"], ["ANSIBLE_LOCALHOST_WARNING"];
    /// The directory for temporary files on the controller; commands that need none only create it.
    local_tmp: Option<PathBuf> = None, ["defaults.local_tmp"], ["ANSIBLE_LOCAL_TEMP"];
    /// Write the names of the hosts that a playbook lost to a file for `--limit @FILE`.
    retry_files_enabled: bool = false, ["defaults.retry_files_enabled"], ["ANSIBLE_RETRY_FILES_ENABLED"];
    /// The directory of these files, instead of that of the playbook.
    retry_files_save_path: Option<PathBuf> = None, ["defaults.retry_files_save_path"], ["ANSIBLE_RETRY_FILES_SAVE_PATH"];
    /// Show debug output about the course of a play.
    debug: bool = false, ["defaults.debug"], ["ANSIBLE_DEBUG"];
    /// Warn about invalid metadata of groups of modules.
    validate_action_group_metadata: bool = true,
        ["defaults.validate_action_group_metadata"], ["ANSIBLE_VALIDATE_ACTION_GROUP_METADATA"];
    /// Start the debugger at every failed task.
    enable_task_debugger: bool = false, ["defaults.enable_task_debugger"], ["ANSIBLE_ENABLE_TASK_DEBUGGER"];
    /// The debugger skips ignored failures.
    task_debugger_ignore_errors: bool = true,
        ["defaults.task_debugger_ignore_errors"], ["ANSIBLE_TASK_DEBUGGER_IGNORE_ERRORS"];
    /// Whether lines that the verbosity asks for go to standard error.
    verbose_to_stderr: bool = false, ["defaults.verbose_to_stderr"], ["ANSIBLE_VERBOSE_TO_STDERR"];
    /// The verbosity of the log, if it is higher than that of the output.
    log_verbosity: u32 = 0, ["defaults.log_verbosity"], ["ANSIBLE_LOG_VERBOSITY"];
    /// Always show the differences in changed files.
    diff_always: bool = false, ["diff.always"], ["ANSIBLE_DIFF_ALWAYS"];
    /// Number of context lines in diffs.
    diff_context: u32 = 3, ["diff.context"], ["ANSIBLE_DIFF_CONTEXT"];
    /// Maximum size in bytes of files in diffs; less than 1 is no limit.
    max_diff_size: i64 = 104_448, ["defaults.max_diff_size"], ["ANSIBLE_MAX_DIFF_SIZE"];

    /// Maximum nesting depth of templates, macros, includes and roles.
    recursion_limit: u32 = 1000, ["rplay.recursion_limit"], ["RPLAY_RECURSION_LIMIT"];
    /// Maximum size in bytes of files that are read on the controller: playbooks, variables, lookups.
    max_file_size: u32 = 256 << 20, ["rplay.max_file_size"], ["RPLAY_MAX_FILE_SIZE"];
    /// Time limit in seconds of programs that print an inventory or a password.
    program_timeout: u32 = 600, ["rplay.program_timeout"], ["RPLAY_PROGRAM_TIMEOUT"];
}
