//! Fully qualified names: `NAMESPACE.COLLECTION.RESOURCE`.

use std::path::PathBuf;

/// A fully qualified name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qualified {
    /// `NAMESPACE.COLLECTION`.
    pub collection: String,
    /// Directories inside the collection's directory of that kind, then the name itself.
    parts: Vec<String>,
}

impl Qualified {
    /// Parses a name; `None` if it has fewer than three parts or an invalid one.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        let (namespace, collection) = (parts.next()?, parts.next()?);
        let parts: Vec<String> = parts.map(str::to_owned).collect();
        let collection = format!("{namespace}.{collection}");
        // Roles may have hyphens.
        let sound = |part: &String| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
        (is_collection_name(&collection) && !parts.is_empty() && parts.iter().all(sound))
            .then_some(Qualified { collection, parts })
    }

    /// The part after the collection, with dots between directories.
    pub fn resource(&self) -> String {
        self.parts.join(".")
    }

    /// The last part.
    pub fn short(&self) -> &str {
        self.parts.last().map_or("", String::as_str)
    }

    /// The name as displayed: without directories inside the collection.
    pub fn shown(&self) -> String {
        format!("{}.{}", self.collection, self.short())
    }

    /// The path inside the collection's directory of that kind.
    pub fn path(&self) -> PathBuf {
        self.parts.iter().collect()
    }
}

/// Whether it is a valid collection name: two Python identifiers.
pub fn is_collection_name(name: &str) -> bool {
    name.split_once('.').is_some_and(|(namespace, short)| is_name(namespace) && is_name(short))
}

/// Letters, digits and underscores, not beginning with a digit.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}
