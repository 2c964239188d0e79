//! The reason in a response's status line. Servers have words of their own there, which ureq does not keep.

use std::sync::Arc;

use parking_lot::Mutex;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Keeps the reason of the one response that its connections receive.
#[derive(Clone, Debug, Default)]
pub(super) struct StatusLine(Arc<Mutex<Option<String>>>);

impl StatusLine {
    /// `Not Found`; `None` if there was no response.
    pub(super) fn reason(&self) -> Option<String> {
        self.0.lock().clone()
    }

    /// Looks for it in what has arrived and is not read yet.
    fn look(&self, input: &[u8]) {
        let Some(line) = input.strip_prefix(b"HTTP/").and_then(|rest| rest.split(|byte| *byte == b'\n').next()) else {
            return;
        };
        let mut kept = self.0.lock();
        // What follows the first line may look like one, too.
        if kept.is_some() || !input.contains(&b'\n') {
            return;
        }
        let line = String::from_utf8_lossy(line);
        let mut words = line.trim_end().splitn(3, ' ').skip(1);
        // Responses below 200 are only announcements of another one.
        if words.next().is_some_and(|status| !status.starts_with('1')) {
            *kept = Some(words.next().unwrap_or_default().to_owned());
        }
    }
}

impl<In: Transport> Connector<In> for StatusLine {
    type Out = Watched<In>;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(chained.map(|transport| Watched { transport, line: self.clone() }))
    }
}

/// A connection whose first line is kept.
#[derive(Debug)]
pub(super) struct Watched<T> {
    transport: T,
    line: StatusLine,
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.transport.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let is_more = self.transport.await_input(timeout)?;
        self.line.look(self.transport.buffers().input());
        Ok(is_more)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}
