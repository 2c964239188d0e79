//! Finds the agent's first bytes after whatever a login shell prints.

use std::time::Duration;

use rplay_wire::Failure;
use tokio::{io::AsyncReadExt, time::timeout};

use super::transport::{Transport, last_words};

/// Maximum number of bytes before the marker.
const MOST_NOISE: usize = 1 << 16;

/// Why a process is not, or no longer, an agent.
#[derive(Debug)]
pub enum NoAgent {
    /// The host cannot be reached, or no executable is available for it.
    Way(Failure),
    /// It ended, or its output is not an agent's: its file may be damaged.
    Ended(Failure),
    /// It sends nothing: the host may hang, or its file is damaged.
    Silent(Failure),
}

impl From<NoAgent> for Failure {
    fn from(why: NoAgent) -> Self {
        let (NoAgent::Way(failure) | NoAgent::Ended(failure) | NoAgent::Silent(failure)) = why;
        failure
    }
}

/// Reads up to and including the first of `markers`, and returns which one was found. `patience` limits the wait.
pub(super) async fn wait_for(
    markers: &[&[u8]],
    transport: &mut Transport,
    name: &str,
    patience: Duration,
) -> Result<usize, NoAgent> {
    let mut noise = Vec::new();
    let found = timeout(patience, scan(markers, transport, &mut noise)).await;
    match found {
        Ok(Some(which)) => Ok(which),
        Ok(None) if noise.len() >= MOST_NOISE => Err(NoAgent::Ended(Failure {
            help: Some("make the shell's startup files print nothing in non-interactive shells".to_owned()),
            ..Failure::unreachable(format!("{name} keeps printing instead of starting the agent{}", quote(&noise)))
        })),
        Ok(None) => {
            let words = transport.stderr.last_words().await;
            Err(NoAgent::Ended(Failure::unreachable(match words {
                Some(words) => format!("the agent on {name} did not start: {words}{}", quote(&noise)),
                None => format!("the agent on {name} did not start{}", quote(&noise)),
            })))
        }
        Err(_) => Err(NoAgent::Silent(Failure::unreachable(format!(
            "the agent on {name} did not start within {} s{}",
            patience.as_secs_f32(),
            quote(&noise)
        )))),
    }
}

async fn scan(markers: &[&[u8]], transport: &mut Transport, noise: &mut Vec<u8>) -> Option<usize> {
    while noise.len() < MOST_NOISE {
        noise.push(transport.reader.read_u8().await.ok()?);
        if let Some(which) = markers.iter().position(|marker| noise.ends_with(marker)) {
            return Some(which);
        }
    }
    None
}

fn quote(noise: &[u8]) -> String {
    last_words(&String::from_utf8_lossy(noise)).map(|words| format!("; it printed: {words}")).unwrap_or_default()
}
