//! Data as TOML, in the format of Python's tomli-w.

use serde_json::{Map, Value as Json};

/// A mapping as a TOML document. `null`, which TOML lacks, is left out.
pub(crate) fn text(data: &Json) -> String {
    let mut out = String::new();
    if let Some(table) = data.as_object() {
        write_table(table, &mut Vec::new(), &mut out);
    }
    out
}

/// Values of a table first, then the tables in it, each under its header.
fn write_table(table: &Map<String, Json>, path: &mut Vec<String>, out: &mut String) {
    let is_table = |value: &Json| value.is_object() && unsafe_text(value).is_none();
    let (tables, values): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| is_table(value));
    if !path.is_empty() && (!values.is_empty() || tables.is_empty()) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!("[{}]\n", path.join(".")));
    }
    for (name, value) in values.into_iter().filter(|(_, value)| !value.is_null()) {
        out.push_str(&format!("{} = {}\n", key(name), inline(value, 0)));
    }
    for (name, value) in tables {
        path.push(key(name));
        write_table(value.as_object().unwrap_or(&Map::new()), path, out);
        path.pop();
    }
}

/// Text that must never be a template is marked in JSON; TOML has no such mark.
pub(crate) fn unsafe_text(value: &Json) -> Option<&str> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    entries.get("__ansible_unsafe")?.as_str()
}

fn inline(value: &Json, depth: usize) -> String {
    if let Some(text) = unsafe_text(value) {
        return quoted(text);
    }
    match value {
        Json::String(text) => quoted(text),
        Json::Array(items) if items.is_empty() => "[]".to_owned(),
        Json::Array(items) => {
            let margin = "    ".repeat(depth + 1);
            let items = items.iter().filter(|item| !item.is_null());
            let items: String = items.map(|item| format!("{margin}{},\n", inline(item, depth + 1))).collect();
            format!("[\n{items}{}]", "    ".repeat(depth))
        }
        Json::Object(entries) => {
            let entries = entries.iter().filter(|(_, value)| !value.is_null());
            let entries: Vec<String> =
                entries.map(|(name, value)| format!("{} = {}", key(name), inline(value, depth))).collect();
            if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
        }
        other => other.to_string(),
    }
}

fn key(name: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            other if (other as u32) < 0x20 || other == '\u{7f}' => out.push_str(&format!("\\u{:04x}", other as u32)),
            other => out.push(other),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_values_and_keys_are_written() {
        let data = serde_json::json!({
            "a b": 1,
            "none": null,
            "u": {"__ansible_unsafe": "{{ x }}"},
            "t": {"x": "q\"\n", "list": [1, {"k": true}], "inner": {"f": 1.5}, "empty": {}},
        });
        let expected = "\"a b\" = 1\nu = \"{{ x }}\"\n\n[t]\nx = \"q\\\"\\n\"\nlist = [\n    1,\n    { k = true },\n]\n\n[t.inner]\nf = 1.5\n\n[t.empty]\n";
        assert_eq!(text(&data), expected);
    }
}
