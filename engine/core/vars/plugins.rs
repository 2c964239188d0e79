//! The kinds of plugins that templates call, and how a call fails.

/// A kind of plugin that templates call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PluginKind {
    Filter,
    Test,
    Lookup,
}

impl PluginKind {
    /// Its name in messages and directories.
    pub fn word(self) -> &'static str {
        match self {
            PluginKind::Filter => "filter",
            PluginKind::Test => "test",
            PluginKind::Lookup => "lookup",
        }
    }
}

/// Why a plugin returned no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginError {
    /// There is no plugin of that name; with a help text.
    Missing { help: Option<String> },
    /// A sentence, in Ansible's words.
    Failed(String),
}
