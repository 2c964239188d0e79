//! The documentation of one plugin.

use std::path::Path;

use serde_json::{Map, Value as Json};
use thiserror::Error;

use super::{
    Library, Located, fragments, json,
    literals::assignments,
    versions::{tag, tag_fields},
};
use crate::files;

/// Why there is no documentation of a plugin.
#[derive(Debug, Error)]
pub enum DocumentationError {
    #[error("No documentation available for {kind} plugin '{name}' in '{file}'.")]
    None { kind: &'static str, name: String, file: String },
    #[error("{kind} {name} Missing documentation (or could not parse documentation): {why}")]
    Unreadable { kind: &'static str, name: String, why: String },
    #[error("Unable to retrieve documentation from '{name}': {why}")]
    Broken { name: String, why: String },
}

/// The documentation of a plugin from its file, including its fragments.
#[derive(Debug)]
pub struct Documentation {
    /// Its description and options.
    pub doc: Map<String, Json>,
    /// Examples as written; empty or missing if there are none.
    pub examples: Option<String>,
    /// Its return values; `Null` if not documented.
    pub returns: Json,
    /// The metadata of old modules.
    pub metadata: Json,
}

impl Documentation {
    /// Reads the documentation of a plugin that was located.
    ///
    /// # Errors
    /// If the file has none, or it is invalid.
    pub fn read(located: &Located, library: &Library) -> Result<Self, DocumentationError> {
        let name = located.short.clone();
        let broken = |why: String| DocumentationError::Broken { name: name.clone(), why };
        let unreadable =
            |why: String| DocumentationError::Unreadable { kind: located.kind.name(), name: name.clone(), why };
        let none = || DocumentationError::None {
            kind: located.kind.name(),
            name: name.clone(),
            file: located.file.display().to_string(),
        };
        let (doc, examples, returns, metadata) = raw(&located.docs, true).map_err(unreadable)?.ok_or_else(none)?;
        let Json::Object(mut doc) = doc else { return Err(none()) };
        let is_module = located.kind.name() == "module";
        tag(&mut doc, &located.collection, is_module);
        let mut returns = returns;
        if let Json::Object(values) = &mut returns {
            tag_fields(values, &located.collection, "contains", true);
        }
        fragments::merge(&mut doc, library, &located.collection, is_module).map_err(broken)?;
        doc.insert("collection".to_owned(), located.collection.clone().into());
        doc.insert("filename".to_owned(), located.docs.display().to_string().into());
        doc.insert("plugin_name".to_owned(), located.name.clone().into());
        if is_module {
            doc.insert("has_action".to_owned(), library.has_action(located).into());
        }
        Ok(Documentation { doc, examples, returns, metadata })
    }

    /// Checks that all options and return values are described; otherwise there is no page.
    ///
    /// # Errors
    /// If one is not.
    pub fn check(&self, located: &Located) -> Result<(), DocumentationError> {
        let told = |fields: Option<&Json>, below: &[&str]| {
            fields.and_then(Json::as_object).is_none_or(|fields| all_described(fields, below))
        };
        let inner = ["options", "suboptions"];
        if told(self.doc.get("options"), &inner) && told(Some(&self.returns), &["contains"]) {
            return Ok(());
        }
        let why = "All (sub-)options and return values must have a 'description' field".to_owned();
        Err(DocumentationError::Broken { name: located.short.clone(), why })
    }

    /// One sentence about the plugin, with its markup; `UNDOCUMENTED` if the file has none.
    pub fn summary(located: &Located) -> String {
        let doc = raw(&located.docs, false).ok().flatten().map(|(doc, ..)| doc).unwrap_or_default();
        match doc.get("short_description").and_then(Json::as_str) {
            Some(text) => text.trim_end_matches('.').to_owned(),
            None => "UNDOCUMENTED".to_owned(),
        }
    }
}

/// Documentation, examples, return values and metadata of a file, unprocessed.
type Raw = (Json, Option<String>, Json, Json);

/// The documentation; with `whole`, also examples, return values and metadata.
fn raw(path: &Path, whole: bool) -> Result<Option<Raw>, String> {
    let text = files::read_text(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let name = path.display().to_string();
    if path.extension().is_some_and(|end| end == "yml" || end == "yaml") {
        let Json::Object(mut all) = json::read(&name, &text)? else { return Ok(None) };
        let mut part = |key: &str| all.remove(key).unwrap_or_default();
        let examples = match part("EXAMPLES") {
            Json::String(text) => Some(text),
            Json::Null => Some(String::new()),
            other => Some(other.to_string()),
        };
        let doc = part("DOCUMENTATION");
        let returns = Some(part("RETURN")).filter(|returns| !returns.is_null()).unwrap_or_else(|| "".into());
        return Ok((!doc.is_null()).then_some((doc, examples, returns, Json::Null)));
    }
    let mut own = assignments(&text, false);
    let parsed = |found: Option<String>| found.map_or(Ok(Json::Null), |text| json::read(&name, &text));
    // An old module may have it as an attribute of its class.
    let inner = || assignments(&text, true).remove("DOCUMENTATION");
    let Some(doc) = own.remove("DOCUMENTATION").or_else(inner) else { return Ok(None) };
    if !whole {
        return Ok(Some((json::read(&name, &doc)?, None, Json::Null, Json::Null)));
    }
    // A mapping in Python's syntax, which is also YAML.
    let metadata = text.split_once("\nANSIBLE_METADATA = {").and_then(|(_, rest)| {
        let (inner, _) = rest.split_once('}')?;
        json::read(&name, &format!("{{{inner}}}")).ok()
    });
    Ok(Some((
        json::read(&name, &doc)?,
        own.remove("EXAMPLES"),
        parsed(own.remove("RETURN"))?,
        metadata.unwrap_or_default(),
    )))
}

fn all_described(fields: &Map<String, Json>, below: &[&str]) -> bool {
    fields.values().filter_map(Json::as_object).all(|field| {
        field.contains_key("description")
            && below
                .iter()
                .all(|key| field.get(*key).and_then(Json::as_object).is_none_or(|inner| all_described(inner, below)))
    })
}
