//! `fact_caching = jsonfile`: cached facts as files of a directory, one for each host, as ansible-core 2.19 writes
//! them.
//!
//! A file holds an object whose only entry, `__payload__`, is JSON in a text. What JSON has no word for, and whatever
//! ansible-core has tagged, is an object with the key `__ansible_type`. Since a tag can make a text a template, an
//! object with that key that comes from a host is never written.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rplay_contract::wire::number::{MARK, unmarked};
use serde_json::{Map, Number, Value as Json, json};

use crate::{files, limits, run::options::FactCaching};

/// What ansible-core puts before the names of files of this format.
const FORMAT: &str = "s1_";
const PAYLOAD: &str = "__payload__";
const TYPE: &str = "__ansible_type";

/// A directory of cached facts.
#[derive(Debug)]
pub(crate) struct JsonFacts {
    directory: PathBuf,
    prefix: String,
    /// `None` for no limit.
    timeout: Option<Duration>,
}

impl JsonFacts {
    /// Opens the directory, which is created if necessary.
    ///
    /// # Errors
    /// There is none, and none can be created: in Ansible's words.
    pub(super) fn open(settings: &FactCaching) -> Result<Self, String> {
        let directory =
            settings.directory.clone().ok_or("Required config '_uri' for 'jsonfile' cache plugin not provided.")?;
        fs::create_dir_all(&directory).map_err(|error| {
            format!(
                "Error in 'jsonfile' cache plugin while trying to create cache dir '{}': {error}",
                directory.display()
            )
        })?;
        let timeout = (settings.timeout > 0).then(|| Duration::from_secs(settings.timeout.into()));
        Ok(JsonFacts { directory, prefix: settings.prefix.clone(), timeout })
    }

    /// The facts of a host; none if there is no file, or an old one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn get(&self, host: &str) -> Result<Map<String, Json>, String> {
        let Some(path) = self.path(host) else { return Ok(Map::new()) };
        let failed = |error: &dyn std::fmt::Display| {
            format!("the cached facts of {host} are not used, since {} cannot be read: {error}", path.display())
        };
        let content = match self.current(&path) {
            Ok(true) => files::read(&path).map_err(|error| failed(&error))?,
            Ok(false) => return Ok(Map::new()),
            Err(error) => return Err(failed(&error)),
        };
        let outer: Map<String, Json> = serde_json::from_slice(&content).map_err(|error| failed(&error))?;
        let payload = outer.get(PAYLOAD).and_then(Json::as_str).ok_or_else(|| failed(&"it has no `__payload__`"))?;
        let facts: Map<String, Json> = serde_json::from_str(payload).map_err(|error| failed(&error))?;
        Ok(facts.into_iter().filter_map(|(name, value)| Some((name, from_file(value)?))).collect())
    }

    /// Whether there is a file that is not too old.
    fn current(&self, path: &Path) -> io::Result<bool> {
        let about = match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            about => about?,
        };
        let Some(timeout) = self.timeout else { return Ok(true) };
        // A file with a time in the future counts as new.
        let age = SystemTime::now().duration_since(about.modified()?).unwrap_or_default();
        Ok(age <= timeout)
    }

    /// Writes all facts of a host. Those that the format cannot hold are left out.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn set(&self, host: &str, facts: &Map<String, Json>) -> Result<(), String> {
        let Some(path) = self.path(host) else {
            return Err(format!("the facts of {host} are not cached, since its name cannot be that of a file"));
        };
        let facts: Map<String, Json> =
            facts.iter().filter_map(|(name, value)| Some((name.clone(), to_file(value)?))).collect();
        let payload = Json::Object(facts).to_string();
        let content = json!({ PAYLOAD: unmarked(&payload) }).to_string();
        replace(&self.directory, &path, content.as_bytes()).map_err(|error| {
            format!("error in 'jsonfile' cache plugin while trying to write to {}: {error}", path.display())
        })
    }

    /// Removes the facts of a host.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub(super) fn remove(&self, host: &str) -> Result<(), String> {
        let Some(path) = self.path(host) else { return Ok(()) };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("cached facts in {} cannot be removed: {error}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// The file of a host; none if its name would lead out of the directory.
    fn path(&self, host: &str) -> Option<PathBuf> {
        let name = format!("{}{FORMAT}{host}", self.prefix);
        (!name.contains(['/', '\0'])).then(|| self.directory.join(name))
    }
}

/// Replaces a file at once, so that a concurrent run never reads half of it.
fn replace(directory: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(content)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    file.persist(path)?;
    Ok(())
}

/// A value of [`Exchange`](crate::template::Exchange) as the file has it; `None` if it cannot.
fn to_file(value: &Json) -> Option<Json> {
    limits::with_stack(|| match value {
        Json::Array(items) => items.iter().map(to_file).collect(),
        Json::Object(entries) => {
            match entries.get("$").map(|kind| (kind.as_str().unwrap_or_default(), &entries["v"])) {
                None if entries.contains_key(TYPE) => None,
                None => entries.iter().map(|(name, value)| Some((name.clone(), to_file(value)?))).collect(),
                Some(("datetime", text)) => {
                    Some(json!({ "iso8601": text, "fold": 0, TYPE: "AnsibleSerializableDateTime" }))
                }
                Some(("date", text)) => Some(json!({ "iso8601": text, TYPE: "AnsibleSerializableDate" })),
                Some(("float", text)) => Number::from_f64(text.as_str()?.parse().ok()?).map(Json::Number),
                Some(("int", text)) => Some(format!("{MARK}{}", text.as_str()?).into()),
                Some(("tuple", items)) => to_file(items),
                Some(("dict", pairs)) => {
                    let entry = |pair: &Json| Some((key(pair.get(0)?)?, to_file(pair.get(1)?)?));
                    let entries = pairs.as_array()?.iter().map(entry).collect::<Option<Map<_, _>>>()?;
                    (!entries.contains_key(TYPE)).then_some(Json::Object(entries))
                }
                Some(_) => None,
            }
        }
        scalar => Some(scalar.clone()),
    })
}

/// A key as JSON has it.
fn key(key: &Json) -> Option<String> {
    match key {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) | Json::Bool(_) | Json::Null => Some(key.to_string()),
        _ => None,
    }
}

/// A value of the file as one of [`Exchange`](crate::template::Exchange); `None` if it is of a type that is not known
/// here.
fn from_file(value: Json) -> Option<Json> {
    limits::with_stack(|| match value {
        Json::Array(items) => items.into_iter().map(from_file).collect(),
        Json::Object(mut entries) => {
            if let Some(kind) = entries.get(TYPE) {
                return match kind.as_str()? {
                    "AnsibleSerializableDateTime" => Some(json!({ "$": "datetime", "v": entries.get("iso8601")? })),
                    "AnsibleSerializableDate" => Some(json!({ "$": "date", "v": entries.get("iso8601")? })),
                    "AnsibleSerializableTime" => entries.remove("iso8601"),
                    // Tags are dropped: nothing of a cache is a template.
                    kind if kind.starts_with("_AnsibleTagged") => from_file(entries.remove("value")?),
                    _ => None,
                };
            }
            // A key `$` marks a type of `Exchange`; this mapping is none, so its pairs are written as a list.
            if entries.contains_key("$") {
                let pairs = entries.into_iter().map(|(name, value)| Some(json!([name, from_file(value)?])));
                return Some(json!({ "$": "dict", "v": pairs.collect::<Option<Vec<_>>>()? }));
            }
            entries.into_iter().map(|(name, value)| Some((name, from_file(value)?))).collect()
        }
        scalar => Some(scalar),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(directory: &Path, timeout: u32) -> JsonFacts {
        let directory = Some(directory.join("facts"));
        let prefix = "pre_".to_owned();
        JsonFacts::open(&FactCaching { plugin: "jsonfile".to_owned(), directory, prefix, timeout, flush: false })
            .unwrap()
    }

    fn map(value: Json) -> Map<String, Json> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn what_is_written_comes_back_until_it_is_old_or_removed() {
        let directory = tempfile::tempdir().unwrap();
        let facts = map(json!({
            "text": "a", "list": [1, { "k": null }], "when": { "$": "datetime", "v": "2020-01-02T03:04:05" },
            "dollar": { "$": "dict", "v": [["$", 1]] },
        }));
        let mut made = cache(directory.path(), 1000);
        assert_eq!(made.get("h").unwrap(), Map::new());
        made.set("h", &facts).unwrap();
        assert_eq!(made.get("h").unwrap(), facts);
        let path = directory.path().join("facts/pre_s1_h");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);

        let old = SystemTime::now() - Duration::from_secs(2000);
        fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        assert_eq!(made.get("h").unwrap(), Map::new());
        made.timeout = None;
        assert_eq!(made.get("h").unwrap(), facts);
        made.remove("h").unwrap();
        made.remove("h").unwrap();
        assert!(made.get("h").unwrap().is_empty() && !path.exists());
    }

    #[test]
    fn numbers_are_written_as_json_has_them() {
        let directory = tempfile::tempdir().unwrap();
        let made = cache(directory.path(), 0);
        let float = |text: &str| json!({ "$": "float", "v": text });
        let facts = json!({
            "load": { "1m": float("0.25"), "5m": float("2.0") }, "nan": float("nan"),
            "big": { "$": "int", "v": "123456789012345678901234567890" },
        });
        made.set("h", &map(facts)).unwrap();
        let written = fs::read_to_string(directory.path().join("facts/pre_s1_h")).unwrap();
        let payload: Map<String, Json> = serde_json::from_str(&written).unwrap();
        let want = r#"{"load":{"1m":0.25,"5m":2.0},"big":123456789012345678901234567890}"#;
        assert_eq!(payload[PAYLOAD].as_str().map(|text| text.replace(' ', "")).as_deref(), Some(want));
        assert_eq!(made.get("h").unwrap()["load"], json!({ "1m": 0.25, "5m": 2.0 }));
    }

    /// A file of ansible-core may have tags; one of rplay never has any that a host made.
    #[test]
    fn tags_are_read_as_their_values_and_never_written_for_a_host() {
        let directory = tempfile::tempdir().unwrap();
        let made = cache(directory.path(), 0);
        let tagged = json!({ "value": "{{ x }}", "tags": [{ TYPE: "TrustedAsTemplate" }], TYPE: "_AnsibleTaggedStr" });
        let payload = json!({
            "t": tagged, "d": { "iso8601": "2020-01-02", TYPE: "AnsibleSerializableDate" }, "odd": { TYPE: "Riddle" },
        });
        fs::write(directory.path().join("facts/pre_s1_h"), json!({ PAYLOAD: payload.to_string() }).to_string())
            .unwrap();
        let date = json!({ "$": "date", "v": "2020-01-02" });
        assert_eq!(made.get("h").unwrap(), map(json!({ "t": "{{ x }}", "d": date })));

        made.set("h", &map(json!({ "good": 1, "bad": [tagged], "hidden": { "$": "dict", "v": [[TYPE, 1]] } })))
            .unwrap();
        assert_eq!(made.get("h").unwrap(), map(json!({ "good": 1 })));
    }

    #[test]
    fn no_name_leads_out_of_the_directory_and_damaged_files_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let made = cache(directory.path(), 0);
        assert!(made.set("../h", &Map::new()).unwrap_err().contains("cannot be that of a file"));
        fs::write(directory.path().join("facts/pre_s1_h"), "{").unwrap();
        assert!(made.get("h").unwrap_err().contains("pre_s1_h cannot be read"));
        let nowhere = FactCaching {
            plugin: "jsonfile".to_owned(),
            directory: None,
            prefix: String::new(),
            timeout: 0,
            flush: false,
        };
        assert!(JsonFacts::open(&nowhere).unwrap_err().contains("_uri"));
    }
}
