//! `plugin_filters_cfg`: names of modules that a project may not use.

use std::{collections::HashSet, path::Path};

use crate::{
    source::Source,
    syntax::{Kind, yaml},
};

/// Modules that are refused by their short names; as in Ansible, their full names still work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rejected {
    #[default]
    Nothing,
    Modules(HashSet<String>),
    /// The file makes an impossible demand; with the reason why no module can be used.
    All(String),
}

impl Rejected {
    /// Reads the file, if there is one; also returns a warning.
    pub fn read(path: &Path) -> (Self, Option<String>) {
        let skipped = |what: String| {
            (Rejected::Nothing, Some(format!("The plugin filter file, {} was {what}. Skipping.", path.display())))
        };
        if !path.is_file() {
            return (Rejected::Nothing, None);
        }
        let loaded = match Source::read(path).map(|source| yaml::load(&source)) {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(problems)) => {
                let why = problems.0.first().map(ToString::to_string).unwrap_or_default();
                return skipped(format!("not parsable: {why}"));
            }
            Err(error) => return skipped(format!("not readable: {error}")),
        };
        let is_known = match loaded.node.get("filter_version").map(|version| &version.kind) {
            Some(Kind::Float(version)) => *version == 1.0,
            Some(Kind::Str(version)) => version.value.trim() == "1.0",
            _ => false,
        };
        if !is_known {
            return skipped("invalid".to_owned());
        }
        let listed = loaded.node.get("module_rejectlist").or_else(|| loaded.node.get("module_blacklist"));
        let names = listed.and_then(|listed| listed.as_seq()).into_iter().flatten();
        let names: HashSet<String> = names.filter_map(|name| name.as_str()).map(str::to_owned).collect();
        if names.contains("stat") {
            let message = format!(
                "The stat module was specified in the module reject list file, {}, but Ansible will not function \
                 without the stat module.  Please remove stat from the reject list.",
                path.display()
            );
            return (Rejected::All(message), None);
        }
        (Rejected::Modules(names), None)
    }

    /// Why a module cannot be used by this name.
    pub fn refuses(&self, name: &str) -> Option<String> {
        match self {
            Rejected::Nothing => None,
            Rejected::All(why) => Some(why.clone()),
            Rejected::Modules(names) => names.contains(name.strip_prefix("ansible.legacy.").unwrap_or(name)).then(|| {
                format!(
                    "couldn't resolve module/action '{name}'. This often indicates a misspelling, missing collection, \
                     or incorrect module path."
                )
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_refuses_short_names_and_says_what_is_wrong_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("filters.yml");
        assert_eq!(Rejected::read(&path), (Rejected::Nothing, None));
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Rejected::read(&path)
        };
        for version in ["1.0", "'1.0'"] {
            let (found, warning) = read(&format!("filter_version: {version}\nmodule_rejectlist: [copy, pause]\n"));
            assert!(warning.is_none() && found.refuses("copy").is_some_and(|why| why.contains("'copy'")));
            assert!(found.refuses("ansible.legacy.pause").is_some() && found.refuses("ping").is_none());
            assert!(found.refuses("ansible.builtin.copy").is_none());
        }
        assert!(read("module_rejectlist: [copy]\n").1.is_some_and(|told| told.contains("was invalid. Skipping")));
        assert!(read("a: [\n").1.is_some_and(|told| told.contains("was not parsable")));
        assert_eq!(read("filter_version: 1.0\n").1, None);
        let (all, _) = read("filter_version: 1.0\nmodule_rejectlist: [stat]\n");
        assert!(all.refuses("ping").is_some_and(|why| why.contains("will not function without the stat module")));
    }
}
