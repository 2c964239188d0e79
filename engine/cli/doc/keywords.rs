//! The keywords of playbooks, with what each is for.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

/// A line per keyword: name, type, when templates in it are rendered, the order in which Ansible reads it, the places
/// that have it (their initials), what it is for.
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
    /// All keywords, sorted by their names.
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

/// The list of keywords: each with what it is for.
pub(super) fn list() -> BTreeMap<&'static str, &'static str> {
    Keyword::all().map(|keyword| (keyword.name, keyword.doc)).collect()
}

/// What is known of the keywords of these names, and the names that are no keywords.
pub(super) fn named(names: &[String]) -> (Map<String, Json>, Vec<&String>) {
    let found = |name: &String| Keyword::all().find(|keyword| keyword.name == name);
    let known = names.iter().filter_map(|name| Some((name.clone(), found(name)?.json()))).collect();
    (known, names.iter().filter(|name| found(name).is_none()).collect())
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
}
