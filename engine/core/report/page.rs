//! The HTML page of a run: one self-contained file.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");

/// The page for a run's data, which is JSON.
///
/// Text from hosts occurs only in the data. There, `<`, `>` and `&` are written as JSON's escapes, so that no text can
/// end the element; the script inserts texts as text nodes. The page allows only its own script, by digest, and loads
/// nothing.
pub(super) fn page(data: &str) -> String {
    let digest = BASE64_STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    let policy = format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'");
    let mut page = String::with_capacity(PAGE.len() + SCRIPT.len() + data.len() + data.len() / 16);
    let mut rest = PAGE;
    for (mark, text) in [("@POLICY@", &*policy), ("@DATA@", data), ("@SCRIPT@", SCRIPT)] {
        let Some((before, after)) = rest.split_once(mark) else { continue };
        page.push_str(before);
        match mark {
            "@DATA@" => escape(text, &mut page),
            _ => page.push_str(text),
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

/// JSON without characters that have a meaning in HTML.
fn escape(json: &str, page: &mut String) {
    let mut start = 0;
    for (at, c) in json.char_indices().filter(|(_, c)| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')) {
        page.push_str(json.get(start..at).unwrap_or_default());
        let _ = write!(page, "\\u{:04x}", c as u32);
        start = at + c.len_utf8();
    }
    page.push_str(json.get(start..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_the_data_is_markup() {
        let data =
            serde_json::json!({"text": "</script><script>alert(1)</script><!-- &lt; \u{2028}@SCRIPT@"}).to_string();
        let page = page(&data);
        assert_eq!(page.matches("<script").count(), 2);
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(!page.contains("alert(1)</"));
        let (_, after) = page.split_once("id=\"data\">").unwrap();
        let (embedded, _) = after.split_once("</script>").unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(embedded).unwrap(),
            serde_json::from_str::<serde_json::Value>(&data).unwrap()
        );
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = page("{}");
        for word in ["http:", "https:", "src=", "@import", "url(", "fetch(", "innerHTML", "eval("] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("default-src 'none'") && page.contains("script-src 'sha256-"));
    }
}
