//! The keywords of playbooks, with descriptions.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

/// A line per keyword: name, type, when templates in it are rendered, the order in which Ansible reads it, the places
/// that have it (their initials), and a description.
const TABLE: &str = include_str!("keywords.tsv");

/// Places by their initials.
const PLACES: [(char, &str); 5] = [('P', "Play"), ('R', "Role"), ('B', "Block"), ('T', "Task"), ('H', "Handler")];

/// A keyword of playbooks.
pub(super) struct Keyword {
    pub name: &'static str,
    pub kind: &'static str,
    template: &'static str,
    priority: i64,
    places: &'static str,
    pub doc: &'static str,
}

impl Keyword {
    /// All keywords, sorted by name.
    pub(super) fn all() -> impl Iterator<Item = Keyword> {
        TABLE.lines().filter_map(|line| {
            let mut fields = line.split('\t');
            let mut next = || fields.next();
            let (name, kind, template) = (next()?, next()?, next()?);
            Some(Keyword { name, kind, template, priority: next()?.parse().ok()?, places: next()?, doc: next()? })
        })
    }

    /// Whether a place has it: `P`lay, `R`ole, `B`lock, `T`ask, `H`andler.
    pub(super) fn is_of(&self, place: char) -> bool {
        self.places.contains(place)
    }

    fn json(&self) -> Json {
        let places: Vec<&str> =
            PLACES.iter().filter(|(initial, _)| self.is_of(*initial)).map(|(_, place)| *place).collect();
        json!({ "applies_to": places, "description": self.doc, "priority": self.priority,
            "template": self.template, "type": self.kind })
    }
}

/// The keywords, with descriptions.
pub(super) struct Keywords {
    /// Descriptions from the user's ansible-core, which may have more keywords than the table.
    told: BTreeMap<String, String>,
}

impl Keywords {
    /// `told`: descriptions from an ansible-core; others come from the table.
    pub(super) fn new(told: BTreeMap<String, String>) -> Self {
        Keywords { told }
    }

    /// The list of keywords with their descriptions.
    pub(super) fn list(&self) -> BTreeMap<String, String> {
        if self.told.is_empty() {
            return Keyword::all().map(|keyword| (keyword.name.to_owned(), keyword.doc.to_owned())).collect();
        }
        self.told.clone()
    }

    /// The documentation of these keywords, and the names that are not keywords.
    pub(super) fn named<'n>(&self, names: &'n [String]) -> (Map<String, Json>, Vec<&'n String>) {
        let known = names.iter().filter_map(|name| Some((name.clone(), self.of(name)?))).collect();
        (known, names.iter().filter(|name| self.of(name).is_none()).collect())
    }

    fn of(&self, name: &str) -> Option<Json> {
        let own = Keyword::all().find(|keyword| keyword.name == name).map(|keyword| keyword.json());
        let Some(told) = self.told.get(name) else { return own };
        let mut json = own.unwrap_or_else(|| json!({ "applies_to": [] }));
        if let Json::Object(fields) = &mut json {
            fields.insert("description".to_owned(), told.clone().into());
        }
        Some(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_keyword() {
        assert_eq!(Keyword::all().count(), TABLE.lines().count());
        let names: Vec<&str> = Keyword::all().map(|keyword| keyword.name).collect();
        assert!(names.is_sorted());
        assert!(Keyword::all().all(|keyword| keyword.doc.ends_with('.') && !keyword.places.is_empty()));
    }

    #[test]
    fn ansible_core_says_what_keywords_are_for_and_may_know_more() {
        let told = [("when", "DocOutput."), ("old", "Gone.")].map(|(name, said)| (name.to_owned(), said.to_owned()));
        let keywords = Keywords::new(told.into());
        let names = ["when", "old", "none"].map(str::to_owned);
        let (known, unknown) = keywords.named(&names);
        assert_eq!(known["when"]["description"], "DocOutput.");
        assert_eq!(known["when"]["type"], "list");
        assert_eq!(known["old"], json!({ "applies_to": [], "description": "Gone." }));
        assert_eq!(unknown, ["none"]);
        assert_eq!(Keywords::new(BTreeMap::new()).list()["when"], "Conditions; if one is false, the task is skipped.");
    }
}
