//! Maps actions to their functions.

use super::{Act, Answer, Context, Rendered, inventory, messages, transfer, variables, waiting};
use crate::plan::Controller;

/// Runs an action as far as the controller can.
pub fn act(kind: Controller, args: Rendered, context: &Context<'_>) -> Act {
    let result = match kind {
        Controller::AddHost => inventory::add_host(args).map(Act::Done),
        Controller::Assert => messages::assert(args, context).map(Act::Done),
        Controller::Debug => messages::debug(args, context).map(Act::Done),
        Controller::Fail => messages::fail(&args).map(Act::Done),
        Controller::GroupBy => inventory::group_by(&args).map(Act::Done),
        Controller::IncludeVars => variables::include_vars(&args, context).map(Act::Done),
        Controller::SetFact => variables::set_fact(args).map(Act::Done),
        Controller::SetStats => variables::set_stats(&args).map(Act::Done),
        Controller::ValidateArgumentSpec => variables::validate(&args, context).map(Act::Done),
        Controller::Pause => waiting::pause(&args, context).map(Act::Done),
        Controller::Reboot => waiting::reboot(args, context),
        Controller::WaitForConnection => waiting::for_connection(&args).map(Act::Call),
        Controller::GatherFacts => Ok(Act::Call(super::Ask {
            module: "setup",
            args: super::wire_args(args.into_iter().filter(|(name, _)| &**name != "parallel")),
            after: super::After::Nothing,
        })),
        Controller::Assemble => transfer::assemble(args, context).map(Act::Call),
        Controller::Copy => transfer::copy(args, context).map(Act::Call),
        Controller::Fetch => transfer::fetch(args, context).map(Act::Call),
        Controller::Script => transfer::script(args, context).map(Act::Call),
        Controller::Template => transfer::template(args, context).map(Act::Call),
        Controller::Unarchive => transfer::unarchive(args, context).map(Act::Call),
        // Handled by the run and the resolver before anything is rendered.
        Controller::ImportPlaybook
        | Controller::ImportRole
        | Controller::ImportTasks
        | Controller::IncludeRole
        | Controller::IncludeTasks
        | Controller::Late
        | Controller::Meta => Err(Box::new(Answer::failed(format!("{kind:?} cannot be used here")))),
    };
    result.unwrap_or_else(|answer| Act::Done(*answer))
}
