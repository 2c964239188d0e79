//! The result of a module: the changes it would make, each with its implementation.

use std::fmt::Display;

use rplay_wire::{Diff, Failure, Map, Value};

use crate::{ArgError, Args, Host};

/// A module: something that a host can be asked to do.
pub trait Module: Args {
    /// Validates what argument types cannot express (mutually exclusive or dependent arguments). Called before any host
    /// is touched if all arguments are constants, and again before [`Module::plan`].
    ///
    /// # Errors
    /// The first argument that does not fit the others.
    fn check(&self) -> Result<(), ArgError> {
        Ok(())
    }

    /// Inspects the host and returns the changes to make. It must not change anything, since it also runs in check
    /// mode.
    ///
    /// # Errors
    /// If the host cannot be inspected, or cannot be brought to the wanted state.
    fn plan(self, host: &Host) -> Result<Plan, Failure>;
}

type Make = Box<dyn FnOnce(&Host, &mut Map) -> Result<bool, Failure>>;

/// A change to be made.
pub struct Change {
    /// A description for people: "create directory /srv".
    pub what: String,
    pub diff: Option<Diff>,
    /// Whether it makes the task "changed".
    counts: bool,
    /// Whether it counts as a change even if it fails: a command ran, whatever its result.
    pub(crate) changed_even_if_failed: bool,
    /// Set if its effect is only known after making it: the reason for skipping the call in check mode.
    pub(crate) unpredictable: Option<String>,
    make: Make,
}

impl Change {
    /// `make` makes the change; it may add to the outcome's data.
    pub fn new(what: impl Into<String>, make: impl FnOnce(&Host, &mut Map) -> Result<(), Failure> + 'static) -> Self {
        Change::maybe(what, |host, data| make(host, data).map(|()| true))
    }

    /// A change whose effect is known only after making it (refreshing a cache): `make` returns whether anything
    /// changed. Check mode assumes that it does.
    pub fn maybe(
        what: impl Into<String>,
        make: impl FnOnce(&Host, &mut Map) -> Result<bool, Failure> + 'static,
    ) -> Self {
        Change {
            what: what.into(),
            diff: None,
            counts: true,
            changed_even_if_failed: false,
            unpredictable: None,
            make: Box::new(make),
        }
    }

    /// Makes it count as a change even if it fails.
    pub fn changed_even_if_failed(mut self) -> Self {
        self.changed_even_if_failed = true;
        self
    }

    /// A change that only waits: it does not count, and in check mode the call is skipped.
    pub fn wait_only(self, reason: impl Into<String>) -> Self {
        self.auxiliary().unpredictable(reason)
    }

    /// Marks the effect as unpredictable: in check mode the call is skipped for this reason, without a change.
    pub fn unpredictable(mut self, reason: impl Into<String>) -> Self {
        self.unpredictable = Some(reason.into());
        self
    }

    /// A change that only serves another one (refreshing an index before packages are installed): it is made, but does
    /// not make the task "changed".
    pub fn auxiliary(mut self) -> Self {
        self.counts = false;
        self
    }

    pub fn diff(mut self, diff: Diff) -> Self {
        self.diff = Some(diff);
        self
    }

    /// Replaces the failure that making it reports.
    pub fn on_failure(self, tell: impl FnOnce(Failure) -> Failure + 'static) -> Self {
        let make = self.make;
        Change { make: Box::new(move |host, data| make(host, data).map_err(tell)), ..self }
    }

    /// Whether the task is changed by it, when it is not made.
    pub(crate) fn counts(&self) -> bool {
        self.counts
    }

    /// Makes it; whether the task is changed by it.
    ///
    /// # Errors
    /// If the host refuses the change, or the call was cancelled.
    pub fn make(self, host: &Host, data: &mut Map) -> Result<bool, Failure> {
        (self.make)(host, data).map(|different| different && self.counts)
    }
}

type Then = Box<dyn FnOnce(&Host) -> Result<Plan, Failure>>;
type Finish = Box<dyn FnOnce(&Host, &mut Map) -> Result<(), Failure>>;

/// The result of inspecting the host: data and changes to make.
#[derive(Default)]
pub struct Plan {
    /// In order. Empty if the host is already as it should be.
    pub changes: Vec<Change>,
    /// Data from inspecting the host.
    pub data: Map,
    /// Facts for the host, without the prefix `ansible_`.
    pub facts: Map,
    pub warnings: Vec<String>,
    /// Set if there is deliberately nothing to do (`creates` exists); shown as "skipped" only if `skip`.
    pub skipped: Option<String>,
    /// Whether a failure of a change leaves `data` in the result, as that of a command does.
    pub is_kept: bool,
    /// See [`Plan::finish`], which adds to it.
    pub finish: Option<Finish>,
    /// See [`Plan::then`], which adds to it.
    pub then: Option<Then>,
}

impl Plan {
    /// A plan without changes.
    pub fn unchanged() -> Self {
        Plan::default()
    }

    pub fn change(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    pub fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// Keeps the data in the result when a change fails.
    pub fn kept(mut self) -> Self {
        self.is_kept = true;
        self
    }

    /// Takes what is missing for what an earlier task creates: a warning if the run is in check mode, elsewhere `failure`.
    /// So a play can be checked on a host where it has never run. `missing` names the thing with its article: "the program git".
    ///
    /// # Errors
    /// `failure`, unless the run is in check mode.
    pub fn assumes(
        mut self,
        host: &Host,
        missing: impl Display,
        failure: impl FnOnce() -> Failure,
    ) -> Result<Self, Failure> {
        self.assume(host, missing, failure)?;
        Ok(self)
    }

    /// Like [`Plan::assumes`], for a plan by reference.
    ///
    /// # Errors
    /// Same as [`Plan::assumes`].
    pub fn assume(
        &mut self,
        host: &Host,
        missing: impl Display,
        failure: impl FnOnce() -> Failure,
    ) -> Result<(), Failure> {
        if !host.rehearses() {
            return Err(failure());
        }
        self.warnings.push(assumption(missing));
        Ok(())
    }

    /// Like [`Plan::assumes`], if this is known to be check mode.
    pub fn assumption(self, missing: impl Display) -> Self {
        self.warn(assumption(missing))
    }

    /// Adds a plan that can only be made once these changes are made: packages after their index was refreshed. In
    /// check mode it is made on the unchanged host. Several are made in order.
    pub fn then(mut self, plan: impl FnOnce(&Host) -> Result<Plan, Failure> + 'static) -> Self {
        self.then = Some(match self.then.take() {
            None => Box::new(plan),
            Some(earlier) => Box::new(move |host| Ok(earlier(host)?.then(plan))),
        });
        self
    }

    /// Adds a function that runs at the end, also without changes and in check mode: it reads the final state into the
    /// data. Several run in order.
    pub fn finish(mut self, finish: impl FnOnce(&Host, &mut Map) -> Result<(), Failure> + 'static) -> Self {
        self.finish = Some(match self.finish.take() {
            None => Box::new(finish),
            Some(earlier) => Box::new(move |host, data| {
                earlier(host, data)?;
                finish(host, data)
            }),
        });
        self
    }
}

/// The warning about something missing in check mode that an earlier task may create.
fn assumption(missing: impl Display) -> String {
    format!("check mode: {missing} does not exist yet; assuming an earlier task creates it")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::NoBlobs;

    #[test]
    fn what_is_missing_is_assumed_in_check_mode_and_a_failure_elsewhere() {
        let mut host = Host::new(Vec::new(), Arc::new(NoBlobs));
        let missing = || Failure::new("the host has no program `git`").help("install it");
        let failure = Plan::unchanged().assumes(&host, "the program git", missing).err().unwrap();
        assert_eq!(
            (failure.msg.as_str(), failure.help.as_deref()),
            ("the host has no program `git`", Some("install it"))
        );
        host.check = true;
        let plan = Plan::unchanged().warn("first").assumes(&host, "the program git", missing).unwrap();
        let said = "check mode: the program git does not exist yet; assuming an earlier task creates it";
        assert_eq!(plan.warnings, ["first", said]);
        assert!(plan.changes.is_empty());
        // Where check mode is the task's own, earlier tasks have made what they make.
        let own = host.in_mode(rplay_wire::Mode { check: true, own_check: true, ..Default::default() });
        assert!(Plan::unchanged().assumes(&own, "the program git", missing).is_err());
    }

    #[test]
    fn a_second_plan_that_follows_does_not_replace_the_first() {
        let host = Host::new(Vec::new(), Arc::new(NoBlobs));
        let plan = Plan::unchanged()
            .then(|_| Ok(Plan::unchanged().warn("first").then(|_| Ok(Plan::unchanged().warn("its own")))))
            .then(|_| Ok(Plan::unchanged().warn("second")));
        let (mut next, mut order) = (Some(plan), Vec::new());
        while let Some(plan) = next {
            order.extend(plan.warnings);
            next = plan.then.map(|then| then(&host)).transpose().unwrap();
        }
        assert_eq!(order, ["first", "its own", "second"]);
    }

    #[test]
    fn a_second_finish_does_not_replace_the_first() {
        let plan = Plan::unchanged().finish(|_, data| {
            data.insert("seen".to_owned(), "first".into());
            Ok(())
        });
        let plan = plan.finish(|_, data| {
            let first = data["seen"].clone();
            data.insert("before".to_owned(), first);
            Ok(())
        });
        let mut data = Map::new();
        plan.finish.unwrap()(&Host::new(Vec::new(), Arc::new(NoBlobs)), &mut data).unwrap();
        assert_eq!((&data["seen"], &data["before"]), (&"first".into(), &"first".into()));
    }
}
