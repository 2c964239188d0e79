//! JSON and YAML, read and written as Python's libraries do.

use indexmap::IndexMap;
use minijinja::{Value, value::ValueKind};

use super::Table;
use crate::{
    limits,
    template::{
        args::Args,
        fault::{Answer, Fault, present},
        machine::Machine,
        native,
        python::{self, Number},
        yaml,
    },
};

pub(super) const FILTERS: Table = &[
    ("to_json", to_json),
    ("to_nice_json", to_nice_json),
    ("tojson", tojson),
    ("from_json", from_json),
    ("to_yaml", to_yaml),
    ("to_nice_yaml", to_nice_yaml),
    ("from_yaml", from_yaml),
    ("from_yaml_all", from_yaml_all),
    ("pprint", pprint),
];

/// How JSON is laid out.
struct Layout {
    indent: Option<String>,
    item: String,
    key: String,
    sort: bool,
    ascii: bool,
}

fn layout(args: &mut Args, indent: Option<usize>, sort: bool) -> Answer<Layout> {
    let indent = match args.keyword("indent")? {
        None => indent.map(|width| " ".repeat(width)),
        Some(value) if value.is_none() => None,
        Some(value) => Some(match value.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(match python::Number::of(&value) {
                // Each line has it, more than once.
                Some(python::Number::Int(width)) => python::room(width.saturating_mul(1 << 10))? >> 10,
                _ => 0,
            }),
        }),
    };
    let sort = args.keyword("sort_keys")?.map_or(sort, |sort| python::truth(&sort));
    let ascii = args.keyword("ensure_ascii")?.is_none_or(|ascii| python::truth(&ascii));
    let (mut item, mut key) = (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned());
    if let Some(separators) = args.keyword("separators")?.filter(|separators| !separators.is_none())
        && let [first, second] = python::items(&separators)?.as_slice()
    {
        (item, key) = (python::text(first)?, python::text(second)?);
    }
    // Accepted because real playbooks give them; they change nothing here.
    for name in ["vault_to_text", "preprocess_unsafe", "skipkeys", "allow_nan", "check_circular"] {
        args.keyword(name)?;
    }
    Ok(Layout { indent, item, key, sort, ascii })
}

fn to_json(_: &mut Machine<'_>, value: Value, mut args: Args) -> Answer {
    let layout = layout(&mut args, None, false)?;
    args.finish()?;
    dump(value, &layout)
}

fn to_nice_json(_: &mut Machine<'_>, value: Value, mut args: Args) -> Answer {
    if let Some(indent) = args.positional.pop() {
        args.named.push(("indent".into(), indent));
    }
    let layout = layout(&mut args, Some(4), true)?;
    args.finish()?;
    dump(value, &layout)
}

/// Jinja's own: what HTML minds is escaped.
fn tojson(_: &mut Machine<'_>, value: Value, mut args: Args) -> Answer {
    if let Some(indent) = args.positional.pop() {
        args.named.push(("indent".into(), indent));
    }
    let layout = layout(&mut args, None, true)?;
    args.finish()?;
    let json = dump(value, &layout)?;
    let json = python::text(&json)?;
    Ok(Value::from(
        json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027"),
    ))
}

fn dump(value: Value, layout: &Layout) -> Answer {
    let mut out = String::new();
    write(&native::freeze(value)?, layout, 0, &mut out)?;
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

fn write(value: &Value, layout: &Layout, depth: usize, out: &mut String) -> Answer<()> {
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => match Number::of(value) {
            Some(Number::Float(f)) if f.is_nan() => out.push_str("NaN"),
            Some(Number::Float(f)) if f.is_infinite() => out.push_str(if f > 0.0 { "Infinity" } else { "-Infinity" }),
            _ => out.push_str(&python::repr(value)),
        },
        ValueKind::String => quoted(value.as_str().unwrap_or_default(), layout.ascii, out),
        _ => {
            python::fits(out.len())?;
            return limits::with_stack(|| write_container(value, layout, depth, out));
        }
    }
    Ok(())
}

fn write_container(value: &Value, layout: &Layout, depth: usize, out: &mut String) -> Answer<()> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let items = python::items(value)?;
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
            let mut pairs = python::pairs(value);
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
                let name = match key.kind() {
                    ValueKind::None => "null".into(),
                    ValueKind::Bool => if key.is_true() { "true" } else { "false" }.into(),
                    _ => python::text(key)?,
                };
                quoted(&name, layout.ascii, out);
                out.push_str(&layout.key);
                write(item, layout, depth + 1, out)?;
            }
            newline(layout, depth, out);
            out.push('}');
        }
        _ => quoted(&python::text(value)?, layout.ascii, out),
    }
    Ok(())
}

/// Keys in order; those of different kinds cannot be sorted, as in Python.
pub(crate) fn sort_pairs(pairs: &mut [(Value, Value)]) -> Answer<()> {
    let mut fault = None;
    pairs.sort_by(|(a, _), (b, _)| match python::order("<", a, b) {
        Ok(order) => order.unwrap_or(std::cmp::Ordering::Equal),
        Err(error) => {
            fault.get_or_insert(error);
            std::cmp::Ordering::Equal
        }
    });
    fault.map_or(Ok(()), Err)
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

fn from_json(_: &mut Machine<'_>, value: Value, mut args: Args) -> Answer {
    args.keyword("profile")?;
    args.finish()?;
    let text = value.as_str().map(str::to_owned).map_or_else(|| python::text(&value), Ok)?;
    let parsed: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| Fault::new(format!("not JSON: {error}")))?;
    Ok(json_value(&parsed))
}

fn json_value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(b) => Value::from(*b),
        serde_json::Value::Number(number) => match number.to_string().parse::<i128>() {
            Ok(i) => python::int(i),
            Err(_) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => Value::from(items.iter().map(json_value).collect::<Vec<_>>()),
        serde_json::Value::Object(map) => {
            let entries: IndexMap<Value, Value> =
                map.iter().map(|(key, item)| (Value::from(key.as_str()), json_value(item))).collect();
            Value::from_object(entries)
        }
    }
}

fn yaml_style(args: &mut Args, nice: bool) -> Answer<yaml::Style> {
    let indent = match args.keyword("indent")? {
        Some(indent) => indent.as_usize().unwrap_or(4),
        None if nice => 4,
        None => 2,
    };
    let mut flag = |name: &str, default: Option<bool>| -> Answer<Option<bool>> {
        Ok(match args.keyword(name)? {
            None => default,
            Some(value) if value.is_none() => None,
            Some(value) => Some(python::truth(&value)),
        })
    };
    let flow = flag("default_flow_style", if nice { Some(false) } else { None })?;
    let sort = flag("sort_keys", Some(true))?.unwrap_or(true);
    let unicode = flag("allow_unicode", Some(true))?.unwrap_or(true);
    let begin = flag("explicit_start", Some(false))?.unwrap_or(false);
    let end = flag("explicit_end", Some(false))?.unwrap_or(false);
    for name in ["vault_behavior", "dump_vault_tags", "redact_sensitive_values", "redact_value", "canonical"] {
        args.keyword(name)?;
    }
    let width = args.keyword("width")?.and_then(|width| width.as_i64()).unwrap_or(80);
    let quotes = args.keyword("default_style")?.and_then(|style| style.as_str().and_then(|style| style.chars().next()));
    args.finish()?;
    Ok(yaml::Style { indent, flow, sort, unicode, begin, end, width, quotes })
}

fn to_yaml(_: &mut Machine<'_>, value: Value, mut args: Args) -> Answer {
    let style = yaml_style(&mut args, false)?;
    yaml::write(&native::freeze(value)?, &style).map(Value::from)
}

fn to_nice_yaml(_: &mut Machine<'_>, value: Value, mut args: Args) -> Answer {
    if let Some(indent) = args.positional.pop() {
        args.named.push(("indent".into(), indent));
    }
    let style = yaml_style(&mut args, true)?;
    yaml::write(&native::freeze(value)?, &style).map(Value::from)
}

fn from_yaml(_: &mut Machine<'_>, value: Value, args: Args) -> Answer {
    args.finish()?;
    match value.as_str() {
        Some(text) => Ok(yaml::read(text)?.into_iter().next().unwrap_or_else(|| Value::from(()))),
        // What is no text was read already.
        None => Ok(value),
    }
}

fn from_yaml_all(_: &mut Machine<'_>, value: Value, args: Args) -> Answer {
    args.finish()?;
    match value.as_str() {
        Some(text) => yaml::read(text).map(Value::from),
        None => Ok(value),
    }
}

fn pprint(_: &mut Machine<'_>, value: Value, args: Args) -> Answer {
    args.finish()?;
    present(value).map(|value| Value::from(python::repr(&value)))
}
