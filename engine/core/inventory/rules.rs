//! Settings about malformed sources, group names, and files to ignore.

use std::sync::Arc;

use rplay_contract::system::pattern::Pattern;

use super::{InventoryError, Plugins};
use crate::{source::Problems, syntax::builtin_name};

/// Files in inventory directories whose names end like this are not read (INVENTORY_IGNORE_EXTS).
const IGNORED: [&str; 12] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"];

/// Extensions of YAML files, in order of preference.
const YAML_EXTENSIONS: [&str; 3] = [".yml", ".yaml", ".json"];

/// Built-in plugins; `auto` stands for a plugin that the source itself names.
const NATIVE: [&str; 6] = ["host_list", "script", "auto", "yaml", "ini", "toml"];

/// Whether one of these plugins is not built in.
pub(super) fn has_foreign(enabled: &[String]) -> bool {
    !enabled.iter().all(|name| NATIVE.contains(&builtin_name(name)))
}

/// How sources are read. The defaults are Ansible's.
#[derive(Clone, Debug)]
pub struct SourceRules {
    /// Whether the run ends if no source could be read (INVENTORY_UNPARSED_IS_FAILED).
    pub none_parsed_fails: bool,
    /// Whether the run ends if any source could not be read (INVENTORY_ANY_UNPARSED_IS_FAILED).
    pub any_unparsed_fails: bool,
    /// Whether to warn if no source could be read (INVENTORY_UNPARSED_WARNING).
    pub warns_of_none: bool,
    /// Files in directories with these endings are ignored.
    pub ignored_extensions: Vec<String>,
    /// Files in directories with matching names are ignored.
    pub ignored_patterns: Vec<Pattern>,
    pub group_names: GroupNames,
    /// The plugins that may read sources, in order (INVENTORY_ENABLED); `None`: the built-in ones.
    pub enabled: Option<Vec<String>>,
    /// Whether to record where sources give variables their values, for [`super::Inventory::definitions`].
    pub records_places: bool,
    /// Whether `group_vars` and `host_vars` are read, and when.
    pub files: VarsFiles,
    /// The order of the variables of a host's groups, weakest first (VARIABLE_PRECEDENCE).
    pub precedence: Vec<GroupVars>,
    /// Extensions of files with variables of groups and hosts, and of inventories in YAML (YAML_FILENAME_EXTENSIONS).
    pub yaml_extensions: Vec<String>,
    /// Whether to warn about deprecated features.
    pub tells_deprecated: bool,
    /// Runs inventory plugins that are not built in, and vars plugins.
    pub plugins: Option<Arc<dyn Plugins>>,
}

impl Default for SourceRules {
    fn default() -> Self {
        SourceRules {
            none_parsed_fails: false,
            any_unparsed_fails: false,
            warns_of_none: true,
            ignored_extensions: IGNORED.map(str::to_owned).to_vec(),
            ignored_patterns: Vec::new(),
            group_names: GroupNames::Never,
            enabled: None,
            records_places: false,
            files: VarsFiles::default(),
            precedence: GroupVars::ALL.to_vec(),
            yaml_extensions: YAML_EXTENSIONS.map(str::to_owned).to_vec(),
            tells_deprecated: true,
            plugins: None,
        }
    }
}

impl SourceRules {
    /// Whether a file or directory inside an inventory directory is ignored.
    pub(super) fn ignores(&self, name: &str) -> bool {
        self.ignored_extensions.iter().any(|end| name.ends_with(end.as_str()))
            || self.ignored_patterns.iter().any(|pattern| pattern.is_in(name))
    }

    /// Whether a file with this extension is YAML.
    pub(super) fn is_yaml(&self, extension: Option<&str>) -> bool {
        let dotted = extension.map(|extension| format!(".{extension}"));
        dotted.is_some_and(|dotted| self.yaml_extensions.contains(&dotted))
    }

    /// The warning about groups with these names, if one is invalid in a variable's name.
    pub(crate) fn warning_of_groups<'n>(&self, mut names: impl Iterator<Item = &'n String>) -> Option<&'static str> {
        (self.group_names.warns() && !names.all(|name| is_valid_group(name))).then_some(INVALID_GROUPS)
    }

    /// Refuses a source whose built-in plugin is not enabled. If the settings enable plugins that cannot run here, the
    /// built-in ones stand in for them.
    pub(super) fn enables(&self, plugin: &str, source: &str) -> Result<(), Problems> {
        let enabled = self.enabled.as_deref().filter(|enabled| !has_foreign(enabled)).unwrap_or_default();
        if enabled.is_empty() || enabled.iter().any(|name| builtin_name(name) == plugin) {
            return Ok(());
        }
        let message = format!("no enabled inventory plugin reads {source}");
        Err(InventoryError::Plugin { message }.into())
    }
}

/// Whether `group_vars` and `host_vars` are read (VARIABLE_PLUGINS_ENABLED, RUN_VARS_PLUGINS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VarsFiles {
    /// For each play, beside the inventory and beside the playbook.
    #[default]
    InPlays,
    /// Once, with the inventory: variables next to it have the precedence of the source's own variables.
    WithInventory,
    /// `host_group_vars` is not enabled.
    Never,
}

/// A part of the variables that a host has from its groups: of `all` or of the other groups, and from a source of the
/// inventory or from vars plugins (`group_vars` among them) in the inventory's or the playbook's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupVars {
    AllInventory,
    GroupsInventory,
    AllPluginsInventory,
    AllPluginsPlay,
    GroupsPluginsInventory,
    GroupsPluginsPlay,
    /// A name that is none of these; it is passed over with a warning.
    Unknown(String),
}

impl GroupVars {
    /// Ansible's order, weakest first.
    pub(super) const ALL: [GroupVars; 6] = [
        GroupVars::AllInventory,
        GroupVars::GroupsInventory,
        GroupVars::AllPluginsInventory,
        GroupVars::AllPluginsPlay,
        GroupVars::GroupsPluginsInventory,
        GroupVars::GroupsPluginsPlay,
    ];
    const NAMES: [&str; 6] = [
        "all_inventory",
        "groups_inventory",
        "all_plugins_inventory",
        "all_plugins_play",
        "groups_plugins_inventory",
        "groups_plugins_play",
    ];

    /// The parts with these names.
    pub fn named(names: &[String]) -> Vec<Self> {
        let known = |name: &String| Self::NAMES.iter().zip(Self::ALL).find(|(known, _)| *known == name);
        names
            .iter()
            .map(|name| known(name).map_or_else(|| GroupVars::Unknown(name.clone()), |(_, part)| part))
            .collect()
    }
}

/// How to handle characters in group names that are invalid in variable names (TRANSFORM_INVALID_GROUP_CHARS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupNames {
    /// Keep them, with a warning.
    #[default]
    Never,
    /// Keep them.
    Ignore,
    /// Replace them with underscores, with a warning.
    Always,
    /// Replace them with underscores.
    Silently,
}

impl GroupNames {
    pub(super) fn warns(self) -> bool {
        matches!(self, GroupNames::Never | GroupNames::Always)
    }

    /// The name that a group gets.
    pub(super) fn applied(self, name: &str) -> String {
        match self {
            GroupNames::Never | GroupNames::Ignore => name.to_owned(),
            GroupNames::Always | GroupNames::Silently => {
                name.char_indices().map(|(at, c)| if is_valid(at, c) { c } else { '_' }).collect()
            }
        }
    }
}

fn is_valid(at: usize, c: char) -> bool {
    (c == '_' || c.is_alphanumeric()) && !(at == 0 && c.is_numeric())
}

/// The warning about group names that are invalid in a variable's name, and kept.
pub(super) const INVALID_GROUPS: &str =
    "Invalid characters were found in group names but not replaced, use -vvvv to see details";

/// Whether the group can be accessed as `groups.NAME`.
pub(super) fn is_valid_group(name: &str) -> bool {
    name.char_indices().all(|(at, c)| is_valid(at, c))
}
