//! The registry entry of a module.

#[cfg(feature = "described")]
use rplay_wire::Map;
use rplay_wire::{Call, Outcome};

use crate::{Arg, Host, Module, Traits, execution, lean};
#[cfg(feature = "described")]
use crate::{ArgError, args};

/// A module's entry, for the controller and the agent.
pub struct Entry {
    /// The short name.
    pub name: &'static str,
    /// Its collection, mostly `ansible.builtin`.
    pub collection: &'static str,
    pub traits: Traits,
    /// Whether its arguments are commands, which may affect other hosts.
    pub runs_commands: bool,
    /// The argument that may name what to download, and the text in it that tells so.
    pub fetches_from: Option<(&'static str, &'static str)>,
    /// Whether a lean agent lacks it.
    pub needs_full: bool,
    /// Whether secret arguments are masked in the keys of its result, too.
    pub hides_keys: bool,
    /// Whether its environment contains the directory of background jobs.
    pub asks_about_jobs: bool,
    /// The modules one of which it calls, if it is only a front of others (`service`, `package`).
    pub chooses: Option<Choice>,
    /// Its description, from the doc comment.
    pub doc: &'static str,
    pub args: fn() -> Vec<Arg>,
    /// Finds errors before a run; the second argument names arguments whose value is not known yet.
    #[cfg(feature = "described")]
    pub check: fn(&Map, &[String]) -> Vec<ArgError>,
    pub run: fn(&Call, &Host) -> Outcome,
}

/// The modules one of which another module calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The fact whose value names one, without the prefix `ansible_`; the argument `use` names another.
    pub fact: &'static str,
    pub candidates: &'static [&'static str],
}

/// The entry of a module: its short name and its collection. Further properties are added by the methods of [`Entry`];
/// nothing outside of the registry depends on a module's name.
pub const fn entry<M: Module>(name: &'static str, collection: &'static str) -> Entry {
    Entry {
        name,
        collection,
        traits: Traits::NONE,
        runs_commands: false,
        fetches_from: None,
        needs_full: false,
        hides_keys: false,
        asks_about_jobs: false,
        chooses: None,
        doc: M::DOC,
        args: M::args,
        #[cfg(feature = "described")]
        check: check::<M>,
        run: execution::run_module::<M>,
    }
}

impl Entry {
    crate::trait_setters!();

    /// Sets a function that answers with an outcome that a plan cannot express.
    pub const fn answered_by(mut self, run: fn(&Call, &Host) -> Outcome) -> Self {
        self.run = run;
        self
    }

    pub const fn runs_commands(mut self) -> Self {
        self.runs_commands = true;
        self
    }

    /// It downloads from the argument if that is a URL.
    pub const fn fetches_from(self, arg: &'static str) -> Self {
        self.fetches_marked(arg, "://")
    }

    /// It downloads what the argument names if `mark` is in that.
    pub const fn fetches_marked(mut self, arg: &'static str, mark: &'static str) -> Self {
        self.fetches_from = Some((arg, mark));
        self
    }

    /// Whether it downloads something with these arguments.
    #[cfg(feature = "described")]
    pub fn fetches(&self, args: &Map) -> bool {
        self.fetches_from.and_then(|(arg, mark)| Some(args.get(arg)?.as_str()?.contains(mark))).unwrap_or_default()
    }

    /// It uses HTTP in all that it does: only a full agent has it.
    pub const fn needs_full(mut self) -> Self {
        self.needs_full = true;
        if cfg!(feature = "lean") {
            // Nothing else mentions the module's own function, so the linker leaves out all that only it uses.
            self.run = lean::absent;
        }
        self
    }

    /// Secret arguments are masked in the keys of its result, too.
    pub const fn hides_keys(mut self) -> Self {
        self.hides_keys = true;
        self
    }

    pub const fn asks_about_jobs(mut self) -> Self {
        self.asks_about_jobs = true;
        self
    }

    /// It calls the one of these modules that the fact names.
    pub const fn chooses(mut self, fact: &'static str, candidates: &'static [&'static str]) -> Self {
        self.chooses = Some(Choice { fact, candidates });
        self
    }
}

#[cfg(feature = "described")]
fn check<M: Module>(map: &Map, later: &[String]) -> Vec<ArgError> {
    let found = match M::from_map(map) {
        Ok(module) if later.is_empty() => module.check().err().into_iter().collect(),
        Ok(_) => Vec::new(),
        Err(errors) => errors,
    };
    args::check(&M::args(), found, map, later)
}
