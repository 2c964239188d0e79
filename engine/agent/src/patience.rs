//! How long the controller may be silent.
//!
//! When the network between is cut nothing tells the host: sshd keeps the session open for hours. The controller
//! therefore says from time to time that it is there, and an agent that hears nothing ends as if it had hung up.
//! The same way ends one to which this machine sends a signal, when it shuts down for example: what it has begun is
//! put away first.

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

/// The seconds that a controller may be silent, shared by whoever reads and whoever understands what it says.
#[derive(Clone, Default)]
pub struct Patience {
    /// 0: for ever.
    seconds: u32,
    /// It has said that it will be silent for a while.
    away: Arc<AtomicBool>,
    /// Readable once a signal has come.
    told: Option<Arc<UnixStream>>,
}

impl Patience {
    pub fn new(seconds: u32) -> Self {
        Patience { seconds, away: Arc::default(), told: None }
    }

    /// Signals that end a process end the wait from now on. What is started does not inherit that. Without room for
    /// a pipe they do what they always do.
    pub fn heed_signals(&mut self) {
        let Ok((told, teller)) = UnixStream::pair() else { return };
        for signal in [SIGTERM, SIGHUP, SIGINT] {
            let _ = teller.try_clone().and_then(|teller| pipe::register(signal, teller));
        }
        self.told = Some(Arc::new(told));
    }

    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// The wait for the next byte.
    fn timeout(&self) -> PollTimeout {
        match self.seconds {
            0 => PollTimeout::NONE,
            _ if self.away.load(Ordering::Relaxed) => PollTimeout::NONE,
            seconds => PollTimeout::try_from(u64::from(seconds) * 1000).unwrap_or(PollTimeout::MAX),
        }
    }
}

/// A stream whose reading fails once nothing has come for too long. Only waiting counts: what has come and is not
/// read yet is no silence.
pub struct Heard<R> {
    reader: R,
    patience: Patience,
}

impl<R> Heard<R> {
    pub fn new(reader: R, patience: Patience) -> Self {
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
                        let text = format!("nothing was heard from the controller for {} s", self.patience.seconds);
                        return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                    }
                    Ok(_) if waits.get(1).is_some_and(|told| told.any() == Some(true)) => {
                        return Err(io::Error::other("a signal ended it"));
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
        assert_eq!(reading.join().unwrap().unwrap_err().to_string(), "a signal ended it");
    }
}
