//! Values that only live while a template runs: lists and mappings one can change, ranges, bound methods,
//! macros, and variables whose parts are rendered when they are read.

use std::{
    cell::Cell,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use indexmap::IndexMap;
use minijinja::{
    Value,
    machinery::ast,
    value::{Enumerator, Object, ObjectRepr, ValueKind},
};

use super::{
    TemplateError,
    fault::{Absent, What},
    frame::Frame,
    origin::Origin,
    page::Page,
    python,
};
use crate::{
    limits,
    vars::{Lazy, Lines, Scope},
};

/// Whatever a thread that panicked left behind is still a value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A list that `append` and its like change.
pub(crate) struct List(Mutex<Vec<Value>>);

/// A mapping that `update` and its like change; also what `namespace()` makes.
pub(crate) struct Dict(Mutex<IndexMap<Value, Value>>);

impl List {
    pub fn of(items: Vec<Value>) -> Value {
        Value::from_object(List(Mutex::new(items)))
    }

    pub fn items(&self) -> MutexGuard<'_, Vec<Value>> {
        lock(&self.0)
    }
}

impl Dict {
    pub fn of(entries: IndexMap<Value, Value>) -> Value {
        Value::from_object(Dict(Mutex::new(entries)))
    }

    pub fn entries(&self) -> MutexGuard<'_, IndexMap<Value, Value>> {
        lock(&self.0)
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

/// What `range()` yields.
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

/// A method of a value, named but not yet called; or a function of Jinja.
#[derive(Debug)]
pub(crate) struct Bound {
    /// The value whose method it is; `None` for functions.
    pub receiver: Option<Value>,
    pub name: Arc<str>,
}

impl Object for Bound {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<built-in method {}>", self.name)
    }
}

/// A macro and what it sees.
pub(crate) struct Macro {
    pub page: &'static Page,
    pub origin: Arc<Origin>,
    pub decl: &'static ast::Macro<'static>,
    /// The frames round its definition; the session keeps them alive.
    pub frames: Vec<Weak<Frame>>,
    /// Whether it sees the variables of the play.
    pub with_scope: bool,
}

impl fmt::Debug for Macro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<macro {}>", self.decl.name)
    }
}

impl Object for Macro {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// A mapping or list whose parts are rendered when they are read.
pub(crate) struct Pending {
    lazy: Lazy,
    scope: Arc<Scope>,
    rendered: Vec<OnceLock<Value>>,
    level: Level,
}

/// The most parts of variables that one rendering renders. Lists that name others twice, which name others twice ...
/// double with every step, and would go on until the memory is full.
const MOST_PARTS: usize = if cfg!(test) { 1 << 12 } else { 1 << 20 };

thread_local! {
    static LEVEL: Cell<usize> = const { Cell::new(0) };
    /// The parts rendered since the outermost rendering on this thread began.
    static PARTS: Cell<usize> = const { Cell::new(0) };
}

/// The outermost rendering on this thread begins.
pub(super) fn begin_counting() {
    PARTS.with(|parts| parts.set(0));
}

/// How many values that wait were rendered to come to one that waits. `cfg: {all: "{{ cfg }}"}` is no error until
/// somebody wants to see all of it: each level is a new value, and only their number tells that there is no end.
#[derive(Clone, Copy, Debug)]
pub struct Level(usize);

impl Level {
    /// The level of a value that is made now.
    pub fn now() -> Self {
        Level(LEVEL.with(Cell::get))
    }

    /// The value of a part, one level further.
    fn part(self, part: &Lazy, scope: &Arc<Scope>) -> Value {
        /// Goes back to the level before, even when something panics.
        struct Back(usize);
        impl Drop for Back {
            fn drop(&mut self) {
                LEVEL.with(|level| level.set(self.0));
            }
        }
        match part {
            Lazy::Data(value) => return value.clone(),
            Lazy::Template(template) if self.0 >= limits::depth() => {
                let chain = format!("{} -> {}", template.text.trim(), template.text.trim());
                return broken(TemplateError::Recursive { chain, at: template.span.clone(), via: vec![] });
            }
            _ => {}
        }
        let rendered = PARTS.with(|parts| parts.replace(parts.get().saturating_add(1)));
        if rendered >= MOST_PARTS
            && let Lazy::Template(template) = part
        {
            return broken(TemplateError::Failed {
                message: format!(
                    "the value is too large: more than {MOST_PARTS} parts of variables were rendered for it"
                ),
                at: template.span.clone(),
                help: Some("lists that name each other more than once double in size with every step".into()),
                via: vec![],
            });
        }
        let _back = Back(LEVEL.with(|level| level.replace(self.0 + 1)));
        Pending::wrap(part, scope)
    }
}

/// The value of a variable that is an entry of `vars` or `hostvars`.
pub(super) fn entry(lazy: &Lazy, scope: &Arc<Scope>, level: Level) -> Value {
    level.part(lazy, scope)
}

impl Pending {
    /// The value of a variable: data as it is, containers lazily. Templates are rendered.
    pub fn wrap(lazy: &Lazy, scope: &Arc<Scope>) -> Value {
        let len = match lazy {
            Lazy::Data(value) => return value.clone(),
            Lazy::List(items) => items.len(),
            Lazy::Map(entries) => entries.len(),
            Lazy::Template(_) | Lazy::Vaulted(_) => {
                return super::render::render_lazily(lazy, scope, None).unwrap_or_else(broken);
            }
        };
        let rendered = std::iter::repeat_with(OnceLock::new).take(len).collect();
        Value::from_object(Pending { lazy: lazy.clone(), scope: scope.clone(), rendered, level: Level::now() })
    }

    fn part(&self, at: usize) -> Option<Value> {
        let part = match &self.lazy {
            Lazy::List(items) => items.get(at)?,
            Lazy::Map(entries) => entries.get_index(at)?.1,
            _ => return None,
        };
        Some(self.rendered.get(at)?.get_or_init(|| self.level.part(part, &self.scope)).clone())
    }
}

/// The value of something that could not be rendered: the error comes when it is used.
pub(crate) fn broken(error: TemplateError) -> Value {
    Value::from_object(Absent { what: What::Broken(error), origin: Arc::new(Origin::Nowhere), range: 0..0 })
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lazy.fmt(f)
    }
}

impl Object for Pending {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.lazy {
            Lazy::List(_) => ObjectRepr::Seq,
            _ => ObjectRepr::Map,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match &self.lazy {
            Lazy::Map(_) => self.get_value_by_str(key.as_str()?),
            _ => self.part(key.as_usize()?),
        }
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match &self.lazy {
            Lazy::Map(entries) => self.part(entries.get_index_of(key)?),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match &self.lazy {
            Lazy::Map(entries) => Enumerator::Values(entries.keys().cloned().map(Value::from).collect()),
            _ => Enumerator::Seq(self.rendered.len()),
        }
    }
}

/// Whether a mapping has a key; nothing is rendered for that.
pub(crate) fn has_key(map: &Value, key: &Value) -> bool {
    if let Some(pending) = map.downcast_object_ref::<Pending>() {
        return match (&pending.lazy, key.as_str()) {
            (Lazy::Map(entries), Some(key)) => entries.contains_key(key),
            _ => false,
        };
    }
    map.as_object().is_some_and(|object| object.get_value(key).is_some())
}

/// All variables by name: `vars`.
#[derive(Debug)]
pub(crate) struct Everything(pub Arc<Scope>, pub Level);

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope of {} layers", self.layers.len())
    }
}

impl Object for Everything {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).map(|lazy| entry(&lazy, &self.0, self.1))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.names().into_iter().map(Value::from).collect())
    }
}

/// Whether the value is a list or mapping of plain data.
pub(crate) fn is_data(value: &Value) -> bool {
    value.downcast_object_ref::<Vec<Value>>().is_some()
        || value.downcast_object_ref::<Lines>().is_some()
        || value.downcast_object_ref::<IndexMap<Value, Value>>().is_some()
}

/// A list or mapping as it is now. Macros get such copies: what they change is theirs, as in Ansible.
pub(crate) fn settled(value: Value) -> Value {
    if let Some(list) = value.downcast_object_ref::<List>() {
        return Value::from(list.items().clone());
    }
    match value.downcast_object_ref::<Dict>() {
        Some(dict) => Value::from_object(dict.entries().clone()),
        None => value,
    }
}

/// Whether the value is a list or mapping that can be changed.
pub(crate) fn changeable(value: &Value) -> bool {
    value.downcast_object_ref::<List>().is_some() || value.downcast_object_ref::<Dict>().is_some()
}

/// The first container within a container.
pub(crate) fn first_container(value: &Value) -> Option<Value> {
    let container = |value: &&Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Map);
    if let Some(items) = value.downcast_object_ref::<Vec<Value>>() {
        items.iter().find(container).cloned()
    } else if let Some(entries) = value.downcast_object_ref::<IndexMap<Value, Value>>() {
        entries.values().find(container).cloned()
    } else if let Some(list) = value.downcast_object_ref::<List>() {
        list.items().iter().find(container).cloned()
    } else if let Some(dict) = value.downcast_object_ref::<Dict>() {
        dict.entries().values().find(container).cloned()
    } else if value.is_tuple() {
        value.try_iter().ok()?.find(|item| container(&item))
    } else {
        None
    }
}

/// Whether two values are the same list or mapping that can be changed.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    let list = |value: &Value| value.downcast_object_ref::<List>().map(std::ptr::from_ref);
    let dict = |value: &Value| value.downcast_object_ref::<Dict>().map(std::ptr::from_ref);
    list(a).is_some_and(|own| list(b) == Some(own)) || dict(a).is_some_and(|own| dict(b) == Some(own))
}

/// The containers within a container, as far as they are there: what waits to be rendered is passed over.
pub(crate) fn containers(value: &Value) -> Vec<Value> {
    fn pick<'v>(parts: impl IntoIterator<Item = &'v Value>) -> Vec<Value> {
        let container = |value: &&Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Map);
        parts.into_iter().filter(container).cloned().collect()
    }
    if let Some(items) = value.downcast_object_ref::<Vec<Value>>() {
        pick(items)
    } else if let Some(entries) = value.downcast_object_ref::<IndexMap<Value, Value>>() {
        pick(entries.values())
    } else if let Some(list) = value.downcast_object_ref::<List>() {
        pick(list.items().iter())
    } else if let Some(dict) = value.downcast_object_ref::<Dict>() {
        pick(dict.entries().values())
    } else if value.is_tuple() {
        pick(&value.try_iter().into_iter().flatten().collect::<Vec<_>>())
    } else {
        vec![]
    }
}

/// The same value as lists and mappings that can be changed, all the way down.
pub(crate) fn thaw(value: &Value) -> Value {
    if changeable(value) {
        return value.clone();
    }
    match value.kind() {
        ValueKind::Map => {
            let pairs = python::pairs(value).into_iter();
            Dict::of(limits::with_stack(|| pairs.map(|(key, value)| (key, thaw(&value))).collect()))
        }
        ValueKind::Seq if !value.is_tuple() => {
            let items = python::items(value).unwrap_or_default();
            List::of(limits::with_stack(|| items.iter().map(thaw).collect()))
        }
        _ => value.clone(),
    }
}
