//! The hosts of a play: its pattern and their order.

use std::sync::Arc;

use crate::{
    actions::text_of,
    collections::Mismatch,
    inventory::{InventoryError, Pattern},
    plan::Play,
    run::{
        play_keywords::{PlayError, rendered},
        state::run::Run,
    },
    source::Problems,
    vars::{Scope, Value, is_omit},
};

impl Run {
    /// The hosts of a play, in the inventory's order (for its variables) and in execution order.
    pub(crate) fn pick_hosts(
        &self,
        patterns: &[String],
        play: &Play,
        scope: &Arc<Scope>,
    ) -> Result<(Vec<Arc<str>>, Vec<Arc<str>>), Problems> {
        let inventory = self.inventory();
        let matched = inventory.matching(&Pattern::of(patterns)?, self.options.allowed.as_ref())?;
        for warning in &matched.warnings {
            match self.options.host_pattern_mismatch {
                Mismatch::Ignore => {}
                Mismatch::Warning => self.warn(warning.as_str(), Some(play.hosts.span.clone())),
                Mismatch::Error => {
                    let error =
                        InventoryError::PatternMismatch { message: warning.clone(), at: play.hosts.span.clone() };
                    return Err(error.into());
                }
            }
        }
        let all = matched.hosts;
        let mut hosts = all.clone();
        match &play.order {
            None => {}
            Some(order) => match order_of(&rendered(order, scope, "order")?).as_str() {
                "inventory" => {}
                "reverse_inventory" => hosts.reverse(),
                "sorted" => hosts.sort(),
                "reverse_sorted" => {
                    hosts.sort();
                    hosts.reverse();
                }
                "shuffle" => {
                    use rand::seq::SliceRandom;
                    hosts.shuffle(&mut rand::rng());
                }
                other => {
                    return Err(PlayError::Order { order: other.to_owned(), at: order.span.clone() }.into());
                }
            },
        }
        Ok((all, hosts))
    }
}

/// The order that a play names; `inventory` if it names none.
fn order_of(value: &Value) -> String {
    match value.is_none() || is_omit(value) {
        true => "inventory".to_owned(),
        false => text_of(value),
    }
}
