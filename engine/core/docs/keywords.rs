//! What ansible-core says of the keywords of playbooks.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value as Json;

use super::json;
use crate::files;

/// What each keyword is for, by its name, in the words of an ansible-core whose Python package is in that directory.
/// Empty if that has no such file.
pub fn keywords(core: &Path) -> BTreeMap<String, String> {
    let file = core.join("keyword_desc.yml");
    let text = files::read_text(&file).unwrap_or_default();
    let Ok(Json::Object(all)) = json::read(&file.display().to_string(), &text) else { return BTreeMap::new() };
    let told = all.into_iter().filter_map(|(name, said)| Some((name, said.as_str()?.to_owned())));
    told.collect()
}
