//! `serial`: cuts the hosts of a play into batches.

use std::sync::Arc;

use crate::{
    actions::text_of,
    plan::{Field, Play},
    run::plays::keywords::{PlayError, rendered},
    source::Problems,
    vars::{Scope, Value},
};

/// Whether `serial` is to be understood, as far as it is known before the play has hosts.
///
/// # Errors
/// It holds something that is neither a number nor a percentage.
pub(crate) fn check_serial(play: &Play, scope: &Arc<Scope>) -> Result<(), Problems> {
    match play.serial.iter().all(|field| field.value.data().is_some()) {
        true => batches(&[], &play.serial, scope).map(drop),
        false => Ok(()),
    }
}

/// Cuts the hosts into the batches that `serial` asks for; the last size goes on until all are served.
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
                // Fewer than none means all, as in Ansible.
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
