//! Text: case, lines, quoting, regular expressions.

use minijinja::Value;

use super::{Pure, Table};

use crate::template::{
    args::Args,
    regex,
    value::{
        containers,
        error::{EvalError, EvalResult},
        format, items, number, show, size, text,
    },
};

pub(super) const FILTERS: Table = &[
    ("lower", Pure(|value, args| plain(&value, &args, str::to_lowercase))),
    ("upper", Pure(|value, args| plain(&value, &args, str::to_uppercase))),
    ("title", Pure(|value, args| plain(&value, &args, title))),
    ("capitalize", Pure(|value, args| plain(&value, &args, text::capitalize))),
    ("trim", Pure(trim)),
    ("replace", Pure(replace)),
    ("split", Pure(split)),
    ("indent", Pure(indent)),
    ("center", Pure(center)),
    ("truncate", Pure(truncate)),
    ("wordwrap", Pure(wordwrap)),
    ("wordcount", Pure(wordcount)),
    ("format", Pure(format)),
    ("striptags", Pure(striptags)),
    ("urlize", Pure(urlize)),
    ("quote", Pure(quote)),
    ("comment", Pure(comment)),
    ("regex_replace", Pure(regex_replace)),
    ("regex_search", Pure(regex_search)),
    ("regex_findall", Pure(regex_findall)),
    ("regex_escape", Pure(regex_escape)),
];

fn plain(value: &Value, args: &Args, change: impl Fn(&str) -> String) -> EvalResult {
    args.finish()?;
    show::text(value).map(|text| Value::from(change(&text)))
}

/// Jinja's title: words begin after spaces, hyphens and brackets.
fn title(text: &str) -> String {
    let mut begin = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match begin {
            true => out.extend(c.to_uppercase()),
            false => out.extend(c.to_lowercase()),
        }
        begin = c.is_whitespace() || matches!(c, '-' | '(' | '{' | '[' | '<');
    }
    out
}

fn trim(value: Value, mut args: Args) -> EvalResult {
    let chars = args.text("chars")?;
    args.finish()?;
    let text = show::text(&value)?;
    Ok(Value::from(match chars {
        Some(chars) => text.trim_matches(|c| chars.contains(c)),
        None => text.trim(),
    }))
}

fn replace(value: Value, mut args: Args) -> EvalResult {
    let (old, new) = (show::text(&args.required("old")?)?, show::text(&args.required("new")?)?);
    let count = args.int("count")?.and_then(|count| usize::try_from(count).ok());
    args.finish()?;
    let text = show::text(&value)?;
    size::fits_replaced(&text, &old, &new)?;
    Ok(Value::from(match count {
        Some(count) => text.replacen(&old, &new, count),
        None => text.replace(&old, &new),
    }))
}

fn split(value: Value, mut args: Args) -> EvalResult {
    let separator = args.text("sep")?;
    let most = args.int("maxsplit")?.and_then(|most| usize::try_from(most).ok());
    args.finish()?;
    let text = value.as_str().ok_or_else(|| {
        EvalError::new(format!(
            "descriptor 'split' for 'str' objects doesn't apply to a '{}' object",
            show::type_name(&value)
        ))
    })?;
    text::split(text, separator.as_deref(), most)
}

fn indent(value: Value, mut args: Args) -> EvalResult {
    let width = args.optional("width")?.unwrap_or_else(|| Value::from(4));
    let (first, blank) = (args.flag("first", false)?, args.flag("blank", false)?);
    args.finish()?;
    let prefix = match width.as_str() {
        Some(prefix) => prefix.to_owned(),
        None => " ".repeat(match number::Number::of(&width) {
            Some(number::Number::Int(width)) => size::room(width)?,
            _ => 0,
        }),
    };
    let text = show::text(&value)?;
    size::fits(prefix.len().saturating_mul(text.matches('\n').count() + 1))?;
    // Jinja appends a newline before splitting, so that a trailing one is kept.
    let mut out = String::with_capacity(text.len() + 64);
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let wanted = if at == 0 { first } else { blank || !line.is_empty() };
        if wanted {
            out.push_str(&prefix);
        }
        out.push_str(line);
    }
    Ok(Value::from(out))
}

fn width_of(args: &mut Args, default: usize) -> EvalResult<usize> {
    args.int("width")?.map_or(Ok(default), size::room)
}

fn center(value: Value, mut args: Args) -> EvalResult {
    let width = width_of(&mut args, 80)?;
    args.finish()?;
    let text = show::text(&value)?;
    let missing = width.saturating_sub(text.chars().count());
    Ok(Value::from(text::pad(&text, width, ' ', missing / 2 + (missing & width & 1))))
}

fn truncate(value: Value, mut args: Args) -> EvalResult {
    let length = args.int("length")?.map_or(255, |length| usize::try_from(length).unwrap_or(0));
    let kill_words = args.flag("killwords", false)?;
    let end = args.text_or("end", "...")?;
    let leeway = args.int("leeway")?.map_or(5, |leeway| usize::try_from(leeway).unwrap_or(0));
    args.finish()?;
    let text = show::text(&value)?;
    let least = end.chars().count();
    let room =
        length.checked_sub(least).ok_or_else(|| EvalError::new(format!("expected length >= {least}, got {length}")))?;
    if text.chars().count() <= length + leeway {
        return Ok(Value::from(text));
    }
    let cut: String = text.chars().take(room).collect();
    let cut = match cut.rsplit_once(' ') {
        Some((before, _)) if !kill_words => before,
        _ => &cut,
    };
    Ok(Value::from(format!("{cut}{end}")))
}

fn wordwrap(value: Value, mut args: Args) -> EvalResult {
    let width = width_of(&mut args, 79)?.max(1);
    let break_long = args.flag("break_long_words", true)?;
    let newline = args.text_or("wrapstring", "\n")?;
    let at_hyphens = args.flag("break_on_hyphens", true)?;
    args.finish()?;
    let text = show::text(&value)?;
    let wrapped = text.lines().map(|line| wrap(line, width, break_long, at_hyphens).join(&newline));
    Ok(Value::from(wrapped.collect::<Vec<_>>().join(&newline)))
}

fn wrap(line: &str, width: usize, break_long: bool, at_hyphens: bool) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    for word in line.split_inclusive(' ') {
        match at_hyphens {
            true => chunks.extend(word.split_inclusive('-').map(str::to_owned)),
            false => chunks.push(word.to_owned()),
        }
    }
    let (mut lines, mut current) = (Vec::new(), String::new());
    for chunk in chunks {
        let mut chunk = chunk.as_str();
        while !chunk.is_empty() {
            let room = width.saturating_sub(current.chars().count());
            if chunk.trim_end().chars().count() <= room {
                current.push_str(chunk);
                break;
            }
            if !current.trim().is_empty() {
                lines.push(std::mem::take(&mut current).trim_end().to_owned());
                chunk = chunk.trim_start();
                continue;
            }
            if !break_long {
                current.push_str(chunk);
                break;
            }
            let cut = chunk.char_indices().nth(width).map_or(chunk.len(), |(at, _)| at);
            lines.push(chunk[..cut].to_owned());
            chunk = &chunk[cut..];
        }
    }
    if !current.trim().is_empty() {
        lines.push(current.trim_end().to_owned());
    }
    lines
}

fn wordcount(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    let text = show::text(&value)?;
    Ok(Value::from(text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).count()))
}

fn format(value: Value, mut args: Args) -> EvalResult {
    let text = show::text(&value)?;
    let rest = args.rest()?;
    if !args.named.is_empty() {
        if !rest.is_empty() {
            return Err(EvalError::new("can't handle positional and keyword arguments at the same time"));
        }
        let map = containers::map(args.named.drain(..).map(|(name, value)| (Value::from(name), value)));
        return format::format(&text, &[map]).map(Value::from);
    }
    format::format(&text, &rest).map(Value::from)
}

fn striptags(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    let text = show::text(&value)?;
    let without = regex::find(r"(?s)<!--.*?-->|<[^>]*>", false, false)?;
    let text = without.replace_all(&text, "");
    let unescaped = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#34;", "\"")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&");
    Ok(Value::from(unescaped.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// Makes links of the addresses in a text.
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

/// Quotes a word for a POSIX shell.
pub(crate) fn shell_quote(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "@%_-+=:,./".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

fn quote(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    match value.is_none() {
        true => Ok(Value::from("''")),
        false => show::text(&value).map(|text| Value::from(shell_quote(&text))),
    }
}

fn comment(value: Value, mut args: Args) -> EvalResult {
    let style = args.text_or("style", "plain")?;
    // Start and end of the comment, then the decoration of each line.
    let (begin, end, decoration) = match &*style {
        "plain" => ("", "", "# "),
        "erlang" => ("", "", "% "),
        "c" => ("", "", "// "),
        "cblock" => ("/*", " */", " * "),
        "xml" => ("<!--", "-->", " - "),
        other => {
            return Err(EvalError::with_help(
                format!("Invalid style '{other}'."),
                "it is one of plain, erlang, c, cblock, xml; `decoration` sets any other mark",
            ));
        }
    };
    let mut setting = |name: &str, default: &str| -> EvalResult<String> {
        Ok(match args.keyword(name)? {
            Some(value) => show::text(&value)?,
            None => default.to_owned(),
        })
    };
    let newline = setting("newline", "\n")?;
    let (begin, end) = (setting("beginning", begin)?, setting("end", end)?);
    let decoration = setting("decoration", decoration)?;
    let bare = decoration.trim_end().to_owned();
    let (prefix, postfix) = (setting("prefix", &bare)?, setting("postfix", &bare)?);
    let times = |args: &mut Args, name: &str| -> EvalResult<usize> {
        Ok(args.keyword(name)?.and_then(|count| count.as_usize()).unwrap_or(1))
    };
    let (before, after) = (times(&mut args, "prefix_count")?, times(&mut args, "postfix_count")?);
    let line = prefix.len().max(postfix.len()) + newline.len();
    size::fits(before.saturating_add(after).saturating_mul(line))?;
    // Other names have no meaning, and do no harm.
    args.named.clear();
    args.finish()?;
    let mut out = String::new();
    if !begin.is_empty() {
        out.push_str(&begin);
        out.push_str(&newline);
    }
    // A prefix that is empty, or a line break itself, gets no line break.
    match prefix.is_empty() {
        true => {}
        false if prefix == newline => out.push_str(&newline.repeat(before)),
        false => out.push_str(&format!("{prefix}{newline}").repeat(before)),
    }
    let text = show::text(&value)?;
    let lines = text.replace(&*newline, &format!("{newline}{decoration}"));
    // Empty lines get no trailing space, except the last.
    let lines = format!("{decoration}{lines}").replace(&format!("{decoration}{newline}"), &format!("{bare}{newline}"));
    out.push_str(&lines);
    out.push_str(&format!("{newline}{postfix}").repeat(after));
    if !end.is_empty() {
        out.push_str(&newline);
        out.push_str(&end);
    }
    Ok(Value::from(out))
}

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
            (Some(name), None) if named.is_some() => {
                captures.name(name).map_or_else(|| Value::from(()), |group| Value::from(group.as_str()))
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
