//! ansible-core's descriptions of the keywords of playbooks.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value as Json;

use super::json;
use crate::files;

/// The descriptions of keywords by name, from the ansible-core whose Python package is in that directory. Empty if it
/// has none.
pub fn keywords(core: &Path) -> BTreeMap<String, String> {
    let file = core.join("keyword_desc.yml");
    let text = files::read_text(&file).unwrap_or_default();
    let Ok(Json::Object(all)) = json::read(&file.display().to_string(), &text) else { return BTreeMap::new() };
    let told = all.into_iter().filter_map(|(name, said)| Some((name, said.as_str()?.to_owned())));
    told.collect()
}
