//! Arithmetic with integers of any size: what [`Number`] cannot hold.

use std::cmp::Ordering;

use minijinja::Value;
use num_bigint::{BigInt, Sign};

use crate::{
    template::value::{
        error::{EvalError, EvalResult},
        number::Number,
    },
    vars::BigInteger,
};

/// The size of the largest result of an operation. Python writes no more than 4300 digits.
const MOST_BITS: u64 = 14_300;

/// Whether the value is an integer beyond 128 bits.
pub(crate) fn is_big(value: &Value) -> bool {
    BigInteger::of(value).is_some()
}

/// An integer of any size; booleans count as 0 and 1.
pub(crate) fn integer(value: &Value) -> Option<BigInt> {
    match Number::of(value) {
        Some(Number::Int(int)) => Some(int.into()),
        Some(Number::Float(_)) => None,
        None => BigInteger::of(value).cloned(),
    }
}

/// The nearest float of a number; infinite if it is too large.
pub(crate) fn float(value: &Value) -> Option<f64> {
    match Number::of(value) {
        Some(number) => Some(number.float()),
        // Rounds correctly, unlike a conversion digit by digit.
        None => BigInteger::of(value)?.to_string().parse().ok(),
    }
}

/// The order of two numbers of which one is beyond 128 bits.
pub(crate) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    if !is_big(a) && !is_big(b) {
        return None;
    }
    match (integer(a), integer(b)) {
        (Some(x), Some(y)) => Some(x.cmp(&y)),
        _ => float(a)?.partial_cmp(&float(b)?),
    }
}

fn checked(int: BigInt) -> EvalResult {
    match int.bits() > MOST_BITS {
        true => Err(too_large()),
        false => Ok(BigInteger::value(int)),
    }
}

fn too_large() -> Box<EvalError> {
    EvalError::new("Exceeds the limit (4300 digits) for integer string conversion")
}

/// The result of an operator on two integers, if one of them or the result is beyond 128 bits; `None` if one is not an
/// integer.
pub(crate) fn operate(op: &str, a: &Value, b: &Value) -> Option<EvalResult> {
    let (x, y) = (integer(a)?, integer(b)?);
    let is_zero = y.sign() == Sign::NoSign;
    Some(match op {
        "+" => checked(x + y),
        "-" => checked(x - y),
        "*" => checked(x * y),
        "//" | "%" if is_zero => Err(EvalError::new(match op {
            "//" => "integer division or modulo by zero",
            _ => "integer modulo by zero",
        })),
        "//" => {
            let (quotient, rest) = (&x / &y, &x % &y);
            let below = rest.sign() != Sign::NoSign && rest.sign() != y.sign();
            checked(if below { quotient - 1 } else { quotient })
        }
        "%" => {
            let rest = &x % &y;
            let below = rest.sign() != Sign::NoSign && rest.sign() != y.sign();
            checked(if below { rest + y } else { rest })
        }
        "**" => match u32::try_from(&y) {
            Ok(times) if x.bits().saturating_mul(times.into()) <= MOST_BITS + x.bits() => checked(x.pow(times)),
            Ok(_) => Err(too_large()),
            Err(_) => return None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(digits: &str) -> Value {
        BigInteger::parse(digits).unwrap()
    }

    #[test]
    fn operators_give_what_python_gives() {
        let (huge, small) = (big(&"9".repeat(50)), Value::from(-7));
        for (op, a, b, want) in [
            ("+", &huge, &small, "99999999999999999999999999999999999999999999999992".to_owned()),
            ("-", &huge, &huge, "0".to_owned()),
            ("*", &huge, &small, format!("-6{}3", "9".repeat(49))),
            ("//", &huge, &small, "-14285714285714285714285714285714285714285714285715".to_owned()),
            ("%", &huge, &small, "-6".to_owned()),
            ("**", &small, &Value::from(50), "1798465042647412146620280340569649349251249".to_owned()),
        ] {
            assert_eq!(operate(op, a, b).unwrap().unwrap().to_string(), want, "{op}");
        }
        assert!(operate("**", &huge, &Value::from(1_000_000)).unwrap().is_err());
        assert!(
            operate("//", &huge, &Value::from(0)).unwrap().is_err() && operate("+", &huge, &Value::from(0.5)).is_none()
        );
        assert_eq!(order(&huge, &small), Some(Ordering::Greater));
        assert_eq!(order(&huge, &Value::from(1e60)), Some(Ordering::Less));
        assert_eq!(float(&huge), Some(1e50));
    }
}
