//! What a template sees: layers of variables, the nearest first.

use std::{path::PathBuf, sync::Arc};

use indexmap::{IndexMap, IndexSet};

use super::{Lazy, Plugins};
use crate::source::Span;

/// Variables of one origin.
pub type Layer = IndexMap<Arc<str>, Lazy>;

/// What templates look at beside variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// The controller's files.
    Files,
    /// What differs from moment to moment: the clock, what a command prints, what a server answers.
    Moment,
}

/// What a setting may let through although it is deprecated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lenience {
    /// String literals in conditions and lookups are templates themselves (ALLOW_EMBEDDED_TEMPLATES).
    EmbeddedTemplates,
    /// Conditions need not be boolean (ALLOW_BROKEN_CONDITIONALS).
    BrokenConditionals,
}

/// Variables that are not stored but known: hostvars, groups, inventory_hostname, ansible_check_mode ...
pub trait Magic: Send + Sync {
    /// The variable, if it is one of these.
    fn get(&self, name: &str) -> Option<Lazy>;

    /// All their names.
    fn names(&self) -> Vec<Arc<str>>;

    /// Whose variables these are, where one host's are told from another's: the host's name.
    fn owner(&self) -> Option<&str> {
        None
    }

    /// Called when no layer knows the name either: facts not gathered yet can be asked for here, and the
    /// rendering is tried again.
    fn missing(&self, _name: &str) {}

    /// Asked before a template looks at something that is no variable. False: it must not, what it would yield
    /// is not wanted.
    fn look_outside(&self, _outside: Outside) -> bool {
        true
    }

    /// Whether something deprecated is let through. The defaults are those of ansible-core 2.19.
    fn allows(&self, lenience: Lenience) -> bool {
        matches!(lenience, Lenience::EmbeddedTemplates)
    }

    /// Tells of something that is accepted but odd, once for each place.
    fn warn(&self, _message: &str, _place: &Span) {}

    /// Tells of something that will not be accepted for ever, unless nobody wants to hear it.
    fn deprecated(&self, _message: &str, _place: &Span) {}

    /// What calls plugins that are not native, if any can be called.
    fn plugins(&self) -> Option<&dyn Plugins> {
        None
    }

    /// A text that no output may show from now on.
    fn conceal(&self, _text: &str) {}

    /// Whether a text is what an encrypted value holds.
    fn is_vaulted(&self, _text: &str) -> bool {
        false
    }

    /// The text in a vault envelope. Whoever implements this also sees to it that the text is masked in every
    /// output from now on. The error is a message in lower case.
    fn decrypt(&self, _envelope: &str) -> Result<String, String> {
        Err("there is no vault password to decrypt this value".into())
    }
}

/// What one host sees in one task. Cheap to make: layers are shared, never copied.
pub struct Scope {
    /// The strongest first.
    pub layers: Vec<Arc<Layer>>,
    pub magic: Arc<dyn Magic>,
    /// Folders in which lookups and templates look for files, in order: the role's, the task file's,
    /// the playbook's.
    pub folders: Arc<[PathBuf]>,
}

impl Scope {
    /// Layers with the strongest first.
    pub fn new(layers: Vec<Arc<Layer>>, magic: Arc<dyn Magic>, folders: Arc<[PathBuf]>) -> Self {
        Scope { layers, magic, folders }
    }

    /// Whether both see the same: one scope, or the same layers of one host put together twice, as `hostvars` does.
    pub fn is_same(&self, other: &Scope) -> bool {
        std::ptr::eq(self, other)
            || self.layers.len() == other.layers.len()
                && self.magic.owner().is_some()
                && self.magic.owner() == other.magic.owner()
                && self.layers.iter().zip(&other.layers).all(|(own, other)| Arc::ptr_eq(own, other))
    }

    /// The variable of that name, not rendered.
    pub fn get(&self, name: &str) -> Option<Lazy> {
        let found = self.find(name);
        if found.is_none() {
            self.magic.missing(name);
        }
        found
    }

    /// The same, but nobody is told that it is missing: functions of Jinja are looked up this way, too.
    pub fn find(&self, name: &str) -> Option<Lazy> {
        // What rplay itself knows cannot be overridden, as in Ansible.
        self.magic.get(name).or_else(|| self.layers.iter().find_map(|layer| layer.get(name)).cloned())
    }

    /// All names, for `vars`, `varnames` and for "did you mean".
    pub fn names(&self) -> IndexSet<Arc<str>> {
        self.layers.iter().flat_map(|layer| layer.keys().cloned()).chain(self.magic.names()).collect()
    }
}
