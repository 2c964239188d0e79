//! Common encodings of a secret.

use std::collections::HashSet;

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use rplay_wire::percent;

/// Minimum length of base64 that is searched for inside longer base64; shorter ones occur in any text.
const SHORTEST_CORE: usize = 8;
/// Shorter texts are only searched for with exact case.
const SHORTEST_OF_ANY_CASE: usize = 8;

/// The text itself and its encodings: JSON, YAML, Python, quoted for a shell, HTML, URL, base64.
pub(super) fn of(text: &str) -> HashSet<String> {
    let mut all: HashSet<String> = HashSet::from([text.to_owned()]);
    let mut add = |spelling: String| {
        // If an encoding changes nothing, the result is the text itself, or too short.
        if spelling.len() >= 4 {
            all.insert(spelling);
        }
    };
    let json = inside_json(text);
    add(ascii(&json));
    add(inside_json(&json));
    add(json);
    let escaped = text.replace('\\', r"\\").replace('\n', r"\n").replace('\t', r"\t").replace('\r', r"\r");
    add(escaped.replace('\'', r"\'"));
    add(escaped);
    add(text.replace('\'', "''"));
    add(text.replace('\'', r#"'"'"'"#));
    add(text.replace('\'', r"'\''"));
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    add(html.replace('"', "&#34;").replace('\'', "&#39;"));
    add(html.replace('"', "&quot;").replace('\'', "&#x27;"));
    add(percent::encode(text, "/"));
    add(percent::encode(text, ""));
    add(percent::encode(text, "").replace("%20", "+"));
    if text.chars().count() >= SHORTEST_OF_ANY_CASE {
        add(text.to_uppercase());
        add(text.to_lowercase());
    }
    add(BASE64_STANDARD.encode(text));
    add(BASE64_STANDARD_NO_PAD.encode(text));
    add(BASE64_URL_SAFE_NO_PAD.encode(text));
    for before in 0..3 {
        add_core(text, before, &mut add);
    }
    all
}

/// The characters that are always present when the text is part of longer base64, for each of the three alignments.
fn add_core(text: &str, before: usize, add: &mut impl FnMut(String)) {
    let mut bytes = vec![0; before];
    bytes.extend(text.as_bytes());
    // Six bits per character: the first ones depend on the preceding text, the last one on the following text.
    let (begin, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    if end.saturating_sub(begin) < SHORTEST_CORE {
        return;
    }
    for encoded in [BASE64_STANDARD_NO_PAD.encode(&bytes), BASE64_URL_SAFE_NO_PAD.encode(&bytes)] {
        add(encoded.get(begin..end).unwrap_or_default().to_owned());
    }
}

/// As inside quotes in JSON.
fn inside_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&quoted).to_owned()
}

/// JSON with all non-ASCII characters escaped, as in Python.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c.is_ascii() {
            true => text.push(c),
            false => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    text
}
