//! A scope for tests.

use std::sync::Arc;

use super::{Layer, Lazy, Scope};

/// A scope of only these variables.
pub(crate) fn scope(vars: &[(&str, &str)]) -> Arc<Scope> {
    let layer: Layer = vars.iter().map(|(name, value)| ((*name).into(), Lazy::Data((*value).into()))).collect();
    Arc::new(Scope::new(vec![Arc::new(layer)], Arc::new(()), Arc::from([])))
}
