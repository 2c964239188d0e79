//! The one place that decides whether a plan is carried out.

use std::time::Instant;

use rplay_wire::{Call, Failure, Mode, Outcome};

use crate::{ArgFault, Host, Module, registry};

/// Carries out a call on this host. Never panics outwards: a module's panic is a failed outcome.
pub fn run(call: &Call, host: &Host) -> Outcome {
    let begun = Instant::now();
    let host = &host.in_mode(call.mode);
    let mut outcome = match registry::find(&call.module) {
        Some(entry) => std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (entry.run)(call, host)))
            .unwrap_or_else(|panic| {
                let what = panic.downcast_ref::<String>().map(String::as_str);
                let what = what.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                Outcome::failed(Failure::new(format!(
                    "the module {} broke down: {what}; this is a bug in rplay",
                    call.module
                )))
            }),
        None => Outcome::failed(Failure::new(format!("this agent has no module `{}`", call.module))),
    };
    // Who plans ahead relies on it.
    debug_assert!(
        outcome.facts.is_empty() || registry::find(&call.module).is_some_and(|entry| entry.brings_facts),
        "the registry does not say that {} brings facts",
        call.module
    );
    outcome.micros = begun.elapsed().as_micros() as u64;
    outcome
}

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
            outcome.changed |= change.is_deed;
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

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use rplay_wire::Map;

    use super::*;
    use crate::NoBlobs;

    /// Runs a module with these arguments here.
    pub(crate) fn call(module: &str, args: Map) -> Outcome {
        call_in(module, args, Mode { check: false, diff: true, ..Mode::default() })
    }

    /// As `call`, in check mode.
    pub(crate) fn checked(module: &str, args: Map) -> Outcome {
        call_in(module, args, Mode { check: true, diff: true, ..Mode::default() })
    }

    fn call_in(module: &str, args: Map, mode: Mode) -> Outcome {
        let host = Host::new(Vec::new(), Arc::new(NoBlobs));
        run(&Call { module: module.to_owned(), args, mode, environment: Vec::new(), background: None }, &host)
    }
}
