//! The steps that follow if nothing fails: out of blocks and roles, and into others.

use std::sync::Arc;

use crate::plan::{RoleSteps, Step, Task};

/// The steps after the current one, and those after its enclosing steps.
#[derive(Clone, Copy)]
pub(crate) struct Continuation<'a> {
    pub steps: &'a [Step],
    /// Number of hosts that continue with them.
    pub hosts: usize,
    pub outer: Option<&'a Continuation<'a>>,
}

/// The next step.
pub(crate) enum Turn<'a> {
    Task(&'a Arc<Task>),
    /// A role; the caller decides whether it is entered.
    Role(&'a RoleSteps),
    Flush,
}

/// Iterates over the steps in the order of hosts on which nothing fails.
pub(crate) struct NextSteps<'a> {
    /// Number of hosts.
    hosts: usize,
    /// The remaining steps on each level, the innermost last.
    inner: Vec<&'a [Step]>,
    outer: Option<&'a Continuation<'a>>,
}

impl<'a> NextSteps<'a> {
    pub(crate) fn new(continuation: &'a Continuation<'a>, hosts: usize) -> Self {
        NextSteps { hosts, inner: Vec::new(), outer: Some(continuation) }
    }

    pub(crate) fn enter(&mut self, role: &'a RoleSteps) {
        self.inner.push(&role.steps);
    }

    pub(crate) fn next(&mut self) -> Option<Turn<'a>> {
        loop {
            let Some(steps) = self.inner.pop() else {
                // Stops where other hosts join, since they are waited for.
                let outer = self.outer.take().filter(|outer| outer.hosts == self.hosts)?;
                self.inner.push(outer.steps);
                self.outer = outer.outer;
                continue;
            };
            let Some((step, rest)) = steps.split_first() else { continue };
            self.inner.push(rest);
            match step {
                Step::Task(task) => return Some(Turn::Task(task)),
                Step::Role(role) => return Some(Turn::Role(role)),
                Step::Flush => return Some(Turn::Flush),
                // Hosts that fail in this block return after its rescue, and the others wait for them.
                Step::Block(block) if self.hosts > 1 && !block.rescue.is_empty() => {
                    (self.inner, self.outer) = (vec![block.body.as_slice()], None);
                }
                Step::Block(block) => self.inner.extend([block.always.as_slice(), &block.body]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{Action, Block, Settings},
        source::{Source, Span},
    };

    fn task(name: &str) -> Step {
        let span = Span::new(&Source::inline("a test", ""), 0..0);
        let action = Action::find("ping").unwrap();
        Step::Task(Arc::new(Task::implied(action, "ping", name, span, Settings::default(), Arc::default())))
    }

    fn block(body: &[&str], rescue: &[&str], always: &[&str]) -> Step {
        let steps = |names: &[&str]| names.iter().map(|name| task(name)).collect();
        let span = Span::new(&Source::inline("a test", ""), 0..0);
        Step::Block(Arc::new(Block { span, body: steps(body), rescue: steps(rescue), always: steps(always) }))
    }

    fn names(continuation: &Continuation<'_>, hosts: usize) -> String {
        let mut walk = NextSteps::new(continuation, hosts);
        let mut names = Vec::new();
        while let Some(turn) = walk.next() {
            names.push(match turn {
                Turn::Task(task) => task.name.as_ref().unwrap().value.data().unwrap().to_string(),
                Turn::Flush => "flush".to_owned(),
                Turn::Role(_) => "role".to_owned(),
            });
        }
        names.join(" ")
    }

    #[test]
    fn blocks_are_walked_through_and_out_of() {
        let steps = [task("1"), block(&["2", "3"], &[], &["4"]), Step::Flush, task("5")];
        let outer = [task("6")];
        let outer = Continuation { steps: &outer, hosts: 2, outer: None };
        let continuation = Continuation { steps: &steps, hosts: 2, outer: Some(&outer) };
        assert_eq!(names(&continuation, 2), "1 2 3 4 flush 5 6");
    }

    #[test]
    fn a_rescue_is_passed_by_and_several_hosts_wait_for_it() {
        let steps = [task("1"), block(&["2"], &["never"], &["3"]), task("4")];
        let continuation = Continuation { steps: &steps, hosts: 1, outer: None };
        assert_eq!(names(&continuation, 1), "1 2 3 4");
        let continuation = Continuation { hosts: 2, ..continuation };
        assert_eq!(names(&continuation, 2), "1 2");
    }

    #[test]
    fn where_others_join_they_are_waited_for() {
        let (steps, outer) = ([task("1")], [task("2")]);
        let outer = Continuation { steps: &outer, hosts: 3, outer: None };
        let continuation = Continuation { steps: &steps, hosts: 2, outer: Some(&outer) };
        assert_eq!(names(&continuation, 2), "1");
    }
}
