//! Resolves module names as written in tasks: short, fully qualified, or with collections to search.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::Action;
use crate::{
    collections::{BUILTIN, Collections, Qualified, Routed},
    external::Finder,
    syntax::{Known, Modules, builtin_name},
};

/// What a module name refers to.
pub struct Named {
    pub meant: Meant,
    /// Deprecation messages of the collections.
    pub deprecated: Vec<String>,
    /// The collection that the name belongs to, if installed.
    pub collection: Option<String>,
}

pub enum Meant {
    Action(Action),
    /// A module in a collection that rplay does not implement: its full name and file.
    Content {
        name: String,
        file: PathBuf,
    },
    /// The module was removed; with the message.
    Removed(String),
    Nothing,
}

impl Meant {
    /// Whether it controls the run itself, so that no plugin may replace it: includes, imports, `meta`.
    pub(super) fn controls_the_run(&self) -> bool {
        matches!(self, Meant::Action(Action::Statement(_)))
    }
}

impl Named {
    /// Resolves a name. A short name is first looked up in the collections to search.
    pub fn find(written: &str, collections: &Collections, search: &[Arc<str>]) -> Named {
        if Qualified::parse(written).is_some() {
            return Named::qualified(written, collections);
        }
        let before_builtin = search.iter().take_while(|name| !BUILTIN.contains(&&***name));
        for collection in before_builtin {
            let named = Named::qualified(&format!("{collection}.{written}"), collections);
            if !matches!(named.meant, Meant::Nothing) {
                return named;
            }
        }
        let meant = Action::find(written).map_or(Meant::Nothing, Meant::Action);
        Named { meant, deprecated: Vec::new(), collection: None }
    }

    fn qualified(written: &str, collections: &Collections) -> Named {
        let collection = Qualified::parse(written).map(|qualified| qualified.collection);
        match collections.route(written) {
            Routed::To { name, deprecated } => {
                let meant = match Action::find(&name) {
                    Some(action) => Meant::Action(action),
                    None => match collections.module_file(&name) {
                        Some(file) => Meant::Content { name, file },
                        None => Meant::Nothing,
                    },
                };
                Named { meant, deprecated, collection }
            }
            Routed::Removed(message) => Named { meant: Meant::Removed(message), deprecated: Vec::new(), collection },
            Routed::Circle => Named { meant: Meant::Nothing, deprecated: Vec::new(), collection },
        }
    }
}

/// The known modules and actions, for the reader of a file.
pub(super) struct Catalogue<'c> {
    pub collections: &'c Collections,
    pub finder: &'c Finder,
    /// The file.
    pub file: Option<&'c Path>,
    /// The collections to search, if the file names none.
    pub search: &'c [Arc<str>],
}

impl Modules for Catalogue<'_> {
    fn find(&self, name: &str) -> Known {
        self.find_among(name, &[])
    }

    fn find_among(&self, name: &str, listed: &[Arc<str>]) -> Known {
        let search = if listed.is_empty() { self.search } else { listed };
        match Named::find(name, self.collections, search).meant {
            Meant::Action(action) => Known::Module { free_form: action.traits().free_form.is_some() },
            // Errors of these modules are reported when the task is resolved.
            Meant::Content { .. } | Meant::Removed(_) => Known::Module { free_form: false },
            Meant::Nothing if self.finder.action_of_collection(name).is_some() => Known::Module { free_form: false },
            Meant::Nothing => match self.finder.may_be(builtin_name(name), self.file) {
                true => Known::Module { free_form: false },
                false => Known::No,
            },
        }
    }

    fn about(&self, name: &str) -> Option<(String, Option<String>)> {
        let missing = self.finder.lacks(name);
        Some((missing.msg, missing.help))
    }

    fn names(&self) -> Vec<&str> {
        Action::names().collect()
    }

    fn lookups(&self) -> Vec<&str> {
        crate::template::lookup_names().collect()
    }

    fn has_lookup(&self, name: &str) -> bool {
        self.finder.may_be_lookup(name, self.file)
    }
}
