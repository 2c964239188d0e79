//! Everything that templates can call by name: filters, tests, functions, methods and lookups of Ansible and Jinja.

use std::sync::OnceLock;

use crate::{template::eval::library::Library, vars::PluginKind};

pub(crate) mod filters;
pub(crate) mod functions;
pub(crate) mod lookups;
pub(crate) mod mersenne_twister;
pub(crate) mod methods;
pub(crate) mod paths;
pub(crate) mod tests;
pub(crate) mod versions;

/// All built-in callables.
pub(crate) fn built_in() -> &'static Library {
    static BUILT_IN: OnceLock<Library> = OnceLock::new();
    BUILT_IN.get_or_init(|| {
        let mut library = Library::new(methods::METHODS);
        filters::add_to(&mut library);
        tests::add_to(&mut library);
        lookups::add_to(&mut library);
        functions::add_to(&mut library);
        library
    })
}

/// The names of the built-in filters, tests or lookups.
pub fn built_in_names(kind: PluginKind) -> Vec<&'static str> {
    let library = built_in();
    match kind {
        PluginKind::Filter => library.filter_names().collect(),
        PluginKind::Test => library.test_names().collect(),
        PluginKind::Lookup => library.lookup_names().collect(),
    }
}
