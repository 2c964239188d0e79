//! Times from and to text.

use minijinja::Value;

use super::{Eval, Pure, Table};

use crate::{
    template::{
        args::Args,
        eval::machine::Machine,
        value::{
            error::{EvalError, EvalResult},
            number::Number,
            show,
            time::{Moment, parsed},
        },
    },
    vars::Outside,
};

pub(super) const FILTERS: Table = &[("strftime", Eval(strftime)), ("to_datetime", Pure(to_datetime))];

/// The input is the format, the argument the time in seconds since 1970.
fn strftime(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let second = args.optional("second")?.filter(|second| !second.is_none());
    let utc = args.flag("utc", false)?;
    args.finish()?;
    let pattern = show::text(&value)?;
    let moment = match second {
        None => {
            machine.look_outside(Outside::Volatile)?;
            Moment::now(utc)
        }
        Some(second) => {
            let seconds = match second.as_str() {
                Some(text) => text.trim().parse().ok(),
                None => Number::of(&second).map(Number::float),
            };
            let seconds = seconds.ok_or_else(|| {
                EvalError::new(format!("Invalid value for epoch value ({})", show::plain_text(&second)))
            })?;
            Moment::since_epoch(seconds, utc)?
        }
    };
    moment.format(&pattern).map(Value::from)
}

fn to_datetime(value: Value, mut args: Args) -> EvalResult {
    let pattern = args.text_or("format", "%Y-%m-%d %H:%M:%S")?;
    args.finish()?;
    parsed(&show::text(&value)?, &pattern).map(Value::from_object)
}
