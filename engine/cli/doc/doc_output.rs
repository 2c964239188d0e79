//! The output of `rplay doc`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::output;

/// The text to show, or an error message with the exit code.
pub(super) type DocOutput = Result<String, (String, u8)>;

/// Indented JSON with sorted keys, as Ansible prints it.
pub(super) fn pretty(value: &Json) -> String {
    output::json(&sorted(value)) + "\n"
}

fn sorted(value: &Json) -> Json {
    match value {
        Json::Object(fields) => {
            let fields: BTreeMap<&String, Json> = fields.iter().map(|(name, value)| (name, sorted(value))).collect();
            Json::Object(fields.into_iter().map(|(name, value)| (name.clone(), value)).collect())
        }
        Json::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

pub(super) fn yaml(value: &Json) -> DocOutput {
    output::yaml(value).map_err(|problems| (problems.one_line(), 1))
}
