//! A part of a batch: consecutive stages that run as the same user.

use std::sync::mpsc::{Receiver, Sender, channel};

use rplay_wire::{Batch, Become, Failure, Outcome, Stage};

use crate::replies::Replies;

pub(crate) struct Part {
    pub batch: u64,
    /// The index of its first call within the batch.
    pub first: usize,
    pub become_user: Option<Become>,
    pub stages: Vec<Stage>,
}

/// How far a part got before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The number of its calls that were answered, counted from the first one.
    pub calls: usize,
    /// Whether the next part may start.
    pub goes_on: bool,
}

impl Part {
    /// Splits a batch into its parts, in order.
    pub(crate) fn of(batch: Batch) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut first = 0;
        for stage in batch.stages {
            let calls = stage.calls.len();
            match parts.last_mut() {
                Some(part) if part.become_user == stage.become_user => part.stages.push(stage),
                _ => {
                    let become_user = stage.become_user.clone();
                    parts.push(Part { batch: batch.id, first, become_user, stages: vec![stage] });
                }
            }
            first += calls;
        }
        parts
    }

    pub(crate) fn calls(&self) -> usize {
        self.stages.iter().map(|stage| stage.calls.len()).sum()
    }

    /// The part as a batch for the agent that already runs as its user.
    pub(crate) fn for_other(self) -> Batch {
        let stages = self.stages.into_iter().map(|stage| Stage { become_user: None, ..stage }).collect();
        Batch { id: self.batch, stages }
    }
}

/// A part that was handed to another agent.
pub(crate) struct Open {
    batch: u64,
    pub first: usize,
    /// For each stage its number of calls, and whether later stages depend on it.
    stages: Vec<(usize, bool)>,
    answered: Vec<bool>,
    /// Whether nothing may follow this part: a required stage has failed, or the controller must see an outcome first.
    ends: bool,
    done: Sender<Progress>,
}

impl Open {
    /// The part as handed over, and the receiver of its progress.
    pub(crate) fn of(part: &Part) -> (Self, Receiver<Progress>) {
        let (done, progress) = channel();
        let stages = part.stages.iter().map(|stage| (stage.calls.len(), stage.required)).collect();
        let answered = vec![false; part.calls()];
        (Open { batch: part.batch, first: part.first, stages, answered, ends: false, done }, progress)
    }

    /// Records an answer; returns false if none was expected.
    pub(crate) fn note(&mut self, index: usize, failed: bool, holds_up: bool) -> bool {
        let Some(answered) = self.answered.get_mut(index) else { return false };
        let mut end = 0;
        let stage = self.stages.iter().find(|(calls, _)| {
            end += calls;
            index < end
        });
        self.ends |= holds_up || failed && stage.is_some_and(|(_, required)| *required);
        !std::mem::replace(answered, true)
    }

    /// Whether the call is still unanswered.
    pub(crate) fn is_open(&self, index: usize) -> bool {
        self.answered.get(index) == Some(&false)
    }

    pub(crate) fn is_complete(&self) -> bool {
        !self.answered.contains(&false)
    }

    /// Ends the part. After a failure the next part does not start, even if this one is complete.
    pub(crate) fn end(self, goes_on: bool) -> Progress {
        let calls = self.answered.iter().take_while(|answered| **answered).count();
        let progress = Progress { calls, goes_on: goes_on && !self.ends };
        // If the part was never sent, nobody is waiting.
        let _ = self.done.send(progress);
        progress
    }

    /// Ends a part that cannot continue: unanswered calls of the current stage get this failure; later stages do not
    /// start.
    pub(crate) fn break_off(mut self, failure: &Failure, replies: &Replies) -> Progress {
        let mut end = 0;
        for (calls, _) in &self.stages {
            let stage = end..end + calls;
            end = stage.end;
            let open: Vec<usize> =
                stage.filter(|index| self.answered.get(*index).is_some_and(|answered| !answered)).collect();
            if open.is_empty() {
                continue;
            }
            for index in open {
                self.answered[index] = true;
                replies.outcome(self.batch, (self.first + index) as u32, Outcome::failed(failure.clone()));
            }
            break;
        }
        self.end(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(users: &[Option<&str>]) -> Batch {
        let call = || rplay_wire::Call {
            module: "ping".into(),
            args: Default::default(),
            mode: Default::default(),
            environment: Vec::new(),
            background: None,
        };
        let stage = |user: &Option<&str>| Stage {
            become_user: user.map(|user| Become::new("sudo", user)),
            calls: vec![call(), call()],
            parallel: 1,
            required: true,
        };
        Batch { id: 1, stages: users.iter().map(stage).collect() }
    }

    #[test]
    fn stages_of_one_user_are_one_part() {
        let parts = Part::of(batch(&[None, None, Some("a"), Some("b"), Some("b"), None]));
        let told: Vec<_> = parts.iter().map(|part| (part.first, part.calls(), part.become_user.is_some())).collect();
        assert_eq!(told, [(0, 4, false), (4, 2, true), (6, 4, true), (10, 2, false)]);
    }

    #[test]
    fn what_another_agent_left_open_fails_for_one_stage_and_the_rest_is_not_begun() {
        let part = Part::of(batch(&[Some("a"); 3])).remove(0);
        let (mut open, progress) = Open::of(&part);
        assert!(open.note(0, false, false) && open.note(1, false, false) && open.note(2, false, false));
        assert!(!open.note(2, false, false) && !open.note(9, false, false));
        let expected = Progress { calls: 4, goes_on: false };
        assert_eq!(open.break_off(&Failure::new("gone"), &Replies::new(std::io::sink())), expected);
        assert_eq!(progress.recv(), Ok(expected));
    }

    #[test]
    fn a_failure_at_the_very_end_keeps_the_next_part_from_being_begun() {
        let part = Part::of(batch(&[Some("a")])).remove(0);
        for (failed, holds_up) in [(false, false), (true, false), (false, true)] {
            let (mut open, _) = Open::of(&part);
            open.note(0, failed, holds_up);
            open.note(1, false, false);
            assert!(open.is_complete());
            assert_eq!(open.end(true), Progress { calls: 2, goes_on: !failed && !holds_up });
        }
    }
}
