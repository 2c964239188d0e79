//! Where sources give variables their values.

use std::{collections::HashMap, sync::Arc};

use crate::{source::Span, vars::Lazy};

/// Whom a source gives a variable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    Host(Arc<str>),
    Group(Arc<str>),
}

/// What sources say of each variable, in the order in which they were read.
pub(super) type Places = HashMap<(Owner, Arc<str>), Vec<(Lazy, Span)>>;
