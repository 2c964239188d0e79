//! The variables that a template sees: layers, strongest first.

use std::{path::PathBuf, sync::Arc};

use indexmap::{IndexMap, IndexSet};
use minijinja::Value;
use rplay_contract::wire::Become;

use super::{HashBehaviour, Lazy, PluginError, PluginKind};
use crate::source::Span;

/// The variables of one origin.
pub type Layer = IndexMap<Arc<str>, Lazy>;

/// The variables of both layers, of which `strong` wins.
pub fn overlaid(weak: &Arc<Layer>, strong: &Layer) -> Arc<Layer> {
    if strong.is_empty() {
        return weak.clone();
    }
    let mut both = Layer::clone(weak);
    lay_over(&mut both, strong);
    Arc::new(both)
}

/// Adds the variables of another layer, which win.
pub fn lay_over(layer: &mut Layer, strong: &Layer) {
    layer.extend(strong.iter().map(|(name, value)| (name.clone(), value.clone())));
}

/// Inputs of templates other than variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// The controller's files.
    Files,
    /// Inputs that change over time: the clock, the output of a command, the response of a server.
    Volatile,
}

/// Deprecated behaviour that a setting may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lenience {
    /// Render string literals in conditions and lookups as templates (ALLOW_EMBEDDED_TEMPLATES).
    EmbeddedTemplates,
    /// Accept conditions that are not boolean (ALLOW_BROKEN_CONDITIONALS).
    BrokenConditionals,
}

/// Magic variables, which are computed: hostvars, groups, inventory_hostname, ansible_check_mode ...
pub trait Magic: Send + Sync {
    /// The magic variable of this name, if there is one.
    fn get(&self, name: &str) -> Option<Lazy>;

    /// A variable that exists where nothing else sets it, as the user that the task logs in as does.
    fn otherwise(&self, _name: &str) -> Option<Lazy> {
        None
    }

    /// The names of all magic variables.
    fn names(&self) -> Vec<Arc<str>>;

    /// The name of the host that the variables belong to, where hosts are distinguished.
    fn owner(&self) -> Option<&str> {
        None
    }

    /// Called when no layer has the name either. Facts that were not gathered yet can be requested here; rendering is
    /// then repeated.
    fn missing(&self, _name: &str) {}

    /// Called before a template reads inputs other than variables. Returns false if it must not read them, because the
    /// result is not needed.
    fn look_outside(&self, _outside: Outside) -> bool {
        true
    }

    /// Whether deprecated behaviour is allowed. The defaults are those of ansible-core 2.19.
    fn allows(&self, lenience: Lenience) -> bool {
        matches!(lenience, Lenience::EmbeddedTemplates)
    }

    /// Warns about something questionable, once per place.
    fn warn(&self, _message: &str, _place: Option<&Span>) {}

    /// Warns about deprecated behaviour, unless such warnings are disabled. Without a place, none is shown.
    fn deprecated(&self, _message: &str, _place: Option<&Span>) {}

    /// The warning about reading a magic variable that will be removed.
    fn deprecation_of(&self, name: &str) -> Option<&'static str> {
        (name == "play_hosts").then_some(
            "The `play_hosts` magic variable is deprecated. This feature will be removed from ansible-core version \
             2.23.\n\nUse `ansible_play_batch` instead.",
        )
    }

    /// Shows the user a message of a plugin.
    fn message(&self, _text: &str) {}

    /// Calls plugins that are not built in; `None` if they cannot be called.
    fn plugins(&self) -> Option<&dyn Plugins> {
        None
    }

    /// Masks a text in all output from now on.
    fn conceal(&self, _text: &str) {}

    /// The envelope of an encrypted value whose content is this very text: copies share it, changes lose it.
    fn envelope_of(&self, _text: &str) -> Option<Arc<str>> {
        None
    }

    /// Names the task and the host that templates are rendered for: within it, plugins keep their state.
    fn turn(&self) -> Option<String> {
        None
    }

    /// Decrypts a vault envelope. Implementations must register the text as a secret.
    ///
    /// # Errors
    /// If it cannot be decrypted; the message is in lower case.
    fn decrypt(&self, _envelope: &str) -> Result<Arc<str>, String> {
        Err("no vault password to decrypt this value".into())
    }
}

/// No magic variables.
impl Magic for () {
    fn get(&self, _name: &str) -> Option<Lazy> {
        None
    }

    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
}

/// A call of a plugin.
#[derive(Clone, Copy)]
pub struct PluginCall<'a> {
    pub kind: PluginKind,
    /// The name as written, with or without a collection.
    pub name: &'a str,
    /// The input of a filter or test comes first. Any of them may be undefined.
    pub positional: &'a [Value],
    pub named: &'a [(String, Value)],
    /// Whether `with_NAME` calls this lookup.
    pub is_loop: bool,
    /// The variables that it may read.
    pub scope: &'a Arc<Scope>,
    /// The place of the template.
    pub at: &'a Span,
}

/// A call of a become plugin.
#[derive(Clone, Copy)]
pub struct BecomeCall<'a> {
    pub method: &'a str,
    /// The task's keywords: name and value.
    pub keywords: &'a [(&'a str, Option<String>)],
    /// The password, if no variable sets one.
    pub password: Option<&'a str>,
    /// The variables that it may read.
    pub scope: &'a Arc<Scope>,
}

/// Finds and calls plugins that are not built in.
pub trait Plugins: Send + Sync {
    /// Whether a plugin of the user's overrides the built-in one of this name. Cheap if there is none.
    fn replaces(&self, kind: PluginKind, name: &str) -> bool;

    /// Calls a plugin. The result is data; it may be undefined.
    ///
    /// # Errors
    /// If there is no such plugin, or it fails.
    fn call(&self, call: &PluginCall<'_>) -> Result<Value, PluginError>;

    /// Whether a plugin of the user's overrides a built-in become method.
    fn replaces_become(&self, method: &str) -> bool;

    /// How a become plugin starts an agent as another user; `None` if there is no such plugin.
    ///
    /// # Errors
    /// If the plugin fails, or there is no ansible-core.
    fn becoming(&self, call: &BecomeCall<'_>) -> Result<Option<Become>, String>;
}

/// The variables that one host sees in one task. Cheap to create: layers are shared, never copied.
pub struct Scope {
    /// Strongest first.
    pub layers: Vec<Arc<Layer>>,
    pub magic: Arc<dyn Magic>,
    /// Directories that lookups and templates search for files, in order: the role's, the task file's, the playbook's.
    pub directories: Arc<[PathBuf]>,
}

impl Scope {
    /// Creates a scope; layers are ordered strongest first.
    pub fn new(layers: Vec<Arc<Layer>>, magic: Arc<dyn Magic>, directories: Arc<[PathBuf]>) -> Self {
        Scope { layers, magic, directories }
    }

    /// Whether both scopes have the same variables: the same scope, or the same layers of one host, as `hostvars`
    /// creates them.
    pub fn is_same(&self, other: &Scope) -> bool {
        std::ptr::eq(self, other)
            || self.layers.len() == other.layers.len()
                && self.magic.owner().is_some()
                && self.magic.owner() == other.magic.owner()
                && self.layers.iter().zip(&other.layers).all(|(own, other)| Arc::ptr_eq(own, other))
    }

    /// The unrendered variable of this name.
    pub fn get(&self, name: &str) -> Option<Lazy> {
        let found = self.find_any(name);
        if found.is_none() {
            self.magic.missing(name);
        }
        found
    }

    /// Like [`get`](Self::get), without reporting a missing name: functions of Jinja are looked up this way too.
    pub fn find(&self, name: &str) -> Option<Lazy> {
        // As in Ansible, magic variables cannot be overridden.
        self.magic.get(name).or_else(|| match HashBehaviour::merges() {
            false => self.layers.iter().find_map(|layer| layer.get(name)).cloned(),
            true => {
                let all = self.layers.iter().filter_map(|layer| layer.get(name)).rev();
                all.fold(None, |weaker: Option<Lazy>, own| {
                    Some(weaker.map_or_else(|| own.clone(), |weaker| weaker.merged(own)))
                })
            }
        })
    }

    /// Like [`find`](Self::find), with what templates see besides.
    pub fn find_any(&self, name: &str) -> Option<Lazy> {
        self.find(name).or_else(|| self.magic.otherwise(name))
    }

    /// All names, for `vars`, `varnames` and suggestions.
    pub fn names(&self) -> IndexSet<Arc<str>> {
        self.layers.iter().flat_map(|layer| layer.keys().cloned()).chain(self.magic.names()).collect()
    }
}
