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
    /// Its arguments are commands, which may reach other hosts.
    pub runs_commands: bool,
    /// The argument that may name a URL to get content from.
    pub fetches_from: Option<&'static str>,
    /// Its environment says where the jobs in the background are.
    pub asks_about_jobs: bool,
    /// What it does, from the doc comment.
    pub doc: &'static str,
    pub args: fn() -> Vec<Arg>,
    /// Faults that can be seen before a run; the second argument names those whose value is not known yet.
    pub check: fn(&Map, &[String]) -> Vec<ArgFault>,
    pub run: fn(&Call, &Host) -> Outcome,
}

/// The line of a module: its short name and its collection. What else the engine must know of it is added by the
/// methods of [`Entry`]; nothing outside of the registry asks for a module's name.
pub const fn entry<M: Module>(name: &'static str, collection: &'static str) -> Entry {
    Entry {
        name,
        collection,
        free_form: None,
        brings_facts: false,
        keeps_to_host: false,
        runs_commands: false,
        fetches_from: None,
        asks_about_jobs: false,
        doc: M::DOC,
        args: M::args,
        check: check::<M>,
        run: execution::run_module::<M>,
    }
}

impl Entry {
    /// Answers with an outcome that no plan could give.
    pub const fn answered_by(mut self, run: fn(&Call, &Host) -> Outcome) -> Self {
        self.run = run;
        self
    }

    pub const fn free_form(mut self, arg: &'static str) -> Self {
        self.free_form = Some(arg);
        self
    }

    pub const fn keeps_to_host(mut self) -> Self {
        self.keeps_to_host = true;
        self
    }

    pub const fn runs_commands(mut self) -> Self {
        self.runs_commands = true;
        self
    }

    pub const fn fetches_from(mut self, arg: &'static str) -> Self {
        self.fetches_from = Some(arg);
        self
    }

    pub const fn asks_about_jobs(mut self) -> Self {
        self.asks_about_jobs = true;
        self
    }

    pub const fn with_facts(mut self) -> Self {
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
