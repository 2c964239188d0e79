//! set_stats: statistics that are shown at the end of the run.

use std::sync::Arc;

use indexmap::IndexMap;
use rplay_contract::{args, args::ArgType, argtypes::LooseFlag, wire};

use super::{Context, Effect, Rendered, Result, TaskResult, variable_name::bad_name};
use crate::{
    syntax::is_variable_name,
    vars::{Value, mapping},
};

const NO_MAPPING: &str = "The 'data' option needs to be a dictionary/hash";

/// The values of `set_stats`.
#[derive(Clone, Debug)]
pub(super) struct Stats;

impl ArgType for Stats {
    const KIND: &'static str = "dict";

    fn parse(value: &wire::Value) -> Result<Self, String> {
        match wire::Map::parse(value) {
            Ok(_) => Ok(Stats),
            Err(_) => Err(NO_MAPPING.to_owned()),
        }
    }
}

args! {
    /// Sets statistics that are shown at the end of the run.
    pub struct SetStats {
        /// The values.
        data: Option<Stats>,
        /// Set them separately for each host.
        per_host: LooseFlag = LooseFlag(false),
        /// Add to existing values.
        aggregate: LooseFlag = LooseFlag(true),
    }
}

pub(super) fn set_stats(args: Rendered, _: &Context<'_>) -> Result<TaskResult> {
    if args.get("data").is_some_and(Value::is_none) {
        return Err(Box::new(TaskResult::failed(NO_MAPPING)));
    }
    let data: IndexMap<Arc<str>, Value> = args.get("data").map(super::entries).unwrap_or_default();
    if let Some(bad) = data.keys().find(|name| !is_variable_name(name)) {
        return Err(Box::new(bad_name(bad)));
    }
    let loose = |name: &str| super::parsed::<LooseFlag>(&args, name).map(|found| found.map(|flag| flag.0));
    let per_host = loose("per_host")?.unwrap_or(false);
    let aggregate = loose("aggregate")?.unwrap_or(true);
    let shown =
        mapping([("data", mapping(data.clone())), ("per_host", per_host.into()), ("aggregate", aggregate.into())]);
    let mut result = TaskResult::default().with("ansible_stats", shown);
    result.effects.push(Effect::Stats { data, per_host, aggregate });
    Ok(result)
}
