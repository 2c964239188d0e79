//! Detects a controller that is gone.
//!
//! When the network is cut, the host does not notice: sshd keeps the session open for hours. Therefore the controller
//! sends heartbeats, and an agent that receives none ends as if the controller had disconnected. A terminating signal,
//! as at shutdown, ends it the same way: it cleans up first.

use std::{
    io::{self, Read},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use nix::{
    errno::Errno,
    libc::{SIGHUP, SIGINT, SIGTERM},
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use signal_hook::low_level::pipe;

/// How long the controller may be silent. Clones share the state: one side reads, the other handles announced pauses.
#[derive(Clone, Default)]
pub(crate) struct Patience {
    /// 0 means forever.
    seconds: u32,
    /// The controller announced a pause.
    away: Arc<AtomicBool>,
    /// Becomes readable when a signal arrives.
    told: Option<Arc<UnixStream>>,
}

impl Patience {
    pub(crate) fn new(seconds: u32) -> Self {
        Patience { seconds, away: Arc::default(), told: None }
    }

    /// From now on, terminating signals end the wait instead of the process. Child processes do not inherit this. If
    /// the pipe cannot be created, signals keep their default effect.
    pub(crate) fn heed_signals(&mut self) {
        let Ok((told, teller)) = UnixStream::pair() else { return };
        for signal in [SIGTERM, SIGHUP, SIGINT] {
            let _ = teller.try_clone().and_then(|teller| pipe::register(signal, teller));
        }
        self.told = Some(Arc::new(told));
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// The time to wait for the next byte.
    fn timeout(&self) -> PollTimeout {
        match self.seconds {
            0 => PollTimeout::NONE,
            _ if self.away.load(Ordering::Relaxed) => PollTimeout::NONE,
            seconds => PollTimeout::try_from(u64::from(seconds) * 1000).unwrap_or(PollTimeout::MAX),
        }
    }
}

/// A reader that fails when nothing arrives for too long. Only time spent waiting counts as silence: data that has
/// arrived may be read at any later time.
pub(crate) struct Heard<R> {
    reader: R,
    patience: Patience,
}

impl<R> Heard<R> {
    pub(crate) fn new(reader: R, patience: Patience) -> Self {
        Heard { reader, patience }
    }
}

impl<R: Read + AsFd> Read for Heard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let timeout = self.patience.timeout();
        let told = self.patience.told.as_deref();
        if !timeout.is_none() || told.is_some() {
            loop {
                let mut waits = vec![PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)];
                waits.extend(told.map(|told| PollFd::new(told.as_fd(), PollFlags::POLLIN)));
                match poll(&mut waits, timeout) {
                    Ok(0) => {
                        let text = format!("received nothing from the controller for {} s", self.patience.seconds);
                        return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                    }
                    Ok(_) if waits.get(1).is_some_and(|told| told.any() == Some(true)) => {
                        return Err(io::Error::other("ended by a signal"));
                    }
                    Ok(_) => break,
                    Err(Errno::EINTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        self.reader.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::net::UnixStream, thread, time::Duration};

    use super::*;

    #[test]
    fn silence_is_an_error_unless_it_was_announced() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let patience = Patience::new(1);
        let mut heard = Heard::new(ours, patience.clone());
        let mut byte = [0];
        theirs.write_all(b"a").unwrap();
        assert_eq!(heard.read(&mut byte).unwrap(), 1);
        assert_eq!(heard.read(&mut byte).unwrap_err().kind(), io::ErrorKind::TimedOut);
        patience.set_away(true);
        let speaker = thread::spawn(move || {
            thread::sleep(Duration::from_millis(1500));
            theirs.write_all(b"b").unwrap();
        });
        assert_eq!(heard.read(&mut byte).unwrap(), 1);
        patience.set_away(false);
        speaker.join().unwrap();
        assert_eq!(heard.read(&mut byte).unwrap(), 0, "the end is no silence");
    }

    #[test]
    fn a_signal_ends_the_wait_and_not_the_process() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut patience = Patience::default();
        patience.heed_signals();
        let reading = thread::spawn(move || Heard::new(ours, patience).read(&mut [0; 8]));
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
        assert_eq!(reading.join().unwrap().unwrap_err().to_string(), "ended by a signal");
    }
}
