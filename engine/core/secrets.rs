//! Texts that no output may show.

use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{Arc, RwLock},
};

use regex::Regex;

/// What stands in place of a secret, as in Ansible.
pub const MASK: &str = "********";

/// Anything shorter would blot out half of every output and is no secret worth the name.
const SHORTEST: usize = 4;
/// A single line of a longer secret (a key file) must be this long: `----` or `{` tells nothing.
const SHORTEST_LINE: usize = 8;

/// The secrets of a run. Cheap to share, cheap to ask while there are none.
#[derive(Debug, Default)]
pub struct Secrets {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    texts: HashSet<Box<str>>,
    /// Finds them all, the longest first; made when it is first needed after a change.
    finder: Option<Arc<Regex>>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Known({} secrets)", self.texts.len())
    }
}

impl Secrets {
    /// Registers a secret: the whole text, each longer line of it, and both as they look inside JSON.
    pub fn add(&self, secret: &str) {
        let whole = secret.trim();
        if whole.chars().count() < SHORTEST {
            return;
        }
        let lines = whole.lines().map(str::trim).filter(|line| line.chars().count() >= SHORTEST_LINE);
        let mut texts: HashSet<Box<str>> = HashSet::new();
        for text in std::iter::once(whole).chain(lines) {
            texts.insert(text.into());
            let quoted = serde_json::Value::from(text).to_string();
            texts.insert(quoted.trim_matches('"').into());
        }
        let mut known = self.known.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        for text in texts {
            if known.texts.insert(text) {
                known.finder = None;
            }
        }
    }

    /// The text with every secret masked.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.finder() {
            Some(finder) => finder.replace_all(text, MASK),
            None => Cow::Borrowed(text),
        }
    }

    fn finder(&self) -> Option<Arc<Regex>> {
        {
            let known = self.known.read().unwrap_or_else(|poisoned| poisoned.into_inner());
            if known.texts.is_empty() || known.finder.is_some() {
                return known.finder.clone();
            }
        }
        let mut known = self.known.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut texts: Vec<&str> = known.texts.iter().map(|text| &**text).collect();
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let any = texts.iter().map(|text| regex::escape(text)).collect::<Vec<_>>().join("|");
        // Too many secrets for one expression: then everything is masked rather than something shown.
        let finder = regex::RegexBuilder::new(&any).size_limit(256 << 20).build();
        let finder = finder.or_else(|_| Regex::new("(?s).+")).ok().map(Arc::new);
        known.finder.clone_from(&finder);
        finder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let secrets = Secrets::default();
        assert!(matches!(secrets.mask("nothing hidden"), Cow::Borrowed("nothing hidden")));
        secrets.add("hunter2\n");
        secrets.add("hunter2-and-more");
        secrets.add("ab");
        assert_eq!(secrets.mask("a hunter2 ab hunter2-and-more hunter2x"), "a ******** ab ******** ********x");
        secrets.add("-----BEGIN KEY-----\nMIIEpAIBAAKC\nx\n");
        assert_eq!(secrets.mask("got MIIEpAIBAAKC, x"), "got ********, x");
        secrets.add("pass\"word\\");
        assert_eq!(secrets.mask(r#"{"p": "pass\"word\\"}"#), format!(r#"{{"p": "{MASK}"}}"#));
    }
}
