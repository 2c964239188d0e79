//! gather_facts: the facts that `setup` gathers.

use rplay_contract::{args, argtypes::Flag};

use super::{After, Ask, Context, Rendered, Result, wire_args};

args! {
    /// Gathers facts; takes the arguments of `setup`.
    pub struct GatherFacts {
        /// Gather from several modules in parallel; accepted without effect.
        parallel: Option<Flag>,
    }
}

pub(super) fn gather_facts(args: Rendered, _: &Context<'_>) -> Result<Ask> {
    let args = wire_args(args.into_iter().filter(|(name, _)| &**name != "parallel"));
    Ok(Ask { module: "setup", args, after: After::Nothing })
}
