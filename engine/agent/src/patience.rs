//! How long the controller may be silent.
//!
//! When the network between is cut nothing tells the host: sshd keeps the session open for hours. The controller
//! therefore says from time to time that it is there, and an agent that hears nothing ends as if it had hung up.

use std::{
    io::{self, Read},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// The seconds that a controller may be silent, shared by whoever reads and whoever understands what it says.
#[derive(Clone, Default)]
pub struct Patience {
    /// 0: for ever.
    seconds: u32,
    /// It has said that it will be silent for a while.
    away: Arc<AtomicBool>,
}

impl Patience {
    pub fn new(seconds: u32) -> Self {
        Patience { seconds, away: Arc::default() }
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
        if !timeout.is_none() {
            loop {
                match poll(&mut [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)], timeout) {
                    Ok(0) => {
                        let text = format!("nothing was heard from the controller for {} s", self.patience.seconds);
                        return Err(io::Error::new(io::ErrorKind::TimedOut, text));
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
}
