//! Filters by name. Each file has a table; a filter takes its arguments one by one.

use minijinja::Value;

mod basic;
mod data;
mod dict;
mod hash;
mod ip;
mod json;
pub(crate) mod list;
mod math;
mod net;
mod path;
mod regex;
pub(crate) mod rows;
mod select;
mod sets;
mod text;
mod time;
mod urlize;

pub(crate) use basic::parse_int;

/// The signature of a filter.
#[derive(Clone, Copy)]
enum Run {
    /// Only input and arguments.
    Pure(fn(Value, Args) -> EvalResult),
    /// With the machine, for filters that read attributes, call other filters, or access files.
    Eval(fn(&mut Machine<'_>, Value, Args) -> EvalResult),
}

use Run::{Eval, Pure};

use crate::template::{
    args::Args,
    eval::{library::Library, machine::Machine},
    value::error::EvalResult,
};

/// The names and filters of one file.
type Table = &'static [(&'static str, Run)];

/// Filters that accept undefined input.
const LENIENT: [&str; 5] = ["default", "d", "mandatory", "ternary", "type_debug"];

/// Adds all filters.
pub(crate) fn add_to(library: &mut Library) {
    let tables: [Table; 15] = [
        basic::FILTERS,
        data::FILTERS,
        dict::FILTERS,
        hash::FILTERS,
        ip::FILTERS,
        list::FILTERS,
        math::FILTERS,
        path::FILTERS,
        regex::FILTERS,
        rows::FILTERS,
        select::FILTERS,
        sets::FILTERS,
        text::FILTERS,
        time::FILTERS,
        urlize::FILTERS,
    ];
    for (name, run) in tables.into_iter().flatten() {
        let lenient = LENIENT.contains(name);
        match *run {
            Pure(run) => library.add_filter(*name, lenient, move |_, value, args| run(value, args)),
            Eval(run) => library.add_filter(*name, lenient, run),
        }
    }
}
