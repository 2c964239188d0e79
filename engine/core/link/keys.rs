//! Private keys that variables hold (`ansible_private_key`).
//!
//! An ssh-agent holds them, and ssh selects one by its public half: the private half is never in a file. `ssh-add`
//! reads the key from its standard input, and asks for its passphrase as ssh does for a password.

use std::{collections::HashSet, io, path::Path, process::Stdio as ProcessStdio, sync::Arc, time::Duration};

use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine};
use rplay_wire::Failure;
use sha2::{Digest, Sha256};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use super::{
    PrivateKey,
    askpass::{Answers, Question},
};
use crate::event::{Event, Sink};

/// How long `ssh-add` may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The ssh-agent of a run, which `SSH_AUTH_SOCK` of this process names.
#[derive(Clone)]
pub struct KeyAgent {
    /// Seconds for which it keeps a key.
    pub lifetime: Option<u32>,
    /// Hears which keys are added.
    pub sink: Arc<dyn Sink>,
}

impl std::fmt::Debug for KeyAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyAgent").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

/// The keys that a run has passed to its ssh-agent.
pub(super) struct Keys {
    agent: Option<KeyAgent>,
    /// Fingerprints. Locked while a key is added, so that hosts that share it add it once.
    held: tokio::sync::Mutex<HashSet<String>>,
}

impl Keys {
    pub(super) fn new(agent: Option<KeyAgent>) -> Self {
        Keys { agent, held: tokio::sync::Mutex::default() }
    }

    /// Passes the key to the ssh-agent unless it is there, for a connection to `host`. Returns the public half, as in
    /// a file of OpenSSH's. `directory` is private, `own` this executable.
    ///
    /// # Errors
    /// There is no ssh-agent, the text is no key of OpenSSH's, its passphrase is missing or wrong, or `ssh-add` fails.
    /// The words are ansible-core's.
    pub(super) async fn pass(
        &self,
        key: &PrivateKey,
        host: &str,
        directory: &Path,
        own: &Path,
    ) -> Result<String, Failure> {
        let Some(agent) = &self.agent else {
            return Err(refused("Cannot utilize private_key with SSH_AGENT disabled")
                .help("set ANSIBLE_SSH_AGENT=auto, or ssh_agent = auto in the section [connection]"));
        };
        let public = PublicHalf::of(key.text.reveal()).ok_or_else(|| {
            refused("Not OpenSSH private key format").help("`ssh-keygen -p -f FILE` converts the key in a file")
        })?;
        if public.is_encrypted && key.passphrase.is_none() {
            return Err(refused("Key is password-protected, but password was not provided.")
                .help("set ansible_private_key_passphrase"));
        }
        let fingerprint = public.fingerprint();
        let mut held = self.held.lock().await;
        let is_held = match held.contains(&fingerprint) {
            true => true,
            false => holds(&public).await?,
        };
        let text = match is_held {
            true => format!("<{host}> SSH: SSH_AGENT {fingerprint} exists in agent"),
            false => format!("<{host}> SSH: SSH_AGENT adding {fingerprint} to agent"),
        };
        agent.sink.send(Event::Detail { level: 3, text: text.into() });
        if !is_held {
            add(key, agent.lifetime, directory, own).await?;
        }
        // Those with a lifetime are looked for again.
        if agent.lifetime.is_none() {
            held.insert(fingerprint);
        }
        Ok(public.line())
    }
}

fn refused(why: &str) -> Failure {
    let what = "Failed to authenticate: Failed to add configured private key into ssh-agent";
    Failure::unreachable(format!("{what}: {why}"))
}

/// What a private key in OpenSSH's format tells without its passphrase (PROTOCOL.key of OpenSSH).
#[derive(Debug, PartialEq, Eq)]
struct PublicHalf {
    blob: Vec<u8>,
    is_encrypted: bool,
}

impl PublicHalf {
    /// `None` if the text is no private key in this format.
    fn of(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("-----BEGIN OPENSSH PRIVATE KEY-----")?;
        let (body, _) = rest.split_once("-----END OPENSSH PRIVATE KEY-----")?;
        let body: String = body.split_whitespace().collect();
        let data = BASE64_STANDARD.decode(body).ok()?;
        let mut rest = data.strip_prefix(b"openssh-key-v1\0")?;
        let cipher = field(&mut rest)?;
        let (_kdf, _kdf_options) = (field(&mut rest)?, field(&mut rest)?);
        let (keys, mut rest) = rest.split_first_chunk()?;
        let blob = field(&mut rest)?.to_vec();
        (u32::from_be_bytes(*keys) == 1).then_some(PublicHalf { blob, is_encrypted: cipher != b"none" })
    }

    /// The SHA-256 of the public key, as `ssh-keygen -l` shows it.
    fn fingerprint(&self) -> String {
        BASE64_STANDARD_NO_PAD.encode(Sha256::digest(&self.blob))
    }

    /// The line of a file with a public key.
    fn line(&self) -> String {
        let kind = field(&mut &*self.blob).unwrap_or_default();
        format!("{} {}\n", String::from_utf8_lossy(kind), BASE64_STANDARD.encode(&self.blob))
    }
}

/// Takes a string with its length before it (RFC 4251, section 5).
fn field<'d>(rest: &mut &'d [u8]) -> Option<&'d [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (field, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(field)
}

/// Whether the ssh-agent holds a key.
async fn holds(public: &PublicHalf) -> Result<bool, Failure> {
    let mut command = Command::new("ssh-add");
    command.arg("-L").stdin(ProcessStdio::null()).kill_on_drop(true);
    let listed = match timeout(PATIENCE, command.output()).await {
        Ok(Ok(listed)) => listed,
        Ok(Err(error)) => return Err(unstarted(&error)),
        Err(_) => return Err(refused("`ssh-add -L` does not end")),
    };
    // 1 says that there are no keys.
    match listed.status.code() {
        Some(0 | 1) => {
            let wanted = BASE64_STANDARD.encode(&public.blob);
            Ok(String::from_utf8_lossy(&listed.stdout).lines().any(|line| line.split(' ').nth(1) == Some(&wanted)))
        }
        _ => Err(refused(String::from_utf8_lossy(&listed.stderr).trim())),
    }
}

async fn add(key: &PrivateKey, lifetime: Option<u32>, directory: &Path, own: &Path) -> Result<(), Failure> {
    let mut command = Command::new("ssh-add");
    if let Some(seconds) = lifetime {
        command.args(["-t", &seconds.to_string()]);
    }
    command.arg("-").stdin(ProcessStdio::piped()).stdout(ProcessStdio::null()).stderr(ProcessStdio::piped());
    command.kill_on_drop(true);
    let asked = |passphrase: &super::Secret| {
        Answers::to(Question::Passphrase, passphrase.clone(), directory, &mut command, own)
    };
    let answers = key.passphrase.as_ref().map(asked).transpose();
    let answers = answers.map_err(|error| refused(&format!("cannot pass a passphrase to ssh-add: {error}")))?;
    let mut process = command.spawn().map_err(|error| unstarted(&error))?;
    if let (Some(answers), Some(pid)) = (&answers, process.id()) {
        answers.only_for(pid);
    }
    let text = format!("{}\n", key.text.reveal().trim_end());
    if let Some(mut stdin) = process.stdin.take() {
        // Should ssh-add end before it reads, it says why.
        let _ = stdin.write_all(text.as_bytes()).await;
    }
    let ended = match timeout(PATIENCE, process.wait_with_output()).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => return Err(refused(&error.to_string())),
        Err(_) => return Err(refused("`ssh-add` does not end")),
    };
    let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    match ended.status.success() {
        true => Ok(()),
        // It asks again after a wrong passphrase, gets no answer and ends without a word.
        false if key.passphrase.is_some() && said.is_empty() => {
            Err(refused("Corrupt data: broken checksum").help("check ansible_private_key_passphrase"))
        }
        false => Err(refused(&said)),
    }
}

fn unstarted(error: &io::Error) -> Failure {
    refused(&format!("cannot start `ssh-add`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by ssh-keygen: one in the clear, one with a passphrase.
    #[test]
    fn the_public_half_is_read_without_the_passphrase() {
        for (passphrase, is_encrypted) in [("", false), ("geheim", true)] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("key");
            let made = std::process::Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-C", "", "-N", passphrase, "-f"])
                .arg(&path)
                .status();
            assert!(made.unwrap().success());
            let public = PublicHalf::of(&std::fs::read_to_string(&path).unwrap()).unwrap();
            assert_eq!(public.is_encrypted, is_encrypted);
            let file = std::fs::read_to_string(path.with_extension("pub")).unwrap();
            assert_eq!(public.line().trim(), file.trim());
            let shown = std::process::Command::new("ssh-keygen").arg("-lf").arg(&path).output().unwrap();
            assert!(String::from_utf8_lossy(&shown.stdout).contains(&format!("SHA256:{} ", public.fingerprint())));
        }
    }

    #[test]
    fn other_text_is_no_key() {
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        // Ends in the middle of a field.
        let short = format!(
            "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----",
            BASE64_STANDARD.encode(b"openssh-key-v1\0\0\0\0\x04none\0\0\xff\xff")
        );
        for text in ["", "nonsense", pem, &short] {
            assert_eq!(PublicHalf::of(text), None, "{text}");
        }
    }
}
