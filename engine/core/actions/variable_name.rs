//! Which names variables may have.

use super::TaskResult;

/// The result of a task that was to set a variable of such a name.
pub(super) fn bad_name(name: &str) -> TaskResult {
    let mut result = TaskResult::failed(format!("Task failed: Invalid variable name '{name}'."));
    result.help = Some(
        "variables begin with a letter or an underscore, hold letters, digits and underscores only, and are no \
         keywords of Python"
            .into(),
    );
    result
}

pub(super) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    !KEYWORDS.contains(&name)
        && chars.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
}

/// Words that Ansible rejects as variable names.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "false", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
    "none", "nonlocal", "not", "or", "pass", "raise", "return", "true", "try", "while", "with", "yield",
];
