//! Filters by name. Each file has its table; a filter takes its input and the arguments one by one.

use std::{collections::HashMap, sync::OnceLock};

use minijinja::Value;

use super::{args::Args, fault::Answer, machine::Machine};

mod basic;
mod data;
mod dict;
mod hash;
pub(super) mod list;
mod math;
mod net;
mod path;
mod select;
mod sets;
mod text;
mod time;

pub(super) use basic::parse_int;
pub(super) use data::sort_pairs;
pub(super) use path::{expanduser, normpath};

type Run = fn(&mut Machine<'_>, Value, Args) -> Answer;

/// A filter.
#[derive(Clone, Copy)]
pub(crate) struct Filter {
    pub run: Run,
    /// Whether its input may be undefined.
    pub lenient: bool,
}

/// Names and filters of one file.
type Table = &'static [(&'static str, Run)];

/// Filters that do not mind undefined input.
const LENIENT: [&str; 4] = ["default", "d", "mandatory", "type_debug"];

fn all() -> &'static HashMap<&'static str, Filter> {
    static ALL: OnceLock<HashMap<&'static str, Filter>> = OnceLock::new();
    ALL.get_or_init(|| {
        let tables: [Table; 12] = [
            basic::FILTERS,
            data::FILTERS,
            dict::FILTERS,
            hash::FILTERS,
            list::FILTERS,
            math::FILTERS,
            net::FILTERS,
            path::FILTERS,
            select::FILTERS,
            sets::FILTERS,
            text::FILTERS,
            time::FILTERS,
        ];
        let entries = tables.into_iter().flatten();
        entries.map(|(name, run)| (*name, Filter { run: *run, lenient: LENIENT.contains(name) })).collect()
    })
}

/// The filter of that name, without the name of its collection if that is `ansible.builtin`.
pub(crate) fn find(name: &str) -> Option<Filter> {
    all().get(name).copied()
}

/// All names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    all().keys().copied()
}
