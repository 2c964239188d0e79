//! The registry entry of a module.

use rplay_wire::{Call, Map, Outcome};

use crate::{Arg, ArgError, Host, Module, args, execution};

/// A module's entry, for the controller and the agent.
pub struct Entry {
    /// The short name.
    pub name: &'static str,
    /// Its collection, mostly `ansible.builtin`.
    pub collection: &'static str,
    /// The argument that receives free-form text (`command: echo hi`), if any.
    pub free_form: Option<&'static str>,
    /// Whether its result may contain facts.
    pub brings_facts: bool,
    /// Its results are not shown by `-v`: they are long, and facts can be asked for.
    pub is_silent: bool,
    /// Whether it only affects its own host, unless its arguments say otherwise: hosts need not wait for each other at
    /// such a task.
    pub keeps_to_host: bool,
    /// Whether its arguments are commands, which may affect other hosts.
    pub runs_commands: bool,
    /// The argument that may be a URL to download from.
    pub fetches_from: Option<&'static str>,
    /// Whether its environment contains the directory of background jobs.
    pub asks_about_jobs: bool,
    /// Its description, from the doc comment.
    pub doc: &'static str,
    pub args: fn() -> Vec<Arg>,
    /// Finds errors before a run; the second argument names arguments whose value is not known yet.
    pub check: fn(&Map, &[String]) -> Vec<ArgError>,
    pub run: fn(&Call, &Host) -> Outcome,
}

/// The entry of a module: its short name and its collection. Further properties are added by the methods of [`Entry`];
/// nothing outside of the registry depends on a module's name.
pub const fn entry<M: Module>(name: &'static str, collection: &'static str) -> Entry {
    Entry {
        name,
        collection,
        free_form: None,
        brings_facts: false,
        is_silent: false,
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
    /// Sets a function that answers with an outcome that a plan cannot express.
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

    /// Its results are not shown by `-v`.
    pub const fn silent(mut self) -> Self {
        self.is_silent = true;
        self
    }
}

fn check<M: Module>(map: &Map, later: &[String]) -> Vec<ArgError> {
    let found = match M::from_map(map) {
        Ok(module) if later.is_empty() => module.check().err().into_iter().collect(),
        Ok(_) => Vec::new(),
        Err(errors) => errors,
    };
    args::check(&M::args(), found, map, later)
}
