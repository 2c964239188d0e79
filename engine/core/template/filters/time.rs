//! Times from and to text.

use minijinja::Value;

use super::Table;
use crate::{
    template::{
        args::Args,
        dates::Moment,
        fault::{Answer, Fault},
        machine::Machine,
        python::{self, Number},
    },
    vars::Outside,
};

pub(super) const FILTERS: Table = &[("strftime", strftime), ("to_datetime", to_datetime)];

/// The input is the format, the argument the time in seconds since 1970.
fn strftime(machine: &mut Machine<'_>, value: Value, mut args: Args) -> Answer {
    let second = args.optional("second")?.filter(|second| !second.is_none());
    let utc = args.flag("utc", false)?;
    args.finish()?;
    let pattern = python::text(&value)?;
    let moment = match second {
        None => {
            machine.look_outside(Outside::Moment)?;
            Moment::now(utc)
        }
        Some(second) => {
            let seconds = match second.as_str() {
                Some(text) => text.trim().parse().ok(),
                None => Number::of(&second).map(Number::float),
            };
            let seconds = seconds.ok_or_else(|| {
                Fault::new(format!("Invalid value for epoch value ({})", python::plain_text(&second)))
            })?;
            Moment::since_epoch(seconds, utc)?
        }
    };
    moment.format(&pattern).map(Value::from)
}

fn to_datetime(_: &mut Machine<'_>, value: Value, mut args: Args) -> Answer {
    let pattern = args.text_or("format", "%Y-%m-%d %H:%M:%S")?;
    args.finish()?;
    Moment::parse(&python::text(&value)?, &pattern).map(Value::from_object)
}
