//! Lists, mappings and ranges.

use std::{fmt, sync::Arc};

use indexmap::IndexMap;
use minijinja::{
    Value,
    value::{Enumerator, Object, ObjectRepr, ValueKind},
};
use parking_lot::{Mutex, MutexGuard};

use crate::vars::Lines;

/// A list that `append` and the like modify.
pub(crate) struct List(Mutex<Vec<Value>>);

/// A mapping that `update` and the like modify; also created by `namespace()`.
pub(crate) struct Dict(Mutex<IndexMap<Value, Value>>);

impl List {
    pub(crate) fn of(items: Vec<Value>) -> Value {
        Value::from_object(List(Mutex::new(items)))
    }

    pub(crate) fn items(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock()
    }
}

impl Dict {
    pub(crate) fn of(entries: IndexMap<Value, Value>) -> Value {
        Value::from_object(Dict(Mutex::new(entries)))
    }

    pub(crate) fn entries(&self) -> MutexGuard<'_, IndexMap<Value, Value>> {
        self.0.lock()
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("List")
    }
}

impl fmt::Debug for Dict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dict")
    }
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items().get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items().clone())
    }
}

impl Object for Dict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.entries().get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::KeyValueIter(Box::new(self.entries().clone().into_iter()))
    }
}

/// A group of `groupby`: a pair whose parts also have names, `grouper` and `list`.
#[derive(Debug)]
pub(crate) struct Group {
    pub grouper: Value,
    pub list: Value,
}

impl Object for Group {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_str(), key.as_i64()) {
            (Some("grouper"), _) | (None, Some(0)) => Some(self.grouper.clone()),
            (Some("list"), _) | (None, Some(1)) => Some(self.list.clone()),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(vec![self.grouper.clone(), self.list.clone()])
    }
}

/// The value of `range()`.
#[derive(Debug)]
pub(crate) struct Range {
    pub start: i64,
    pub stop: i64,
    pub step: i64,
}

impl Range {
    fn len(&self) -> usize {
        let (distance, step) = match self.step > 0 {
            true => (self.stop as i128 - self.start as i128, self.step as i128),
            false => (self.start as i128 - self.stop as i128, -(self.step as i128)),
        };
        if distance <= 0 { 0 } else { ((distance + step - 1) / step) as usize }
    }
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = key.as_usize().filter(|at| *at < self.len())?;
        Some(Value::from(self.start + self.step * at as i64))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            1 => write!(f, "range({}, {})", self.start, self.stop),
            step => write!(f, "range({}, {}, {step})", self.start, self.stop),
        }
    }
}

/// Whether the value is a list or mapping of plain data.
pub(crate) fn is_data(value: &Value) -> bool {
    value.downcast_object_ref::<Vec<Value>>().is_some()
        || value.downcast_object_ref::<Lines>().is_some()
        || value.downcast_object_ref::<IndexMap<Value, Value>>().is_some()
}

/// A copy of a list or mapping. As in Ansible, macros get copies, so their changes are local.
pub(crate) fn settled(value: Value) -> Value {
    if let Some(list) = value.downcast_object_ref::<List>() {
        return Value::from(list.items().clone());
    }
    match value.downcast_object_ref::<Dict>() {
        Some(dict) => Value::from_object(dict.entries().clone()),
        None => value,
    }
}

/// Whether the value is a mutable list or mapping.
pub(crate) fn changeable(value: &Value) -> bool {
    value.downcast_object_ref::<List>().is_some() || value.downcast_object_ref::<Dict>().is_some()
}

/// Whether both values are the same mutable list or mapping.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    let list = |value: &Value| value.downcast_object_ref::<List>().map(std::ptr::from_ref);
    let dict = |value: &Value| value.downcast_object_ref::<Dict>().map(std::ptr::from_ref);
    list(a).is_some_and(|own| list(b) == Some(own)) || dict(a).is_some_and(|own| dict(b) == Some(own))
}

/// Whether the value is a list, a tuple or another ordered sequence.
pub(crate) fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

pub(crate) fn is_map(value: &Value) -> bool {
    value.kind() == ValueKind::Map
}

/// The entries of a mapping.
pub(crate) fn pairs(value: &Value) -> Vec<(Value, Value)> {
    if let Some(map) = value.downcast_object_ref::<IndexMap<Value, Value>>() {
        return map.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    }
    value.as_object().and_then(|object| object.try_iter_pairs()).map(|pairs| pairs.collect()).unwrap_or_default()
}

/// A mapping of these entries.
pub(crate) fn map(entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
    Value::from_object(entries.into_iter().collect::<IndexMap<Value, Value>>())
}

pub(crate) fn is_container(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Map)
}
