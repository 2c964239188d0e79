//! `apt_key`: a key trusted by apt, through the program apt-key, which Debian 13 no longer has.

use rplay_wire::{Failure, Map, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, PathArg, Text},
    host::MAX_OUTPUT,
    io_failure::{io_failure, reason},
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
        if let (Some(_), Some(second)) = (given.next(), given.next()) {
            return Err(ArgError::exclusive(second, &["data", "file", "keyserver", "url"]));
        }
        Ok(())
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
        let given = match (&self.id, &key) {
            (Some(id), _) => Some(id.clone()),
            (None, Some(key)) => Some(self.id_in(key, host)?),
            (None, None) => None,
        };
        let Some(id) = given.as_deref().and_then(KeyId::parse) else {
            if host.rehearses() && given.is_none() && !plan.warnings.is_empty() {
                return Ok(plan.change(Change::new("add a key", |_, _| Ok(()))));
            }
            return Err(Failure::new("Invalid key_id").arg("id").data(data! { "id" => given }));
        };
        let keyring = self.keyring.as_ref().map(|keyring| keyring.on(host));
        if let Some(path) = &keyring {
            regular::refuse_special_target(path).map_err(|error| io_failure("read", path, &error).arg("keyring"))?;
        }
        // apt-key creates a missing keyring, even to list it.
        let before = match keyring.is_some_and(|path| !path.exists()) {
            true => Vec::new(),
            false => self.listed(&id, host)?,
        };
        let is_there = before.iter().any(|known| known == id.listed());
        plan.data = data! {
            "id" => given, "key_id" => id.whole.as_str(), "fp" => id.long(), "short_id" => id.short(), "before" => before
        };
        match (self.state, is_there) {
            (State::Present, true) | (State::Absent, false) => Ok(plan),
            (State::Absent, true) => {
                let what = format!("remove the key {}", id.whole);
                Ok(plan.change(Change::new(what, move |host, outcome| self.remove(&id, host, outcome))))
            }
            (State::Present, false) => {
                let what = format!("add the key {}", id.whole);
                Ok(plan.kept().change(Change::new(what, move |host, outcome| self.add(&id, key, host, outcome))))
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

    /// The IDs of apt's keys, as long as `id`.
    fn listed(&self, id: &KeyId, host: &Host) -> Result<Vec<String>, Failure> {
        let listed = self.apt_key(host).args(["adv", "--list-public-keys", "--with-colons"]).run()?;
        let short = |id: String| id.get(id.len().saturating_sub(8)..).map_or_else(|| id.clone(), str::to_owned);
        let ids = key_ids(&listed.stdout);
        Ok(if id.whole.len() == 8 { ids.into_iter().map(short).collect() } else { ids })
    }

    fn add(self, id: &KeyId, key: Option<Vec<u8>>, host: &Host, outcome: &mut Map) -> Result<(), Failure> {
        match (&self.keyserver, key) {
            (Some(server), _) => {
                let program = self.apt_key(host).args(["adv", "--no-tty", "--keyserver", server, "--recv", &id.whole]);
                let cmd = program.to_string();
                let done = program.run()?;
                if done.rc != 0 {
                    let msg = format!("Error fetching key {} from keyserver: {server}", id.whole);
                    return Err(Failure::new(msg).arg("keyserver").data(done.data()).data(data! { "cmd" => cmd }));
                }
            }
            (None, Some(key)) => {
                let program = self.apt_key(host).args(["add", "-"]);
                let cmd = program.to_string();
                let done = program.stdin(key).run()?;
                if done.rc != 0 {
                    let source = self.source();
                    let msg = format!("Unable to add a key from {source}");
                    return Err(Failure::new(msg).data(done.data()).data(data! { "cmd" => cmd }));
                }
            }
            (None, None) => return Err(Failure::new("No key to add ... how did i get here?!?!")),
        }
        let after = self.listed(id, host)?;
        let is_there = after.iter().any(|known| known == id.listed());
        outcome.insert("after".to_owned(), after.into());
        match is_there {
            true => Ok(()),
            false => Err(Failure::new(
                "apt-key did not return an error, but failed to add the key (check that the id is correct and *not* a \
                 subkey)",
            )
            .arg("id")),
        }
    }

    fn remove(self, id: &KeyId, host: &Host, outcome: &mut Map) -> Result<(), Failure> {
        self.apt_key(host).args(["del", id.listed()]).run()?.success("cannot remove the key")?;
        let after = self.listed(id, host)?;
        let is_there = after.iter().any(|known| known == id.listed());
        outcome.insert("after".to_owned(), after.into());
        match is_there {
            false => Ok(()),
            true => Err(Failure::new(
                "apt-key del did not return an error but the key was not removed (check that the id is correct and \
                 *not* a subkey)",
            )
            .arg("id")),
        }
    }

    /// Where the key comes from, as failures tell it.
    fn source(&self) -> String {
        match (&self.file, &self.url) {
            (Some(file), _) => format!("'{}'", file.0),
            (None, Some(url)) => format!("'{url}'"),
            (None, None) => "'inline data'".to_owned(),
        }
    }

    /// The ID of the first key in `key`.
    fn id_in(&self, key: &[u8], host: &Host) -> Result<String, Failure> {
        let program = host.program("gpg").args(["--with-colons", "--show-keys", "-"]);
        let shown = program.untranslated().stdin(key).run()?;
        key_ids(&shown.stdout).into_iter().next().ok_or_else(|| {
            let said = data! { "stdout" => shown.stdout.as_str(), "stderr" => shown.stderr.as_str() };
            Failure::new(format!("Unable to extract key from {}", self.source())).data(said)
        })
    }

    fn key(&self, host: &Host) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(data) = &self.data {
            return Ok(Some(data.clone().into_bytes()));
        }
        if let Some(file) = &self.file {
            let path = file.on(host);
            let read = bounded::read_file(&path, MAX_OUTPUT);
            return read.map(Some).map_err(|error| {
                let said = format!("gpg: can't open '{}': {}\n", file.0, reason(&error));
                let msg = format!("Unable to extract key from {}", self.source());
                Failure::new(msg).arg("file").data(data! { "stdout" => "", "stderr" => said })
            });
        }
        let Some(url) = &self.url else { return Ok(None) };
        let mut request = Request::get(url);
        request.trust = Trust { validate: self.validate_certs.0, ..Trust::default() };
        let about = |msg: String| Failure::new(msg).arg("url");
        let failed = |why: String| about(format!("Failed to download key at {url}: {why}"));
        let mut response = request.send(host).map_err(|error| failed(format!("Request failed: {error}")))?;
        match response.status {
            200 => response.content().map(Some),
            status => Err(failed(format!("HTTP Error {status}: {}", response.reason))),
        }
    }
}

/// The ID of a key: its last 8 or 16 hexadecimal digits, or its whole fingerprint.
struct KeyId {
    whole: String,
}

impl KeyId {
    /// In upper case, without `0x`.
    fn parse(id: &str) -> Option<Self> {
        let id = id.trim().trim_start_matches("0x").trim_start_matches("0X").to_ascii_uppercase();
        let is_one = matches!(id.len(), 8 | 16 | 40) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then_some(KeyId { whole: id })
    }

    /// The last digits, at most `count`.
    fn last(&self, count: usize) -> &str {
        &self.whole[self.whole.len().saturating_sub(count)..]
    }

    fn long(&self) -> &str {
        self.last(16)
    }

    fn short(&self) -> &str {
        self.last(8)
    }

    /// As it stands in lists.
    fn listed(&self) -> &str {
        self.long()
    }
}

/// The IDs of all keys in a `--with-colons` listing, also of subkeys: 16 digits each.
fn key_ids(listing: &str) -> Vec<String> {
    let id = |line: &str| {
        let mut fields = line.split(':');
        matches!(fields.next(), Some("pub" | "sub")).then(|| fields.nth(3).map(str::to_owned))?
    };
    listing.lines().filter_map(id).collect()
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
        assert_eq!(key_ids(listing), ["8D81803C0EBFCD88", "7EA0A9C3F273FCD8"]);
        let id = KeyId::parse("0x9dc858229fc7dd38854ae2d88d81803c0ebfcd88").unwrap();
        assert_eq!((id.long(), id.short()), ("8D81803C0EBFCD88", "0EBFCD88"));
        let id = KeyId::parse("0EBFCD88").unwrap();
        assert_eq!((id.long(), id.short()), ("0EBFCD88", "0EBFCD88"));
        assert!(KeyId::parse("0EBFCD8").is_none() && KeyId::parse("nothexad").is_none());
    }

    #[test]
    fn what_is_refused() {
        let args = data! { "url" => "http://x", "data" => "x" };
        let error = AptKey::from_map(&args).unwrap().check().unwrap_err();
        assert_eq!(error.msg, "parameters are mutually exclusive: data|file|keyserver|url");
    }
}
