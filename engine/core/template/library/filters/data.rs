//! JSON and YAML, formatted as by Python's libraries.

use minijinja::{Value, value::ValueKind};

use super::{Eval, Pure, Table, json};

use crate::{
    limits,
    template::{
        args::Args,
        eval::machine::Machine,
        value::{
            big, containers,
            error::{EvalError, EvalResult},
            freeze, items,
            number::{self, Number},
            show, size,
            sort::sort_pairs,
            time::Moment,
            undefined::present,
        },
        yaml,
    },
};

pub(super) const FILTERS: Table = &[
    ("to_json", Pure(to_json)),
    ("to_nice_json", Pure(to_nice_json)),
    ("tojson", Pure(tojson)),
    ("from_json", Pure(from_json)),
    ("to_yaml", Eval(to_yaml)),
    ("to_nice_yaml", Eval(to_nice_yaml)),
    ("from_yaml", Pure(from_yaml)),
    ("from_yaml_all", Pure(from_yaml_all)),
    ("pprint", Pure(pprint)),
];

/// The format of JSON output.
struct Layout {
    indent: Option<String>,
    item: String,
    key: String,
    sort: bool,
    ascii: bool,
    /// Whether to write numbers that JSON lacks.
    nan: bool,
}

fn layout(args: &mut Args, indent: Option<usize>, sort: bool) -> EvalResult<Layout> {
    let indent = match args.keyword("indent")? {
        None => indent.map(|width| " ".repeat(width)),
        Some(value) if value.is_none() => None,
        Some(value) => Some(match value.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(match number::Number::of(&value) {
                // The indentation occurs on each line, several times.
                Some(number::Number::Int(width)) => size::room(width.saturating_mul(1 << 10))? >> 10,
                _ => 0,
            }),
        }),
    };
    let sort = args.keyword("sort_keys")?.map_or(sort, |sort| items::truth(&sort));
    let ascii = args.keyword("ensure_ascii")?.is_none_or(|ascii| items::truth(&ascii));
    let (mut item, mut key) = (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned());
    if let Some(separators) = args.keyword("separators")?.filter(|separators| !separators.is_none())
        && let [first, second] = items::items(&separators)?.as_slice()
    {
        (item, key) = (show::text(first)?, show::text(second)?);
    }
    // Accepted because playbooks pass them; they have no effect.
    let nan = args.keyword("allow_nan")?.is_none_or(|allow| items::truth(&allow));
    for name in ["vault_to_text", "preprocess_unsafe", "skipkeys", "check_circular"] {
        args.keyword(name)?;
    }
    Ok(Layout { indent, item, key, sort, ascii, nan })
}

fn to_json(value: Value, mut args: Args) -> EvalResult {
    let layout = layout(&mut args, None, false)?;
    args.finish()?;
    dump(value, &layout)
}

fn to_nice_json(value: Value, mut args: Args) -> EvalResult {
    if let Some(indent) = args.positional.pop() {
        args.named.push(("indent".into(), indent));
    }
    let layout = layout(&mut args, Some(4), true)?;
    args.finish()?;
    dump(value, &layout)
}

/// Jinja's own filter: escapes characters that are special in HTML.
fn tojson(value: Value, mut args: Args) -> EvalResult {
    if let Some(indent) = args.positional.pop() {
        args.named.push(("indent".into(), indent));
    }
    let layout = layout(&mut args, None, true)?;
    args.finish()?;
    let json = dump(value, &layout)?;
    let json = show::text(&json)?;
    Ok(Value::from(
        json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027"),
    ))
}

fn dump(value: Value, layout: &Layout) -> EvalResult {
    let mut out = String::new();
    write(&freeze::freeze(value)?, layout, 0, &mut out)?;
    Ok(Value::from(out))
}

fn newline(layout: &Layout, depth: usize, out: &mut String) {
    if let Some(indent) = &layout.indent {
        out.push('\n');
        for _ in 0..depth {
            out.push_str(indent);
        }
    }
}

fn write(value: &Value, layout: &Layout, depth: usize, out: &mut String) -> EvalResult<()> {
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => match Number::of(value) {
            Some(Number::Float(f)) if !f.is_finite() && !layout.nan => {
                return Err(EvalError::new("Out of range float values are not JSON compliant"));
            }
            Some(Number::Float(f)) if f.is_nan() => out.push_str("NaN"),
            Some(Number::Float(f)) if f.is_infinite() => out.push_str(if f > 0.0 { "Infinity" } else { "-Infinity" }),
            _ => out.push_str(&show::repr(value)),
        },
        ValueKind::String => quoted(value.as_str().unwrap_or_default(), layout.ascii, out),
        ValueKind::Bytes => {
            return Err(EvalError::new("Object of type 'bytes' is not JSON serializable by the 'tagless' profile."));
        }
        _ if big::is_big(value) => out.push_str(&value.to_string()),
        _ => {
            size::fits(out.len())?;
            return limits::with_stack(|| write_container(value, layout, depth, out));
        }
    }
    Ok(())
}

fn write_container(value: &Value, layout: &Layout, depth: usize, out: &mut String) -> EvalResult<()> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let items = items::items(value)?;
            if items.is_empty() {
                out.push_str("[]");
                return Ok(());
            }
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(&layout.item);
                }
                newline(layout, depth + 1, out);
                write(item, layout, depth + 1, out)?;
            }
            newline(layout, depth, out);
            out.push(']');
        }
        ValueKind::Map => {
            let mut pairs = containers::pairs(value);
            if pairs.is_empty() {
                out.push_str("{}");
                return Ok(());
            }
            if layout.sort {
                sort_pairs(&mut pairs)?;
            }
            out.push('{');
            for (at, (key, item)) in pairs.iter().enumerate() {
                if at > 0 {
                    out.push_str(&layout.item);
                }
                newline(layout, depth + 1, out);
                if key.kind() == ValueKind::Seq {
                    let kind = show::type_name(key);
                    let message = format!("Key of type '{kind}' is not JSON serializable by the 'tagless' profile.");
                    return Err(EvalError::new(message));
                }
                let name = match key.kind() {
                    ValueKind::None => "null".into(),
                    ValueKind::Bool => if key.is_true() { "true" } else { "false" }.into(),
                    _ => show::text(key)?,
                };
                quoted(&name, layout.ascii, out);
                out.push_str(&layout.key);
                write(item, layout, depth + 1, out)?;
            }
            newline(layout, depth, out);
            out.push('}');
        }
        _ => match value.downcast_object_ref::<Moment>() {
            // As in ISO 8601.
            Some(_) => quoted(&show::text(value)?.replacen(' ', "T", 1), layout.ascii, out),
            None => quoted(&show::text(value)?, layout.ascii, out),
        },
    }
    Ok(())
}

fn quoted(text: &str, ascii: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || (ascii && (c as u32) > 0x7e) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn from_json(value: Value, mut args: Args) -> EvalResult {
    args.keyword("profile")?;
    args.finish()?;
    match value.as_str() {
        Some(text) => json::read(text),
        None => {
            let kind = show::type_name(&value);
            Err(EvalError::new(format!("the JSON object must be str, bytes or bytearray, not {kind}")))
        }
    }
}

fn yaml_style(args: &mut Args, nice: bool) -> EvalResult<yaml::Style> {
    let indent = match args.keyword("indent")? {
        Some(indent) => indent.as_usize().unwrap_or(4),
        None if nice => 4,
        None => 2,
    };
    let mut flag = |name: &str, default: Option<bool>| -> EvalResult<Option<bool>> {
        Ok(match args.keyword(name)? {
            None => default,
            Some(value) if value.is_none() => None,
            Some(value) => Some(items::truth(&value)),
        })
    };
    let flow = flag("default_flow_style", if nice { Some(false) } else { None })?;
    let sort = flag("sort_keys", Some(true))?.unwrap_or(true);
    let unicode = flag("allow_unicode", Some(true))?.unwrap_or(true);
    let begin = flag("explicit_start", Some(false))?.unwrap_or(false);
    let end = flag("explicit_end", Some(false))?.unwrap_or(false);
    let canonical = flag("canonical", Some(false))?.unwrap_or(false);
    let width = args.keyword("width")?.and_then(|width| width.as_i64()).unwrap_or(80);
    let quotes = args.keyword("default_style")?.and_then(|style| style.as_str().and_then(|style| style.chars().next()));
    args.finish()?;
    Ok(yaml::Style { indent, flow, sort, unicode, begin, end, width, quotes, canonical })
}

fn to_yaml(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let style = yaml_style(&mut args, false)?;
    yaml::write(&freeze::freeze(value)?, &style, &*machine.session.scope.magic).map(Value::from)
}

fn to_nice_yaml(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    if let Some(indent) = args.positional.pop() {
        args.named.push(("indent".into(), indent));
    }
    let style = yaml_style(&mut args, true)?;
    yaml::write(&freeze::freeze(value)?, &style, &*machine.session.scope.magic).map(Value::from)
}

fn from_yaml(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    match value.as_str() {
        Some(text) => yaml::document(text),
        // Values other than text are already parsed.
        None => Ok(value),
    }
}

fn from_yaml_all(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    match value.as_str() {
        Some(text) if text.trim().is_empty() => Ok(Value::from(Vec::<Value>::new())),
        Some(text) => yaml::read(text).map(Value::from),
        None if value.is_none() => Ok(Value::from(Vec::<Value>::new())),
        None => Ok(value),
    }
}

fn pprint(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    present(value).map(|value| Value::from(show::repr(&value)))
}
