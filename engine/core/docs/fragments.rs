//! Fragments of documentation that several plugins share.

use serde_json::{Map, Value as Json};

use super::{Library, json, literals::assignments, versions::tag};
use crate::files;

/// Adds the fragments that a plugin's documentation names. The documentation's own entries take precedence.
///
/// # Errors
/// If a fragment is missing or invalid.
pub(super) fn merge(
    doc: &mut Map<String, Json>,
    library: &Library,
    collection: &str,
    is_module: bool,
) -> Result<(), String> {
    let named = match doc.remove("extends_documentation_fragment") {
        None | Some(Json::Null) => return Ok(()),
        Some(Json::String(names)) => names.split(',').map(|name| name.trim().to_owned()).collect(),
        Some(Json::Array(names)) => {
            names.iter().filter_map(Json::as_str).map(|name| name.trim().to_owned()).collect::<Vec<_>>()
        }
        Some(_) => return Err("extends_documentation_fragment must be a list of names".to_owned()),
    };
    let mut missing = Vec::new();
    for name in named.iter().filter(|name| !name.is_empty()) {
        match read(name, library, collection, is_module)? {
            Some(fragment) => add(doc, fragment),
            None => missing.push(name.as_str()),
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(format!("unknown doc_fragment(s): {}", missing.join(", "))) }
}

fn read(name: &str, library: &Library, collection: &str, is_module: bool) -> Result<Option<Map<String, Json>>, String> {
    // `NAME.part` is another attribute of the fragment's class.
    let find = |name: &str| {
        // A short name may be one of the plugin's own collection.
        library.fragment(name).or_else(|| library.fragment(&format!("{collection}.{name}")))
    };
    let whole = find(name).map(|found| (found, "DOCUMENTATION".to_owned()));
    let part = || {
        let (front, part) = name.rsplit_once('.')?;
        Some((find(front)?, part.to_uppercase()))
    };
    let Some(((path, collection), attribute)) = whole.or_else(part) else { return Ok(None) };
    let text = files::read_text(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    // Some are built by code; they are left out.
    let Some(yaml) = assignments(&text, true).remove(&attribute) else { return Ok(Some(Map::new())) };
    match json::read(&path.display().to_string(), &yaml)? {
        Json::Object(mut fragment) => {
            tag(&mut fragment, &collection, is_module);
            Ok(Some(fragment))
        }
        _ => Ok(Some(Map::new())),
    }
}

fn add(doc: &mut Map<String, Json>, fragment: Map<String, Json>) {
    for (key, value) in fragment {
        match (key.as_str(), doc.get_mut(&key), value) {
            ("notes" | "seealso", Some(Json::Array(own)), Json::Array(more)) => own.extend(more),
            ("options" | "attributes", Some(Json::Object(own)), Json::Object(more)) => fill(own, more),
            (_, Some(Json::Array(own)), Json::Array(more)) => {
                own.extend(more);
                own.sort_by_key(Json::to_string);
                own.dedup();
            }
            (_, Some(own), value) if own.is_null() => *own = value,
            (_, None, value) => {
                doc.insert(key, value);
            }
            _ => {}
        }
    }
}

/// Adds missing entries, at every depth.
fn fill(own: &mut Map<String, Json>, more: Map<String, Json>) {
    for (key, value) in more {
        match (own.get_mut(&key), value) {
            (Some(Json::Object(own)), Json::Object(more)) => fill(own, more),
            (None, value) => {
                own.insert(key, value);
            }
            _ => {}
        }
    }
}
