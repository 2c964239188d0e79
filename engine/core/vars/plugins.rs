//! The kinds of plugins that templates call, and how a call fails.

/// What a plugin does in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PluginKind {
    Filter,
    Test,
    Lookup,
}

impl PluginKind {
    /// The word that messages and directories have for it.
    pub fn word(self) -> &'static str {
        match self {
            PluginKind::Filter => "filter",
            PluginKind::Test => "test",
            PluginKind::Lookup => "lookup",
        }
    }
}

/// Why a plugin gave no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginError {
    /// There is none of that name; what may be done about it.
    Missing { help: Option<String> },
    /// A sentence, in Ansible's words.
    Failed(String),
}
