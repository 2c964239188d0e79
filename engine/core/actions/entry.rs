//! What the engine knows of an action of the controller.

use std::time::Duration;

use rplay_contract::{Arg, ArgError, Args, Traits, args, wire::Map};

use super::{Act, Ask, Connect, Context, Rendered, Result, TaskResult, text_of};
use crate::vars::Arguments;

/// The function of an action: it gets the rendered arguments. An `Err` is the task's result, too, and ends it; a failed
/// one mostly.
#[derive(Clone, Copy)]
pub enum Function {
    /// The controller alone answers.
    Answers(fn(Rendered, &Context<'_>) -> Result<TaskResult>),
    /// It ends in a call to a module.
    Calls(fn(Rendered, &Context<'_>) -> Result<Ask>),
}

/// The arguments of what only exists on the controller.
#[derive(Clone, Copy)]
pub struct Definition {
    pub doc: &'static str,
    pub args: fn() -> Vec<Arg>,
    /// Finds errors before a run; the second argument names arguments whose value is not known yet.
    pub check: fn(&Map, &[String]) -> Vec<ArgError>,
}

impl Definition {
    pub const fn of<A: Args>() -> Self {
        Definition { doc: A::DOC, args: A::args, check: check::<A> }
    }
}

fn check<A: Args>(map: &Map, later: &[String]) -> Vec<ArgError> {
    args::check(&A::args(), A::from_map(map).err().unwrap_or_default(), map, later)
}

/// An action of the controller: all that the engine knows of it. Nothing else depends on its name.
pub struct ActionEntry {
    pub name: &'static str,
    pub traits: Traits,
    /// Whether it accepts arguments of any name (`set_fact`).
    pub is_open: bool,
    /// Whether it can be prepared before its turn.
    pub is_foreseeable: bool,
    /// Whether the items of a loop are independent: doing one never affects how another one is prepared.
    pub has_independent_items: bool,
    /// Whether it acts on the run as a whole: it is done once, for the first host.
    pub is_for_all: bool,
    /// Whether each argument is a variable: its name may be a template, and `run_once` sets it for all hosts.
    pub sets_arguments: bool,
    /// The argument that holds expressions: its text is passed on as written.
    pub expressions: Option<&'static str>,
    /// Whether a task with these arguments reads files of the controller.
    pub reads_our_files: fn(&Arguments) -> bool,
    /// Whether a report only shows its data, without the keys that every result has.
    pub shows_data_alone: bool,
    /// Whether a result that says it was skipped for this reason has the key `failed`, as one that was not skipped has. By
    /// default it has if its module was called on the host and leaves nothing to do in check mode.
    pub skip_has_failed: fn(&str) -> bool,
    /// Whether its own failures, unlike those of its module, are no exceptions in Ansible: what suppresses one has none to
    /// tell.
    pub fails_in_words: bool,
    /// Whether it gives up when it fails with this message before it does anything, so that `failed_when`, `changed_when`
    /// and `until` do not apply, as in Ansible. Otherwise the failure is its answer.
    pub gives_up: fn(&str) -> bool,
    /// Changes its result at the end, given the time since the task began on the host.
    pub conclude: Option<fn(&mut TaskResult, Duration)>,
    /// Set if another machine than the host may run the module.
    pub connect: Option<Connect>,
    pub function: Function,
    /// `None`: the module of the same name defines the arguments.
    pub definition: Option<Definition>,
}

/// The entry of an action: its arguments `A`, name and function. Further properties are added by the methods of
/// [`ActionEntry`].
pub const fn entry<A: Args>(name: &'static str, function: Function) -> ActionEntry {
    ActionEntry { definition: Some(Definition::of::<A>()), ..relayed(name, function) }
}

/// An action that shares the arguments of the module of the same name and ends in a call to it: it only provides content.
pub const fn relayed(name: &'static str, function: Function) -> ActionEntry {
    ActionEntry {
        name,
        traits: Traits::NONE,
        is_open: false,
        is_foreseeable: false,
        has_independent_items: false,
        is_for_all: false,
        sets_arguments: false,
        expressions: None,
        reads_our_files: |_| false,
        shows_data_alone: false,
        skip_has_failed: skipped_by_module,
        fails_in_words: false,
        gives_up: |msg| !msg.contains(" for (ansible.legacy."),
        conclude: None,
        connect: None,
        function,
        definition: None,
    }
}

/// Whether the module was called on the host, and check mode left nothing to do there.
pub fn skipped_by_module(why: &str) -> bool {
    why.starts_with("remote module")
}

impl ActionEntry {
    rplay_contract::trait_setters!();

    pub const fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    pub const fn foreseeable(mut self) -> Self {
        self.is_foreseeable = true;
        self
    }

    pub const fn independent_items(mut self) -> Self {
        self.has_independent_items = true;
        self
    }

    pub const fn once_for_all(mut self) -> Self {
        self.is_for_all = true;
        self
    }

    pub const fn sets_arguments(mut self) -> Self {
        self.sets_arguments = true;
        self
    }

    pub const fn expressions(mut self, arg: &'static str) -> Self {
        self.expressions = Some(arg);
        self
    }

    pub const fn reads_our_files(mut self, reads: fn(&Arguments) -> bool) -> Self {
        self.reads_our_files = reads;
        self
    }

    pub const fn shows_data_alone(mut self) -> Self {
        self.shows_data_alone = true;
        self
    }

    pub const fn skip_has_failed(mut self, has: fn(&str) -> bool) -> Self {
        self.skip_has_failed = has;
        self
    }

    pub const fn fails_in_words(mut self) -> Self {
        self.fails_in_words = true;
        self
    }

    pub const fn gives_up(mut self, gives_up: fn(&str) -> bool) -> Self {
        self.gives_up = gives_up;
        self
    }

    pub const fn concluded_by(mut self, conclude: fn(&mut TaskResult, Duration)) -> Self {
        self.conclude = Some(conclude);
        self
    }

    pub const fn connected_by(mut self, connect: Connect) -> Self {
        self.connect = Some(connect);
        self
    }

    /// Runs the action as far as the controller can.
    pub fn act(&self, args: Rendered, context: &Context<'_>) -> Act {
        let acted = match self.function {
            Function::Answers(function) => function(args, context).map(Act::Done),
            Function::Calls(function) => function(args, context).map(Act::Call),
        };
        acted.unwrap_or_else(|result| Act::Done(self.given_up(*result)))
    }

    /// The failure with which the action ended instead of its answer.
    pub fn given_up(&self, mut result: TaskResult) -> TaskResult {
        let msg = result.data.get("msg").map(text_of).unwrap_or_default();
        result.raised |= result.failed && (self.gives_up)(&msg);
        result
    }
}

impl std::fmt::Debug for ActionEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
