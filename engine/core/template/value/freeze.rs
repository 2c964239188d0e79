//! Converts template values to plain data.

use std::cell::Cell;

use indexmap::IndexMap;
use minijinja::{Value, value::ValueKind};

use crate::{
    limits,
    template::value::{
        big, containers,
        error::{Cause, EvalError, EvalResult},
        items, show, size, time,
        undefined::{as_undefined, present},
    },
    vars::{Lines, is_omit},
};

/// Plain data: no undefined values, `omit` dropped from containers, tuples as lists.
pub(crate) fn freeze(value: Value) -> EvalResult {
    if is_omit(&value) {
        return Err(Box::new(EvalError { cause: Cause::Omitted, range: None }));
    }
    frozen(value)
}

fn frozen(value: Value) -> EvalResult {
    let mut survey = Survey::default();
    match survey.is_plain(&value) {
        true => Ok(value),
        false if survey.parts > size::MOST_ITEMS => Err(size::too_large_value()),
        false => rebuild(value),
    }
}

/// Scans a value within the limits of size and depth: lists that contain others more than once are small in memory but
/// endless as trees.
#[derive(Default)]
struct Survey {
    parts: usize,
    level: usize,
}

impl Survey {
    /// Whether nothing has to be converted, the most common case.
    fn is_plain(&mut self, value: &Value) -> bool {
        match value.kind() {
            ValueKind::None | ValueKind::Bool | ValueKind::Number | ValueKind::String | ValueKind::Bytes => true,
            ValueKind::Seq => match value.downcast_object_ref::<Vec<Value>>() {
                Some(items) => self.within(items.len(), |survey| items.iter().all(|item| survey.is_plain(item))),
                None => value.downcast_object_ref::<Lines>().is_some(),
            },
            ValueKind::Map => value.downcast_object_ref::<IndexMap<Value, Value>>().is_some_and(|entries| {
                let plain = |survey: &mut Self| {
                    entries.iter().all(|(key, value)| survey.is_plain(key) && survey.is_plain(value))
                };
                self.within(entries.len(), plain)
            }),
            _ => time::moment(value).is_some() || big::is_big(value),
        }
    }

    fn within(&mut self, parts: usize, is_plain: impl FnOnce(&mut Self) -> bool) -> bool {
        self.parts = self.parts.saturating_add(parts);
        if self.parts > size::MOST_ITEMS || self.level >= limits::depth() {
            return false;
        }
        self.level += 1;
        let plain = match self.level % 16 {
            0 => limits::with_stack(|| is_plain(self)),
            _ => is_plain(self),
        };
        self.level -= 1;
        plain
    }
}

fn rebuild(value: Value) -> EvalResult {
    if value.is_undefined() {
        return Err(EvalError::with_help("the expression has no value", "add an `else` to the `if`"));
    }
    if as_undefined(&value).is_some() {
        return present(value);
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map
            if value.downcast_object_ref::<containers::Range>().is_none() =>
        {
            limits::deeper(&LEVELS, || rebuild_parts(&value)).unwrap_or_else(|| Err(size::too_deep()))
        }
        ValueKind::String => Ok(Value::from(value.as_str().unwrap_or_default())),
        _ if Survey::default().is_plain(&value) => Ok(value),
        _ => {
            let kind = match value.downcast_object_ref::<containers::Range>() {
                Some(_) => "range".to_owned(),
                None => show::type_name(&value),
            };
            Err(EvalError::with_help(
                format!("Type '{kind}' is unsupported for variable storage."),
                match kind.as_str() {
                    "range" => "convert it to a list: `| list`",
                    _ => "call the method by adding `()`, or write `x['name']` for a key of that name",
                },
            ))
        }
    }
}

thread_local! {
    /// Depth of the containers being rebuilt: a list may contain itself.
    static LEVELS: limits::Counter = const { Cell::new(0) };
    /// The number of parts rebuilt so far.
    static REBUILT: Cell<usize> = const { Cell::new(0) };
}

fn rebuild_parts(value: &Value) -> EvalResult {
    let parts = value.len().unwrap_or(0);
    let rebuilt = REBUILT.with(|rebuilt| {
        let before = if LEVELS.with(Cell::get) <= 1 { 0 } else { rebuilt.get() };
        rebuilt.replace(before.saturating_add(parts));
        rebuilt.get()
    });
    size::items_fit(rebuilt)?;
    if !containers::is_map(value) {
        let items = items::items(value)?.into_iter().filter(|item| !is_omit(item));
        return items.map(frozen).collect::<EvalResult<Vec<_>>>().map(Value::from);
    }
    let mut entries = IndexMap::new();
    for (key, value) in containers::pairs(value).into_iter().filter(|(_, value)| !is_omit(value)) {
        entries.insert(freeze(key)?, frozen(value)?);
    }
    Ok(Value::from_object(entries))
}

/// Plain data as [`freeze`] makes it, with a note in place of each part that has no value; `notes` takes the reasons.
pub(crate) fn freeze_noting(value: Value, notes: &mut Vec<String>) -> EvalResult {
    match as_undefined(&value) {
        Some(absent) if absent.undefined() => return Ok(note(notes, absent.message())),
        _ => {}
    }
    match value.kind() {
        ValueKind::Seq => {
            let items = items::items(&value)?.into_iter().filter(|item| !is_omit(item));
            let noted = items.map(|item| limits::with_stack(|| freeze_noting(item, notes)));
            noted.collect::<EvalResult<Vec<_>>>().map(Value::from)
        }
        ValueKind::Map => {
            let mut entries = IndexMap::new();
            for (key, value) in containers::pairs(&value).into_iter().filter(|(_, value)| !is_omit(value)) {
                entries.insert(freeze(key)?, limits::with_stack(|| freeze_noting(value, notes))?);
            }
            Ok(Value::from_object(entries))
        }
        _ => freeze(value),
    }
}

/// Plain data as [`freeze`] makes it, without the items and entries that have no value; `None` if all of it has none.
pub(crate) fn freeze_present(value: Value) -> EvalResult<Option<Value>> {
    if as_undefined(&value).is_some_and(|absent| absent.undefined()) {
        return Ok(None);
    }
    let inner = |value: Value| limits::with_stack(|| freeze_present(value));
    match value.kind() {
        ValueKind::Seq => {
            let items = items::items(&value)?.into_iter().filter(|item| !is_omit(item));
            let present = items.filter_map(|item| inner(item).transpose());
            present.collect::<EvalResult<Vec<_>>>().map(|items| Some(items.into()))
        }
        ValueKind::Map => {
            let mut entries = IndexMap::new();
            for (key, value) in containers::pairs(&value).into_iter().filter(|(_, value)| !is_omit(value)) {
                if let Some(value) = inner(value)? {
                    entries.insert(freeze(key)?, value);
                }
            }
            Ok(Some(Value::from_object(entries)))
        }
        _ => freeze(value).map(Some),
    }
}

/// The note that is shown in place of a missing value.
pub(crate) fn note(notes: &mut Vec<String>, why: String) -> Value {
    let shown = format!("<< error {} - {why} >>", notes.len() + 1);
    notes.push(why);
    Value::from(shown)
}

/// The value without entries and items that are `omit`, at any depth: what a module receives.
pub fn drop_omitted(value: Value) -> Value {
    match value.kind() {
        ValueKind::Seq => {
            let items = items::items(&value).unwrap_or_default().into_iter().filter(|item| !is_omit(item));
            Value::from(limits::with_stack(|| items.map(drop_omitted).collect::<Vec<_>>()))
        }
        ValueKind::Map => {
            let entries = containers::pairs(&value).into_iter().filter(|(_, value)| !is_omit(value));
            limits::with_stack(|| containers::map(entries.map(|(key, value)| (key, drop_omitted(value)))))
        }
        _ => value,
    }
}
