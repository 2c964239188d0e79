//! Integers of more than 128 bits.

use std::{fmt, sync::Arc};

use minijinja::{
    Value,
    value::{Object, ObjectRepr},
};
use num_bigint::BigInt;
use rplay_contract::wire::number::MARK;

/// As many digits, or a few more, as Python converts to and from text: that takes time by the square of their number.
const MOST_DIGITS: usize = 4301;

/// An integer that fits into no other type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BigInteger(pub BigInt);

impl BigInteger {
    /// The value of an integer of any size.
    pub(crate) fn value(int: BigInt) -> Value {
        match (i64::try_from(&int), i128::try_from(&int)) {
            (Ok(small), _) => Value::from(small),
            (_, Ok(large)) => Value::from(large),
            _ => Value::from_object(BigInteger(int)),
        }
    }

    /// The integer with these digits; `None` for other text, and for more digits than Python reads.
    pub(crate) fn parse(digits: &str) -> Option<Value> {
        match digits.len() > MOST_DIGITS {
            true => None,
            false => digits.parse().ok().map(BigInteger::value),
        }
    }

    pub(crate) fn of(value: &Value) -> Option<&BigInt> {
        value.downcast_object_ref::<BigInteger>().map(|big| &big.0)
    }

    /// As agents and reports get it.
    pub(super) fn marked(value: &Value) -> Option<String> {
        Self::of(value).map(|int| format!("{MARK}{int}"))
    }
}

/// The number that a marked text stands for; `None` for other text.
pub(super) fn of_marked(text: &str) -> Option<Value> {
    match text.strip_prefix(MARK)? {
        "NaN" => Some(Value::from(f64::NAN)),
        "Infinity" => Some(Value::from(f64::INFINITY)),
        "-Infinity" => Some(Value::from(f64::NEG_INFINITY)),
        digits => BigInteger::parse(digits),
    }
}

impl Object for BigInteger {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
