//! Text: case, lines, quoting.

use minijinja::Value;

use super::{Pure, Table};

use crate::template::{
    args::Args,
    regex,
    value::{
        containers,
        error::{EvalError, EvalResult},
        format, number, show, size, text,
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
    ("quote", Pure(quote)),
    ("comment", Pure(comment)),
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
    // As in Ansible, unknown names are ignored.
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
