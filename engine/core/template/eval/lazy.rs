//! Variables whose parts are rendered when they are read.

use std::{
    cell::Cell,
    fmt,
    sync::{Arc, OnceLock},
};

use minijinja::{
    Value,
    value::{Enumerator, Object, ObjectRepr, ValueKind},
};

use crate::{
    limits,
    template::{
        error::TemplateError,
        eval::{library::Library, render},
        origin::Origin,
        value::{
            error::EvalResult,
            ops,
            undefined::{Undefined, UndefinedReason},
        },
    },
    vars::{Lazy, Scope},
};

/// A mapping or list whose parts are rendered when they are read.
pub(crate) struct Pending {
    lazy: Lazy,
    scope: Arc<Scope>,
    library: &'static Library,
    rendered: Vec<OnceLock<Value>>,
    level: Level,
}

/// Maximum number of parts of variables per rendering. Lists that refer to others twice, which refer to others twice
/// ... double with every level and would exhaust memory.
const MOST_PARTS: usize = if cfg!(test) { 1 << 12 } else { 1 << 20 };

thread_local! {
    static LEVEL: Cell<usize> = const { Cell::new(0) };
    /// The number of parts rendered since the outermost rendering on this thread began.
    static PARTS: Cell<usize> = const { Cell::new(0) };
}

/// Starts the outermost rendering on this thread.
pub(crate) fn begin_counting() {
    PARTS.with(|parts| parts.set(0));
}

/// How many lazy values were rendered to reach this one. `cfg: {all: "{{ cfg }}"}` is not an error until all of it is
/// needed: each level is a new value, and only their number shows that there is no end.
#[derive(Clone, Copy, Debug)]
pub struct Level(usize);

impl Level {
    /// The level of a value created now.
    pub fn now() -> Self {
        Level(LEVEL.with(Cell::get))
    }

    /// The value of a part, one level deeper.
    fn part(self, part: &Lazy, scope: &Arc<Scope>, library: &'static Library) -> Value {
        /// Restores the previous level, even after a panic.
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
                help: Some("lists that refer to each other more than once double in size with every level".into()),
                via: vec![],
            });
        }
        let _back = Back(LEVEL.with(|level| level.replace(self.0 + 1)));
        Pending::wrap(part, scope, library)
    }
}

/// The value of a variable in `vars` or `hostvars`.
pub(crate) fn entry(lazy: &Lazy, scope: &Arc<Scope>, level: Level, library: &'static Library) -> Value {
    level.part(lazy, scope, library)
}

impl Pending {
    /// The value of a variable: data as it is, containers lazily; templates are rendered.
    pub(crate) fn wrap(lazy: &Lazy, scope: &Arc<Scope>, library: &'static Library) -> Value {
        let len = match lazy {
            Lazy::Data(value) => return value.clone(),
            Lazy::List(items) => items.len(),
            Lazy::Map(entries) => entries.len(),
            Lazy::Template(_) | Lazy::Vaulted(_) => {
                return render::render_lazily(lazy, scope, None, library).unwrap_or_else(broken);
            }
        };
        let rendered = std::iter::repeat_with(OnceLock::new).take(len).collect();
        Value::from_object(Pending { lazy: lazy.clone(), scope: scope.clone(), library, rendered, level: Level::now() })
    }

    fn part(&self, at: usize) -> Option<Value> {
        let part = match &self.lazy {
            Lazy::List(items) => items.get(at)?,
            Lazy::Map(entries) => entries.get_index(at)?.1,
            _ => return None,
        };
        Some(self.rendered.get(at)?.get_or_init(|| self.level.part(part, &self.scope, self.library)).clone())
    }
}

/// A value that could not be rendered: the error is raised when it is used.
pub(crate) fn broken(error: TemplateError) -> Value {
    Value::from_object(Undefined {
        what: UndefinedReason::Broken(error),
        origin: Arc::new(Origin::Nowhere),
        range: 0..0,
    })
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
            Lazy::Map(entries) => Enumerator::Values(entries.keys().map(|key| Lazy::key(key)).collect()),
            _ => Enumerator::Seq(self.rendered.len()),
        }
    }
}

/// Whether a mapping has a key, without rendering its value.
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
pub(crate) struct Everything(pub Arc<Scope>, pub Level, pub &'static Library);

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope of {} layers", self.layers.len())
    }
}

impl fmt::Debug for Everything {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Object for Everything {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).map(|lazy| entry(&lazy, &self.0, self.1, self.2))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.names().into_iter().map(Value::from).collect())
    }
}

/// `item in container`. For mappings, only keys are compared and nothing is rendered.
pub(crate) fn contains(container: &Value, item: &Value) -> EvalResult<bool> {
    match container.kind() {
        ValueKind::Map => Ok(has_key(container, item)),
        _ => ops::contains(container, item),
    }
}
