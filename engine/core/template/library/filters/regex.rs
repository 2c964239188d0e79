//! Regular expressions, with Python's syntax of replacements.

use minijinja::Value;

use super::{Pure, Table};

use crate::template::{
    args::Args,
    regex,
    value::{
        error::{EvalError, EvalResult},
        items, show, size,
    },
};

pub(super) const FILTERS: Table = &[
    ("regex_replace", Pure(regex_replace)),
    ("regex_search", Pure(regex_search)),
    ("regex_findall", Pure(regex_findall)),
    ("regex_escape", Pure(regex_escape)),
];

fn failed(error: &fancy_regex::Error) -> Box<EvalError> {
    EvalError::new(format!("the regular expression failed: {error}"))
}

/// All matches as in Python: an empty match may directly follow another one.
fn matches<'t>(regex: &fancy_regex::Regex, text: &'t str) -> EvalResult<Vec<fancy_regex::Captures<'t, str>>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at <= text.len() {
        let Some(captures) = regex.captures_from_pos(text, at).map_err(|error| failed(&error))? else { break };
        let Some(whole) = captures.get(0) else { break };
        at = match whole.start() == whole.end() {
            true => whole.end() + text[whole.end()..].chars().next().map_or(1, char::len_utf8),
            false => whole.end(),
        };
        found.push(captures);
    }
    Ok(found)
}

/// A pattern or replacement, which must be text.
fn pattern(args: &mut Args, name: &str) -> EvalResult<String> {
    match args.optional(name)? {
        None => Ok(String::new()),
        Some(value) => match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(EvalError::new("first argument must be string or compiled pattern")),
        },
    }
}

fn regex_replace(value: Value, mut args: Args) -> EvalResult {
    let (search, with) = (pattern(&mut args, "pattern")?, pattern(&mut args, "replacement")?);
    let ignorecase = args.flag("ignorecase", false)?;
    let multiline = args.flag("multiline", false)?;
    let count = usize::try_from(args.int_or("count", 0)?).unwrap_or(0);
    let mandatory = usize::try_from(args.int_or("mandatory_count", 0)?).unwrap_or(0);
    args.finish()?;
    let text = show::text(&value)?;
    let regex = regex::find(&search, ignorecase, multiline)?;
    let template = Replacement::read(&with)?;
    let (mut out, mut at, mut done) = (String::with_capacity(text.len()), 0, 0);
    for captures in matches(&regex, &text)? {
        let Some(whole) = captures.get(0) else { continue };
        if count > 0 && done == count {
            break;
        }
        out.push_str(text.get(at..whole.start()).unwrap_or_default());
        template.expand(&captures, &mut out)?;
        size::fits(out.len())?;
        at = whole.end();
        done += 1;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    if mandatory > 0 && done != mandatory {
        return Err(EvalError::new(format!(
            "'{search}' should match {mandatory} times, but matches {done} times in '{text}'"
        )));
    }
    Ok(Value::from(out))
}

/// A replacement in Python's syntax: `\1`, `\g<name>`, escapes.
struct Replacement(Vec<Piece>);

enum Piece {
    Text(String),
    Number(usize),
    Name(String),
}

impl Replacement {
    fn read(text: &str) -> EvalResult<Self> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c != '\\' {
                literal.push(c);
                continue;
            }
            let group = match chars.next() {
                Some('g') if chars.next_if_eq(&'<').is_some() => {
                    let name: String = chars.by_ref().take_while(|c| *c != '>').collect();
                    match name.parse() {
                        Ok(number) => Piece::Number(number),
                        Err(_) => Piece::Name(name),
                    }
                }
                Some(digit @ '1'..='9') => {
                    let mut number = digit.to_digit(10).unwrap_or(0) as usize;
                    if let Some(next) = chars.next_if(char::is_ascii_digit) {
                        number = number * 10 + next.to_digit(10).unwrap_or(0) as usize;
                    }
                    Piece::Number(number)
                }
                other => {
                    match other {
                        Some('n') => literal.push('\n'),
                        Some('t') => literal.push('\t'),
                        Some('r') => literal.push('\r'),
                        Some('\\') | None => literal.push('\\'),
                        Some('0') => literal.push('\0'),
                        Some(c) if c.is_ascii_alphabetic() => return Err(EvalError::new(format!("bad escape \\{c}"))),
                        Some(c) => {
                            literal.push('\\');
                            literal.push(c);
                        }
                    }
                    continue;
                }
            };
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
            pieces.push(group);
        }
        pieces.push(Piece::Text(literal));
        Ok(Replacement(pieces))
    }

    fn expand(&self, captures: &fancy_regex::Captures<'_, str>, out: &mut String) -> EvalResult<()> {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Number(number) if *number >= captures.len() => {
                    return Err(EvalError::new(format!("invalid group reference {number}")));
                }
                Piece::Number(number) => out.push_str(captures.get(*number).map_or("", |group| group.as_str())),
                Piece::Name(name) => out.push_str(captures.name(name).map_or("", |group| group.as_str())),
            }
        }
        Ok(())
    }
}

fn group(captures: &fancy_regex::Captures<'_, str>, at: usize) -> Value {
    captures.get(at).map_or_else(|| Value::from(()), |group| Value::from(group.as_str()))
}

fn regex_search(value: Value, mut args: Args) -> EvalResult {
    let search = pattern(&mut args, "regex")?;
    let ignorecase = args.keyword("ignorecase")?.is_some_and(|flag| items::truth(&flag));
    let multiline = args.keyword("multiline")?.is_some_and(|flag| items::truth(&flag));
    let groups = args.rest()?;
    args.finish()?;
    let text = show::text(&value)?;
    let regex = regex::find(&search, ignorecase, multiline)?;
    let Some(captures) = regex.captures(text.as_str()).map_err(|error| failed(&error))? else {
        return Ok(Value::from(()));
    };
    if groups.is_empty() {
        return Ok(group(&captures, 0));
    }
    let mut found = Vec::new();
    for reference in groups {
        let reference = show::text(&reference)?;
        let named = reference.strip_prefix("\\g<").and_then(|rest| rest.strip_suffix('>'));
        let name = named.or_else(|| reference.strip_prefix('\\'));
        found.push(match (name, name.and_then(|name| name.parse::<usize>().ok())) {
            (_, Some(at)) if at < captures.len() => group(&captures, at),
            (_, Some(_)) => return Err(EvalError::new("no such group")),
            (Some(name), None) if named.is_some() && !regex.capture_names().flatten().any(|known| known == name) => {
                return Err(EvalError::new("no such group"));
            }
            (Some(name), None) if named.is_some() => {
                captures.name(name).map_or_else(|| Value::from(()), |group| Value::from(group.as_str()))
            }
            // What begins with a backslash looks like a reference to Ansible, whatever follows.
            (Some(_), None) => {
                return Err(EvalError::with_help(
                    "'NoneType' object has no attribute 'group'",
                    "name groups like '\\\\1' or '\\\\g<name>'",
                ));
            }
            _ => {
                return Err(EvalError::with_help("Unknown argument", "name groups like '\\\\1' or '\\\\g<name>'"));
            }
        });
    }
    Ok(Value::from(found))
}

fn regex_findall(value: Value, mut args: Args) -> EvalResult {
    let search = pattern(&mut args, "regex")?;
    let multiline = args.flag("multiline", false)?;
    let ignorecase = args.flag("ignorecase", false)?;
    args.finish()?;
    let text = show::text(&value)?;
    let regex = regex::find(&search, ignorecase, multiline)?;
    let mut found = Vec::new();
    for captures in matches(&regex, &text)? {
        let part = |at| captures.get(at).map_or("", |group| group.as_str());
        found.push(match captures.len() {
            1 => Value::from(part(0)),
            2 => Value::from(part(1)),
            len => Value::from((1..len).map(|at| Value::from(part(at))).collect::<Vec<_>>()),
        });
    }
    Ok(Value::from(found))
}

fn regex_escape(value: Value, mut args: Args) -> EvalResult {
    let kind = args.text_or("re_type", "python")?;
    args.finish()?;
    let special = match &*kind {
        "python" => "()[]{}?*+-|^$\\.&~# \t\n\r\x0b\x0c",
        "posix_basic" => "$.^[]*\\",
        "posix_extended" => return Err(EvalError::new("Regex type (posix_extended) not yet implemented")),
        other => return Err(EvalError::new(format!("Invalid regex type ({other})"))),
    };
    let mut out = String::new();
    for c in show::text(&value)?.chars() {
        if special.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    Ok(Value::from(out))
}
