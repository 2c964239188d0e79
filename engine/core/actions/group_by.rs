//! group_by: groups hosts by a value.

use rplay_contract::{Wording, args, argtypes::Text};

use super::{Context, Effect, Rendered, Result, TaskResult, list_arg, text_arg};

/// In messages about wrong arguments.
pub(super) const WORDING: Wording = Wording { missing: Some(REQUIRED), ..Wording::USUAL };
const REQUIRED: &str = "the 'key' param is required when using group_by";

args! {
    /// Groups hosts by a value.
    pub struct GroupBy {
        /// The name of the group.
        key: Text,
        /// Parent groups of the new group.
        parents: Vec<Text> = vec!["all".to_owned()],
    }
}

pub(super) fn group_by(args: Rendered, _: &Context<'_>) -> Result<TaskResult> {
    let Some(key) = text_arg(&args, "key") else {
        return Err(Box::new(TaskResult::failed(REQUIRED)));
    };
    let group = key.replace(' ', "-");
    let parents = list_arg(&args, "parents").unwrap_or_else(|| vec!["all".to_owned()]);
    let parents: Vec<String> = parents.into_iter().map(|parent| parent.replace(' ', "-")).collect();
    let mut result = TaskResult { changed: true, ..TaskResult::default() }
        .with("add_group", group.clone())
        .with("parent_groups", parents.clone());
    result.effects.push(Effect::GroupBy { group, parents });
    Ok(result)
}
