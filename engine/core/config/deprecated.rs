//! Settings that ansible-core will remove.

use super::{error::ConfigError, file::ConfigFile, inputs::ConfigInputs, tables};

/// Why some are deprecated.
const UNUSED: &str = "This option is no longer used in the Ansible Core code base.";
const MOVED: &str = "This option was moved to the plugin itself";
/// What to do instead.
const OF_PLUGIN: &str = "Use the option from the plugin itself.";
const NOTHING: &str = "There is no alternative at the moment. A different mechanism would have to be implemented in the \
                       current code base.";

/// Name, reason, alternatives, and the version of the removal, in ansible-core's words: scripts search for them.
const DEPRECATED: &[(&str, &str, &str, &str)] = &[
    ("ANSIBLE_CONNECTION_PATH", "This setting has no effect.", "none", "2.22"),
    (
        "DEFAULT_ALLOW_UNSAFE_LOOKUPS",
        UNUSED,
        "Lookup plugins are responsible for tagging strings containing templates to allow evaluation as a template.",
        "2.23",
    ),
    (
        "DEFAULT_JINJA2_EXTENSIONS",
        "Jinja2 extensions have been deprecated",
        "Ansible-supported Jinja plugins (tests, filters, lookups)",
        "2.23",
    ),
    ("DEFAULT_JINJA2_NATIVE", UNUSED, "Jinja2 native mode is now the default and only option.", "2.23"),
    ("DEFAULT_LIBVIRT_LXC_NOSECLABEL", MOVED, OF_PLUGIN, "2.22"),
    (
        "DEFAULT_MANAGED_STR",
        "The `ansible_managed` variable can be set just like any other variable, or a different variable can be used.",
        "Set the `ansible_managed` variable, or use any custom variable in templates.",
        "2.23",
    ),
    ("DEFAULT_NULL_REPRESENTATION", UNUSED, NOTHING, "2.23"),
    ("DEFAULT_UNDEFINED_VAR_BEHAVIOR", UNUSED, NOTHING, "2.23"),
    ("PARAMIKO_HOST_KEY_AUTO_ADD", MOVED, OF_PLUGIN, "2.20"),
    ("PARAMIKO_LOOK_FOR_KEYS", MOVED, OF_PLUGIN, "2.20"),
    (
        "STRING_TYPE_FILTERS",
        "This option has no effect.",
        "None; native types returned from filters are always preserved.",
        "2.23",
    ),
];

/// Whether a setting of this name is deprecated.
pub(super) fn is_deprecated(name: &str) -> bool {
    DEPRECATED.iter().any(|(deprecated, ..)| *deprecated == name)
}

/// Warnings about the deprecated settings that the file or the environment sets, in the order of their names.
pub(super) fn warnings(file: &ConfigFile, inputs: &ConfigInputs<'_>) -> Vec<ConfigError> {
    let is_set = |name: &str| {
        tables::sources_of(name).is_some_and(|(keys, variables)| {
            keys.split(',').any(|key| file.get(key).is_some())
                || variables.split(',').any(|name| !name.is_empty() && (inputs.env)(name).is_some())
        })
    };
    let deprecated = DEPRECATED.iter().filter(|(name, ..)| is_set(name));
    let warning = |(name, why, instead, version): &(&'static str, &str, &str, &str)| ConfigError::Deprecated {
        message: format!(
            "{name} option. Reason: {why}\nAlternatives: {}. This feature will be removed from ansible-core version \
             {version}.",
            instead.trim_end_matches('.')
        ),
    };
    deprecated.map(warning).collect()
}
