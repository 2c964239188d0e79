//! Lists: order, selection, groups.

use std::cmp::Ordering;

use minijinja::{
    Value,
    value::{Tuple, ValueKind},
};

use super::{Eval, Pure, Table, rows::tuple};

use crate::{
    limits,
    template::{
        args::Args,
        eval::machine::Machine,
        library::mersenne_twister::Chance,
        value::{
            containers,
            error::{EvalError, EvalResult},
            items, number, ops, show, size,
            sort::{folded, sort_keyed},
            undefined::{UndefinedReason, is_undefined, present},
        },
    },
};

pub(super) const FILTERS: Table = &[
    ("first", Eval(first)),
    ("last", Eval(last)),
    ("length", Pure(length)),
    ("count", Pure(length)),
    ("join", Eval(join)),
    ("sort", Eval(sort)),
    ("reverse", Pure(reverse)),
    ("unique", Eval(unique)),
    ("min", Eval(min)),
    ("max", Eval(max)),
    ("sum", Eval(sum)),
    ("flatten", Pure(flatten)),
    ("groupby", Eval(groupby)),
    ("subelements", Eval(subelements)),
    ("shuffle", Pure(shuffle)),
    ("random", Pure(random)),
    ("community.general.version_sort", Pure(version_sort)),
    ("version_sort", Pure(version_sort)),
];

/// `a.b.0` of an item, the syntax of `attribute=` arguments.
pub(crate) fn attribute(machine: &mut Machine<'_>, item: &Value, path: &Value) -> EvalResult {
    let range = 0..machine.page.text.len();
    let Some(text) = path.as_str() else { return machine.item(item, path, range) };
    let mut value = item.clone();
    for part in text.split('.') {
        value = match part.parse::<i64>() {
            Ok(at) => machine.item(&value, &Value::from(at), range.clone())?,
            Err(_) => {
                // Here keys take precedence over methods: `map(attribute='items')` means the key.
                let found = value.as_object().and_then(|object| object.get_value_by_str(part));
                match found {
                    Some(found) => found,
                    None => {
                        let what = UndefinedReason::Attribute { parent: value.clone(), key: part.into() };
                        if is_undefined(&value) { value } else { machine.undefined(what, range.clone()) }
                    }
                }
            }
        };
    }
    Ok(value)
}

fn first(machine: &mut Machine<'_>, value: Value, args: Args) -> EvalResult {
    args.finish()?;
    match items::items(&value)?.into_iter().next() {
        Some(item) => Ok(item),
        None => Ok(nothing(machine, "No first item, sequence was empty.")),
    }
}

fn last(machine: &mut Machine<'_>, value: Value, args: Args) -> EvalResult {
    args.finish()?;
    match items::items(&value)?.pop() {
        Some(item) => Ok(item),
        None => Ok(nothing(machine, "No last item, sequence was empty.")),
    }
}

fn nothing(machine: &Machine<'_>, message: &str) -> Value {
    machine.undefined(UndefinedReason::Message(message.into()), 0..machine.page.text.len())
}

fn length(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    match (value.as_str(), value.kind()) {
        (Some(text), _) => Ok(Value::from(text.chars().count())),
        (None, ValueKind::Map | ValueKind::Seq | ValueKind::Iterable | ValueKind::Bytes) => match value.len() {
            Some(len) => Ok(Value::from(len)),
            None => Ok(Value::from(items::items(&value)?.len())),
        },
        _ => Err(EvalError::new(format!("object of type '{}' has no len()", show::type_name(&value)))),
    }
}

fn join(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let separator = args.text_or("d", "")?;
    let path = args.optional("attribute")?;
    args.finish()?;
    let mut out = String::new();
    for (at, item) in items::items(&value)?.into_iter().enumerate() {
        if at > 0 {
            out.push_str(&separator);
        }
        let item = match &path {
            Some(path) => attribute(machine, &item, path)?,
            None => item,
        };
        out.push_str(&show::text(&item)?);
        size::fits(out.len())?;
    }
    Ok(Value::from(out))
}

fn sort(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let reverse = args.flag("reverse", false)?;
    let case_sensitive = args.flag("case_sensitive", false)?;
    let path = args.optional("attribute")?;
    args.finish()?;
    let mut keyed = Vec::new();
    for item in items::items(&value)? {
        let key = sort_key(machine, &item, path.as_ref(), case_sensitive)?;
        keyed.push((key, item));
    }
    sort_keyed(&mut keyed, reverse)?;
    Ok(Value::from(keyed.into_iter().map(|(_, item)| item).collect::<Vec<_>>()))
}

/// The sort key; several attributes are separated by commas.
fn sort_key(machine: &mut Machine<'_>, item: &Value, path: Option<&Value>, case_sensitive: bool) -> EvalResult {
    let Some(path) = path else { return present(item.clone()).map(|item| folded(&item, case_sensitive)) };
    match path.as_str() {
        Some(paths) if paths.contains(',') => {
            let keys = paths.split(',').map(|path| {
                let key = attribute(machine, item, &Value::from(path.trim()))?;
                present(key).map(|key| folded(&key, case_sensitive))
            });
            keys.collect::<EvalResult<Vec<_>>>().map(Value::from)
        }
        _ => {
            let key = attribute(machine, item, path)?;
            present(key).map(|key| folded(&key, case_sensitive))
        }
    }
}

fn reverse(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    if let Some(text) = value.as_str() {
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    let mut items = items::items(&value)?;
    items.reverse();
    Ok(Value::from(items))
}

fn unique(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let told = args.optional("case_sensitive")?;
    let case_sensitive = told.as_ref().is_some_and(items::truth);
    let path = args.optional("attribute")?;
    args.finish()?;
    let special = path.is_some() || told.is_some_and(|told| !items::truth(&told));
    let (mut seen, mut kept) = (Vec::new(), Vec::new());
    for item in items::items(&value)? {
        let key = match &path {
            Some(path) => present(attribute(machine, &item, path)?)?,
            None => present(item.clone())?,
        };
        // Python compares by hash, and lists and dicts have none; only without options there is a fallback.
        if special && matches!(key.kind(), ValueKind::Seq | ValueKind::Map) {
            let msg = "Jinja2's unique filter failed and we cannot fall back to Ansible's version as it does not \
                       support the parameters supplied: lists and dicts have no hash";
            return Err(EvalError::new(msg));
        }
        let key = folded(&key, case_sensitive);
        if !seen.contains(&key) {
            seen.push(key);
            kept.push(item);
        }
    }
    Ok(Value::from(kept))
}

fn min(machine: &mut Machine<'_>, value: Value, args: Args) -> EvalResult {
    extreme(machine, value, args, Ordering::Less)
}

fn max(machine: &mut Machine<'_>, value: Value, args: Args) -> EvalResult {
    extreme(machine, value, args, Ordering::Greater)
}

fn extreme(machine: &mut Machine<'_>, value: Value, mut args: Args, wanted: Ordering) -> EvalResult {
    let case_sensitive = args.flag("case_sensitive", false)?;
    let path = args.optional("attribute")?;
    args.finish()?;
    let mut best: Option<(Value, Value)> = None;
    for item in items::items(&value)? {
        let key = sort_key(machine, &item, path.as_ref(), case_sensitive)?;
        let better = match &best {
            Some((known, _)) => ops::order("<", &key, known)? == Some(wanted),
            None => true,
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(match best {
        Some((_, item)) => item,
        None => nothing(machine, "No aggregated item, sequence was empty."),
    })
}

fn sum(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let path = args.optional("attribute")?.filter(|path| !path.is_none());
    let mut total = args.optional("start")?.unwrap_or_else(|| Value::from(0));
    args.finish()?;
    for item in items::items(&value)? {
        let item = match &path {
            Some(path) => attribute(machine, &item, path)?,
            None => item,
        };
        total = ops::add(&total, &present(item)?)?;
    }
    Ok(total)
}

/// All items of nested lists, down to a depth. Like Ansible, drops `none`.
pub(crate) fn flat(items: Vec<Value>, levels: Option<i128>, skip_nulls: bool, out: &mut Vec<Value>) -> EvalResult<()> {
    for item in items {
        let null = item.is_none() || matches!(item.as_str(), Some("None" | "null"));
        if skip_nulls && null {
            continue;
        }
        match (containers::is_list(&item), levels) {
            (true, levels) if levels.is_none_or(|levels| levels >= 1) => {
                let inner = items::items(&item)?;
                limits::with_stack(|| flat(inner, levels.map(|levels| levels - 1), skip_nulls, out))?;
                size::items_fit(out.len())?;
            }
            _ => out.push(item),
        }
    }
    Ok(())
}

fn flatten(value: Value, mut args: Args) -> EvalResult {
    let levels = args.int("levels")?;
    let skip_nulls = args.flag("skip_nulls", true)?;
    args.finish()?;
    let mut out = Vec::new();
    flat(items::items(&value)?, levels, skip_nulls, &mut out)?;
    Ok(Value::from(out))
}

fn groupby(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let path = args.required("attribute")?;
    // As in ansible-core 2.19, it does not help where the attribute is missing.
    args.optional("default")?;
    let case_sensitive = args.flag("case_sensitive", false)?;
    args.finish()?;
    let mut keyed = Vec::new();
    for item in items::items(&value)? {
        let key = present(attribute(machine, &item, &path)?)?;
        keyed.push((folded(&key, case_sensitive), Value::from(Tuple::from(vec![key, item]))));
    }
    sort_keyed(&mut keyed, false)?;
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    for (folded, pair) in keyed {
        let [key, item] = <[Value; 2]>::try_from(items::items(&pair)?).unwrap_or_default();
        match groups.last_mut() {
            Some((known, _, items)) if *known == folded => items.push(item),
            _ => groups.push((folded, key, vec![item])),
        }
    }
    let groups = groups.into_iter().map(|(_, grouper, items)| {
        let list = Value::from(items);
        Value::from_object(containers::Group { grouper, list })
    });
    Ok(Value::from(groups.collect::<Vec<_>>()))
}

/// Why a value cannot be indexed by a key, in Python's words; `None` for a mapping.
fn not_by_key(value: &Value) -> Option<String> {
    match value {
        value if containers::is_map(value) => None,
        value if value.as_str().is_some() => Some("string indices must be integers, not 'str'".to_owned()),
        value if containers::is_list(value) => Some("list indices must be integers or slices, not str".to_owned()),
        value => Some(format!("'{}' object is not subscriptable", show::type_name(value))),
    }
}

fn subelements(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let path = args.required("subelements")?;
    let skip_missing = args.flag("skip_missing", false)?;
    args.finish()?;
    let items = if containers::is_map(&value) {
        containers::pairs(&value).into_iter().map(|(_, value)| value).collect()
    } else if containers::is_list(&value) {
        items::items(&value)?
    } else {
        return Err(EvalError::new("obj must be a list of dicts or a nested dict"));
    };
    let keys: Vec<Value> = match path.as_str() {
        Some(path) => path.split('.').map(Value::from).collect(),
        None if !containers::is_list(&path) => {
            return Err(EvalError::new("subelements must be a list or a string"));
        }
        None => items::items(&path)?,
    };
    let mut rows = Vec::new();
    'items: for item in items {
        let mut inner = item.clone();
        for key in &keys {
            if let Some(why) = not_by_key(&inner) {
                let (key, got) = (show::plain_text(key), show::plain_text(&inner));
                return Err(EvalError::new(format!("the key {key} should point to a dictionary, got '{got}': {why}")));
            }
            let found = attribute(machine, &inner, key)?;
            if is_undefined(&found) {
                if skip_missing {
                    continue 'items;
                }
                let (key, inner) = (show::repr(key), show::repr(&inner));
                return Err(EvalError::new(format!("could not find {key} key in iterated item {inner}")));
            }
            inner = found;
        }
        if !containers::is_list(&inner) {
            let (key, got) = (show::repr(keys.last().unwrap_or(&path)), show::repr(&inner));
            return Err(EvalError::new(format!("the key {key} should point to a list, got {got}")));
        }
        rows.extend(items::items(&inner)?.into_iter().map(|sub| tuple(vec![item.clone(), sub])));
    }
    Ok(Value::from(rows))
}

fn shuffle(value: Value, mut args: Args) -> EvalResult {
    let seed = args.optional("seed")?.filter(|seed| !seed.is_none());
    args.finish()?;
    // A value without items stays as it is.
    let Ok(mut items) = items::items(&value) else { return Ok(value) };
    let mut chance = Chance::new(seed.as_ref());
    for at in (1..items.len()).rev() {
        items.swap(at, chance.index(at + 1));
    }
    Ok(Value::from(items))
}

fn random(value: Value, mut args: Args) -> EvalResult {
    let start = args.int("start")?;
    let step = args.int("step")?;
    let seed = args.optional("seed")?.filter(|seed| !seed.is_none());
    args.finish()?;
    let mut chance = Chance::new(seed.as_ref());
    if let Some(number::Number::Int(end)) = number::Number::of(&value) {
        let (start, step) = (start.unwrap_or(0), step.unwrap_or(1).max(1));
        let count = end.checked_sub(start).map_or(0, |distance| (distance + step - 1) / step);
        return match u128::try_from(count) {
            Ok(count) if count > 0 => Ok(number::int(start + step * chance.below(count) as i128)),
            _ => Err(EvalError::new("the range is empty")),
        };
    }
    if start.is_some() || step.is_some() {
        return Err(EvalError::new("start and step can only be used with integer values"));
    }
    let items =
        items::items(&value).map_err(|_| EvalError::new("random can only be used on sequences and integers"))?;
    match items.len() {
        0 => Err(EvalError::new("Cannot choose from an empty sequence")),
        len => Ok(items.get(chance.index(len)).cloned().unwrap_or_default()),
    }
}

fn version_sort(value: Value, mut args: Args) -> EvalResult {
    let reverse = args.flag("reverse", false)?;
    args.finish()?;
    let mut items: Vec<(crate::template::library::versions::Loose, Value)> = Vec::new();
    for item in items::items(&value)? {
        items.push((crate::template::library::versions::Loose::of(&show::text(&item)?), item));
    }
    items.sort_by(|(a, _), (b, _)| if reverse { b.cmp(a) } else { a.cmp(b) });
    Ok(Value::from(items.into_iter().map(|(_, item)| item).collect::<Vec<_>>()))
}
