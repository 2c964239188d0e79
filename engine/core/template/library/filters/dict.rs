//! Mappings: merging, and conversion to and from lists.

use std::rc::Rc;

use indexmap::IndexMap;
use minijinja::{Value, value::Tuple};

use super::{Eval, Pure, Table, list::attribute};

use crate::{
    limits,
    template::{
        args::Args,
        eval::machine::Machine,
        value::{
            containers,
            error::{EvalError, EvalResult},
            items, ops, show,
            undefined::{is_undefined, present},
        },
    },
};

pub(super) const FILTERS: Table = &[
    ("combine", Pure(combine)),
    ("dict2items", Pure(dict2items)),
    ("items2dict", Eval(items2dict)),
    ("dictsort", Pure(dictsort)),
    ("items", Pure(items)),
    ("extract", Eval(extract)),
    ("rekey_on_member", Eval(rekey_on_member)),
    ("community.general.dict", Pure(from_pairs)),
    ("community.general.keep_keys", Pure(keep_keys)),
    ("community.general.remove_keys", Pure(remove_keys)),
    ("xmlattr", Eval(xmlattr)),
];

/// How to merge lists that both mappings have.
#[derive(Clone, Copy, PartialEq)]
enum Lists {
    Replace,
    Keep,
    Append,
    Prepend,
    AppendNew,
    PrependNew,
}

fn combine(value: Value, mut args: Args) -> EvalResult {
    let recursive = args.keyword("recursive")?.is_some_and(|value| items::truth(&value));
    let lists = match args.keyword("list_merge")? {
        None => Lists::Replace,
        Some(name) => match name.as_str() {
            Some("replace") => Lists::Replace,
            Some("keep") => Lists::Keep,
            Some("append") => Lists::Append,
            Some("prepend") => Lists::Prepend,
            Some("append_rp") => Lists::AppendNew,
            Some("prepend_rp") => Lists::PrependNew,
            _ => {
                return Err(EvalError::new(
                    "merge_hash: 'list_merge' argument can only be equal to 'replace', 'keep', 'append', 'prepend', \
                     'append_rp' or 'prepend_rp'",
                ));
            }
        },
    };
    let others = args.rest()?;
    if !args.named.is_empty() {
        return Err(EvalError::new("'recursive' and 'list_merge' are the only valid keyword arguments"));
    }
    let mut maps = Vec::new();
    super::list::flat([value].into_iter().chain(others).collect(), Some(1), false, &mut maps)?;
    // `none` adds nothing.
    maps.retain(|map| !map.is_none());
    // Merged from the last one on, as Ansible's messages show.
    let mut maps = maps.into_iter().rev();
    let Some(mut merged) = maps.next() else { return Ok(Value::from_object(IndexMap::<Value, Value>::new())) };
    for map in maps {
        if !(containers::is_map(&map) && containers::is_map(&merged)) {
            let (low, high) = (show::type_name(&map), show::type_name(&merged));
            return Err(EvalError::new(format!(
                "failed to combine variables, expected dicts but got a '{low}' and a '{high}'."
            )));
        }
        merged = merge(&map, &merged, recursive, lists)?;
    }
    Ok(merged)
}

fn merge(low: &Value, high: &Value, recursive: bool, lists: Lists) -> EvalResult {
    let mut merged: IndexMap<Value, Value> = containers::pairs(low).into_iter().collect();
    for (key, value) in containers::pairs(high) {
        let value = match merged.get(&key) {
            Some(known) if recursive && containers::is_map(known) && containers::is_map(&value) => {
                limits::with_stack(|| merge(known, &value, recursive, lists))?
            }
            Some(known) if lists != Lists::Replace && containers::is_list(known) && containers::is_list(&value) => {
                Value::from(merge_lists(items::items(known)?, items::items(&value)?, lists))
            }
            _ => value,
        };
        merged.insert(key, value);
    }
    Ok(Value::from_object(merged))
}

fn merge_lists(mut low: Vec<Value>, mut high: Vec<Value>, lists: Lists) -> Vec<Value> {
    match lists {
        Lists::Replace => high,
        Lists::Keep => low,
        Lists::Append => {
            low.append(&mut high);
            low
        }
        Lists::Prepend => {
            high.append(&mut low);
            high
        }
        Lists::AppendNew => {
            low.retain(|item| !high.contains(item));
            low.append(&mut high);
            low
        }
        Lists::PrependNew => {
            low.retain(|item| !high.contains(item));
            high.append(&mut low);
            high
        }
    }
}

fn map_of(value: &Value) -> EvalResult<Vec<(Value, Value)>> {
    match containers::is_map(value) {
        true => Ok(containers::pairs(value)),
        false => Err(EvalError::new(format!(
            "dict2items requires a dictionary, got <class '{}'> instead.",
            show::type_name(value)
        ))),
    }
}

fn dict2items(value: Value, mut args: Args) -> EvalResult {
    let (key_name, value_name) = (args.text_or("key_name", "key")?, args.text_or("value_name", "value")?);
    args.finish()?;
    let item = |(key, value): (Value, Value)| -> Value {
        containers::map([(Value::from(key_name.clone()), key), (Value::from(value_name.clone()), value)])
    };
    Ok(Value::from(map_of(&value)?.into_iter().map(item).collect::<Vec<_>>()))
}

fn items2dict(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let key_name = args.optional("key_name")?.unwrap_or_else(|| Value::from("key"));
    let value_name = args.optional("value_name")?.unwrap_or_else(|| Value::from("value"));
    args.finish()?;
    if !containers::is_list(&value) {
        let kind = show::type_name(&value);
        return Err(EvalError::new(format!("items2dict requires a list, got <class '{kind}'> instead.")));
    }
    let mut map = IndexMap::new();
    let range = 0..machine.page.text.len();
    let all = items::items(&value)?;
    for item in all {
        let mut part = |name: &Value| {
            let found = machine.item(&item, name, range.clone())?;
            match is_undefined(&found) {
                // A list has items, too, but none with such a name.
                true if !containers::is_map(&item) => {
                    let got = show::repr(&value);
                    Err(EvalError::new(format!("items2dict requires a list of dictionaries, got {got} instead.")))
                }
                true => Err(EvalError::new(format!(
                    "items2dict requires each dictionary in the list to contain the keys {} and {}, got {} instead.",
                    show::repr(&key_name),
                    show::repr(&value_name),
                    show::repr(&value)
                ))),
                false => Ok(found),
            }
        };
        let key = part(&key_name)?;
        map.insert(key, part(&value_name)?);
    }
    Ok(Value::from_object(map))
}

fn dictsort(value: Value, mut args: Args) -> EvalResult {
    let case_sensitive = args.flag("case_sensitive", false)?;
    let by = args.text_or("by", "key")?;
    let reverse = args.flag("reverse", false)?;
    args.finish()?;
    let by_value = match &*by {
        "key" => false,
        "value" => true,
        _ => return Err(EvalError::new("You can only sort by either \"key\" or \"value\"")),
    };
    let mut pairs = map_of(&value)?;
    let mut first = None;
    let fold = |value: &Value| match value.as_str() {
        Some(text) if !case_sensitive => Value::from(text.to_lowercase()),
        _ => value.clone(),
    };
    pairs.sort_by(|a, b| {
        let (a, b) = if by_value { (&a.1, &b.1) } else { (&a.0, &b.0) };
        let order = ops::order("<", &fold(a), &fold(b)).unwrap_or_else(|error| {
            first.get_or_insert(error);
            None
        });
        let order = order.unwrap_or(std::cmp::Ordering::Equal);
        if reverse { order.reverse() } else { order }
    });
    if let Some(first) = first {
        return Err(first);
    }
    Ok(Value::from(pairs.into_iter().map(pair).collect::<Vec<_>>()))
}

fn pair((key, value): (Value, Value)) -> Value {
    Value::from(Tuple::from(vec![key, value]))
}

fn items(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    match containers::is_map(&value) {
        true => Ok(Value::from(containers::pairs(&value).into_iter().map(pair).collect::<Vec<_>>())),
        false => Err(EvalError::new("Can only get item pairs from a mapping.")),
    }
}

/// `key | extract(container, more)`.
fn extract(machine: &mut Machine<'_>, key: Value, mut args: Args) -> EvalResult {
    let container = args.required("container")?;
    let more = args.optional("morekeys")?.filter(|more| !more.is_none());
    args.finish()?;
    let range = 0..machine.page.text.len();
    let mut value = machine.item(&container, &key, range.clone())?;
    let more = match more {
        Some(more) if containers::is_list(&more) => items::items(&more)?,
        Some(more) => vec![more],
        None => vec![],
    };
    for key in more {
        value = machine.item(&value, &key, range.clone())?;
    }
    Ok(value)
}

fn rekey_on_member(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let key = args.required("key")?;
    let duplicates = args.text_or("duplicates", "error")?;
    args.finish()?;
    let overwrite = match &*duplicates {
        "error" => false,
        "overwrite" => true,
        other => {
            let msg = format!("duplicates parameter to rekey_on_member has unknown value '{other}'");
            return Err(EvalError::new(msg));
        }
    };
    let items = match containers::is_map(&value) {
        true => containers::pairs(&value).into_iter().map(|(_, value)| value).collect(),
        false if value.as_str().is_some() => {
            return Err(EvalError::new("Type is not a valid list, set, or dict"));
        }
        false => items::items(&value).map_err(|_| EvalError::new("Type is not a valid list, set, or dict"))?,
    };
    let mut map = IndexMap::new();
    for item in items {
        if !containers::is_map(&item) {
            return Err(EvalError::new("List item is not a valid dict"));
        }
        let name = attribute(machine, &item, &key)?;
        if is_undefined(&name) {
            return Err(EvalError::new(format!("Key {} was not found.", show::repr(&key))));
        }
        if !overwrite && map.contains_key(&name) {
            return Err(EvalError::new(format!("Key {} is not unique, cannot convert to dict.", show::repr(&name))));
        }
        map.insert(name, item);
    }
    Ok(Value::from_object(map))
}

fn from_pairs(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    let mut map = IndexMap::new();
    for pair in items::items(&value)? {
        match items::items(&pair)?.as_slice() {
            [key, value] => map.insert(key.clone(), value.clone()),
            _ => return Err(EvalError::new("every item must be a pair")),
        };
    }
    Ok(Value::from_object(map))
}

fn keep_keys(value: Value, args: Args) -> EvalResult {
    choose_keys(value, args, true)
}

fn remove_keys(value: Value, args: Args) -> EvalResult {
    choose_keys(value, args, false)
}

fn choose_keys(value: Value, mut args: Args, keep: bool) -> EvalResult {
    let target = args.optional("target")?.unwrap_or_default();
    let matching = args.text_or("matching_parameter", "equal")?;
    args.finish()?;
    if !containers::is_list(&value) {
        return Err(EvalError::new(format!("First argument must be a list. {}", shown_with_type(&value)?)));
    }
    let items = items::items(&value)?;
    if let Some(item) = items.iter().find(|item| !containers::is_map(item)) {
        return Err(EvalError::new(format!("The data items must be dictionaries. {}", shown_with_type(item)?)));
    }
    let keys = Keys::of(&target, &matching)?;
    let mut chosen = Vec::with_capacity(items.len());
    for item in &items {
        let mut pairs = Vec::new();
        for (key, value) in containers::pairs(item) {
            let Some(name) = key.as_str() else {
                let msg = format!("Top level keys must be strings. keys: {}", show::repr(item));
                return Err(EvalError::new(msg));
            };
            if keys.has(name)? == keep {
                pairs.push((key, value));
            }
        }
        chosen.push(containers::map(pairs));
    }
    Ok(Value::from(chosen))
}

/// `1 is <class 'int'>`
fn shown_with_type(value: &Value) -> EvalResult<String> {
    Ok(format!("{} is <class '{}'>", show::text(value)?, show::type_name(value)))
}

/// Which keys `keep_keys` and `remove_keys` mean.
enum Keys {
    Equal(Vec<String>),
    Start(Vec<String>),
    End(Vec<String>),
    Match(Rc<fancy_regex::Regex>),
}

impl Keys {
    fn of(target: &Value, matching: &str) -> EvalResult<Keys> {
        let kinds = ["equal", "starts_with", "ends_with", "regex"];
        if !kinds.contains(&matching) {
            let kinds = kinds.map(|kind| format!("'{kind}'")).join(", ");
            let msg = format!("The matching_parameter must be one of [{kinds}]. matching_parameter={matching}");
            return Err(EvalError::new(msg));
        }
        let given = match target.as_str() {
            Some(text) => vec![Value::from(text)],
            None if containers::is_list(target) => items::items(target)?,
            None => {
                let kind = show::type_name(target);
                let msg = format!("The target must be a string or a list. target is <class '{kind}'>.");
                return Err(EvalError::new(msg));
            }
        };
        if given.is_empty() || target.as_str() == Some("") {
            return Err(EvalError::new("The target can't be empty."));
        }
        let mut names = Vec::with_capacity(given.len());
        for name in &given {
            let Some(text) = name.as_str() else {
                return Err(EvalError::new(format!("The target items must be strings. {}", shown_with_type(name)?)));
            };
            names.push(text.to_owned());
        }
        Ok(match (matching, names.as_slice()) {
            ("equal", _) => Keys::Equal(names),
            ("starts_with", _) => Keys::Start(names),
            ("ends_with", _) => Keys::End(names),
            (_, [pattern]) => {
                let found = crate::template::regex::find(&format!(r"\A(?:{pattern})"), false, false);
                Keys::Match(found.map_err(|_| {
                    let msg = "The target must be a valid regex if matching_parameter=regex. target is";
                    EvalError::new(format!("{msg} {pattern}"))
                })?)
            }
            _ => {
                let msg = "Single item is required in the target list if matching_parameter=regex.";
                return Err(EvalError::new(msg));
            }
        })
    }

    fn has(&self, key: &str) -> EvalResult<bool> {
        Ok(match self {
            Keys::Equal(names) => names.iter().any(|name| name == key),
            Keys::Start(names) => names.iter().any(|name| key.starts_with(name.as_str())),
            Keys::End(names) => names.iter().any(|name| key.ends_with(name.as_str())),
            Keys::Match(regex) => regex
                .is_match(key)
                .map_err(|error| EvalError::new(format!("the regular expression failed: {error}")))?,
        })
    }
}

fn xmlattr(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let space = args.flag("autospace", true)?;
    args.finish()?;
    let mut parts = Vec::new();
    for (key, value) in map_of(&value)? {
        if value.is_none() || is_undefined(&value) {
            continue;
        }
        let key = show::text(&key)?;
        if key.contains([' ', '\t', '\n', '/', '>', '=']) {
            return Err(EvalError::new(format!("Invalid character in attribute name: '{key}'")));
        }
        let value = machine.filter("escape", present(value)?, Args::default())?;
        parts.push(format!("{key}=\"{}\"", show::text(&value)?));
    }
    let text = parts.join(" ");
    Ok(Value::from(if space && !text.is_empty() { format!(" {text}") } else { text }))
}
