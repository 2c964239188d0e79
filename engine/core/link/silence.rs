//! How long a link may be silent before either side considers it lost.

use std::time::Duration;

/// Seconds of silence after which a link is considered lost; 0 for never.
///
/// On the controller, ssh probes the host (ServerAliveInterval). On the host, the agent waits for signs of life, which
/// the controller sends at a third of the agent's limit. That limit is 1.5 times ssh's: the host never ends a
/// connection that ssh still considers alive, and after an interruption of half a minute TCP needs about as long again
/// to retransmit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence(pub u32);

impl Default for Silence {
    fn default() -> Self {
        Silence(60)
    }
}

impl Silence {
    /// Number of unanswered probes after which ssh disconnects.
    pub(super) const SERVER_ALIVE_COUNT: u32 = 3;

    /// Seconds between two of ssh's probes; 0 for none.
    pub(super) fn server_alive_interval(self) -> u32 {
        self.0.div_ceil(Self::SERVER_ALIVE_COUNT + 1)
    }

    /// Seconds of silence that the agent accepts; 0 for unlimited.
    pub(super) fn of_agent(self) -> u32 {
        self.0.saturating_add(self.0.div_ceil(2))
    }

    /// The corresponding arguments of the agent.
    pub(super) fn words(self) -> String {
        format!("silence={}", self.of_agent())
    }

    /// Interval between signs of life; `None` for never.
    pub(super) fn interval(self) -> Option<Duration> {
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
