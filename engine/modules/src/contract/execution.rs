//! The one place that decides whether a plan is carried out.

use rplay_wire::{Call, Failure, Mode, Outcome};

use crate::{ArgFault, Host, Module};

pub(crate) fn run_module<M: Module>(call: &Call, host: &Host) -> Outcome {
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
                continue;
            }
            outcome.changed |= change.changed_even_if_failed;
            let what = std::mem::take(&mut change.what);
            let counts = if mode.check { change.counts() } else { change.make(host, &mut outcome.data)? };
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

fn fault(faults: Vec<ArgFault>) -> Failure {
    let msg = faults
        .iter()
        .map(|fault| match &fault.arg {
            Some(arg) if !fault.stands_alone() && !fault.msg.contains(&format!("`{arg}`")) => {
                format!("`{arg}` {}", fault.msg)
            }
            _ => fault.msg.clone(),
        })
        .collect::<Vec<_>>()
        .join("; ");
    let mut failure = Failure::new(msg);
    failure.arg = faults.iter().find_map(|fault| fault.arg.clone());
    failure.help = faults.into_iter().find_map(|fault| fault.help);
    failure
}
