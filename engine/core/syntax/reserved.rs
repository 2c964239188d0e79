//! Names that variables should not have: keywords of plays, blocks and tasks, and functions that templates have.

use super::{Node, Word};

/// Sorted. As in ansible-core, not all keywords: `vars`, `gather_subset`, `role`, `listen` and `user` may be used, but
/// `loop_with` and `local_action`, which are other spellings of keywords, may not.
const RESERVED: &[&str] = &[
    "action",
    "always",
    "any_errors_fatal",
    "args",
    "async",
    "become",
    "become_exe",
    "become_flags",
    "become_method",
    "become_user",
    "block",
    "changed_when",
    "check_mode",
    "collections",
    "connection",
    "cycler",
    "debugger",
    "delay",
    "delegate_facts",
    "delegate_to",
    "dict",
    "diff",
    "environment",
    "fact_path",
    "failed_when",
    "force_handlers",
    "gather_facts",
    "gather_timeout",
    "handlers",
    "hosts",
    "ignore_errors",
    "ignore_unreachable",
    "joiner",
    "lipsum",
    "local_action",
    "lookup",
    "loop",
    "loop_control",
    "loop_with",
    "max_fail_percentage",
    "module_defaults",
    "name",
    "namespace",
    "no_log",
    "notify",
    "now",
    "omit",
    "order",
    "poll",
    "port",
    "post_tasks",
    "pre_tasks",
    "q",
    "query",
    "range",
    "register",
    "remote_user",
    "rescue",
    "retries",
    "roles",
    "run_once",
    "serial",
    "strategy",
    "tags",
    "tasks",
    "throttle",
    "timeout",
    "undef",
    "until",
    "vars_files",
    "vars_prompt",
    "when",
];

/// Whether a variable may have this name: an identifier of Python.
pub fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    !KEYWORDS.contains(&name)
        && chars.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
}

/// Words that Ansible rejects as variable names: Jinja reads them as constants. Python's other keywords are names.
const KEYWORDS: &[&str] = &["False", "None", "True", "false", "none", "not", "true"];

/// The warning about a variable of this name; `None` if the name is free.
pub fn reserved_name(name: &str) -> Option<String> {
    RESERVED.binary_search(&name).is_ok().then(|| format!("Found variable using reserved name '{name}'."))
}

/// The reserved names in a mapping of variables.
pub fn reserved_names(vars: &Node) -> impl Iterator<Item = Word> {
    let names = vars.as_map().unwrap_or_default().iter().map(|(name, _)| name);
    names.filter_map(|name| {
        let text = name.as_str().filter(|text| reserved_name(text).is_some())?;
        Some(Word { value: text.into(), span: name.span.clone() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::Source, syntax::yaml};

    #[test]
    fn keywords_and_functions_are_reserved() {
        assert!(RESERVED.is_sorted());
        let source = Source::inline("vars", "{lookup: 1, item: 2, when: 3, vars: 4, with_items: 5, 6: 7, hosts: 8}");
        let vars = yaml::load(&source).expect("a mapping").node;
        let found: Vec<String> = reserved_names(&vars).map(|word| word.value.to_string()).collect();
        assert_eq!(found, ["lookup", "when", "hosts"]);
    }
}
