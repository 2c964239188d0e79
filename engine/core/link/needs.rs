//! Which calls only a full agent can answer.

use rplay_contract::{registry, system::encoding::Encoding};
use rplay_wire::Call;

/// Whether a call needs HTTP, or the table of an encoding, which a lean agent lacks.
pub(super) fn needs_full(call: &Call) -> bool {
    let Some(module) = registry::find(&call.module) else { return false };
    let text = |arg: &str| call.args.get(arg).and_then(|value| value.as_str());
    module.needs_full || module.fetches(&call.args) || text("encoding").is_some_and(Encoding::has_table)
}
