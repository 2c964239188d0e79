//! `serial`: splits the hosts of a play into batches.

use std::sync::Arc;

use crate::{
    actions::text_of,
    plan::Field,
    run::play_keywords::{PlayError, rendered},
    source::Problems,
    vars::{Scope, Value},
};

/// Splits the hosts into batches of the sizes in `serial`; the last size repeats.
pub(crate) fn batches(
    hosts: &[Arc<str>],
    serial: &[Field],
    scope: &Arc<Scope>,
) -> Result<Vec<Vec<Arc<str>>>, Problems> {
    let mut sizes = Vec::new();
    for field in serial {
        let value = rendered(field, scope, "serial")?;
        if crate::vars::is_omit(&value) {
            continue;
        }
        let parts: Vec<Value> = match value.kind() {
            minijinja::value::ValueKind::Seq => value.try_iter().into_iter().flatten().collect(),
            _ => vec![value],
        };
        for part in parts {
            let text = text_of(&part);
            let size = match text.trim().strip_suffix('%') {
                Some(percent) => percent.trim().parse::<f64>().ok().map(|p| (p / 100.0 * hosts.len() as f64) as usize),
                // As in Ansible, a negative size means all hosts.
                None => text.trim().parse::<i64>().ok().map(|size| usize::try_from(size).unwrap_or(0)),
            };
            match size {
                Some(0) if !text.contains('%') => sizes.push(hosts.len()),
                Some(size) => sizes.push(size.max(1)),
                None => return Err(PlayError::Serial { at: field.span.clone() }.into()),
            }
        }
    }
    let mut rest = hosts;
    let mut batches = Vec::new();
    let mut sizes = sizes.into_iter();
    let mut size = sizes.next().unwrap_or(hosts.len());
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(size.min(rest.len()));
        batches.push(batch.to_vec());
        rest = after;
        size = sizes.next().unwrap_or(size);
    }
    Ok(batches)
}
