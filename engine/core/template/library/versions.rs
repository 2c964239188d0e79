//! Comparison of versions: the test `version`.

use std::cmp::Ordering;

use minijinja::Value;
use pep440_rs::Version;

use crate::template::{
    args::Args,
    value::{
        error::{EvalError, EvalResult},
        items, show,
    },
};

/// A loose version of Python's `distutils`: numbers and words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Loose(Vec<Piece>);

/// Compares two loose versions. Words and numbers at the same position cannot be compared.
fn loose_order(a: &str, b: &str) -> EvalResult<Ordering> {
    let (a, b) = (Loose::of(a), Loose::of(b));
    for pair in a.0.iter().zip(&b.0) {
        match pair {
            (Piece::Word(_), Piece::Number(_)) | (Piece::Number(_), Piece::Word(_)) => {
                return Err(EvalError::with_help(
                    // Python names the types that it compares.
                    "Version comparison failed: '<' not supported between instances of 'str' and 'int'",
                    "set version_type, for example to 'semver' or 'pep440'",
                ));
            }
            (x, y) if x != y => return Ok(x.cmp(y)),
            _ => {}
        }
    }
    Ok(a.0.len().cmp(&b.0.len()))
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    Word(String),
    Number(u128),
}

impl Loose {
    pub(crate) fn of(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let digits = c.is_ascii_digit();
            let end = rest
                .find(|other: char| match digits {
                    true => !other.is_ascii_digit(),
                    false => other.is_ascii_digit() || other == '.',
                })
                .unwrap_or(rest.len());
            if c == '.' {
                rest = &rest[1..];
                continue;
            }
            let (piece, after) = rest.split_at(end);
            pieces.push(match piece.parse() {
                Ok(number) => Piece::Number(number),
                Err(_) => Piece::Word(piece.to_owned()),
            });
            rest = after;
        }
        Loose(pieces)
    }
}

/// A version of two or three numbers, possibly a pre-release: `1.2`, `1.2.3b4`.
fn strict(text: &str) -> EvalResult<(Vec<u128>, (u8, u128))> {
    let refuse = || EvalError::new(format!("Version comparison failed: invalid version number '{text}'"));
    let end = text.find(['a', 'b']).unwrap_or(text.len());
    let (numbers, before) = text.split_at(end);
    let mut numbers = numbers.split('.').map(str::parse).collect::<Result<Vec<u128>, _>>().map_err(|_| refuse())?;
    if !(2..=3).contains(&numbers.len()) {
        return Err(refuse());
    }
    numbers.resize(3, 0);
    let before = match before.split_at_checked(1) {
        None => (2, 0),
        Some((letter, number)) => (u8::from(letter == "b"), number.parse().map_err(|_| refuse())?),
    };
    Ok((numbers, before))
}

/// A semantic version: numbers, then pre-release identifiers.
fn semver(text: &str) -> EvalResult<([u128; 3], Vec<String>)> {
    let refuse = || EvalError::new(format!("Version comparison failed: invalid semantic version '{text}'"));
    let body = text.split('+').next().unwrap_or(text);
    let (numbers, before) = body.split_once('-').unwrap_or((body, ""));
    let numbers = numbers.split('.').map(str::parse).collect::<Result<Vec<u128>, _>>().map_err(|_| refuse())?;
    let before = if before.is_empty() { vec![] } else { before.split('.').map(str::to_owned).collect() };
    Ok((<[u128; 3]>::try_from(numbers).map_err(|_| refuse())?, before))
}

fn semver_order(a: &str, b: &str) -> EvalResult<Ordering> {
    let ((a, a_before), (b, b_before)) = (semver(a)?, semver(b)?);
    let identifiers = || {
        for (x, y) in a_before.iter().zip(&b_before) {
            let order = match (x.parse::<u128>(), y.parse::<u128>()) {
                (Ok(x), Ok(y)) => x.cmp(&y),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                _ => x.cmp(y),
            };
            if order.is_ne() {
                return order;
            }
        }
        a_before.len().cmp(&b_before.len())
    };
    Ok(a.cmp(&b).then_with(|| match (a_before.is_empty(), b_before.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => identifiers(),
    }))
}

/// A version of a Python package (PEP 440).
fn pep440(text: &str) -> EvalResult<Version> {
    text.parse().map_err(|_| EvalError::new(format!("Version comparison failed: Invalid version: '{text}'")))
}

/// `is version(...)`.
pub(crate) fn version(value: &Value, mut args: Args) -> EvalResult<bool> {
    let other = args.required("version")?;
    let operator = args.text_or("operator", "eq")?;
    let by_rule = args.optional("strict")?.filter(|strict| !strict.is_none()).map(|strict| items::truth(&strict));
    let kind = args.text("version_type")?;
    args.finish()?;
    let (a, b) = (show::text(value)?, show::text(&other)?);
    if !items::truth(value) {
        return Err(EvalError::new("Input version value cannot be empty"));
    }
    if b.is_empty() {
        return Err(EvalError::new("Version parameter to compare against cannot be empty"));
    }
    let holds: fn(Ordering) -> bool = match &*operator {
        "==" | "=" | "eq" => Ordering::is_eq,
        "<" | "lt" => Ordering::is_lt,
        "<=" | "le" => Ordering::is_le,
        ">" | "gt" => Ordering::is_gt,
        ">=" | "ge" => Ordering::is_ge,
        "!=" | "<>" | "ne" => Ordering::is_ne,
        _ => {
            let operators = "'==', '=', 'eq', '<', 'lt', '<=', 'le', '>', 'gt', '>=', 'ge', '!=', '<>', 'ne'";
            return Err(EvalError::new(format!("Invalid operator type ({operator}). Must be one of {operators}")));
        }
    };
    let order = match (kind.as_deref(), by_rule) {
        (Some(_), Some(_)) => return Err(EvalError::new("Cannot specify both 'strict' and 'version_type'")),
        (None, None | Some(false)) | (Some("loose"), _) => loose_order(&a, &b)?,
        (None, Some(true)) | (Some("strict"), _) => strict(&a)?.cmp(&strict(&b)?),
        (Some("semver" | "semantic"), _) => semver_order(&a, &b)?,
        (Some("pep440"), _) => pep440(&a)?.cmp(&pep440(&b)?),
        (Some(other), _) => {
            let types = "'loose', 'strict', 'semver', 'semantic', 'pep440'";
            return Err(EvalError::new(format!("Invalid version type ({other}). Must be one of {types}")));
        }
    };
    Ok(holds(order))
}
