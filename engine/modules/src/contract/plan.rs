//! What a module returns: the changes it would make, each with how to make it.

use rplay_wire::{Diff, Failure, Map, Value};

use crate::{ArgFault, Args, Host};

/// Something a host can be asked to do.
pub trait Module: Args {
    /// What the argument types cannot say (two that exclude each other, one that needs another). Run
    /// before any host is touched when all arguments are constants, and again before [`Module::plan`].
    fn check(&self) -> Result<(), ArgFault> {
        Ok(())
    }

    /// Looks at the host and says what is to be changed. It must not change anything: it also runs in
    /// check mode.
    fn plan(self, host: &Host) -> Result<Plan, Failure>;
}

type Make = Box<dyn FnOnce(&Host, &mut Map) -> Result<bool, Failure>>;

/// One change still to be made.
pub struct Change {
    /// What the change is, for people: "create directory /srv".
    pub what: String,
    pub diff: Option<Diff>,
    /// Whether making it makes the task "changed".
    counts: bool,
    /// Counts as a change even when it fails: a command has been run, whatever came of it.
    pub(crate) is_deed: bool,
    /// Set when only doing it shows what it changes; says so in check mode, where the call is then skipped.
    pub(crate) unpredictable: Option<String>,
    make: Make,
}

impl Change {
    /// `make` carries the change out; what it learns by doing goes into the outcome's data.
    pub fn new(what: impl Into<String>, make: impl FnOnce(&Host, &mut Map) -> Result<(), Failure> + 'static) -> Self {
        Change::maybe(what, |host, data| make(host, data).map(|()| true))
    }

    /// A change of which only the making shows whether anything was different (refreshing a cache):
    /// `make` says so. Check mode, which cannot know, takes it for a change.
    pub fn maybe(
        what: impl Into<String>,
        make: impl FnOnce(&Host, &mut Map) -> Result<bool, Failure> + 'static,
    ) -> Self {
        Change {
            what: what.into(),
            diff: None,
            counts: true,
            is_deed: false,
            unpredictable: None,
            make: Box::new(make),
        }
    }

    /// Counts as a change even when it fails.
    pub fn deed(mut self) -> Self {
        self.is_deed = true;
        self
    }

    /// Does not count as a change: only waits. In check mode it is not done, and the call is skipped.
    pub fn harmless(self, reason: impl Into<String>) -> Self {
        self.beside().unpredictable(reason)
    }

    /// Cannot be foreseen: in check mode the call is skipped, for this reason, and nothing has changed.
    pub fn unpredictable(mut self, reason: impl Into<String>) -> Self {
        self.unpredictable = Some(reason.into());
        self
    }

    /// A change that serves another one (refreshing an index before packages are installed): it is made
    /// like any other, but does not by itself make the task "changed".
    pub fn beside(mut self) -> Self {
        self.counts = false;
        self
    }

    pub fn diff(mut self, diff: Diff) -> Self {
        self.diff = Some(diff);
        self
    }

    /// Whether the task is changed by it, when it is not made.
    pub(crate) fn counts(&self) -> bool {
        self.counts
    }

    /// Makes it; whether the task is changed by it.
    pub(crate) fn make(self, host: &Host, data: &mut Map) -> Result<bool, Failure> {
        (self.make)(host, data).map(|different| different && self.counts)
    }
}

type Then = Box<dyn FnOnce(&Host) -> Result<Plan, Failure>>;
type Finish = Box<dyn FnOnce(&Host, &mut Map) -> Result<(), Failure>>;

/// What a module found and what is to be done about it.
#[derive(Default)]
pub struct Plan {
    /// In the order they are to be made. None: the host is as it should be.
    pub changes: Vec<Change>,
    /// What was learnt by looking.
    pub data: Map,
    /// Facts for the host, without the prefix `ansible_`.
    pub facts: Map,
    pub warnings: Vec<String>,
    /// Set when there is nothing to do on purpose (`creates` exists); shown as "skipped" only if `skip`.
    pub skipped: Option<String>,
    pub(crate) finish: Option<Finish>,
    pub(crate) then: Option<Then>,
}

impl Plan {
    /// Nothing to change.
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

    /// What can only be planned once these changes are made: packages after their index was refreshed. In
    /// check mode it is planned on the host as it is.
    pub fn then(mut self, plan: impl FnOnce(&Host) -> Result<Plan, Failure> + 'static) -> Self {
        self.then = Some(Box::new(plan));
        self
    }

    /// Runs at the end, also when nothing changed and in check mode: reads the final state into the data.
    /// Several run in the order they were given.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::NoBlobs;

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
