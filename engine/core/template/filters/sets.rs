//! Lists as sets.

use minijinja::Value;

use super::Table;
use crate::template::{
    args::Args,
    fault::{Answer, present},
    machine::Machine,
    python,
};

pub(super) const FILTERS: Table = &[
    ("union", union),
    ("intersect", intersect),
    ("difference", difference),
    ("symmetric_difference", symmetric_difference),
];

fn two(value: &Value, mut args: Args) -> Answer<(Vec<Value>, Vec<Value>)> {
    let other = args.required("b")?;
    args.finish()?;
    Ok((distinct(python::items(value)?)?, distinct(python::items(&other)?)?))
}

/// Every item once, in the order they first appear.
fn distinct(items: Vec<Value>) -> Answer<Vec<Value>> {
    let mut seen: indexmap::IndexSet<Value> = indexmap::IndexSet::with_capacity(items.len());
    for item in items {
        seen.insert(present(item)?);
    }
    Ok(seen.into_iter().collect())
}

fn union(_: &mut Machine<'_>, value: Value, args: Args) -> Answer {
    let (mut a, b) = two(&value, args)?;
    a.extend(b);
    distinct(a).map(Value::from)
}

fn intersect(_: &mut Machine<'_>, value: Value, args: Args) -> Answer {
    let (a, b) = two(&value, args)?;
    Ok(Value::from(a.into_iter().filter(|item| b.contains(item)).collect::<Vec<_>>()))
}

fn difference(_: &mut Machine<'_>, value: Value, args: Args) -> Answer {
    let (a, b) = two(&value, args)?;
    Ok(Value::from(a.into_iter().filter(|item| !b.contains(item)).collect::<Vec<_>>()))
}

fn symmetric_difference(_: &mut Machine<'_>, value: Value, args: Args) -> Answer {
    let (a, b) = two(&value, args)?;
    let left = a.iter().filter(|item| !b.contains(item));
    let right = b.iter().filter(|item| !a.contains(item));
    Ok(Value::from(left.chain(right).cloned().collect::<Vec<_>>()))
}
