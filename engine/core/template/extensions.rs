//! Extensions of Jinja (`jinja2_extensions`).

use std::sync::OnceLock;

/// Whether `{% do %}` is a statement. Set once at the start, for all templates.
static DO: OnceLock<()> = OnceLock::new();

/// Turns on extensions for this process, by name. Returns those that are not supported.
pub fn enable_extensions(names: &[String]) -> Vec<&str> {
    let mut unknown = Vec::new();
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        match name {
            "jinja2.ext.do" | "jinja2.ext.ExprStmtExtension" => _ = OnceLock::set(&DO, ()),
            // Part of Jinja since 2.9.
            "jinja2.ext.autoescape" | "jinja2.ext.with_" => {}
            _ => unknown.push(name),
        }
    }
    unknown
}

/// Whether `{% do %}` is a statement.
pub(super) fn has_do() -> bool {
    OnceLock::get(&DO).is_some()
}
