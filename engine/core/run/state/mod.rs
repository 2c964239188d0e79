pub(crate) mod growth;
pub(crate) mod handler_list;
pub(crate) mod host;
pub(crate) mod losses;
