//! Secrets, which are masked in all output.

mod finder;
mod spellings;
mod values;

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use finder::Finder;
use parking_lot::RwLock;
pub use values::{names_a_secret, values_of_file};

/// Replaces a secret, as in Ansible.
pub const MASK: &str = "********";

/// Minimum length of a text that is masked inside other text; shorter ones would hide half of every output.
const SHORTEST: usize = 4;
/// The same for digits: ports and modes have at most five.
const SHORTEST_NUMBER: usize = 6;
/// Minimum length of a single line of a longer secret (a key file) that is masked on its own, unlike `----` or `{`.
const SHORTEST_LINE: usize = 8;

/// The secrets of a run. Cheap to share, and cheap to query while there are none.
#[derive(Debug, Default)]
pub struct Secrets {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// The secrets as registered.
    given: HashSet<Box<str>>,
    /// All their encodings.
    texts: HashSet<Arc<str>>,
    /// Secrets that are masked only as a whole value.
    whole: HashSet<Box<str>>,
    /// Encodings that are in no finder yet.
    recent: Vec<Arc<str>>,
    /// Each finder has more encodings than the next one, so that adding one secret at a time stays cheap.
    finders: Arc<[Arc<Finder>]>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Known({} secrets)", self.texts.len() + self.whole.len())
    }
}

impl Secrets {
    /// Registers a secret: the whole text and each longer line of it, in all common encodings (JSON, YAML, quoted for a
    /// shell or a URL, base64). A short one is masked only as a whole value.
    pub fn add(&self, secret: &str) {
        let whole = secret.trim();
        if whole.is_empty() || self.read(|known| known.given.contains(whole)) {
            return;
        }
        let mut known = self.known.write();
        known.given.insert(whole.into());
        if !is_long_enough(whole) {
            if is_telling(whole) {
                known.whole.insert(whole.into());
            }
            return;
        }
        known.look_for(whole);
        if whole.contains('\n') {
            let lines = whole.lines().map(str::trim).filter(|line| line.chars().count() >= SHORTEST_LINE);
            lines.for_each(|line| known.look_for(line));
        }
    }

    /// Registers a text that is masked only if it is the whole value of a result.
    pub fn add_whole(&self, secret: &str) {
        let whole = secret.trim();
        if is_telling(whole) && !self.read(|known| known.whole.contains(whole)) {
            let mut known = self.known.write();
            known.whole.insert(whole.into());
        }
    }

    /// Registers the content of an encrypted file: its values if it is YAML or JSON, else its lines.
    pub fn add_file(&self, text: &str) {
        values_of_file(text, self);
    }

    /// Masks all secrets in a text.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(finders) = self.finders() else { return Cow::Borrowed(text) };
        let ranges = finder::ranges(&finders, text);
        if ranges.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut masked = String::with_capacity(text.len());
        let mut end = 0;
        for range in ranges {
            masked.push_str(text.get(end..range.start).unwrap_or_default());
            masked.push_str(MASK);
            end = range.end;
        }
        masked.push_str(text.get(end..).unwrap_or_default());
        Cow::Owned(masked)
    }

    /// Masks multi-line secrets line by line, so that texts can still be compared by lines.
    pub fn mask_lines<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(finders) = self.finders() else { return Cow::Borrowed(text) };
        let ranges = finder::ranges(&finders, text);
        let mut masked = String::new();
        let mut end = 0;
        for range in ranges {
            let Some(found) = text.get(range.clone()).filter(|found| found.contains('\n')) else { continue };
            masked.push_str(text.get(end..range.start).unwrap_or_default());
            masked.push_str(&vec![MASK; found.split('\n').count()].join("\n"));
            end = range.end;
        }
        if end == 0 {
            return Cow::Borrowed(text);
        }
        masked.push_str(text.get(end..).unwrap_or_default());
        Cow::Owned(masked)
    }

    /// Masks values and keys inside data before it is written as JSON or YAML, so that the output stays well formed.
    /// Also masks a secret that spans several items of a list (the words of a command, the lines of a text).
    pub fn mask_data(&self, data: &mut serde_json::Value) {
        if !self.read(|known| known.texts.is_empty() && known.whole.is_empty()) {
            self.mask_value(data);
        }
    }

    fn mask_value(&self, data: &mut serde_json::Value) {
        use serde_json::Value;
        match data {
            Value::String(text) => {
                if self.is_whole(text) {
                    MASK.clone_into(text);
                } else if let Cow::Owned(masked) = self.mask(text) {
                    *text = masked;
                }
            }
            Value::Number(number) => {
                let text = number.to_string();
                if self.read(|known| known.texts.contains(text.as_str())) {
                    *data = MASK.into();
                }
            }
            Value::Array(items) => {
                self.mask_across(items);
                items.iter_mut().for_each(|item| self.mask_value(item));
            }
            Value::Object(entries) => {
                if entries.keys().any(|key| matches!(self.mask(key), Cow::Owned(_))) {
                    let old = std::mem::take(entries);
                    entries.extend(old.into_iter().map(|(key, value)| (self.mask(&key).into_owned(), value)));
                }
                entries.values_mut().for_each(|value| self.mask_value(value));
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Masks the items that a secret spans.
    fn mask_across(&self, items: &mut [serde_json::Value]) {
        let Some(finders) = self.finders().filter(|_| items.len() > 1) else { return };
        let mut joined = String::new();
        let mut places = Vec::with_capacity(items.len());
        for item in items.iter() {
            let Some(text) = item.as_str() else { return };
            let start = joined.len();
            joined.push_str(text);
            places.push(start..joined.len());
            joined.push('\n');
        }
        // A line break stands for any white space: encodings with white space match both.
        for found in finder::ranges(&finders, &joined) {
            let inside = |place: &std::ops::Range<usize>| place.start < found.end && found.start < place.end;
            if places.iter().filter(|place| inside(place)).count() > 1 {
                for (item, _) in items.iter_mut().zip(&places).filter(|(_, place)| inside(place)) {
                    *item = MASK.into();
                }
            }
        }
    }

    fn is_whole(&self, text: &str) -> bool {
        self.read(|known| !known.whole.is_empty() && known.whole.contains(text.trim()))
    }

    fn read<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read())
    }

    fn finders(&self) -> Option<Arc<[Arc<Finder>]>> {
        let (none, ready) =
            self.read(|known| (known.texts.is_empty(), known.recent.is_empty().then(|| known.finders.clone())));
        if none {
            return None;
        }
        Some(ready.unwrap_or_else(|| {
            let mut known = self.known.write();
            known.make_finder();
            known.finders.clone()
        }))
    }
}

impl Known {
    fn look_for(&mut self, text: &str) {
        for spelling in spellings::of(text) {
            let spelling: Arc<str> = spelling.into();
            if self.texts.insert(spelling.clone()) {
                self.recent.push(spelling);
            }
        }
    }

    /// Builds a finder for the recent encodings. Finders that are not much larger are merged into it.
    fn make_finder(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        let mut spellings = std::mem::take(&mut self.recent);
        let mut finders = self.finders.to_vec();
        while let Some(last) = finders.pop_if(|last| last.spellings().len() < 2 * spellings.len()) {
            spellings.extend(last.spellings().iter().cloned());
        }
        finders.push(Arc::new(Finder::of(spellings)));
        self.finders = finders.into();
    }
}

/// Whether a secret is long enough to be masked inside other text.
fn is_long_enough(text: &str) -> bool {
    let length = text.chars().count();
    let number = text.parse::<f64>().is_ok();
    length >= if number { SHORTEST_NUMBER } else { SHORTEST } && is_telling(text)
}

/// Whether a short text may be masked as a whole value. Single characters, YAML's booleans and null, and numbers with
/// fewer than four digits occur in every result.
fn is_telling(text: &str) -> bool {
    const WORDS: &[&str] = &["true", "false", "yes", "no", "on", "off", "null", "none"];
    let number = text.parse::<f64>().is_ok();
    text.chars().count() >= if number { SHORTEST } else { 2 }
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn masked(secrets: &Secrets, mut data: serde_json::Value) -> serde_json::Value {
        secrets.mask_data(&mut data);
        data
    }

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

    /// Overlapping secrets are masked as one, whichever was added first.
    #[test]
    fn secrets_may_overlap() {
        for given in [["abcdef", "defghi"], ["defghi", "abcdef"], ["abcdefghi", "cdef"], ["cdef", "abcdefghi"]] {
            let secrets = Secrets::default();
            for secret in given {
                secrets.add(secret);
                assert_ne!(secrets.mask(secret), secret);
            }
            assert_eq!(secrets.mask("<abcdefghi>"), "<********>", "{given:?}");
        }
    }

    #[test]
    fn other_spellings_are_masked() {
        let secrets = Secrets::default();
        secrets.add("s3cr3t 'q' \"d\" é&/\\");
        let spellings = [
            r#"s3cr3t 'q' \"d\" é&/\\"#,
            r#"s3cr3t 'q' \"d\" \u00e9&/\\"#,
            r#"s3cr3t \'q\' "d" é&/\\"#,
            r#"s3cr3t ''q'' "d" é&/\"#,
            r#"s3cr3t '"'"'q'"'"' "d" é&/\"#,
            "s3cr3t%20%27q%27%20%22d%22%20%C3%A9%26/%5C",
            "s3cr3t+%27q%27+%22d%22+%C3%A9%26%2F%5C",
            "s3cr3t &#39;q&#39; &#34;d&#34; é&amp;/\\",
            "czNjcjN0ICdxJyAiZCIgw6kmL1w=",
            "S3CR3T 'Q' \"D\" É&/\\",
            "s3cr3t 'q'\n    \"d\" é&/\\",
        ];
        for spelling in spellings {
            assert_eq!(secrets.mask(&format!("<{spelling}>")), "<********>", "{spelling}");
        }
        // Found inside longer base64 (`user:password` of a header), at any alignment.
        let secrets = Secrets::default();
        secrets.add("correct-horse");
        for before in ["", "a", "ab", "user:"] {
            use base64::{Engine, prelude::BASE64_STANDARD};
            let text = BASE64_STANDARD.encode(format!("{before}correct-horse!"));
            assert!(secrets.mask(&text).contains(MASK), "{text}");
        }
    }

    /// Short secrets must not make the output unreadable.
    #[test]
    fn short_secrets_are_masked_as_whole_values() {
        let secrets = Secrets::default();
        for short in ["ab", "4711", "true", "No", "7", "80", "x"] {
            secrets.add(short);
        }
        assert_eq!(secrets.mask("ab 4711 true No 7 80 x"), "ab 4711 true No 7 80 x");
        let data = json!({"a": "ab", "b": ["4711", "grab", "80", "true", "x"], "ab": 4711, "n": true, "p": 80});
        let shown = json!({"a": MASK, "b": [MASK, "grab", "80", "true", "x"], "ab": 4711, "n": true, "p": 80});
        assert_eq!(masked(&secrets, data), shown);
        secrets.add("20471199");
        assert_eq!(masked(&secrets, json!([20471199, "pin 20471199", 2047])), json!([MASK, "pin ********", 2047]));
    }

    /// The output stays well formed, whatever the secret contains.
    #[test]
    fn data_is_masked_before_it_is_written() {
        let secrets = Secrets::default();
        for secret in ["ends in a \"", "\", \"", "back\\slash", "line\nbreak here", "{\"a\": 1}"] {
            secrets.add(secret);
        }
        let data = json!({"k": "<ends in a \">", "l": "\", \"", "m": "{\"a\": 1}", "back\\slash": ["x", "y"]});
        let shown = json!({"k": "<********>", "l": MASK, "m": MASK, MASK: ["x", "y"]});
        assert_eq!(masked(&secrets, data), shown);
    }

    #[test]
    fn secrets_spread_over_items_are_masked() {
        let secrets = Secrets::default();
        secrets.add("a b c");
        secrets.add("one\ntwo");
        assert_eq!(masked(&secrets, json!(["echo", "a", "b", "c"])), json!(["echo", MASK, MASK, MASK]));
        assert_eq!(masked(&secrets, json!(["zero", "one", "two"])), json!(["zero", MASK, MASK]));
        assert_eq!(masked(&secrets, json!(["a", "c"])), json!(["a", "c"]));
    }

    /// Many secrets, each added between two outputs, as in a loop over users.
    #[test]
    fn many_secrets_are_found() {
        let secrets = Secrets::default();
        for number in 0..500 {
            secrets.add(&format!("password-{number}-x"));
            assert_eq!(secrets.mask(&format!("<password-{number}-x>")), "<********>");
        }
        assert!(secrets.read(|known| known.finders.len()) < 12);
        assert_eq!(secrets.mask("<password-1-x> <password-501-x>"), "<********> <password-501-x>");
    }
}
