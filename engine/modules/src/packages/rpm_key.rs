//! `rpm_key`: a key that rpm uses to verify packages.

use std::path::PathBuf;

use rplay_wire::Failure;

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, Text},
    host::MAX_OUTPUT,
    system::{
        bounded, fs,
        http::{Request, Trust},
        paths, scratch,
    },
};

args! {
    /// Adds a key to rpm's database, or removes it.
    pub struct RpmKey {
        /// The key: a URL, a file on the host, or the ID of a key in the database.
        key: Text,
        /// Accepted fingerprints of the key.
        fingerprint: Vec<Text> = Vec::new(),
        /// Whether it should exist.
        state: State = State::Present,
        /// Whether to verify the server's TLS certificate.
        validate_certs: Flag = Flag(true),
    }
}

impl Module for RpmKey {
    fn check(&self) -> Result<(), ArgError> {
        match self.state == State::Present && key_id(&self.key).is_some() {
            true => Err(ArgError::new("key", "When importing a key, a valid file must be given")),
            false => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        if !host.has_program("rpm") {
            let lacks = || host.missing_program("rpm");
            plan = plan.assumes(host, "the program rpm", lacks)?;
            return Ok(plan.change(Change::new("change rpm's keys", |_, _| Ok(()))));
        }
        let (id, content) = match key_id(&self.key) {
            Some(id) => (id, Vec::new()),
            None => {
                let content = self.content(host)?;
                let fingerprints = fingerprints(host, &content)?;
                self.check_fingerprints(&fingerprints)?;
                let own = fingerprints.into_iter().next();
                (own.ok_or_else(|| Failure::new(format!("Not a valid key {}", self.key)).arg("key"))?, content)
            }
        };
        let known = known(host)?;
        let found: Vec<String> = known.into_iter().filter(|known| same_key(known, &id)).collect();
        match (self.state, found.is_empty()) {
            (State::Present, false) | (State::Absent, true) => Ok(plan),
            (State::Present, true) => Ok(plan.change(Change::new(format!("import the key {id}"), move |host, _| {
                let file = scratch::file("")?;
                fs::write(file.path(), &content)?;
                let done = host.program("rpm").arg("--import").arg(file.path()).untranslated().run()?;
                done.success("cannot import the key").map(|_| ())
            }))),
            (State::Absent, false) => Ok(plan.change(Change::new(format!("remove the key {id}"), move |host, _| {
                let names = found.iter().map(|version| format!("gpg-pubkey-{version}"));
                let done = host.program("rpm").args(["--erase", "--allmatches"]).args(names).untranslated().run()?;
                done.success("cannot remove the key").map(|_| ())
            }))),
        }
    }
}

impl RpmKey {
    fn content(&self, host: &Host) -> Result<Vec<u8>, Failure> {
        let content = match self.key.contains("://") {
            true => {
                let mut request = Request::get(self.key.as_str());
                request.trust = Trust { validate: self.validate_certs.0, ..Trust::default() };
                let failed = |reason: String| {
                    Failure::new(format!("failed to fetch key at {} , error was: {reason}", self.key)).arg("key")
                };
                let mut response = request.send(host).map_err(failed)?;
                if response.status != 200 {
                    return Err(failed(format!("HTTP status {}", response.status)));
                }
                response.content()?
            }
            false => {
                let path = PathBuf::from(paths::expand(&self.key, host));
                bounded::read_file(&path, MAX_OUTPUT)
                    .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())).arg("key"))?
            }
        };
        let is_armoured = String::from_utf8_lossy(&content).contains("-----BEGIN PGP PUBLIC KEY BLOCK-----");
        // Bit 7 is set in the first byte of every OpenPGP packet (RFC 9580, 4.2).
        match is_armoured || content.first().is_some_and(|first| first & 0x80 != 0) {
            true => Ok(content),
            false => Err(Failure::new(format!("Not a public key: {}", self.key)).arg("key")),
        }
    }

    fn check_fingerprints(&self, found: &[String]) -> Result<(), Failure> {
        let wanted: Vec<String> = self.fingerprint.iter().map(|text| bare(text)).collect();
        if wanted.is_empty() || wanted.iter().any(|one| found.contains(one)) {
            return Ok(());
        }
        let msg = format!(
            "The specified fingerprint, '{}', does not match any key fingerprints in '{}'",
            wanted.join(", "),
            found.join(", ")
        );
        Err(Failure::new(msg).arg("fingerprint"))
    }
}

/// A fingerprint or ID in upper case, without spaces and `0x`.
fn bare(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
    text.strip_prefix("0X").map(str::to_owned).unwrap_or(text)
}

/// The ID of a key, if the text is one: 8, 16 or 40 hexadecimal digits.
fn key_id(text: &str) -> Option<String> {
    let id = bare(text);
    (matches!(id.len(), 8 | 16 | 40) && id.chars().all(|c| c.is_ascii_hexdigit())).then_some(id)
}

/// rpm before 4.20 identifies keys by the last 8 digits, later versions by all digits.
fn same_key(known: &str, id: &str) -> bool {
    let (known, id) = (known.to_uppercase(), id.to_uppercase());
    known.ends_with(&id) || id.ends_with(&known)
}

/// The IDs of rpm's keys.
fn known(host: &Host) -> Result<Vec<String>, Failure> {
    let asked = host.program("rpm").args(["-q", "gpg-pubkey", "--qf", "%{VERSION}\n"]).untranslated().run()?;
    // Exit code 1 means that there are none.
    let is_version = |line: &&str| line.len() >= 8 && line.chars().all(|c| c.is_ascii_hexdigit());
    Ok(asked.stdout.lines().map(str::trim).filter(is_version).map(str::to_owned).collect())
}

/// The fingerprints of a key and its subkeys.
fn fingerprints(host: &Host, key: &[u8]) -> Result<Vec<String>, Failure> {
    let program = if host.has_program("gpg") { "gpg" } else { "gpg2" };
    let shown = host.program(program).args(["--no-tty", "--batch", "--with-colons", "--show-keys", "-"]);
    let shown = shown.untranslated().stdin(key.to_vec()).run()?.success("cannot read the key")?;
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let lines = shown.stdout.lines().map(fields).filter(|fields| fields.first().is_some_and(|kind| kind == "fpr"));
    Ok(lines.filter_map(|fields| fields.get(9).cloned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_in_every_form() {
        assert_eq!(key_id("0xdeadb33f"), Some("DEADB33F".to_owned()));
        assert_eq!(key_id("/etc/key"), None);
        assert_eq!(bare("EBC6 E12C 62B1"), "EBC6E12C62B1");
        let long = "0123456789ABCDEF0123456789ABCDEFDEADB33F";
        assert!(
            same_key("deadb33f", long) && same_key(&long.to_lowercase(), "DEADB33F") && !same_key("deadb33e", long)
        );
    }
}
