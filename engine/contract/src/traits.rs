//! What the engine must know about a module or an action of the controller.

use crate::Wording;

/// Properties that modules and actions share. A registry entry sets them by the methods of the same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// The argument that receives free-form text (`command: echo hi`), if any.
    pub free_form: Option<&'static str>,
    /// Whether its result may contain facts.
    pub brings_facts: bool,
    /// Whether its facts are the host's own, as those of `setup`: their variables have the prefix `ansible_`, and after
    /// it the host's facts are known.
    pub gathers: bool,
    /// Whether `-v` does not show its results, because they are long and available as facts.
    pub is_silent: bool,
    /// Whether it only affects its own host, unless its arguments say otherwise: hosts need not wait for each other at
    /// such a task.
    pub keeps_to_host: bool,
    /// Whether it can be a background job, unlike others of its kind: modules can, actions of the controller cannot.
    pub differs_in_async: bool,
    /// How messages about wrong arguments are worded.
    pub wording: Wording,
}

impl Traits {
    pub const NONE: Traits = Traits {
        free_form: None,
        brings_facts: false,
        gathers: false,
        is_silent: false,
        keeps_to_host: false,
        differs_in_async: false,
        wording: Wording::USUAL,
    };
}

/// The methods of an entry that set its [`Traits`].
#[macro_export]
macro_rules! trait_setters {
    () => {
        /// The argument that receives free-form text.
        pub const fn free_form(mut self, arg: &'static str) -> Self {
            self.traits.free_form = Some(arg);
            self
        }

        /// It only affects its own host.
        pub const fn keeps_to_host(mut self) -> Self {
            self.traits.keeps_to_host = true;
            self
        }

        /// It can be a background job if others of its kind cannot, and the other way round.
        pub const fn differs_in_async(mut self) -> Self {
            self.traits.differs_in_async = true;
            self
        }

        /// How messages about wrong arguments are worded.
        pub const fn wording(mut self, wording: $crate::Wording) -> Self {
            self.traits.wording = wording;
            self
        }

        /// Its result may contain facts.
        pub const fn with_facts(mut self) -> Self {
            self.traits.brings_facts = true;
            self
        }

        /// Its result contains the facts of the host itself, which have a prefix as variables. They are not shown by
        /// `-v`.
        pub const fn gathers(mut self) -> Self {
            self.traits.brings_facts = true;
            self.traits.gathers = true;
            self.traits.is_silent = true;
            self
        }
    };
}
