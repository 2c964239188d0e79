//! Short forms.

use crate::vars::{Lazy, Value};

/// A variable set to data.
pub(crate) fn data(value: impl Into<Value>) -> Lazy {
    Lazy::Data(value.into())
}
