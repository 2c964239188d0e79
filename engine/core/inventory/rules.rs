//! What the settings say about sources that are not to be understood, about names, and about files to pass over.

use std::sync::Arc;

use regex::Regex;

use super::Plugins;

/// Files of an inventory folder that end so are not read (INVENTORY_IGNORE_EXTS).
const IGNORED: [&str; 12] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"];

/// How sources are read. The defaults are Ansible's.
#[derive(Clone, Debug)]
pub struct SourceRules {
    /// When no source at all could be read, the run ends (INVENTORY_UNPARSED_IS_FAILED).
    pub none_parsed_fails: bool,
    /// When one source could not be read, the run ends (INVENTORY_ANY_UNPARSED_IS_FAILED).
    pub any_unparsed_fails: bool,
    /// Whether to warn when no source could be read (INVENTORY_UNPARSED_WARNING).
    pub warns_of_none: bool,
    /// Files of folders whose names end so are passed over.
    pub ignored_extensions: Vec<String>,
    /// Files of folders whose names match are passed over.
    pub ignored_patterns: Vec<Regex>,
    pub group_names: GroupNames,
    /// The plugins that may read sources, in order (INVENTORY_ENABLED); `None` stands for those that are built in.
    pub enabled: Option<Vec<String>>,
    /// What reads sources with plugins that are not built in.
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
            plugins: None,
        }
    }
}

impl SourceRules {
    /// Whether a file or folder within an inventory folder is passed over.
    pub(super) fn ignores(&self, name: &str) -> bool {
        self.ignored_extensions.iter().any(|end| name.ends_with(end.as_str()))
            || self.ignored_patterns.iter().any(|pattern| pattern.is_match(name))
    }
}

/// What becomes of characters in the names of groups that no variable's name may have
/// (TRANSFORM_INVALID_GROUP_CHARS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupNames {
    /// They stay, with a warning.
    #[default]
    Never,
    /// They stay.
    Ignore,
    /// They become underscores, with a warning.
    Always,
    /// They become underscores.
    Silently,
}

impl GroupNames {
    pub(super) fn warns(self) -> bool {
        matches!(self, GroupNames::Never | GroupNames::Always)
    }

    /// The name that a group gets which a source calls so.
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

/// Whether a group can be named so without harm to the variable `groups.NAME`.
pub(super) fn is_valid_group(name: &str) -> bool {
    name.char_indices().all(|(at, c)| is_valid(at, c))
}
