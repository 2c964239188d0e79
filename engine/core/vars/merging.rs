//! Mappings that are defined more than once: the setting `hash_behaviour`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use indexmap::IndexMap;
use minijinja::value::ValueKind;

use super::Lazy;

/// How to combine a mapping that is defined twice. Set once at the start, for all variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashBehaviour {
    /// The stronger one replaces the weaker.
    Replace,
    /// The stronger one is merged over the weaker, including nested mappings.
    Merge,
}

static MERGES: AtomicBool = AtomicBool::new(false);

impl HashBehaviour {
    /// Sets the behaviour of the process.
    pub fn set(self) {
        MERGES.store(self == HashBehaviour::Merge, Relaxed);
    }

    /// Whether mappings are merged.
    pub(crate) fn merges() -> bool {
        MERGES.load(Relaxed)
    }
}

impl Lazy {
    /// `stronger` merged over this value, including nested mappings. Values that are not mappings are replaced.
    pub fn merged(&self, stronger: &Lazy) -> Lazy {
        let parts = |lazy: &Lazy| match lazy {
            Lazy::Map(parts) => Some(IndexMap::clone(parts)),
            Lazy::Data(value) if value.kind() == ValueKind::Map => {
                let entry = |key: minijinja::Value| {
                    let name: Arc<str> = key.as_str().map_or_else(|| key.to_string().into(), Arc::from);
                    Some((name, Lazy::Data(value.get_item(&key).ok()?)))
                };
                Some(value.try_iter().into_iter().flatten().filter_map(entry).collect())
            }
            _ => None,
        };
        let (Some(mut both), Some(stronger_parts)) = (parts(self), parts(stronger)) else { return stronger.clone() };
        for (key, value) in stronger_parts {
            let value = both.get(&key).map_or_else(|| value.clone(), |known| known.merged(&value));
            both.insert(key, value);
        }
        Lazy::Map(Arc::new(both))
    }

    /// Sets a variable in a layer, according to the setting `hash_behaviour`.
    pub(crate) fn set_in(self, layer: &mut IndexMap<Arc<str>, Lazy>, name: Arc<str>) {
        let value = match layer.get(&name) {
            Some(before) if HashBehaviour::merges() => before.merged(&self),
            _ => self,
        };
        layer.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use minijinja::Value;

    use super::*;
    use crate::vars::mapping;

    #[test]
    fn the_stronger_mapping_goes_over_the_weaker_at_every_depth() {
        let data = |pairs: Vec<(&str, Value)>| {
            Lazy::Data(mapping(pairs.into_iter().map(|(name, value)| (name.to_owned(), value))))
        };
        let inner = |pairs| data(pairs).data().unwrap();
        let weak = data(vec![("a", 1.into()), ("m", inner(vec![("x", 1.into()), ("y", 1.into())]))]);
        let strong = data(vec![("b", 2.into()), ("m", inner(vec![("y", 2.into())]))]);
        let Lazy::Map(both) = weak.merged(&strong) else { panic!("no mapping") };
        assert_eq!(both.keys().map(|key| &**key).collect::<Vec<_>>(), ["a", "m", "b"]);
        let Some(Lazy::Map(m)) = both.get("m") else { panic!("no mapping") };
        assert_eq!(m.get("x").and_then(Lazy::data), Some(1.into()));
        assert_eq!(m.get("y").and_then(Lazy::data), Some(2.into()));
        assert_eq!(weak.merged(&Lazy::Data(3.into())).data(), Some(3.into()));
    }
}
