//! Parses `ansible.cfg`: sections of `key = value`, as in Python's configparser.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{error::ConfigError, inputs::ConfigInputs, kinds::Base};
use crate::source::{Problems, Source, Span};

/// A parsed but uninterpreted `ansible.cfg`.
#[derive(Debug, Default)]
pub(super) struct ConfigFile {
    pub source: Option<Arc<Source>>,
    entries: Vec<Entry>,
    /// By section and key, separated by a dot: the last entry.
    index: HashMap<String, usize>,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Entry {
    pub section: String,
    /// In lower case.
    pub key: String,
    pub value: String,
    /// From the key to the end of the value's first line.
    pub place: Span,
}

impl ConfigFile {
    pub(super) fn parse(source: Arc<Source>) -> Result<Self, Problems> {
        let mut file = ConfigFile { source: Some(source.clone()), ..ConfigFile::default() };
        let mut problems = Problems::default();
        let mut section: Option<String> = None;
        let mut start = 0;
        for line in source.text.split_inclusive('\n') {
            let offset = start;
            start += line.len();
            let text = without_comment(line);
            let bare = text.trim();
            if bare.is_empty() {
                continue;
            }
            let begin = offset + (text.len() - text.trim_start().len());
            let place = Span::new(&source, begin..begin + bare.len());
            let mut report = |message: &str, help: &str| {
                let place = place.clone();
                problems.push(ConfigError::Line { message: message.to_owned(), place, help: Some(help.to_owned()) });
            };
            // An indented line continues the previous value.
            if text.starts_with([' ', '\t'])
                && let Some(last) = file.entries.last_mut()
            {
                last.value.push('\n');
                last.value.push_str(bare);
            } else if let Some(header) = bare.strip_prefix('[') {
                match header.split_once(']') {
                    Some((name, _)) => section = Some(name.to_owned()),
                    None => report("this is not a section", "write [defaults]"),
                }
            } else if let Some(section) = &section {
                match bare.find(['=', ':']) {
                    Some(at) if at > 0 => {
                        let (key, value) = (bare[..at].trim().to_ascii_lowercase(), bare[at + 1..].trim());
                        let entry = Entry { section: section.clone(), key, value: value.to_owned(), place };
                        file.index.insert(format!("{}.{}", entry.section, entry.key), file.entries.len());
                        file.entries.push(entry);
                    }
                    _ => report("expected key = value", "comments begin with # or ;"),
                }
            } else {
                report("a setting before any [section]", "put [defaults] above it");
            }
        }
        problems.unless_any(file)
    }

    /// The entry of `SECTION.KEY`.
    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(*self.index.get(name)?)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// Comments are lines that begin with `#` or `;`, and text after a `;` that follows a space.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let inline = line.match_indices(';').find(|(at, _)| line[..*at].ends_with([' ', '\t']));
    inline.map_or(line, |(at, _)| &line[..at])
}

/// Sections about features that rplay does not have or need.
const HARMLESS_SECTIONS: [&str; 6] =
    ["galaxy", "colors", "selinux", "paramiko_connection", "persistent_connection", "netconf_connection"];

/// Settings that are accepted without effect: about Python, plugins, caches and Ansible's own implementation.
pub const HARMLESS: &[&str] = &[
    "connection.pipelining",
    "defaults.action_plugins",
    "defaults.error_on_undefined_vars",
    "defaults.python_module_rlimit_nofile",
    "defaults.action_warnings",
    "defaults.allow_world_readable_tmpfiles",
    "defaults.cache_plugins",
    "defaults.callback_format_pretty",
    "defaults.command_warnings",
    "defaults.connection_plugins",
    "defaults.cow_selection",
    "defaults.cowpath",
    "defaults.cowsay_enabled_stencils",
    "defaults.devel_warning",
    "defaults.doc_fragment_plugins",
    "defaults.home",
    "defaults.inventory_plugins",
    "defaults.internal_poll_interval",
    "defaults.jinja2_native",
    "defaults.keep_remote_files",
    "defaults.module_compression",
    "defaults.module_lang",
    "defaults.module_set_locale",
    "defaults.no_target_syslog",
    "defaults.nocows",
    "defaults.pipelining",
    "defaults.syslog_facility",
    "defaults.system_warnings",
    "defaults.terminal_plugins",
    "defaults.use_persistent_connections",
    "privilege_escalation.agnostic_become_prompt",
    "privilege_escalation.become_allow_same_user",
    "ssh_connection.control_path",
    "ssh_connection.control_path_dir",
    "ssh_connection.pipelining",
    "ssh_connection.scp_executable",
    "ssh_connection.scp_if_ssh",
    "ssh_connection.sftp_batch_mode",
    "ssh_connection.sftp_executable",
    "ssh_connection.transfer_method",
    "ssh_connection.usetty",
];

/// Whether a setting is known and may be ignored silently; callbacks have their own sections.
pub(super) fn is_harmless(section: &str, key: &str) -> bool {
    HARMLESS_SECTIONS.contains(&section)
        || section.starts_with("callback_")
        || section.starts_with("galaxy_server.")
        || section.ends_with("_become_plugin")
        || HARMLESS.contains(&&*format!("{section}.{key}"))
}

/// The configuration file: the first existing one of ANSIBLE_CONFIG, ./ansible.cfg, ~/.ansible.cfg and
/// /etc/ansible/ansible.cfg.
pub(super) fn find(inputs: &ConfigInputs<'_>, warnings: &mut Problems) -> Option<PathBuf> {
    if let Some(named) = (inputs.env)("ANSIBLE_CONFIG").filter(|named| !named.is_empty()) {
        let path = Base { directory: inputs.directory, inputs }.path(&named);
        let path = if path.is_dir() { path.join("ansible.cfg") } else { path };
        if path.exists() {
            return Some(path);
        }
    }
    let here = inputs.directory.join("ansible.cfg");
    if here.is_file() {
        use std::os::unix::fs::PermissionsExt;
        if inputs.directory.metadata().is_ok_and(|about| about.permissions().mode() & 0o002 != 0) {
            warnings.push(ConfigError::WorldWritable { path: here });
        } else {
            return Some(here);
        }
    }
    let of_user = (inputs.env)("HOME").map(|home| Path::new(&home).join(".ansible.cfg"));
    of_user.into_iter().chain([PathBuf::from("/etc/ansible/ansible.cfg")]).find(|path| path.is_file())
}
