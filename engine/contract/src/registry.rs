//! The modules that agents know, as the executable hands them in: the engine is built without their bodies.

use std::sync::OnceLock;

use crate::Entry;

static MODULES: OnceLock<&'static [Entry]> = OnceLock::new();

/// Sets the modules, sorted by name. The program that embeds the engine calls this once, before anything is read;
/// later calls have no effect.
pub fn install(modules: &'static [Entry]) {
    debug_assert!(modules.is_sorted_by_key(|entry| entry.name));
    let _ = MODULES.set(modules);
}

/// All modules, sorted by name; none before [`install`].
pub fn modules() -> &'static [Entry] {
    MODULES.get().copied().unwrap_or_default()
}

/// The module of that short name.
pub fn find(name: &str) -> Option<&'static Entry> {
    among(modules(), name)
}

/// The one of that short name among modules that are sorted by name.
pub fn among(modules: &'static [Entry], name: &str) -> Option<&'static Entry> {
    modules.binary_search_by(|entry| entry.name.cmp(name)).ok().map(|at| &modules[at])
}
