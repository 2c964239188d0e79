//! How messages about wrong arguments are worded, since playbooks match Ansible's messages.

/// What Ansible's messages about the arguments of a module or an action name instead of the entry's own name and
/// arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wording {
    /// The module that messages name; `None`: the entry's own name.
    pub module: Option<&'static str>,
    /// The module whose arguments are listed as supported; `None`: the entry's own.
    pub args_of: Option<&'static str>,
    /// Listed arguments that only Ansible's own code passes.
    pub internal: &'static [&'static str],
    /// Arguments that are not listed, because an action removes them before it calls the module.
    pub removed: &'static [&'static str],
    /// The argument that is refused before all others, without a list: an action refuses it, not the module.
    pub refused_first: Option<&'static str>,
    /// Arguments with a message of their own, and that message.
    pub refused: &'static [(&'static str, &'static str)],
    /// Whether an action words unknown arguments as modules do.
    pub like_module: bool,
    /// The message about an unknown argument; `{}` is replaced by its name.
    pub unknown: Option<&'static str>,
    /// The message about a missing argument; `{}` is replaced by its name.
    pub missing: Option<&'static str>,
}

impl Wording {
    /// The words of most modules and actions.
    pub const USUAL: Wording = Wording {
        module: None,
        args_of: None,
        internal: &[],
        removed: &[],
        refused_first: None,
        refused: &[],
        like_module: false,
        unknown: None,
        missing: None,
    };
}
