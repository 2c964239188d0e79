//! How long a link may be silent before it counts as lost, at either end.

use std::time::Duration;

/// The seconds after which a link that says nothing is lost; 0: never.
///
/// At our end ssh asks the host whether it is there (ServerAliveInterval). At the other end the agent waits for a
/// word of ours, and we say one three times as often as it must be heard. It waits half as long again as ssh does:
/// a connection that ssh still counts on is never ended by the host, and after an interruption of half a minute TCP
/// takes about as long again until it sends anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence(pub u32);

impl Default for Silence {
    fn default() -> Self {
        Silence(60)
    }
}

impl Silence {
    /// How many questions of ssh stay unanswered before it hangs up.
    pub const SERVER_ALIVE_COUNT: u32 = 3;

    /// Seconds between two of its questions, the first of which comes after as many; 0: it asks none.
    pub fn server_alive_interval(self) -> u32 {
        self.0.div_ceil(Self::SERVER_ALIVE_COUNT + 1)
    }

    /// For how many seconds the agent waits for a word of ours; 0: for ever.
    pub fn of_agent(self) -> u32 {
        self.0.saturating_add(self.0.div_ceil(2))
    }

    /// The agent's arguments that say so.
    pub fn words(self) -> String {
        format!("silence={}", self.of_agent())
    }

    /// How often we say a word; `None`: never.
    pub fn interval(self) -> Option<Duration> {
        (self.0 > 0).then(|| Duration::from_secs(self.of_agent().into()) / 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_waits_longer_than_ssh_and_hears_us_more_often() {
        for seconds in [1, 2, 3, 10, 59, 60, 600, u32::MAX] {
            let silence = Silence(seconds);
            let ssh = u64::from(silence.server_alive_interval()) * u64::from(Silence::SERVER_ALIVE_COUNT + 1);
            assert!(ssh >= u64::from(seconds));
            assert!(silence.of_agent() > seconds || seconds == u32::MAX);
            assert!(silence.interval().unwrap().as_secs_f64() * 2.0 < f64::from(silence.of_agent()));
        }
        assert_eq!((Silence(0).server_alive_interval(), Silence(0).of_agent(), Silence(0).interval()), (0, 0, None));
        assert_eq!((Silence(60).server_alive_interval(), Silence(60).of_agent()), (15, 90));
    }
}
