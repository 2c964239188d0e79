use super::Table;
pub(super) const LOOKUPS: Table = &[];
