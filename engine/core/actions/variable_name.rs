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
