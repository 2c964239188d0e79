use super::Table;
pub(super) const FILTERS: Table = &[];
