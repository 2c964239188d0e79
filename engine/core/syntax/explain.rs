//! Explains what is wrong when the parser cannot continue. The parser knows the place; the line shows what was meant.

mod line;

use std::{ops::Range, sync::Arc};

use super::{error::YamlError, event::ParseError};
use crate::source::{Source, Span};
use line::Line;

/// Turns a parser error into one that says how to fix it.
pub(super) fn explain(source: &Arc<Source>, error: ParseError) -> YamlError {
    let text = source.text.as_str();
    let at = Line::around(text, error.at);
    let span = |range: Range<usize>| Span::new(source, range);
    let began = error.began.map(|began| Line::around(text, began));

    if let Some(tabs) = at.tabs(error.at) {
        return YamlError::Tab { at: span(tabs) };
    }
    match error.problem {
        "found unexpected end of stream" | "found unexpected document indicator" => {
            return unclosed_quote(source, error.began.unwrap_or(error.at));
        }
        "found unknown escape character" => {
            let escape: String = text.get(error.at..).unwrap_or_default().chars().take(2).collect();
            return YamlError::UnknownEscape {
                at: span(error.at..error.at + escape.len()),
                help: format!("write `\\{escape}` for a backslash, or use single quotes"),
                escape,
            };
        }
        "control characters are not allowed" => {
            let width = text.get(error.at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            return YamlError::ControlCharacter { at: span(error.at..error.at + width) };
        }
        _ => {}
    }
    if let Some(start) = [Some(at), began].into_iter().flatten().find_map(|line| line.bare_template(error.at)) {
        let range = unquoted_template(text, start);
        return YamlError::UnquotedTemplate { help: corrected(text, range.clone()), at: span(range) };
    }
    match error.problem {
        "found character that cannot start any token" => {
            let c = text.get(error.at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
            let value = error.at..at.value_end();
            YamlError::ReservedCharacter {
                at: span(error.at..error.at + c.len_utf8()),
                c,
                help: corrected(text, value),
            }
        }
        "mapping values are not allowed in this context" => second_colon(source, at, error.at),
        "block sequence entries are not allowed in this context" => match at.first_colon(error.at) {
            Some(_) => YamlError::ListBesideKey {
                at: span(error.at..at.value_end()),
                help: format!(
                    "put `{}` on its own line below the key, indented",
                    at.text(text, error.at..at.value_end())
                ),
            },
            None => YamlError::Indentation {
                at: span(at.content()),
                label: "a list cannot begin here".to_owned(),
                help: "the key above already has a value".to_owned(),
            },
        },
        "could not find expected ':'" => missing_colon(source, began.unwrap_or(at)),
        "did not find expected key" => expected_key(source, at, &error),
        "did not find expected '-' indicator" | "did not find expected <document start>" => outside(source, at, &error),
        "did not find expected ',' or '}'" | "did not find expected ',' or ']'" => {
            let open = error.began.unwrap_or(error.at);
            let (open_c, close_c) = if error.problem.ends_with("'}'") { ('{', '}') } else { ('[', ']') };
            let closed = at.text(text, error.at..at.end).contains(close_c);
            if closed && began.is_some_and(|began| began.start == at.start) {
                YamlError::Other {
                    at: span(error.at..error.at + 1),
                    problem: format!("a `,` or `{close_c}` is missing"),
                    help: Some("quote values that contain brackets, commas or colons".to_owned()),
                }
            } else {
                YamlError::UnclosedBracket {
                    at: span(open..open + 1),
                    help: format!("close it with `{close_c}`; quote values that begin with `{open_c}`"),
                }
            }
        }
        problem => YamlError::Other {
            at: span(error.at..at.end.max(error.at)),
            problem: problem
                .replace("did not find expected", "expected")
                .replace("could not find expected", "expected"),
            help: None,
        },
    }
}

/// ansible-core's message about a parser's error.
pub(super) fn said(problem: &str, meant: &YamlError) -> String {
    match meant {
        YamlError::Tab { .. } => return "Tabs are usually invalid in YAML.".to_owned(),
        YamlError::UnquotedTemplate { .. } => {
            return "This may be an issue with missing quotes around a template block.".to_owned();
        }
        _ => {}
    }
    let during = match problem {
        "mapping values are not allowed in this context" => {
            return "Colons in unquoted values must be followed by a non-space character.".to_owned();
        }
        "did not find expected '-' indicator" => "While parsing a block collection ",
        "did not find expected key" => "While parsing a block mapping ",
        "did not find expected ',' or ']'" => "While parsing a flow sequence ",
        "did not find expected ',' or '}'" => "While parsing a flow mapping ",
        "did not find expected node content" => "While parsing a flow node ",
        "found unexpected end of stream" | "found unexpected document indicator" => "While scanning a quoted scalar ",
        "found unknown escape character" => "While parsing a quoted scalar ",
        "found character that cannot start any token" => "While scanning for the next token ",
        "could not find expected ':'" => "While scanning a simple key ",
        _ => {
            let mut chars = problem.chars();
            let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            return format!("{first}{}.", chars.as_str());
        }
    };
    format!("{during}{problem}.")
}

/// The bytes of an unquoted template that begins at `start`, up to the end of the value.
pub(super) fn unquoted_template(text: &str, start: usize) -> Range<usize> {
    let line = Line::around(text, start);
    let prefix = line.text(text, line.start..start).trim_end();
    let block = prefix.is_empty() || prefix.ends_with([':', '-']);
    let end = match text.get(start..line.end).and_then(|rest| rest.find("}}")) {
        Some(close) if !block => start + close + 2,
        _ => line.value_end(),
    };
    start..end.max(start)
}

/// Help text that repeats the line with `value` quoted.
pub(super) fn corrected(text: &str, value: Range<usize>) -> String {
    let line = Line::around(text, value.start);
    let before = line.text(text, line.start..value.start).trim_start();
    let after = line.text(text, value.end..line.value_end().max(value.end));
    format!("quote it: `{before}{}{after}`", quoted(line.text(text, value)))
}

fn quoted(value: &str) -> String {
    if value.contains(['"', '\\']) { format!("'{}'", value.replace('\'', "''")) } else { format!("\"{value}\"") }
}

fn unclosed_quote(source: &Arc<Source>, open: usize) -> YamlError {
    let line = Line::around(&source.text, open);
    let quote = source.text.get(open..).and_then(|rest| rest.chars().next()).unwrap_or('"');
    let written = line.text(&source.text, line.content().start..line.end);
    YamlError::UnclosedQuote {
        at: Span::new(source, open..open + 1),
        help: format!("close it: `{}{quote}`", written.trim_end()),
    }
}

/// `key: value: more`, or a line that was read as part of the value above.
fn second_colon(source: &Arc<Source>, line: Line, at: usize) -> YamlError {
    let text = source.text.as_str();
    if let Some(colon) = line.first_colon(at) {
        let rest = line.text(text, colon + 1..line.value_end());
        let start = line.value_end() - rest.trim_start().len();
        return YamlError::ColonInValue {
            at: Span::new(source, at..at + 1),
            help: corrected(text, start..line.value_end()),
        };
    }
    let Some(above) = line.above() else {
        return YamlError::Other {
            at: Span::new(source, at..at + 1),
            problem: "unexpected colon".to_owned(),
            help: None,
        };
    };
    if above.first_colon(usize::MAX).is_none() {
        return missing_colon(source, above);
    }
    let key = line.text(text, line.entry().start..at);
    let spaces = above.entry().start - above.start;
    let above_key = line.text(text, above.entry().start..above.first_colon(usize::MAX).unwrap_or(above.end));
    YamlError::Indentation {
        at: Span::new(source, line.entry().start..at),
        label: "indented further than the key above, so YAML reads it as part of that value".to_owned(),
        help: format!("align `{key}` with `{above_key}`: indent it by {spaces} spaces"),
    }
}

fn missing_colon(source: &Arc<Source>, line: Line) -> YamlError {
    let entry = line.entry();
    let text = line.text(&source.text, entry.clone());
    let key_end = text.find([' ', '=', ':']).unwrap_or(text.len());
    let (key, rest) = text.split_at(key_end);
    let value = rest.trim_start_matches([' ', '=', ':']);
    let help = if value.is_empty() { format!("write `{key}:`") } else { format!("write `{key}: {value}`") };
    YamlError::MissingColon { at: Span::new(source, entry.start..entry.start + key_end), help }
}

/// Something in a mapping that is not a key.
fn expected_key(source: &Arc<Source>, line: Line, error: &ParseError) -> YamlError {
    let text = source.text.as_str();
    let before = line.text(text, line.content().start..error.at).trim_end();
    if let Some(quote @ ('"' | '\'')) = before.chars().last() {
        if before.matches(quote).count() % 2 == 1
            && let Some(open) = opening_quote_above(line, quote)
        {
            return unclosed_quote(source, open);
        }
        let start = line.first_colon(error.at).map_or(line.entry().start, |colon| colon + 1);
        let rest = line.text(text, start..line.value_end());
        let value = line.value_end() - rest.trim_start().len()..line.value_end();
        return YamlError::TextAfterQuote {
            at: Span::new(source, error.at..line.value_end()),
            help: corrected(text, value).replacen("quote it", "quote the whole value", 1),
        };
    }
    if !before.is_empty() {
        return YamlError::Other {
            at: Span::new(source, error.at..line.value_end()),
            problem: "text after a complete value".to_owned(),
            help: Some("quote values that contain brackets or braces".to_owned()),
        };
    }
    outside(source, line, error)
}

/// The nearest line above with an unclosed quote.
fn opening_quote_above(line: Line, quote: char) -> Option<usize> {
    let mut line = line.above()?;
    loop {
        if line.all().matches(quote).count() % 2 == 1 {
            return line.all().rfind(quote).map(|at| line.start + at);
        }
        line = line.above()?;
    }
}

/// A line that belongs to nothing above it.
fn outside(source: &Arc<Source>, line: Line, error: &ParseError) -> YamlError {
    let text = source.text.as_str();
    let content = line.content();
    let column = content.start - line.start;
    let item = line.text(text, content.clone()).starts_with("- ");
    let Some(began) = error.began else {
        return YamlError::Indentation {
            at: Span::new(source, content),
            label: "the value above ended before this line".to_owned(),
            help:
                "a file must be one list or one mapping: indent this line, or make it an item or a key like the first line"
                    .to_owned(),
        };
    };
    let expected = began - Line::around(text, began).start;
    if error.problem.contains("'-'") && !item && column == expected {
        return YamlError::Indentation {
            at: Span::new(source, content),
            label: "neither a list item nor part of the item above".to_owned(),
            help: format!(
                "indent it by {} spaces to make it part of the item above, or begin it with `- `",
                expected + 2
            ),
        };
    }
    let number = |line: Line| source.line_column(line.start).0;
    let (label, help) = match nearest_column(line, item) {
        Some((like, spaces)) if spaces == column => (
            format!("aligned with {} in line {}, but that block has ended", like.shown(), number(like)),
            "move it up to where it belongs, or align it with the block above".to_owned(),
        ),
        Some((like, spaces)) => (
            if item {
                "this item is not aligned with any list above"
            } else {
                "this key is not aligned with any key above"
            }
            .to_owned(),
            format!("indent it by {spaces} spaces, like {} in line {}", like.shown(), number(like)),
        ),
        None => ("unexpected here".to_owned(), "align it with the block that it belongs to".to_owned()),
    };
    YamlError::Indentation { at: Span::new(source, content), label, help }
}

/// The line above whose item or key is at the nearest column, and that column.
fn nearest_column<'t>(line: Line<'t>, item: bool) -> Option<(Line<'t>, usize)> {
    let column = line.content().start - line.start;
    let mut best: Option<(usize, Line, usize)> = None;
    let mut above = line.above();
    // Beyond that it would be a guess.
    for _ in 0..100 {
        let Some(candidate) = above else { break };
        let place = if item { candidate.content() } else { candidate.entry() };
        let found = place.start - candidate.start;
        let begins_item = candidate.text(line.whole, candidate.content()).starts_with("- ");
        if begins_item == item || !item {
            let distance = found.abs_diff(column);
            if best.as_ref().is_none_or(|(least, ..)| distance < *least) {
                best = Some((distance, candidate, found));
            }
        }
        above = candidate.above();
    }
    best.map(|(_, line, column)| (line, column))
}
