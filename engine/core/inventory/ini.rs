//! INI inventories, by Ansible's rules.

use std::{ops::Range, sync::Arc};

use indexmap::{IndexMap, IndexSet};

use super::{Inventory, InventoryError, address, host::UNGROUPED, literal, source_errors::InventoryErrors, words};
use crate::{
    source::{Problems, Source, Span, nearest},
    vars::{Layer, Lazy},
};

/// The type of the lines in a section.
#[derive(Clone, Copy, PartialEq)]
enum Lines {
    Hosts,
    Vars,
    Children,
    /// Below an invalid section header, which was already reported.
    Unknown,
}

struct Reader<'i> {
    inventory: &'i mut Inventory,
    errors: InventoryErrors,
    /// Groups that have a section of hosts or children so far.
    declared: IndexSet<String>,
    /// Groups that were named before they were declared.
    awaited: IndexMap<String, Awaited>,
}

/// Why an undeclared group was named.
enum Awaited {
    Vars(InventoryError),
    Child { place: Span, parent: String },
}

impl Awaited {
    /// The error, once all groups are known.
    fn error(self, name: &str, inventory: &Inventory, guess: bool) -> InventoryError {
        let (place, parent) = match self {
            Awaited::Vars(error) => return error,
            Awaited::Child { place, parent } => (place, parent),
        };
        let error =
            InventoryError::syntax(place, format!("Section [{parent}:children] includes undefined group '{name}'."));
        // Mentioning it has created it.
        let known = inventory.groups().map(|group| &*group.name).filter(|known| guess && *known != name);
        match nearest(name, known) {
            Some(meant) => error.help(format!("did you mean `{meant}`?")),
            None => error.help(format!("declare it with a section [{name}]; a host goes under [{parent}]")),
        }
    }
}

/// Reads a file into the inventory, up to its first error; all errors are reported.
pub(super) fn read(inventory: &mut Inventory, source: &Arc<Source>) -> Result<(), Problems> {
    let declared = inventory.groups().map(|group| group.name.to_string()).collect();
    let mut reader = Reader { inventory, errors: InventoryErrors::default(), declared, awaited: IndexMap::new() };
    let mut section = (UNGROUPED.to_owned(), Lines::Hosts);
    let mut start = 0;
    for line in source.text.split_inclusive('\n') {
        let range = trimmed(line, start);
        start += line.len();
        let text = source.text.get(range.clone()).unwrap_or_default();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        let place = Span::new(source, range);
        let read = match section_header(text) {
            Some(header) => {
                section = (String::new(), Lines::Unknown);
                reader.section(header, &place).map(|found| section = found)
            }
            None if text.starts_with('[') && !begins_with_address(text) => {
                section = (String::new(), Lines::Unknown);
                Err(InventoryError::syntax(place, format!(
                    "Invalid section entry: '{text}'. Please make sure that there are no spaces in the section entry, and \
                     that there are no other invalid characters"
                ))
                .help("write [group], [group:children] or [group:vars]"))
            }
            None => match section.1 {
                Lines::Hosts => reader.hosts(&section.0, text, &place),
                Lines::Vars => reader.var(&section.0, text, &place),
                Lines::Children => reader.child(&section.0, text, &place),
                Lines::Unknown => Ok(()),
            },
        };
        if let Err(error) = read {
            reader.errors.push(reader.inventory, error);
        }
    }
    let Reader { inventory, mut errors, awaited, declared } = reader;
    let missing = awaited.into_iter().filter(|(name, _)| !declared.contains(name));
    // Suggestions are expensive; with very many errors, the first ones are enough.
    for (at, (name, awaited)) in missing.enumerate() {
        let error = awaited.error(&name, inventory, at < 100);
        errors.push(inventory, error);
    }
    errors.end(inventory)
}

/// The byte range of a line without surrounding spaces.
fn trimmed(line: &str, start: usize) -> Range<usize> {
    let text = line.trim();
    let begin = start + (line.len() - line.trim_start().len());
    begin..begin + text.len()
}

/// Whether a line that begins with a bracket is a host anyway: `[2001:db8::1]:22 a=1`, `[a:c].example`.
fn begins_with_address(text: &str) -> bool {
    let Some((inner, after)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) else { return false };
    let is_range = inner.contains(':') && !inner.contains(char::is_whitespace);
    inner.parse::<std::net::Ipv6Addr>().is_ok()
        || is_range && !after.is_empty() && !after.starts_with(char::is_whitespace)
}

/// The name and kind in `[name]` or `[name:kind]`; a comment may follow.
fn section_header(text: &str) -> Option<(&str, Option<&str>)> {
    let (inner, after) = text.strip_prefix('[')?.split_once(']')?;
    let after = after.trim_start();
    let (name, kind) = match inner.split_once(':') {
        Some((name, kind)) => (name, Some(kind)),
        None => (inner, None),
    };
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
    let is_kind = kind.is_none_or(|kind| !kind.is_empty() && kind.chars().all(|c| c == '_' || c.is_alphanumeric()));
    (is_name && is_kind && (after.is_empty() || after.starts_with('#'))).then_some((name, kind))
}

impl Reader<'_> {
    fn section(&mut self, (name, kind): (&str, Option<&str>), place: &Span) -> Result<(String, Lines), InventoryError> {
        let lines = match kind {
            None | Some("hosts") => Lines::Hosts,
            Some("children") => Lines::Children,
            Some("vars") => Lines::Vars,
            Some(other) => {
                let error = InventoryError::syntax(
                    place.clone(),
                    format!("Section [{name}:{other}] has unknown type: {other}"),
                );
                return Err(match nearest(other, ["vars", "children", "hosts"]) {
                    Some(meant) => error.help(format!("did you mean [{name}:{meant}]?")),
                    None => error.help("the kind must be vars, children or hosts"),
                });
            }
        };
        if lines != Lines::Vars {
            self.declare(name);
        } else if !self.declared.contains(name) {
            let error = InventoryError::syntax(
                place.clone(),
                format!("Section [{name}:vars] not valid for undefined group '{name}'."),
            );
            let error = error.help(format!("declare it with a section [{name}]"));
            self.awaited.entry(name.to_owned()).or_insert(Awaited::Vars(error));
        }
        Ok((name.to_owned(), lines))
    }

    fn declare(&mut self, name: &str) {
        self.inventory.group_index(name);
        self.declared.insert(name.to_owned());
    }

    fn hosts(&mut self, group: &str, text: &str, place: &Span) -> Result<(), InventoryError> {
        let words = words::split(text).map_err(|open| {
            let at = place.range().start + open.0;
            let message = format!("Error parsing host definition '{text}': No closing quotation");
            InventoryError::syntax(place.at(at..place.range().end), message)
        })?;
        let Some((entry, pairs)) = words.split_first() else { return Ok(()) };
        let at = |range: &Range<usize>| place.at(place.range().start + range.start..place.range().start + range.end);
        let (names, port) =
            address::expand(&entry.text).map_err(|message| InventoryError::syntax(at(&entry.range), message))?;
        let mut vars = Layer::new();
        if let Some(port) = port {
            vars.insert("ansible_port".into(), Lazy::Data(port.into()));
        }
        for pair in pairs {
            let Some((key, value)) = pair.text.split_once('=') else {
                let message = format!("Expected key=value host variable assignment, got: {}", pair.text);
                return Err(InventoryError::syntax(at(&pair.range), message).help("quote values with spaces"));
            };
            let written = at(&pair.range);
            let value_start = written.text().find('=').map_or(0, |at| at + 1);
            let place = written.at(written.range().start + value_start..written.range().end);
            vars.insert(key.into(), Lazy::from_node(&literal::value(value, &place)));
        }
        let group = self.inventory.group_index(group);
        self.inventory.check_names(vars.keys(), place);
        for name in names {
            let host = self.inventory.host_index(&name);
            self.inventory.put(group, host);
            self.inventory.set_host_vars(host, vars.clone());
            self.inventory.record_host(&name, &vars, |variable| {
                let named = |pair: &&words::Word| pair.text.split_once('=').is_some_and(|(key, _)| key == variable);
                at(&pairs.iter().rev().find(named).unwrap_or(entry).range)
            });
        }
        Ok(())
    }

    fn var(&mut self, group: &str, text: &str, place: &Span) -> Result<(), InventoryError> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(InventoryError::syntax(place.clone(), format!("Expected key=value, got: {text}")));
        };
        self.inventory.check_names([&Arc::from(key.trim())], place);
        let start = place.range().start + key.len() + 1;
        let range = trimmed(value, start);
        let place = place.at(range);
        let value = Lazy::from_node(&literal::value(value.trim(), &place));
        let group = self.inventory.group_index(group);
        self.inventory.set_group_var(group, key.trim(), value, &place)
    }

    fn child(&mut self, group: &str, text: &str, place: &Span) -> Result<(), InventoryError> {
        let name = text.split_once('#').map_or(text, |(name, _)| name).trim_end();
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == ':' || c == ']') {
            return Err(InventoryError::syntax(place.clone(), format!("Expected group name, got: {text}")));
        }
        let place = place.at(place.range().start..place.range().start + name.len());
        if !self.declared.contains(name) && !self.awaited.contains_key(name) {
            let awaited = Awaited::Child { place: place.clone(), parent: group.to_owned() };
            self.awaited.insert(name.to_owned(), awaited);
        }
        let (parent, child) = (self.inventory.group_index(group), self.inventory.group_index(name));
        self.inventory.add_child(parent, child).map(|_| ()).map_err(|message| InventoryError::syntax(place, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Problem;

    fn inventory(text: &str) -> Result<Inventory, Vec<Problem>> {
        let mut inventory = Inventory::default();
        read(&mut inventory, &Source::inline("hosts", text)).map_err(|problems| problems.0)?;
        inventory.settle();
        Ok(inventory)
    }

    fn vars(layer: &Layer) -> String {
        let show = |(name, value): (&Arc<str>, &Lazy)| match value {
            Lazy::Template(template) => format!("{name}=template {} at {}", template.text, template.span.text()),
            other => format!("{name}={}", super::super::json::of(other)),
        };
        layer.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn hosts_and_their_variables() {
        let found = inventory(
            "; old style comment\nlone port=1\n\n[web] # the front\nweb[1:2]:2200 a=1 b='two words' c=\"[1, 'x']\" d=\"{{ e }}\" # f=1\n",
        )
        .unwrap();
        assert_eq!(found.hosts_of("all").iter().map(|h| &**h).collect::<Vec<_>>(), ["lone", "web1", "web2"]);
        assert_eq!(
            vars(&found.host("web2").unwrap().vars),
            "ansible_port=2200 a=1 b=\"two words\" c=[1,\"x\"] d=template {{ e }} at \"{{ e }}\""
        );
        assert_eq!(&*found.hosts_of("ungrouped")[0], "lone");
    }

    #[test]
    fn variables_and_children_of_groups() {
        let found = inventory(
            "[top:vars]\na = 1 # one\nb= x # not a comment\nc={{ d }}\ne\t=\nansible_group_priority=7\n[top:children]\nlow # sub\n[low]\nh\n",
        )
        .unwrap();
        let top = found.group("top").unwrap();
        assert_eq!(vars(&top.vars), "a=1 b=\"x # not a comment\" c=template {{ d }} at {{ d }} e=\"\"");
        assert_eq!(top.priority, 7);
        assert_eq!(found.group_names("h").iter().map(|n| &**n).collect::<Vec<_>>(), ["low", "top"]);
    }

    #[test]
    fn errors_are_found_where_they_are() {
        for (text, message, place) in [
            ("[web:foo]\n", "unknown type", "[web:foo]"),
            ("[x:vars]\na=1\n", "undefined group 'x'", "[x:vars]"),
            ("[x:children]\n  y # z\n", "undefined group 'y'", "y"),
            ("h noteq\n", "key=value", "noteq"),
            ("h a='unc\n", "No closing quotation", "'unc"),
            ("[g:children]\ng\n", "its own child", "g"),
            ("[a:children]\nb\n[b:children]\na\n", "already below", "a"),
            ("[g h]\n", "Invalid section entry", "[g h]"),
            ("[web\nh\n", "Invalid section entry", "[web"),
            ("[web]]\n", "Invalid section entry", "[web]]"),
            ("[]\n", "Invalid section entry", "[]"),
            ("h[1\n", "unmatched bracket", "h[1"),
            ("h1]\n", "unmatched bracket", "h1]"),
            ("all:\n", "ends in a colon", "all:"),
            ("a=1\n", "variable without a host", "a=1"),
            ("h[1:]\n", "must have an end", "h[1:]"),
            ("[g]\n[g:vars]\nnoeq\n", "key=value", "noeq"),
            ("[g]\n[g:vars]\nansible_group_priority=x\n", "whole number", "x"),
        ] {
            let problems = inventory(text).unwrap_err();
            assert_eq!(problems.len(), 1, "{text}");
            assert!(problems[0].to_string().contains(message), "{text}: {}", problems[0]);
            let label = problems[0].labels().unwrap().next().unwrap();
            assert_eq!(&text[label.offset()..label.offset() + label.len()], place, "{text}");
        }
        assert_eq!(inventory("x y\n[a:b]\n[c d]\nx y\n[e]\nx y\n").unwrap_err().len(), 4);
    }
}
