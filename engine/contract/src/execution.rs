//! Executes plans; the only place that decides whether changes are made.

use rplay_wire::{Call, Failure, Mode, Outcome};

use crate::{ArgError, Host, Module, Plan};

/// Carries out a call of the module `M`. Only its beginning is compiled for each module.
pub fn run_module<M: Module>(call: &Call, host: &Host) -> Outcome {
    execute(begin::<M>(call, host), call.mode, host)
}

fn execute(begun: Result<Plan, Failure>, mode: Mode, host: &Host) -> Outcome {
    let mut outcome = Outcome::default();
    let mut stands = false;
    let done = begun.and_then(|plan| carry_out(plan, mode, host, &mut outcome, &mut stands));
    if let Err(failure) = done {
        // As in Ansible, a call that fails has changed nothing, unless it ran a command.
        outcome.changed = stands;
        // Nor is there a difference, except where the module tells one.
        if !failure.data.contains_key("diff") {
            outcome.diff.clear();
        }
        outcome.fail(failure);
    }
    outcome.warnings.extend(host.take_warnings());
    outcome
}

/// The plan of a call.
fn begin<M: Module>(call: &Call, host: &Host) -> Result<Plan, Failure> {
    let module = M::from_map(&call.args).map_err(failure)?;
    module.check().map_err(|error| failure(vec![error]))?;
    module.plan(host)
}

/// `stands`: set if the call has changed something even if it fails.
fn carry_out(plan: Plan, mode: Mode, host: &Host, outcome: &mut Outcome, stands: &mut bool) -> Result<(), Failure> {
    let mut next = Some(plan);
    while let Some(plan) = next {
        // A failure reports what failed, not the intended changes.
        let planned: Vec<String> = if plan.is_kept { Vec::new() } else { plan.data.keys().cloned().collect() };
        outcome.data.extend(plan.data);
        outcome.facts.extend(plan.facts);
        outcome.warnings.extend(plan.warnings);
        outcome.skipped = plan.skipped;
        for mut change in plan.changes {
            if let Some(diff) = change.diff.take().filter(|_| mode.diff) {
                outcome.diff.push(diff);
            }
            if mode.check && change.unpredictable.is_some() {
                outcome.skipped = change.unpredictable.take();
                planned.iter().for_each(|key| drop(outcome.data.shift_remove(key)));
                continue;
            }
            let is_done_anyway = change.changed_even_if_failed;
            let what = std::mem::take(&mut change.what);
            let counts = match mode.check {
                true => change.counts(),
                false => change.make(host, &mut outcome.data).inspect_err(|failure| {
                    *stands |= is_done_anyway && !failure.not_begun;
                    planned.iter().for_each(|key| drop(outcome.data.shift_remove(key)));
                })?,
            };
            *stands |= is_done_anyway;
            outcome.changed |= is_done_anyway;
            if counts {
                outcome.changed = true;
                outcome.changes.push(what);
            }
        }
        if let Some(finish) = plan.finish {
            finish(host, &mut outcome.data)?;
        }
        next = plan.then.map(|then| then(host)).transpose()?;
    }
    Ok(())
}

fn failure(errors: Vec<ArgError>) -> Failure {
    let Some(error) = ArgError::foremost(errors) else { return Failure::new("the arguments are wrong") };
    let msg = match &error.arg {
        Some(arg) if !error.stands_alone() && !error.msg.contains(&format!("`{arg}`")) => {
            format!("`{arg}` {}", error.msg)
        }
        _ => error.msg,
    };
    Failure { msg, arg: error.arg, help: error.help, ..Failure::default() }
}
