//! A batch with calls of several tasks: their outcomes are kept here until their task starts.

use std::{
    ops::Range,
    sync::{Arc, mpsc::Sender},
};

use parking_lot::Mutex;
use rplay_contract::wire::{Failure, Outcome};

use crate::link::{LinkEvent, Listener, Target};

/// A batch under way that holds the calls of several tasks.
pub(crate) struct PipelinedBatch {
    pub key: u64,
    pub target: Arc<Target>,
    state: Mutex<State>,
}

struct State {
    /// By index: outcomes that arrived and were not read yet.
    kept: Vec<Option<Outcome>>,
    answered: Vec<bool>,
    end: Option<End>,
    /// The task that is currently reading.
    reader: Option<Reader>,
    /// Whom to notify when the batch has ended.
    at_end: Option<(u64, Sender<LinkEvent>)>,
}

struct Reader {
    key: u64,
    calls: Range<usize>,
    left: usize,
    sender: Sender<LinkEvent>,
}

enum End {
    Done,
    Stopped,
    /// Reported once: a task that continues in spite of it connects again.
    Unreachable(Option<Failure>),
}

impl PipelinedBatch {
    pub(crate) fn new(key: u64, target: Arc<Target>, calls: usize) -> Self {
        let state = State {
            kept: (0..calls).map(|_| None).collect(),
            answered: vec![false; calls],
            end: None,
            reader: None,
            at_end: None,
        };
        PipelinedBatch { key, target, state: Mutex::new(state) }
    }

    /// Sends the events of one task's calls as if they were a separate job with this key.
    pub(crate) fn read(&self, calls: Range<usize>, key: u64, sender: Sender<LinkEvent>) {
        let mut state = self.state.lock();
        for index in calls.clone() {
            if let Some(outcome) = state.kept.get_mut(index).and_then(Option::take) {
                sender.hear(LinkEvent::Outcome { key, index: (index - calls.start) as u32, outcome });
            }
        }
        let left = state.answered.get(calls.clone()).unwrap_or_default().iter().filter(|done| !**done).count();
        if left == 0 {
            return sender.hear(LinkEvent::Done { key });
        }
        match &mut state.end {
            None => state.reader = Some(Reader { key, calls, left, sender }),
            Some(End::Unreachable(failure)) => match failure.take() {
                Some(failure) => sender.hear(LinkEvent::Unreachable { key, failure }),
                None => sender.hear(LinkEvent::Stopped { key }),
            },
            Some(End::Done | End::Stopped) => sender.hear(LinkEvent::Stopped { key }),
        }
    }

    /// Sends `Done` for this key once the batch has ended. Returns false if it has already ended.
    pub(crate) fn notify_when_done(&self, key: u64, sender: &Sender<LinkEvent>) -> bool {
        let mut state = self.state.lock();
        let is_open = state.end.is_none();
        if is_open {
            state.at_end = Some((key, sender.clone()));
        }
        is_open
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state.lock().end.is_some()
    }
}

impl Listener for PipelinedBatch {
    fn hear(&self, event: LinkEvent) {
        let mut state = self.state.lock();
        let state = &mut *state;
        match event {
            LinkEvent::Outcome { index, outcome, .. } => {
                let index = index as usize;
                if let Some(answered) = state.answered.get_mut(index) {
                    *answered = true;
                }
                match &mut state.reader {
                    Some(reader) if reader.calls.contains(&index) => {
                        let (key, first) = (reader.key, reader.calls.start);
                        reader.sender.hear(LinkEvent::Outcome { key, index: (index - first) as u32, outcome });
                        reader.left -= 1;
                        if reader.left == 0 {
                            reader.sender.hear(LinkEvent::Done { key });
                            state.reader = None;
                        }
                    }
                    _ => {
                        if let Some(slot) = state.kept.get_mut(index) {
                            *slot = Some(outcome);
                        }
                    }
                }
                return;
            }
            LinkEvent::Done { .. } => state.end = Some(End::Done),
            LinkEvent::Stopped { .. } => {
                if let Some(reader) = state.reader.take() {
                    reader.sender.hear(LinkEvent::Stopped { key: reader.key });
                }
                state.end = Some(End::Stopped);
            }
            LinkEvent::Unreachable { failure, .. } => {
                let untold = match state.reader.take() {
                    Some(reader) => {
                        reader.sender.hear(LinkEvent::Unreachable { key: reader.key, failure });
                        None
                    }
                    None => Some(failure),
                };
                state.end = Some(End::Unreachable(untold));
            }
        }
        if let Some((key, sender)) = state.at_end.take() {
            sender.hear(LinkEvent::Done { key });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use rplay_contract::wire::data;

    use super::*;
    use crate::link::Connection;

    fn batch(calls: usize) -> PipelinedBatch {
        PipelinedBatch::new(7, Arc::new(Target { name: "h".into(), connection: Connection::Local("/".into()) }), calls)
    }

    fn outcome(batch: &PipelinedBatch, index: u32) {
        let outcome = Outcome { data: data! { "n" => i64::from(index) }, ..Outcome::default() };
        batch.hear(LinkEvent::Outcome { key: 7, index, outcome });
    }

    /// The events that a task received so far, one word each.
    fn heard(batch: &PipelinedBatch, calls: Range<usize>, more: impl FnOnce()) -> String {
        let (sender, receiver) = channel();
        batch.read(calls, 3, sender);
        more();
        let words = receiver.try_iter().map(|event| match event {
            LinkEvent::Outcome { key: 3, index, outcome } => {
                format!("{index}:{}", serde_json::Value::from(&outcome.data["n"]))
            }
            LinkEvent::Done { key: 3 } => "done".to_owned(),
            LinkEvent::Stopped { key: 3 } => "stopped".to_owned(),
            LinkEvent::Unreachable { key: 3, failure } => failure.msg,
            other => panic!("{other:?}"),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_task_hears_its_own_calls_whenever_they_come() {
        let batch = batch(5);
        (0..3).for_each(|index| outcome(&batch, index));
        assert_eq!(heard(&batch, 0..2, || ()), "0:0 1:1 done");
        let rest = || {
            outcome(&batch, 4);
            outcome(&batch, 3);
            batch.hear(LinkEvent::Done { key: 7 });
        };
        assert_eq!(heard(&batch, 2..4, rest), "0:2 1:3 done");
        assert_eq!(heard(&batch, 4..5, || ()), "0:4 done");
        assert!(batch.is_over());
    }

    #[test]
    fn what_was_not_begun_is_told_at_its_turn() {
        for early in [true, false] {
            let batch = batch(2);
            outcome(&batch, 0);
            let stop = || batch.hear(LinkEvent::Stopped { key: 7 });
            if early {
                stop();
                assert_eq!(heard(&batch, 0..1, || ()), "0:0 done");
                assert_eq!(heard(&batch, 1..2, || ()), "stopped");
            } else {
                assert_eq!(heard(&batch, 1..2, stop), "stopped");
            }
        }
    }

    #[test]
    fn a_lost_host_is_told_once() {
        let batch = batch(3);
        let lost = LinkEvent::Unreachable { key: 7, failure: Failure::new("gone") };
        outcome(&batch, 0);
        batch.hear(lost);
        assert_eq!(heard(&batch, 0..1, || ()), "0:0 done");
        assert_eq!(heard(&batch, 1..2, || ()), "gone");
        assert_eq!(heard(&batch, 2..3, || ()), "stopped");
    }

    #[test]
    fn the_end_is_told_to_who_asks() {
        let batch = batch(1);
        let (sender, receiver) = channel();
        assert!(batch.notify_when_done(9, &sender));
        outcome(&batch, 0);
        assert!(receiver.try_recv().is_err());
        batch.hear(LinkEvent::Done { key: 7 });
        assert!(matches!(receiver.try_recv(), Ok(LinkEvent::Done { key: 9 })));
        assert!(!batch.notify_when_done(9, &sender));
    }
}
