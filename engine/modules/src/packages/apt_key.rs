//! `apt_key`: a key trusted by apt, through the program apt-key, which Debian 13 no longer has.

use rplay_wire::{Failure, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, PathArg, Text},
    host::MAX_OUTPUT,
    io_failure::io_failure,
    system::{
        bounded,
        http::{Request, Trust},
        paths,
        program::Program,
        regular,
    },
};

args! {
    /// Adds and removes keys trusted by apt. Prefer deb822_repository in new playbooks.
    pub struct AptKey {
        /// The key ID: 8, 16 or 40 hexadecimal digits.
        id: Option<Text>,
        /// The key itself, ASCII-armored.
        data: Option<Text>,
        /// A file on the host with the key.
        file: Option<PathArg>,
        /// The URL of the key.
        url: Option<Text>,
        /// A key server that is queried for the key ID.
        keyserver: Option<Text>,
        /// The keyring; by default apt's own.
        keyring: Option<PathArg>,
        /// Whether it should exist.
        state: State = State::Present,
        /// Whether to verify the server's TLS certificate.
        validate_certs: Flag = Flag(true),
    }
}

impl Module for AptKey {
    fn check(&self) -> Result<(), ArgError> {
        let sources = [
            ("data", self.data.is_some()),
            ("file", self.file.is_some()),
            ("url", self.url.is_some()),
            ("keyserver", self.keyserver.is_some()),
        ];
        let mut given = sources.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
        match (given.next(), given.next()) {
            (Some(first), Some(second)) => {
                return Err(ArgError::new(second, format!("cannot be combined with `{first}`")));
            }
            (None, _) if self.id.is_none() || self.state == State::Present => {
                return Err(ArgError::new("url", "one of data, file, url, keyserver is required")
                    .help("to remove a key, its `id` is enough"));
            }
            _ => {}
        }
        if self.keyserver.is_some() && self.id.is_none() {
            return Err(ArgError::new("id", "is required with `keyserver`"));
        }
        match &self.id {
            Some(id) if bare(id).is_none() => {
                Err(ArgError::new("id", format!("`{id}` is not a key id of 8, 16 or 40 hexadecimal digits")))
            }
            _ => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        if !host.has_program("apt-key") || !host.has_program("gpg") {
            let lacks = |program: &str| {
                host.missing_program(program).help("use deb822_repository with `signed_by`, or install gnupg")
            };
            if !host.has_program("apt-key") {
                return Err(lacks("apt-key"));
            }
            let plan = plan.assumes(host, "the program gpg", || lacks("gpg"))?;
            return Ok(plan.change(Change::new("change apt's keys", |_, _| Ok(()))));
        }
        let key = match self.key(host) {
            Err(failure) if host.rehearses() => {
                plan = plan.warn(format!("check mode: {failure}"));
                None
            }
            key => key?,
        };
        let id = match (self.id.as_deref().and_then(bare), &key) {
            (Some(id), _) => id,
            (None, Some(key)) => {
                let shown = host
                    .program("gpg")
                    .args(["--with-colons", "--show-keys", "-"])
                    .untranslated()
                    .stdin(key.clone())
                    .run()?;
                let shown = shown.success("cannot read the key")?;
                fingerprints(&shown.stdout).into_iter().next().ok_or_else(|| Failure::new("this contains no key"))?
            }
            (None, None) => String::new(),
        };
        let keyring = self.keyring.as_ref().map(|keyring| keyring.on(host));
        if let Some(path) = &keyring {
            regular::refuse_special_target(path).map_err(|error| io_failure("read", path, &error).arg("keyring"))?;
        }
        // apt-key creates a missing keyring, even to list it.
        let before = match keyring.is_some_and(|path| !path.exists()) {
            true => Vec::new(),
            false => {
                let listed = self.apt_key(host).args(["adv", "--list-public-keys", "--with-colons"]).run()?;
                fingerprints(&listed.stdout)
            }
        };
        let is_there = !id.is_empty() && before.iter().any(|known| known.ends_with(&id));
        plan = plan.set("id", id.as_str()).set("key_id", id.as_str()).set("before", before);
        match (self.state, is_there) {
            (State::Present, true) | (State::Absent, false) => Ok(plan),
            (State::Absent, true) => Ok(plan.change(Change::new(format!("remove the key {id}"), move |host, _| {
                self.apt_key(host).args(["del", &id]).run()?.success("cannot remove the key").map(|_| ())
            }))),
            (State::Present, false) => {
                Ok(plan.change(Change::new(format!("add the key {id}"), move |host, outcome| {
                    let done = match (&self.keyserver, key) {
                        (Some(server), _) => {
                            self.apt_key(host).args(["adv", "--no-tty", "--keyserver", server, "--recv", &id]).run()?
                        }
                        (None, Some(key)) => self.apt_key(host).args(["add", "-"]).stdin(key).run()?,
                        (None, None) => return Err(Failure::new("there is no key to add")),
                    };
                    done.success("cannot add the key")?;
                    let listed = self.apt_key(host).args(["adv", "--list-public-keys", "--with-colons"]).run()?;
                    let after = fingerprints(&listed.stdout);
                    if !after.iter().any(|known| known.ends_with(&id)) {
                        return Err(Failure::new(format!(
                            "apt-key did not return an error, but failed to add the key {id}"
                        ))
                        .arg("id")
                        .help("check that the ID belongs to the key"));
                    }
                    outcome.extend(data! { "after" => after });
                    Ok(())
                })))
            }
        }
    }
}

impl AptKey {
    fn apt_key(&self, host: &Host) -> Program {
        // It warns on standard error that it is deprecated.
        let program = host.program("apt-key").untranslated().env("APT_KEY_DONT_WARN_ON_DANGEROUS_USAGE", "1");
        match &self.keyring {
            Some(keyring) => program.args(["--keyring", &paths::text(keyring.on(host))]),
            None => program,
        }
    }

    fn key(&self, host: &Host) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(data) = &self.data {
            return Ok(Some(data.clone().into_bytes()));
        }
        if let Some(file) = &self.file {
            let path = file.on(host);
            let read = bounded::read_file(&path, MAX_OUTPUT);
            return read.map(Some).map_err(|error| io_failure("read", &path, &error).arg("file"));
        }
        let Some(url) = &self.url else { return Ok(None) };
        let mut request = Request::get(url);
        request.trust = Trust { validate: self.validate_certs.0, ..Trust::default() };
        let about = |msg: String| Failure::new(msg).arg("url");
        let mut response = request.send(host).map_err(|error| about(format!("failed to download key: {error}")))?;
        match response.status {
            200 => response.content().map(Some),
            status => Err(about(format!("failed to download key: HTTP Error {status}: {}", response.reason))),
        }
    }
}

/// A key ID in upper case, without `0x`.
fn bare(id: &str) -> Option<String> {
    let id = id.trim().trim_start_matches("0x").trim_start_matches("0X").to_ascii_uppercase();
    (matches!(id.len(), 8 | 16 | 40) && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

/// The fingerprints of the primary keys in a `--with-colons` listing.
fn fingerprints(listing: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_primary = false;
    for line in listing.lines() {
        let mut fields = line.split(':');
        match fields.next() {
            Some("pub") => is_primary = true,
            Some("sub") => is_primary = false,
            Some("fpr") if is_primary => {
                found.extend(fields.nth(8).map(str::to_owned));
                is_primary = false;
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Args;

    #[test]
    fn a_listing_of_gpg() {
        let listing = "tru:t:1:1:0:3:1:5\n\
            pub:-:4096:1:8D81803C0EBFCD88:1487788586:::-:::scESA::::::23::0:\n\
            fpr:::::::::9DC858229FC7DD38854AE2D88D81803C0EBFCD88:\n\
            uid:-::::1487792064::78B0::Docker Release (CE deb) <docker@docker.com>::::::::::0:\n\
            sub:-:4096:1:7EA0A9C3F273FCD8:1487788586::::::s::::::23:\n\
            fpr:::::::::D3306A018370199E527AE7997EA0A9C3F273FCD8:\n";
        assert_eq!(fingerprints(listing), ["9DC858229FC7DD38854AE2D88D81803C0EBFCD88"]);
        assert_eq!(bare("0x0ebfcd88").as_deref(), Some("0EBFCD88"));
        assert_eq!((bare("0EBFCD8"), bare("nothexad")), (None, None));
    }

    #[test]
    fn what_is_refused() {
        for (args, expected) in [
            (data! {}, "one of data"),
            (data! { "id" => "0EBFCD88" }, "one of data"),
            (data! { "url" => "http://x", "data" => "x" }, "cannot be combined"),
            (data! { "keyserver" => "x" }, "is required"),
        ] {
            assert!(AptKey::from_map(&args).unwrap().check().unwrap_err().msg.contains(expected), "{args:?}");
        }
        assert!(AptKey::from_map(&data! { "id" => "0EBFCD88", "state" => "absent" }).unwrap().check().is_ok());
    }
}
