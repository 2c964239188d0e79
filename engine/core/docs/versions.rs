//! Which collection the version numbers in documentation refer to.

use serde_json::{Map, Value as Json};

/// Adds to each version number in a documentation the name of its collection.
pub(super) fn tag(doc: &mut Map<String, Json>, collection: &str, is_module: bool) {
    of_version(doc, collection);
    if let Some(Json::Object(removal)) = doc.get_mut("deprecated") {
        removal.entry("removed_from_collection").or_insert_with(|| collection.into());
    }
    for part in ["options", "attributes"] {
        if let Some(Json::Object(fields)) = doc.get_mut(part) {
            tag_fields(fields, collection, "suboptions", is_module);
        }
    }
}

/// The same for options or return values, and for nested ones.
pub(super) fn tag_fields(fields: &mut Map<String, Json>, collection: &str, below: &str, is_module: bool) {
    for field in fields.values_mut().filter_map(Json::as_object_mut) {
        of_version(field, collection);
        of_removal(field, collection);
        // A module's options can only be set by its task.
        let sources: &[&str] = if is_module { &[] } else { &["cli", "env", "ini", "keyword", "vars"] };
        for source in sources {
            for entry in field.get_mut(*source).and_then(Json::as_array_mut).into_iter().flatten() {
                if let Json::Object(entry) = entry {
                    if *source == "cli"
                        && !entry.contains_key("option")
                        && let Some(name) = entry.get("name").and_then(Json::as_str)
                    {
                        let option = format!("--{}", name.replace('_', "-"));
                        entry.insert("option".to_owned(), option.into());
                    }
                    of_version(entry, collection);
                    of_removal(entry, collection);
                }
            }
        }
        if let Some(Json::Object(inner)) = field.get_mut(below) {
            tag_fields(inner, collection, below, is_module);
        }
    }
}

fn of_version(fields: &mut Map<String, Json>, collection: &str) {
    if fields.contains_key("version_added") && !collection.is_empty() {
        fields.entry("version_added_collection").or_insert_with(|| collection.into());
    }
}

fn of_removal(fields: &mut Map<String, Json>, collection: &str) {
    if let Some(Json::Object(removal)) = fields.get_mut("deprecated")
        && !collection.is_empty()
    {
        removal.entry("collection_name").or_insert_with(|| collection.into());
    }
}
