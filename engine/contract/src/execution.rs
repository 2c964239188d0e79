//! Executes plans; the only place that decides whether changes are made.

use rplay_wire::{Call, Failure, Mode, Outcome};

use crate::{ArgError, Host, Module};

pub fn run_module<M: Module>(call: &Call, host: &Host) -> Outcome {
    let module = match M::from_map(&call.args) {
        Ok(module) => module,
        Err(faults) => return Outcome::failed(fault(faults)),
    };
    if let Err(found) = module.check() {
        return Outcome::failed(fault(vec![found]));
    }
    let mut outcome = Outcome::default();
    if let Err(failure) = carry_out(module, call.mode, host, &mut outcome) {
        outcome.fail(failure);
    }
    outcome.warnings.extend(host.take_warnings());
    outcome
}

fn carry_out<M: Module>(module: M, mode: Mode, host: &Host, outcome: &mut Outcome) -> Result<(), Failure> {
    let mut next = Some(module.plan(host)?);
    while let Some(plan) = next {
        // A failure tells what failed, not what was to come about.
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
                    outcome.changed |= is_done_anyway && !failure.not_begun;
                    planned.iter().for_each(|key| drop(outcome.data.shift_remove(key)));
                })?,
            };
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

fn fault(faults: Vec<ArgError>) -> Failure {
    let Some(fault) = ArgError::foremost(faults) else { return Failure::new("the arguments are wrong") };
    let msg = match &fault.arg {
        Some(arg) if !fault.stands_alone() && !fault.msg.contains(&format!("`{arg}`")) => {
            format!("`{arg}` {}", fault.msg)
        }
        _ => fault.msg,
    };
    Failure { msg, arg: fault.arg, help: fault.help, ..Failure::default() }
}
