//! The types of settings, and how they are parsed.

use std::path::{Path, PathBuf};

use rplay_contract::system::pattern::{Flags, Pattern};
use rplay_contract::{args::ArgType, argtypes::Flag, system::expand, wire::Value};

use super::inputs::ConfigInputs;
use crate::{
    collections::Mismatch,
    inventory::GroupNames,
    syntax::DuplicateKeys,
    vars::HashBehaviour,
    vault::{PasswordFrom, PasswordSource},
};

/// The base of relative paths.
pub(super) struct Base<'b> {
    pub directory: &'b Path,
    pub inputs: &'b ConfigInputs<'b>,
}

impl Base<'_> {
    /// Expands `~`, `$VARIABLES` and `{{CWD}}` and makes the path absolute.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        let text = text.trim().replace("{{CWD}}", &self.inputs.directory.display().to_string());
        self.directory.join(expand::path(&text, self.inputs.env))
    }
}

/// The type of a setting.
pub(super) trait Kind: Sized {
    /// Whether an empty environment variable is a value; otherwise it counts as not set.
    const TAKES_EMPTY: bool = true;

    /// Parses a value; the error says what is wrong.
    fn parse(text: &str, base: &Base<'_>) -> Result<Self, String>;
}

impl Kind for bool {
    fn parse(text: &str, _base: &Base<'_>) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(false);
        }
        Flag::parse(&Value::from(unquoted(text))).map(|flag| flag.0)
    }
}

macro_rules! whole_numbers {
    ($($number:ty)*) => {
        $(impl Kind for $number {
            const TAKES_EMPTY: bool = false;

            fn parse(text: &str, _base: &Base<'_>) -> Result<Self, String> {
                unquoted(text).parse().map_err(|_| format!("must be a whole number, not `{text}`"))
            }
        })*
    };
}

whole_numbers! { u32 i64 }

impl Kind for String {
    fn parse(text: &str, _base: &Base<'_>) -> Result<Self, String> {
        Ok(unquoted(text).to_owned())
    }
}

impl Kind for PathBuf {
    fn parse(text: &str, base: &Base<'_>) -> Result<Self, String> {
        Ok(base.path(unquoted(text)))
    }
}

impl<T: Kind> Kind for Option<T> {
    fn parse(text: &str, base: &Base<'_>) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text, base).map(Some) }
    }
}

/// Comma-separated words.
impl Kind for Vec<String> {
    fn parse(text: &str, _base: &Base<'_>) -> Result<Self, String> {
        Ok(unquoted(text).split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect())
    }
}

/// Directories separated by colons.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Directories(pub Vec<PathBuf>);

impl Directories {
    /// Ansible's default: WHAT in `ANSIBLE_HOME`, else `~/.ansible/WHAT`, /usr/share/ansible/WHAT, and for roles /etc/ansible/WHAT.
    pub fn usual(what: &str) -> Self {
        let own = std::env::var_os("ANSIBLE_HOME").filter(|own| !own.is_empty()).map(PathBuf::from);
        let home = own.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".ansible")));
        let home = home.map(|home| home.join(what));
        let shared = ["/usr/share/ansible", "/etc/ansible"].map(|directory| Path::new(directory).join(what));
        let count = if what == "roles" { 2 } else { 1 };
        Directories(home.into_iter().chain(shared.into_iter().take(count)).collect())
    }
}

impl Kind for Directories {
    fn parse(text: &str, base: &Base<'_>) -> Result<Self, String> {
        Ok(Directories(unquoted(text).split(':').filter(|part| !part.is_empty()).map(|part| base.path(part)).collect()))
    }
}

/// Inventory sources, as for `-i`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources(pub Vec<String>);

impl Kind for Sources {
    fn parse(text: &str, base: &Base<'_>) -> Result<Self, String> {
        let text = unquoted(text);
        // A trailing comma makes it a list of hosts instead of files.
        if text.ends_with(',') {
            return Ok(Sources(vec![text.to_owned()]));
        }
        let paths = text.split(',').filter(|part| !part.trim().is_empty()).map(|part| base.path(part));
        Ok(Sources(paths.map(|path| path.display().to_string()).collect()))
    }
}

/// Vault passwords with IDs: `name@file`, `name@prompt`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identities(pub Vec<PasswordSource>);

impl Kind for Identities {
    fn parse(text: &str, base: &Base<'_>) -> Result<Self, String> {
        let resolved = |source: PasswordSource| match source.from {
            PasswordFrom::File(path) => {
                PasswordSource { from: PasswordFrom::File(base.path(&path.display().to_string())), ..source }
            }
            PasswordFrom::Prompt | PasswordFrom::Ask => source,
        };
        let words = <Vec<String> as Kind>::parse(text, base)?;
        Ok(Identities(words.iter().map(|text| resolved(PasswordSource::parse(text))).collect()))
    }
}

/// A text that is masked in all output.
#[derive(Clone)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Kind for Secret {
    fn parse(text: &str, _base: &Base<'_>) -> Result<Self, String> {
        Ok(Secret(unquoted(text).to_owned()))
    }
}

/// Comma-separated regular expressions of Python.
#[derive(Clone, Debug, Default)]
pub struct Patterns(pub Vec<Pattern>);

impl Kind for Patterns {
    fn parse(text: &str, base: &Base<'_>) -> Result<Self, String> {
        let words = <Vec<String> as Kind>::parse(text, base)?;
        let compiled = words.iter().map(|word| Pattern::compile(word, Flags::default()));
        compiled.collect::<Result<_, _>>().map(Patterns)
    }
}

impl Kind for GroupNames {
    fn parse(text: &str, _base: &Base<'_>) -> Result<Self, String> {
        match unquoted(text) {
            "never" => Ok(GroupNames::Never),
            "ignore" => Ok(GroupNames::Ignore),
            "always" => Ok(GroupNames::Always),
            "silently" => Ok(GroupNames::Silently),
            other => Err(format!("must be one of always, never, ignore, silently, not `{other}`")),
        }
    }
}

/// When facts are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathering {
    /// In every play, unless it disables it.
    Implicit,
    /// Only in plays that enable it.
    Explicit,
    /// In every play, but only once per host.
    Smart,
}

/// The look of errors and warnings with a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Diagnostics {
    /// Lines if rplay was called by one of Ansible's names and not on a terminal; otherwise boxes.
    #[default]
    Auto,
    Boxes,
    /// As ansible-core writes them.
    Lines,
}

impl Diagnostics {
    /// The look with this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Diagnostics::Auto),
            "boxes" => Some(Diagnostics::Boxes),
            "lines" => Some(Diagnostics::Lines),
            _ => None,
        }
    }
}

impl Kind for Diagnostics {
    fn parse(text: &str, _base: &Base<'_>) -> Result<Self, String> {
        let text = unquoted(text);
        Diagnostics::named(text).ok_or_else(|| format!("must be one of auto, boxes, lines, not `{text}`"))
    }
}

impl Kind for Gathering {
    fn parse(text: &str, _base: &Base<'_>) -> Result<Self, String> {
        match unquoted(text) {
            "implicit" => Ok(Gathering::Implicit),
            "explicit" => Ok(Gathering::Explicit),
            "smart" => Ok(Gathering::Smart),
            other => Err(format!("must be one of implicit, explicit, smart, not `{other}`")),
        }
    }
}

impl Kind for Mismatch {
    fn parse(text: &str, _base: &Base<'_>) -> Result<Self, String> {
        match unquoted(text) {
            "error" => Ok(Mismatch::Error),
            "warning" => Ok(Mismatch::Warning),
            "ignore" => Ok(Mismatch::Ignore),
            other => Err(format!("must be one of error, warning, ignore, not `{other}`")),
        }
    }
}

impl Kind for HashBehaviour {
    fn parse(text: &str, _base: &Base<'_>) -> Result<Self, String> {
        match unquoted(text) {
            "replace" => Ok(HashBehaviour::Replace),
            "merge" => Ok(HashBehaviour::Merge),
            other => Err(format!("must be one of replace, merge, not `{other}`")),
        }
    }
}

impl Kind for DuplicateKeys {
    fn parse(text: &str, _base: &Base<'_>) -> Result<Self, String> {
        match unquoted(text) {
            "ignore" => Ok(DuplicateKeys::Ignore),
            "warn" => Ok(DuplicateKeys::Warn),
            "error" => Ok(DuplicateKeys::Error),
            other => Err(format!("must be one of ignore, warn, error, not `{other}`")),
        }
    }
}

pub(super) fn unquoted(text: &str) -> &str {
    let text = text.trim();
    ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text)
}
