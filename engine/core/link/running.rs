//! A batch that was sent to an agent: what it offers, and what of it has been answered.

use std::{collections::HashMap, fmt, sync::Arc};

use rplay_wire::{Batch, Blob, Call, Map, Outcome, Pieces, Stage, Value};

use super::{BlobSource, ContentSink, ContentSinks, LinkEvent, Listener};

/// The argument that numbers the destination of a call's content.
const SINK: &str = "_sink";

/// A batch that has been sent.
pub(super) struct Running {
    pub key: u64,
    pub events: Arc<dyn Listener>,
    /// For each call, whether it has been answered.
    pub answered: Vec<bool>,
    pub left: usize,
    /// The content that its calls mention: only this may the host ask for.
    pub offered: HashMap<String, Blob>,
    pub blobs: BlobSource,
    /// For each call, by index, the destination of the content that it may send.
    pub sinks: HashMap<u32, Sink>,
    pub open: ContentSinks,
    /// For each call, by index, the pieces of its outcome received so far.
    pub parts: HashMap<u32, Pieces>,
}

/// The destination of a call's content.
pub(super) enum Sink {
    /// Not opened yet.
    Numbered(i64),
    Open(Box<dyn ContentSink>),
}

/// Everything needed to send a batch and to report its outcomes.
pub(super) struct Sending {
    pub key: u64,
    pub batch: Batch,
    pub events: Arc<dyn Listener>,
    pub blobs: BlobSource,
    pub sinks: ContentSinks,
}

impl Running {
    /// The state of a batch at the time when it is sent.
    pub(super) fn of(sending: Sending) -> Self {
        let Sending { key, batch, events, blobs, sinks: open } = sending;
        let mut offered = HashMap::new();
        let mut sinks = HashMap::new();
        for (index, Call { args, .. }) in (0..).zip(batch.stages.iter().flat_map(|stage| &stage.calls)) {
            offer_map(args, &mut offered);
            if let Some(Value::Int(number)) = args.get(SINK)
                && let Ok(number) = i64::try_from(*number)
            {
                sinks.insert(index, Sink::Numbered(number));
            }
        }
        let (answered, left) = (vec![false; batch.len()], batch.len());
        Running { key, events, answered, left, offered, blobs, sinks, open, parts: HashMap::new() }
    }
}

fn offer_map(map: &Map, offered: &mut HashMap<String, Blob>) {
    map.values().for_each(|value| offer(value, offered));
}

fn offer(value: &Value, offered: &mut HashMap<String, Blob>) {
    match value {
        Value::Blob(blob) => {
            offered.insert(blob.sha256.clone(), blob.clone());
        }
        Value::List(items) => items.iter().for_each(|item| offer(item, offered)),
        Value::Map(map) => offer_map(map, offered),
        _ => {}
    }
}

/// Gives every call of a batch that was never sent this outcome.
pub(super) fn answer_all(sending: &Sending, outcome: &Outcome) {
    for index in 0..sending.batch.len() {
        let outcome = outcome.clone();
        sending.events.hear(LinkEvent::Outcome { key: sending.key, index: index as u32, outcome });
    }
    sending.events.hear(LinkEvent::Done { key: sending.key });
}

/// The modules of a batch, for trace lines: `2×file, copy as deploy`. No argument of them, which may be secret.
pub(super) struct Stages<'b>(pub &'b [Stage]);

impl fmt::Display for Stages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for stage in self.0 {
            for alike in stage.calls.chunk_by(|a, b| a.module == b.module) {
                f.write_str(comma)?;
                if alike.len() > 1 {
                    write!(f, "{}×", alike.len())?;
                }
                f.write_str(alike.first().map_or("", |call| &call.module))?;
                if let Some(user) = &stage.become_user {
                    write!(f, " as {}", user.user)?;
                }
                comma = ", ";
            }
        }
        Ok(())
    }
}
