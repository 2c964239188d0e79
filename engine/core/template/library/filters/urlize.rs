//! Turns the addresses in a text into links.

use minijinja::Value;

use super::{Pure, Table};

use crate::template::{
    args::Args,
    regex,
    value::{error::EvalResult, items, show, text},
};

pub(super) const FILTERS: Table = &[("urlize", Pure(urlize))];

/// Turns web and mail addresses into HTML links.
fn urlize(value: Value, mut args: Args) -> EvalResult {
    let limit = args.int("trim_url_limit")?.and_then(|limit| usize::try_from(limit).ok());
    let nofollow = args.flag("nofollow", false)?;
    let target = args.text("target")?;
    let rel = args.text("rel")?;
    let schemes = match args.optional("extra_schemes")?.filter(|schemes| !schemes.is_none()) {
        Some(schemes) => items::items(&schemes)?.iter().map(show::text).collect::<EvalResult<Vec<_>>>()?,
        None => Vec::new(),
    };
    args.finish()?;
    let mut rels: Vec<&str> = rel.as_deref().unwrap_or_default().split_whitespace().collect();
    rels.push("noopener");
    if nofollow {
        rels.push("nofollow");
    }
    rels.sort_unstable();
    rels.dedup();
    let rel = format!(" rel=\"{}\"", rels.join(" "));
    let target = target.map(|target| format!(" target=\"{}\"", text::escaped(&target))).unwrap_or_default();
    let text = text::escaped(&show::text(&value)?);
    let web = regex::find(
        r"^((https?://|www\.)(([\w%-]+\.)+)?([a-z]{2,63}|xn--[\w%]{2,59})|([\w%-]{2,63}\.)+(com|net|int|edu|gov|org|info|mil)|(https?://)((([\d]{1,3})(\.[\d]{1,3}){3})|(\[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}\])))(?::[\d]{1,5})?(?:[/?#]\S*)?$",
        true,
        false,
    )?;
    let mail = regex::find(r"^\S+@\w[\w.-]*\.\w+$", false, false)?;
    let matches = |pattern: &fancy_regex::Regex, text: &str| pattern.is_match(text).unwrap_or(false);
    let mut out = String::new();
    for word in pieces(&text) {
        let mut middle = word;
        let mut head = middle.len() - middle.trim_start_matches(['(', '<', '\n']).len();
        while let Some(rest) = middle[head..].strip_prefix("&lt;") {
            head = middle.len() - rest.len();
        }
        let (before, rest) = middle.split_at(head);
        middle = rest;
        let mut tail = middle.trim_end_matches([')', '>', '.', ',', '\n']).len();
        while let Some(rest) = middle[..tail].strip_suffix("&gt;") {
            tail = rest.len();
        }
        // A closing bracket that was opened inside belongs to the address.
        for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
            let missing = middle[..tail].matches(open).count().saturating_sub(middle[..tail].matches(close).count());
            for _ in 0..missing {
                match middle[tail..].find(close) {
                    Some(at) => tail += at + close.len(),
                    None => break,
                }
            }
        }
        let (middle, after) = middle.split_at(tail);
        let shown: String = match limit {
            Some(limit) if middle.chars().count() > limit => middle.chars().take(limit).chain("...".chars()).collect(),
            _ => middle.to_owned(),
        };
        out.push_str(before);
        if matches(&web, middle) {
            let scheme = if middle.starts_with("https://") || middle.starts_with("http://") { "" } else { "https://" };
            out.push_str(&format!("<a href=\"{scheme}{middle}\"{rel}{target}>{shown}</a>"));
        } else if let Some(address) = middle.strip_prefix("mailto:").filter(|address| matches(&mail, address)) {
            out.push_str(&format!("<a href=\"{middle}\">{address}</a>"));
        } else if middle.contains('@') && !middle.starts_with("www.") && !middle.contains(':') && matches(&mail, middle)
        {
            out.push_str(&format!("<a href=\"mailto:{middle}\">{middle}</a>"));
        } else if schemes.iter().any(|scheme| middle != scheme && middle.starts_with(scheme.as_str())) {
            out.push_str(&format!("<a href=\"{middle}\"{rel}{target}>{middle}</a>"));
        } else {
            out.push_str(middle);
        }
        out.push_str(after);
    }
    Ok(Value::from(out))
}

/// Words, and the white space between them.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| c.is_whitespace() != first.is_whitespace()).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}
