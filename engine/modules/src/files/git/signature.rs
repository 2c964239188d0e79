//! The signature of a checked out commit or tag.

use rplay_wire::Failure;

use super::checkout::Checkout;
use crate::Host;

impl Checkout {
    /// Fails unless the version is signed, by one of the allowed keys if the task names any.
    pub(super) fn verify(&self, host: &Host) -> Result<(), Failure> {
        if !self.task.verify_commit.0 {
            return Ok(());
        }
        let version = self.task.version.as_str();
        // Only an annotated tag is an object of its own, with its own signature.
        let kind = self.run(host, &["cat-file", "-t", &format!("refs/tags/{version}")])?;
        let verb = if kind.rc == 0 && kind.stdout.trim() == "tag" { "verify-tag" } else { "verify-commit" };
        let allowed = &self.task.gpg_allowlist;
        let args = if allowed.is_empty() { vec![verb, version] } else { vec![verb, "--raw", version] };
        let done = self.run(host, &args)?;
        if done.rc != 0 {
            let msg = format!("Failed to verify GPG signature of commit/tag \"{version}\"");
            return Err(Failure::new(msg).arg("verify_commit").data(done.data()));
        }
        if allowed.is_empty() {
            return Ok(());
        }
        // With `--raw`, gpg's report is on standard error.
        let key = fingerprint(&done.stderr).or_else(|| fingerprint(&done.stdout)).unwrap_or_default();
        if allowed.iter().any(|known| known == key) {
            return Ok(());
        }
        let msg = format!("The gpg_allowlist does not include the public key \"{key}\" for this commit");
        Err(Failure::new(msg).arg("gpg_allowlist").data(done.data()))
    }
}

/// The fingerprint of the key in gpg's status lines; of the primary key, if a subkey signed.
fn fingerprint(status: &str) -> Option<&str> {
    let mut words = status.lines().find_map(|line| line.strip_prefix("[GNUPG:] VALIDSIG "))?.split_whitespace();
    let signed = words.next()?;
    Some(words.nth(8).unwrap_or(signed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primary_key_counts() {
        let line = "[GNUPG:] GOODSIG 1 a\n[GNUPG:] VALIDSIG SUB 2026-01-01 1 0 4 0 1 8 00 PRIMARY\n";
        assert_eq!(fingerprint(line), Some("PRIMARY"));
        assert_eq!(fingerprint("[GNUPG:] VALIDSIG ONE 2026-01-01 1 0 4 0 1 8 00\n"), Some("ONE"));
        assert_eq!(fingerprint("gpg: no signature\n"), None);
    }
}
