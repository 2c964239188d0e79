//! A module as the registry lists it.

use rplay_wire::{Call, Map, Outcome};

use crate::{Arg, ArgFault, Host, Module, args, execution};

/// A module as the controller and the agent find it.
pub struct Entry {
    /// The short name.
    pub name: &'static str,
    /// The collection it is known under, `ansible.builtin` for most.
    pub collection: &'static str,
    /// The argument that takes free text (`command: echo hi`), if there is one.
    pub free_form: Option<&'static str>,
    /// Facts of the host may come with its result.
    pub brings_facts: bool,
    /// It works on its own host alone, as far as its arguments do not say otherwise: hosts need not wait for
    /// each other at such a task.
    pub keeps_to_host: bool,
    /// What it does, from the doc comment.
    pub doc: &'static str,
    pub args: fn() -> Vec<Arg>,
    /// Faults that can be seen before a run; the second argument names those whose value is not known yet.
    pub check: fn(&Map, &[String]) -> Vec<ArgFault>,
    pub run: fn(&Call, &Host) -> Outcome,
}

pub(crate) const fn entry<M: Module>(name: &'static str, collection: &'static str) -> Entry {
    Entry {
        name,
        collection,
        free_form: None,
        brings_facts: false,
        keeps_to_host: false,
        doc: M::DOC,
        args: M::args,
        check: check::<M>,
        run: execution::run_module::<M>,
    }
}

impl Entry {
    /// Answers with an outcome that no plan could give.
    pub(crate) const fn answered_by(mut self, run: fn(&Call, &Host) -> Outcome) -> Self {
        self.run = run;
        self
    }

    pub(crate) const fn free_form(mut self, arg: &'static str) -> Self {
        self.free_form = Some(arg);
        self
    }

    pub(crate) const fn keeps_to_host(mut self) -> Self {
        self.keeps_to_host = true;
        self
    }

    pub(crate) const fn with_facts(mut self) -> Self {
        self.brings_facts = true;
        self
    }
}

fn check<M: Module>(map: &Map, later: &[String]) -> Vec<ArgFault> {
    let parse = |map: &Map| match M::from_map(map) {
        Ok(module) if later.is_empty() => module.check().err().into_iter().collect(),
        Ok(_) => Vec::new(),
        Err(faults) => faults,
    };
    args::check(&M::args(), parse, map, later)
}
