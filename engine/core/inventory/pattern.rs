//! Host patterns: `web:&north:!db[0]`, `~web\d+`, `*.example.com`.

use std::sync::Arc;

use indexmap::IndexSet;
use rplay_contract::system::{
    glob,
    pattern::{self as regex, Flags},
};

use super::{
    Inventory, InventoryError,
    host::{ALL, LOCALHOST},
};

/// A pattern of `hosts:` or `--limit`, split into its terms.
#[derive(Clone, Debug)]
pub struct Pattern {
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    role: Role,
    text: String,
    /// Without the subscript.
    name: String,
    matcher: Matcher,
    pick: Option<Pick>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Include,
    Intersect,
    Exclude,
}

#[derive(Clone, Debug)]
enum Matcher {
    Name(String),
    Glob(glob::Pattern),
    Regex(regex::Pattern),
}

impl Matcher {
    fn fits(&self, name: &str) -> bool {
        match self {
            Matcher::Name(own) => own == name,
            Matcher::Glob(pattern) => pattern.fits(name),
            Matcher::Regex(regex) => regex.is_in(name),
        }
    }
}

/// A subscript: selects some of the hosts that a term matches: `[0]`, `[-1]`, `[1:3]` (inclusive).
#[derive(Clone, Copy, Debug)]
enum Pick {
    One(i64),
    Range(usize, Option<usize>),
}

/// The hosts that a pattern matches, and its warnings.
#[derive(Debug, Default, PartialEq)]
pub struct Matched {
    pub hosts: Vec<Arc<str>>,
    pub warnings: Vec<String>,
}

impl Pattern {
    /// Parses a pattern; terms are separated by commas or colons (except those in IPv6 addresses).
    ///
    /// # Errors
    /// If a regular expression or subscript is invalid.
    pub fn parse(text: &str) -> Result<Self, InventoryError> {
        Pattern::of_terms(&cut(text))
    }

    /// A pattern of terms that are already told apart.
    ///
    /// # Errors
    /// As [`Pattern::parse`].
    pub(super) fn of_terms(terms: &[String]) -> Result<Self, InventoryError> {
        let mut terms = terms.iter().map(|term| Term::parse(term)).collect::<Result<Vec<_>, _>>()?;
        // Inclusions first, then `&`, then `!`, wherever they were written.
        terms.sort_by_key(|term| term.role as u8);
        if terms.first().is_none_or(|term| term.role != Role::Include) {
            terms.insert(0, Term::parse(ALL)?);
        }
        Ok(Pattern { terms })
    }

    /// Parses several patterns as one. Without any, it matches no host, whereas an empty text matches all.
    ///
    /// # Errors
    /// As [`Pattern::parse`].
    pub fn of(patterns: &[String]) -> Result<Self, InventoryError> {
        match patterns {
            [] => Ok(Pattern { terms: Vec::new() }),
            patterns => Pattern::parse(&patterns.join(",")),
        }
    }

    /// The matching hosts, in Ansible's order.
    ///
    /// # Errors
    /// If a subscript is beyond the last host.
    pub fn matches(&self, inventory: &Inventory) -> Result<Matched, InventoryError> {
        let mut warnings = Vec::new();
        let mut hosts: IndexSet<Arc<str>> = IndexSet::new();
        for term in &self.terms {
            let found = term.matches(inventory, &mut warnings)?;
            match term.role {
                Role::Include => hosts.extend(found),
                Role::Intersect => hosts.retain(|host| found.contains(host)),
                Role::Exclude => hosts.retain(|host| !found.contains(host)),
            }
        }
        Ok(Matched { hosts: hosts.into_iter().collect(), warnings })
    }
}

impl Term {
    fn parse(text: &str) -> Result<Self, InventoryError> {
        let (role, rest) = match text.chars().next() {
            Some('!') => (Role::Exclude, &text[1..]),
            Some('&') => (Role::Intersect, &text[1..]),
            _ => (Role::Include, text),
        };
        let bad_regex = |error: String| InventoryError::Regex {
            pattern: rest.to_owned(),
            // The last line of the error is the essential one.
            message: error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        };
        if let Some(expression) = rest.strip_prefix('~') {
            let regex = regex::Pattern::compile(&format!("^(?:{expression})"), Flags::default()).map_err(bad_regex)?;
            let text = rest.to_owned();
            return Ok(Term { role, name: text.clone(), text, matcher: Matcher::Regex(regex), pick: None });
        }
        let (name, pick) = subscript(rest);
        let matcher = if glob::is_pattern(name) {
            Matcher::Glob(glob::Pattern::new(name))
        } else {
            Matcher::Name(name.to_owned())
        };
        Ok(Term { role, text: rest.to_owned(), name: name.to_owned(), matcher, pick })
    }

    fn matches(&self, inventory: &Inventory, warnings: &mut Vec<String>) -> Result<IndexSet<Arc<str>>, InventoryError> {
        // Hosts of several groups appear several times, as Ansible's subscripts see them.
        let mut found: Vec<Arc<str>> = Vec::new();
        let mut a_group = false;
        match &self.matcher {
            Matcher::Name(name) => {
                if inventory.group(name).is_some() {
                    a_group = true;
                    found.extend(inventory.hosts_of(name));
                } else if let Some(host) = inventory.host(name) {
                    // Here `localhost` matches even if no source names it.
                    found.push(host.name.clone());
                }
            }
            shape => {
                for group in inventory.groups().filter(|group| shape.fits(&group.name)) {
                    a_group = true;
                    found.extend(inventory.hosts_of(&group.name));
                }
                found.extend(inventory.hosts().filter(|host| shape.fits(&host.name)).map(|host| host.name.clone()));
            }
        }
        if found.is_empty() && !a_group && self.text != ALL {
            warnings.push(format!("Could not match supplied host pattern, ignoring: {}", self.name));
        }
        match self.pick {
            // An empty match was already reported.
            Some(pick) if !found.is_empty() => {
                pick.of(&found).ok_or_else(|| InventoryError::Subscript { pattern: self.text.clone() })
            }
            _ => Ok(found.into_iter().collect()),
        }
    }
}

impl Pick {
    fn of(self, hosts: &[Arc<str>]) -> Option<IndexSet<Arc<str>>> {
        match self {
            Pick::One(at) => {
                let at = if at < 0 { hosts.len().checked_add_signed(at as isize) } else { usize::try_from(at).ok() };
                Some(IndexSet::from([hosts.get(at?)?.clone()]))
            }
            Pick::Range(first, last) => {
                let count = last.map_or(usize::MAX, |last| last.saturating_add(1).saturating_sub(first));
                Some(hosts.iter().skip(first).take(count).cloned().collect())
            }
        }
    }
}

/// Splits `[1]`, `[-1]`, `[1:]` or `[1:3]` off the end. As in Ansible, `[:1]` is not a subscript but a character class.
fn subscript(text: &str) -> (&str, Option<Pick>) {
    let whole = (text, None);
    let Some((name, inner)) = text.strip_suffix(']').and_then(|text| text.rsplit_once('[')) else { return whole };
    if name.is_empty() {
        return whole;
    }
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let pick = match inner.split_once(':') {
        Some((first, "")) => digits(first).map(|first| Pick::Range(first, None)),
        Some((first, last)) => match (digits(first), digits(last)) {
            // As in Ansible, an end of 0 counts as none.
            (Some(first), Some(0)) => i64::try_from(first).ok().map(Pick::One),
            (Some(first), Some(last)) => Some(Pick::Range(first, Some(last))),
            _ => None,
        },
        None => inner.parse().ok().filter(|_| !inner.starts_with('+')).map(Pick::One),
    };
    match pick {
        Some(pick) => (name, Some(pick)),
        None => whole,
    }
}

/// Splits at commas or, if there are none, at colons and white space, unless the text is an address: an IPv6 address, or
/// a name with a port. A whole bracketed expression is kept together; as in Ansible, a bracket without its counterpart
/// separates terms, too.
pub(super) fn cut(text: &str) -> Vec<String> {
    let parts: Vec<&str> = if text.contains(',') {
        text.split(',').collect()
    } else if is_address(text) {
        vec![text]
    } else {
        outside_brackets(text)
    };
    parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The parts of a text between colons, white space and single brackets.
fn outside_brackets(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        let closing = if c == '[' { text[at..].find(']') } else { None };
        if let Some(closing) = closing {
            at += closing + 1;
            continue;
        }
        if matches!(c, ':' | '[' | ']') || c.is_whitespace() {
            parts.push(&text[start..at]);
            start = at + c.len_utf8();
        }
        at += c.len_utf8();
    }
    parts.push(&text[start..]);
    parts
}

fn is_address(text: &str) -> bool {
    let is_name = |name: &str| name.chars().all(|c| c.is_alphanumeric() || "-._".contains(c)) && !name.is_empty();
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty();
    if text.split_once(':').is_some_and(|(name, port)| is_name(name) && is_port(port)) {
        return true;
    }
    let bare = text.trim_start_matches(['!', '&']);
    bare.parse::<std::net::Ipv6Addr>().is_ok()
        || bare.strip_prefix('[').and_then(|rest| rest.split_once(']')).is_some_and(|(inner, after)| {
            inner.parse::<std::net::Ipv6Addr>().is_ok() && (after.is_empty() || after.starts_with(':'))
        })
}

impl Inventory {
    /// The hosts that a play's pattern matches, restricted to those that `--limit` allows.
    ///
    /// # Errors
    /// Same as [`Pattern::matches`].
    pub fn matching(&self, pattern: &Pattern, allowed: Option<&Matched>) -> Result<Matched, InventoryError> {
        let mut matched = pattern.matches(self)?;
        if let Some(allowed) = allowed {
            let allowed: std::collections::HashSet<&Arc<str>> = allowed.hosts.iter().collect();
            matched.hosts.retain(|host| allowed.contains(host));
        }
        Ok(matched)
    }

    /// Whether a name means this machine.
    pub fn is_localhost(name: &str) -> bool {
        LOCALHOST.contains(&name)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::source::Source;

    pub(in crate::inventory) fn inventory() -> Inventory {
        let mut inventory = Inventory::default();
        let text = "web1\n[web]\nweb[2:5]\n[db]\ndb1\ndb2\n[north:children]\nweb\ndb\n[south]\ns1\nweb3\n[empty]\n[six]\n2001:db8::1\n";
        super::super::ini::read(&mut inventory, &Source::inline("hosts", text)).unwrap();
        inventory.settle();
        inventory
    }

    pub(in crate::inventory) fn names(matched: &Matched) -> String {
        matched.hosts.iter().map(|host| &**host).collect::<Vec<_>>().join(" ")
    }

    /// The expected values are those of ansible-core 2.19.14 (except for the IPv6 host, which was added).
    #[test]
    fn no_patterns_match_no_host() {
        assert!(Pattern::of(&[]).unwrap().matches(&inventory()).unwrap().hosts.is_empty());
        let some = Pattern::of(&["web".to_owned(), "db1".to_owned()]).unwrap().matches(&inventory()).unwrap();
        assert_eq!(some.hosts, Pattern::parse("web,db1").unwrap().matches(&inventory()).unwrap().hosts);
    }

    #[test]
    fn patterns_choose_hosts_as_in_ansible() {
        let inventory = inventory();
        for (pattern, expected) in [
            ("web[0]", "web2"),
            ("web[1:2]", "web3 web4"),
            ("web[1:0]", "web3"),
            ("web[-1]", "web5"),
            ("web[1:]", "web3 web4 web5"),
            ("web[:1]", "web1"),
            ("web[2:9]", "web4 web5"),
            ("web[7:9]", ""),
            ("!web", "web1 s1 2001:db8::1 db1 db2"),
            ("all:!web", "web1 s1 2001:db8::1 db1 db2"),
            ("web:&south", "web3"),
            ("&south,web,!web4", "web3"),
            ("db,web", "db1 db2 web2 web3 web4 web5"),
            ("*", "web1 s1 web3 2001:db8::1 web2 web4 web5 db1 db2"),
            ("north", "web2 web3 web4 web5 db1 db2"),
            ("~web[23]", "web2 web3"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("web*,localhost", "web2 web3 web4 web5 web1 localhost"),
            ("db,web2,~s", "db1 db2 web2 s1 web3 2001:db8::1"),
            ("web[0:1]:!web2", "web3"),
            ("web[2:3],db[0]", "web4 web5 db1"),
            ("all[0]", "web1"),
            ("web*[0]", "web2"),
            ("web[!23]", "web1 web4 web5"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:db8::1,db2", "2001:db8::1 db2"),
            ("host1, ,   ,db1", "db1"),
            ("db1 web2", "db1 web2"),
            ("db1:web[0:1] !web2", "db1 web3"),
            ("web2:22", ""),
            (",,", "web1 s1 web3 2001:db8::1 web2 web4 web5 db1 db2"),
            ("empty", ""),
            ("web[23", "web2 web3 web4 web5"),
            ("web2[3 db1", "web2 db1"),
            ("web2]db1", "web2 db1"),
            ("~we[b", "web2 web3 web4 web5 web1"),
        ] {
            assert_eq!(names(&Pattern::parse(pattern).unwrap().matches(&inventory).unwrap()), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_named_in_vain_is_told() {
        let inventory = inventory();
        let warnings = |pattern| Pattern::parse(pattern).unwrap().matches(&inventory).unwrap().warnings;
        assert_eq!(warnings("nosuch:web"), ["Could not match supplied host pattern, ignoring: nosuch"]);
        assert_eq!(warnings("nosuch[0]:web"), ["Could not match supplied host pattern, ignoring: nosuch"]);
        assert_eq!(warnings("!nosuch,web"), ["Could not match supplied host pattern, ignoring: nosuch"]);
        assert!(warnings("empty").is_empty());
        for beyond in ["web[9]", "web[-9]", "db,*[99]"] {
            let error = Pattern::parse(beyond).unwrap().matches(&inventory).unwrap_err();
            assert!(error.to_string().starts_with("No hosts matched the subscripted pattern"), "{beyond}");
        }
        assert!(Pattern::parse("~we(b").unwrap_err().to_string().contains("not a regular expression"));
        // Regular expressions are Python's, as everywhere.
        for expression in ["~web(?!9)", r"~(?P<a>w)eb", r"~web\Z|db"] {
            assert!(Pattern::parse(expression).is_ok(), "{expression}");
        }
    }
}
