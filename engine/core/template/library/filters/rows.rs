//! Rows of lists: parts of one list, several lists side by side, combinations of items.

use minijinja::{Value, value::Tuple};

use super::{Pure, Table};

use crate::template::{
    args::Args,
    value::{
        error::{EvalError, EvalResult},
        items, size,
    },
};

pub(super) const FILTERS: Table = &[
    ("batch", Pure(batch)),
    ("slice", Pure(slice)),
    ("zip", Pure(zip)),
    ("zip_longest", Pure(zip_longest)),
    ("product", Pure(product)),
    ("combinations", Pure(combinations)),
    ("permutations", Pure(permutations)),
];

fn count_of(args: &mut Args, name: &str) -> EvalResult<usize> {
    let count = args.int(name)?.ok_or_else(|| EvalError::new(format!("missing 1 required argument: '{name}'")))?;
    usize::try_from(count)
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| EvalError::new(format!("'{name}' must be greater than 0")))
}

fn batch(value: Value, mut args: Args) -> EvalResult {
    let size = count_of(&mut args, "linecount")?;
    let fill = args.optional("fill_with")?.filter(|fill| !fill.is_none());
    args.finish()?;
    let items = items::items(&value)?;
    if fill.is_some() {
        size::items_fit(size.saturating_add(items.len()))?;
    }
    let rows = items.chunks(size).map(|row| {
        let mut row = row.to_vec();
        if let Some(fill) = &fill {
            row.resize(size, fill.clone());
        }
        Value::from(row)
    });
    Ok(Value::from(rows.collect::<Vec<_>>()))
}

fn slice(value: Value, mut args: Args) -> EvalResult {
    let count = count_of(&mut args, "slices")?;
    let fill = args.optional("fill_with")?.filter(|fill| !fill.is_none());
    args.finish()?;
    let items = items::items(&value)?;
    size::items_fit(count)?;
    let (size, longer) = (items.len() / count, items.len() % count);
    let mut rest = items.as_slice();
    let mut columns = Vec::with_capacity(count.min(items.len() + 1));
    for at in 0..count {
        let (column, after) = rest.split_at(size + usize::from(at < longer));
        let mut column = column.to_vec();
        rest = after;
        if let Some(fill) = fill.as_ref().filter(|_| at >= longer && longer > 0) {
            column.push(fill.clone());
        }
        columns.push(Value::from(column));
    }
    Ok(Value::from(columns))
}

fn all_lists(value: &Value, args: &mut Args) -> EvalResult<Vec<Vec<Value>>> {
    let mut lists = vec![items::items(value)?];
    for other in args.rest()? {
        lists.push(items::items(&other)?);
    }
    Ok(lists)
}

pub(super) fn tuple(items: Vec<Value>) -> Value {
    Value::from(Tuple::from(items))
}

fn zip(value: Value, mut args: Args) -> EvalResult {
    let lists = all_lists(&value, &mut args)?;
    args.finish()?;
    let len = lists.iter().map(Vec::len).min().unwrap_or(0);
    let rows = (0..len).map(|at| tuple(lists.iter().filter_map(|list| list.get(at)).cloned().collect()));
    Ok(Value::from(rows.collect::<Vec<_>>()))
}

fn zip_longest(value: Value, mut args: Args) -> EvalResult {
    let fill = args.keyword("fillvalue")?.unwrap_or_else(|| Value::from(()));
    let lists = all_lists(&value, &mut args)?;
    args.finish()?;
    Ok(Value::from(longest(&lists, &fill)))
}

/// Rows across lists, as many as the longest list has.
pub(crate) fn longest(lists: &[Vec<Value>], fill: &Value) -> Vec<Value> {
    let len = lists.iter().map(Vec::len).max().unwrap_or(0);
    let row = |at: usize| lists.iter().map(|list| list.get(at).unwrap_or(fill).clone()).collect();
    (0..len).map(|at| tuple(row(at))).collect()
}

/// Maximum number of rows; more would exhaust memory.
const MOST_ROWS: usize = 5_000_000;

/// Maximum number of columns.
const MOST_COLUMNS: usize = 1000;

/// All combinations of one item from each list; the last list varies fastest.
pub(crate) fn cartesian(lists: &[Vec<Value>]) -> EvalResult<Vec<Vec<Value>>> {
    let mut rows = vec![vec![]];
    for list in lists {
        if rows.len().saturating_mul(list.len()) > MOST_ROWS {
            return Err(EvalError::new("too many combinations"));
        }
        rows = rows
            .iter()
            .flat_map(|row: &Vec<Value>| {
                list.iter().map(move |item| row.iter().cloned().chain([item.clone()]).collect())
            })
            .collect();
    }
    Ok(rows)
}

fn product(value: Value, mut args: Args) -> EvalResult {
    let repeat = usize::try_from(args.keyword("repeat")?.and_then(|repeat| repeat.as_i64()).unwrap_or(1)).unwrap_or(0);
    let lists = all_lists(&value, &mut args)?;
    args.finish()?;
    if repeat.saturating_mul(lists.len()) > MOST_COLUMNS {
        return Err(EvalError::new("too many combinations"));
    }
    let lists: Vec<_> = std::iter::repeat_n(lists, repeat).flatten().collect();
    Ok(Value::from(cartesian(&lists)?.into_iter().map(tuple).collect::<Vec<_>>()))
}

fn combinations(value: Value, args: Args) -> EvalResult {
    chosen(value, args, true)
}

fn permutations(value: Value, args: Args) -> EvalResult {
    chosen(value, args, false)
}

/// Combinations or permutations of items.
fn chosen(value: Value, mut args: Args, ordered: bool) -> EvalResult {
    let items = items::items(&value)?;
    let size = match args.int("r")? {
        Some(size) => usize::try_from(size).map_err(|_| EvalError::new("r must be non-negative"))?,
        None if ordered => return Err(EvalError::new("missing 1 required argument: 'r'")),
        None => items.len(),
    };
    args.finish()?;
    let mut rows: Vec<Vec<usize>> = vec![vec![]];
    if size > items.len() {
        rows.clear();
    }
    for _ in 0..size.min(items.len()) {
        if rows.len().saturating_mul(items.len()) > MOST_ROWS {
            return Err(EvalError::new("too many combinations"));
        }
        let next = |row: &Vec<usize>| -> Vec<Vec<usize>> {
            let begin = if ordered { row.last().map_or(0, |last| last + 1) } else { 0 };
            let free = (begin..items.len()).filter(|at| !row.contains(at));
            free.map(|at| row.iter().copied().chain([at]).collect()).collect()
        };
        rows = rows.iter().flat_map(next).collect();
    }
    let rows = rows.into_iter().map(|row| tuple(row.iter().filter_map(|at| items.get(*at)).cloned().collect()));
    Ok(Value::from(rows.collect::<Vec<_>>()))
}
