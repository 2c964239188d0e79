//! Detached signatures of `MANIFEST.json`, verified by the user's gpg.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{Galaxy, GalaxyError, Result};

/// How many signatures must be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// `None`: all.
    pub number: Option<usize>,
    /// Whether unsigned collections are rejected.
    pub strict: bool,
}

impl Default for Count {
    fn default() -> Self {
        Count { number: Some(1), strict: false }
    }
}

impl Count {
    /// `1`, `+1`, `all`, `+all`.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        let (strict, bare) = text.strip_prefix('+').map_or((false, text), |bare| (true, bare));
        let number = match bare {
            "all" | "-1" => None,
            bare => match bare.parse() {
                Ok(number) if number > 0 => Some(number),
                _ => {
                    return Err(GalaxyError::new(format!(
                        "{text} is not a valid signature count; it must be a positive whole number or `all`"
                    )));
                }
            },
        };
        Ok(Count { number, strict })
    }
}

/// How signatures are verified.
#[derive(Clone, Debug, Default)]
pub struct SignatureOptions {
    /// Without one, nothing is verified.
    pub keyring: Option<PathBuf>,
    pub count: Count,
    /// gpg status codes that do not invalidate a signature.
    pub ignored: Vec<String>,
    pub disabled: bool,
}

/// gpg status codes of invalid signatures.
pub const CODES: [&str; 16] = [
    "EXPSIG",
    "EXPKEYSIG",
    "REVKEYSIG",
    "BADSIG",
    "ERRSIG",
    "NO_PUBKEY",
    "MISSING_PASSPHRASE",
    "BAD_PASSPHRASE",
    "NODATA",
    "UNEXPECTED",
    "ERROR",
    "FAILURE",
    "BADARMOR",
    "KEYEXPIRED",
    "KEYREVOKED",
    "NO_SECKEY",
];

impl Galaxy {
    /// Verifies the signatures of a collection's `MANIFEST.json`; does nothing without a keyring.
    ///
    /// # Errors
    /// If too few are valid.
    pub(super) fn check_signatures(
        &self,
        name: &str,
        manifest: &Path,
        signatures: &[String],
        options: &SignatureOptions,
    ) -> Result<()> {
        let Some(keyring) = options.keyring.as_ref().filter(|_| !options.disabled) else { return Ok(()) };
        if signatures.is_empty() {
            return match options.count.strict {
                true => Err(GalaxyError::new(format!(
                    "Signature verification failed for '{name}': no successful signatures"
                ))),
                false => {
                    self.warn(format!("'{name}' has no signatures to verify"));
                    Ok(())
                }
            };
        }
        let mut valid = 0;
        let mut told = Vec::new();
        for signature in signatures {
            match verify(manifest, signature, keyring, &options.ignored)? {
                Ok(()) => valid += 1,
                Err(reason) => told.push(reason),
            }
        }
        let enough = match options.count.number {
            Some(number) => valid >= number,
            None => told.is_empty(),
        };
        match enough && (valid > 0 || !options.count.strict) {
            true => Ok(()),
            false => Err(GalaxyError::new(format!(
                "Signature verification failed for '{name}': {valid} of {} signatures are valid\n{}",
                signatures.len(),
                told.join("\n")
            ))),
        }
    }

    /// A signature from a URL or a file.
    pub(super) fn signature_at(&self, place: &str) -> Result<String> {
        let file = tempfile::NamedTempFile::new().map_err(|error| GalaxyError::new(error.to_string()))?;
        let path = match place.strip_prefix("file://") {
            Some(path) => PathBuf::from(path),
            None if place.contains("://") => {
                self.take(place, None, None, file.path())?;
                file.path().to_owned()
            }
            None => PathBuf::from(place),
        };
        crate::files::read_text(&path)
            .map_err(|error| GalaxyError::new(format!("cannot read the signature {place}: {error}")))
    }
}

/// Verifies one signature; the inner error is the reason if it is invalid.
fn verify(
    manifest: &Path,
    signature: &str,
    keyring: &Path,
    ignored: &[String],
) -> Result<std::result::Result<(), String>> {
    let failed = |error: std::io::Error| GalaxyError::new(format!("cannot run gpg to verify signatures: {error}"));
    let mut child = Command::new("gpg")
        .args(["--verify", "--batch", "--no-tty", "--no-auto-check-trustdb", "--no-default-keyring", "--status-fd=1"])
        .arg("--keyring")
        .arg(keyring)
        .arg("-")
        .arg(manifest)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // gpg may have stopped reading; its status is decisive.
        let _ = input.write_all(signature.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let codes: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")?.split_whitespace().next()).collect();
    let bad: Vec<&str> = codes.iter().copied().filter(|code| CODES.contains(code)).collect();
    let held_against: Vec<&str> =
        bad.iter().copied().filter(|code| !ignored.iter().any(|known| known == code)).collect();
    let is_good = codes.contains(&"VALIDSIG") || codes.contains(&"GOODSIG");
    Ok(match held_against.is_empty() && (is_good || !bad.is_empty()) {
        true => Ok(()),
        false if held_against.is_empty() => {
            Err(format!("    * gpg: {}", String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default()))
        }
        false => Err(format!("    * gpg reports {}", held_against.join(", "))),
    })
}
