//! Where sources give variables their values.

use std::{collections::HashMap, sync::Arc};

use crate::{source::Span, vars::Lazy};

/// The host or group that a source gives a variable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    Host(Arc<str>),
    Group(Arc<str>),
}

/// The values that sources give each variable, in reading order.
pub(super) type Places = HashMap<(Owner, Arc<str>), Vec<(Lazy, Span)>>;
