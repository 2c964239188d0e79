//! Lists as sets.

use minijinja::Value;

use super::{Pure, Table};

use crate::template::{
    args::Args,
    value::{error::EvalResult, integer_set::IntegerSet, items, undefined::present},
};

pub(super) const FILTERS: Table = &[
    ("union", Pure(union)),
    ("intersect", Pure(intersect)),
    ("difference", Pure(difference)),
    ("symmetric_difference", Pure(symmetric_difference)),
];

fn two(value: &Value, mut args: Args) -> EvalResult<(Vec<Value>, Vec<Value>)> {
    let other = args.required("b")?;
    args.finish()?;
    Ok((distinct(items::items(value)?)?, distinct(items::items(&other)?)?))
}

/// The distinct items, in order of their first occurrence.
fn distinct(items: Vec<Value>) -> EvalResult<Vec<Value>> {
    let mut seen: indexmap::IndexSet<Value> = indexmap::IndexSet::with_capacity(items.len());
    for item in items {
        seen.insert(present(item)?);
    }
    Ok(seen.into_iter().collect())
}

/// The sets of two lists of integers, whose order Python determines by their values alone.
fn python_sets(a: &[Value], b: &[Value]) -> Option<(IntegerSet, IntegerSet)> {
    Some((IntegerSet::of(a)?, IntegerSet::of(b)?))
}

fn union(value: Value, args: Args) -> EvalResult {
    let (mut a, b) = two(&value, args)?;
    if let Some((a, b)) = python_sets(&a, &b) {
        return Ok(a.union(&b).list());
    }
    a.extend(b);
    distinct(a).map(Value::from)
}

fn intersect(value: Value, args: Args) -> EvalResult {
    let (a, b) = two(&value, args)?;
    if let Some((a, b)) = python_sets(&a, &b) {
        return Ok(a.intersection(&b).list());
    }
    Ok(Value::from(a.into_iter().filter(|item| b.contains(item)).collect::<Vec<_>>()))
}

fn difference(value: Value, args: Args) -> EvalResult {
    let (a, b) = two(&value, args)?;
    if let Some((a, b)) = python_sets(&a, &b) {
        return Ok(a.difference(&b).list());
    }
    Ok(Value::from(a.into_iter().filter(|item| !b.contains(item)).collect::<Vec<_>>()))
}

fn symmetric_difference(value: Value, args: Args) -> EvalResult {
    let (a, b) = two(&value, args)?;
    if let Some((a, b)) = python_sets(&a, &b) {
        return Ok(a.symmetric_difference(&b).list());
    }
    let left = a.iter().filter(|item| !b.contains(item));
    let right = b.iter().filter(|item| !a.contains(item));
    Ok(Value::from(left.chain(right).cloned().collect::<Vec<_>>()))
}
