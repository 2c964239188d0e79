//! Lookups that combine their terms: the basis of `with_items`, `with_nested` and the like.

use minijinja::{Value, value::Tuple};

use super::Table;

use crate::template::{
    args::Args,
    eval::machine::Machine,
    library::{
        filters::{list, parse_int, rows},
        mersenne_twister::Chance,
    },
    regex,
    value::{
        containers,
        error::{EvalError, EvalResult},
        format, items, number, show,
        undefined::{is_undefined, present},
    },
};

pub(super) const LOOKUPS: Table = &[
    ("items", items),
    ("list", |_, terms, options| options.finish().map(|()| terms)),
    ("dict", dict),
    ("sequence", sequence),
    ("nested", nested),
    ("together", together),
    ("subelements", subelements),
    ("indexed_items", indexed_items),
    ("flattened", flattened),
    ("community.general.flattened", flattened),
    ("random_choice", random_choice),
];

fn tuple(items: Vec<Value>) -> Value {
    Value::from(Tuple::from(items))
}

/// Flattens one level of lists.
fn opened(terms: Vec<Value>) -> EvalResult<Vec<Value>> {
    let mut out = Vec::new();
    for term in terms {
        match containers::is_list(&term) {
            true => out.extend(items::items(&term)?),
            false => out.push(term),
        }
    }
    Ok(out)
}

fn items(_: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    opened(terms)
}

fn dict(_: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    let mut out = Vec::new();
    for term in terms {
        if !containers::is_map(&term) {
            let (shown, kind) = (show::text(&term)?, show::type_name(&term));
            let message =
                format!("the 'dict' lookup plugin expects a dictionary, got '{shown}' of type <class '{kind}'>)");
            return Err(EvalError::new(message));
        }
        for (key, value) in containers::pairs(&term) {
            out.push(containers::map([(Value::from("key"), key), (Value::from("value"), value)]));
        }
    }
    Ok(out)
}

fn nested(_: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    if terms.is_empty() {
        return Err(EvalError::new("with_nested requires at least one element in the nested list"));
    }
    let lists = terms.iter().map(own_items).collect::<EvalResult<Vec<_>>>()?;
    let mut rows = Vec::new();
    for row in rows::cartesian(&lists)? {
        let mut flat = Vec::new();
        for item in row {
            flat.extend(opened(vec![item])?);
        }
        rows.push(tuple(flat));
    }
    Ok(rows)
}

/// The items of a list; any other value is a list of itself.
fn own_items(value: &Value) -> EvalResult<Vec<Value>> {
    match containers::is_list(value) || containers::is_map(value) {
        true => items::items(value),
        false => Ok(vec![value.clone()]),
    }
}

fn together(_: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    if terms.is_empty() {
        return Err(EvalError::new("with_together requires at least one element in each list"));
    }
    let lists = terms.iter().map(own_items).collect::<EvalResult<Vec<_>>>()?;
    Ok(rows::longest(&lists, &Value::from(())))
}

/// The records, the key of the lists in them, and flags.
fn subelements(machine: &mut Machine<'_>, mut terms: Vec<Value>, mut options: Args) -> EvalResult<Vec<Value>> {
    let usage = |more: &str| EvalError::new(format!("subelements lookup expects a list of two or three items,{more}"));
    const FORM: &str = " first a dict or a list, second a string pointing to the subkey";
    // `with_subelements: [users, keys]` passes the pair as two terms, or as one list.
    if let [only] = terms.as_slice()
        && containers::is_list(only)
    {
        terms = items::items(only)?;
    }
    let (records, path, flags) = match terms.as_slice() {
        [records, path] => (records.clone(), path.clone(), None),
        [records, path, flags] => (records.clone(), path.clone(), Some(flags.clone())),
        _ => return Err(usage("")),
    };
    if !(containers::is_map(&records) || containers::is_list(&records)) || path.as_str().is_none() {
        return Err(usage(FORM));
    }
    if flags.as_ref().is_some_and(|flags| {
        let known = |key: &Value| key.as_str() == Some("skip_missing");
        !containers::is_map(flags) || !containers::pairs(flags).iter().all(|(key, _)| known(key))
    }) {
        return Err(usage(" the optional third item must be a dict with flags skip_missing"));
    }
    let mut skip_missing = options.flag("skip_missing", false)?;
    if let Some(flags) = flags {
        skip_missing |= containers::is_map(&flags)
            && flags
                .as_object()
                .and_then(|flags| flags.get_value_by_str("skip_missing"))
                .is_some_and(|flag| items::truth(&flag));
    }
    options.finish()?;
    let path = show::text(&path)?;
    let is_skipped = |record: &Value| {
        let skipped = record.as_object().and_then(|record| record.get_value_by_str("skipped"));
        skipped.is_some_and(|skipped| items::truth(&skipped))
    };
    let records = match containers::is_map(&records) {
        true if is_skipped(&records) => Vec::new(),
        true => containers::pairs(&records).into_iter().map(|(_, record)| record).collect(),
        false => items::items(&records)?,
    };
    let mut rows = Vec::new();
    for record in records {
        if !containers::is_map(&record) {
            let got = show::repr(&record);
            return Err(EvalError::new(format!("subelements lookup expects a dictionary, got '{got}'")));
        }
        if is_skipped(&record) {
            continue;
        }
        let mut inner = record.clone();
        let mut missing = false;
        let keys: Vec<&str> = path.split('.').collect();
        for (at, key) in keys.iter().enumerate() {
            let next = list::attribute(machine, &inner, &Value::from(*key))?;
            if is_undefined(&next) {
                if skip_missing {
                    missing = true;
                    break;
                }
                let got = show::repr(&inner);
                return Err(EvalError::new(format!("could not find '{key}' key in iterated item '{got}'")));
            }
            let last = at + 1 == keys.len();
            if !last && !containers::is_map(&next) {
                if skip_missing {
                    missing = true;
                    break;
                }
                let got = show::repr(&next);
                return Err(EvalError::new(format!("the key {key} should point to a dictionary, got '{got}'")));
            }
            if last && !containers::is_list(&next) {
                let got = show::repr(&next);
                return Err(EvalError::new(format!("the key {key} should point to a list, got '{got}'")));
            }
            inner = next;
        }
        if missing {
            continue;
        }
        let first = path.split('.').next().unwrap_or(&path).to_owned();
        let rest = containers::pairs(&record).into_iter().filter(|(key, _)| key.as_str() != Some(&*first));
        let rest = containers::map(rest);
        rows.extend(items::items(&inner)?.into_iter().map(|item| tuple(vec![rest.clone(), item])));
    }
    Ok(rows)
}

fn indexed_items(_: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    let items = opened(terms)?;
    Ok(items.into_iter().enumerate().map(|(at, item)| tuple(vec![Value::from(at), item])).collect())
}

fn flattened(_: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    let mut out = Vec::new();
    list::flat(terms, None, true, &mut out)?;
    Ok(out)
}

fn random_choice(_: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    // The choice is among the terms: `with_random_choice` passes each item of its list, a call passes a list as one
    // term.
    match terms.len() {
        0 => Ok(vec![]),
        len => Ok(terms.get(Chance::Free.index(len)).cloned().into_iter().collect()),
    }
}

/// The numbers of one term: `start=1 end=5 stride=2 format=x%02d`, or `1-5/2:x%02d`.
fn sequence(_: &mut Machine<'_>, terms: Vec<Value>, mut options: Args) -> EvalResult<Vec<Value>> {
    let named = Numbers {
        start: options.int("start")?.unwrap_or(1),
        end: options.int("end")?,
        count: options.int("count")?,
        stride: options.int("stride")?.unwrap_or(1),
        format: options.text("format")?.unwrap_or_else(|| "%d".into()),
    };
    options.finish()?;
    if terms.is_empty() {
        return match named.end.or(named.count) {
            Some(_) => named.run(),
            None => Ok(Vec::new()),
        };
    }
    let mut out = Vec::new();
    for term in terms {
        out.extend(Numbers::read(&show::text(&present(term)?)?, named.clone())?.run()?);
    }
    Ok(out)
}

#[derive(Clone)]
struct Numbers {
    start: i128,
    end: Option<i128>,
    count: Option<i128>,
    stride: i128,
    format: String,
}

impl Numbers {
    fn read(term: &str, mut numbers: Numbers) -> EvalResult<Self> {
        let number = |option: &str, text: &str| {
            // Leading zeros have no meaning.
            parse_int(text, 0).or_else(|| parse_int(text, 10)).ok_or_else(|| {
                EvalError::new(super::invalid_option("sequence", option, "integer", &format!("'{text}'")))
            })
        };
        let short = regex::find(
            r"^(?:(?P<start>0?x?[0-9a-f]+)-)?(?P<end>0?x?[0-9a-f]+)(?:/(?P<stride>0?x?[0-9a-f]+))?(?::(?P<format>.+))?$",
            true,
            false,
        )?;
        if let Ok(Some(found)) = short.captures(term.trim()) {
            let part = |name: &str| found.name(name).map(|part| part.as_str());
            if let Some(start) = part("start") {
                numbers.start = number("start", start)?;
            }
            numbers.end = part("end").map(|end| number("end", end)).transpose()?;
            if let Some(stride) = part("stride") {
                numbers.stride = number("stride", stride)?;
            }
            if let Some(format) = part("format") {
                numbers.format = format.to_owned();
            }
            return Ok(numbers);
        }
        for pair in super::key_values(term) {
            match pair {
                (Some(key), value) => match &*key {
                    "start" => numbers.start = number("start", &value)?,
                    "end" => numbers.end = Some(number("end", &value)?),
                    "count" => numbers.count = Some(number("count", &value)?),
                    "stride" => numbers.stride = number("stride", &value)?,
                    "format" => numbers.format = value,
                    other => {
                        return Err(EvalError::new(format!("unrecognized arguments to with_sequence: ['{other}']")));
                    }
                },
                (None, _) => {
                    return Err(EvalError::new("unrecognized arguments to with_sequence: ['_raw_params']"));
                }
            }
        }
        Ok(numbers)
    }

    fn run(mut self) -> EvalResult<Vec<Value>> {
        let end = match (self.end, self.count) {
            (Some(_), Some(_)) => return Err(EvalError::new("can't specify both count and end in with_sequence")),
            (None, None) => return Err(EvalError::new("must specify count or end in with_sequence")),
            (Some(end), None) => end,
            (None, Some(0)) => return Ok(vec![]),
            (None, Some(count)) => self.start + count * self.stride - 1,
        };
        if self.stride == 0 {
            return Ok(vec![]);
        }
        if self.stride > 0 && end < self.start {
            return Err(EvalError::new("to count backwards make stride negative"));
        }
        if self.stride < 0 && end > self.start {
            return Err(EvalError::new("to count forward don't make stride negative"));
        }
        if (end - self.start).unsigned_abs() / self.stride.unsigned_abs() > 10_000_000 {
            return Err(EvalError::new("the sequence is too long"));
        }
        if !self.format.contains('%') {
            return Err(EvalError::new(format!("bad formatting string: {}", self.format)));
        }
        let mut out = Vec::new();
        while (self.stride > 0 && self.start <= end) || (self.stride < 0 && self.start >= end) {
            let text = format::format(&self.format, &[number::int(self.start)])
                .map_err(|_| EvalError::new(format!("problem formatting {} with {}", self.start, self.format)))?;
            out.push(Value::from(text));
            self.start += self.stride;
        }
        Ok(out)
    }
}
