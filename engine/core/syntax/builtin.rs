//! The built-in collections, and names without their prefix.

/// The collections that are always available; they have no directory.
pub const BUILTIN: [&str; 2] = ["ansible.builtin", "ansible.legacy"];

/// A name without the prefix `ansible.builtin.` or `ansible.legacy.`; any other name is unchanged.
pub fn builtin_name(name: &str) -> &str {
    BUILTIN.iter().find_map(|collection| name.strip_prefix(collection)?.strip_prefix('.')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_built_in_collections_are_cut_off_and_only_once() {
        for (name, short) in [
            ("copy", "copy"),
            ("ansible.builtin.copy", "copy"),
            ("ansible.legacy.copy", "copy"),
            ("ansible.builtin.ansible.legacy.copy", "ansible.legacy.copy"),
            ("ansible.builtincopy", "ansible.builtincopy"),
            ("ansible.builtin", "ansible.builtin"),
            ("ansible.posix.mount", "ansible.posix.mount"),
            ("my.ansible.builtin.copy", "my.ansible.builtin.copy"),
        ] {
            assert_eq!(builtin_name(name), short);
        }
    }
}
