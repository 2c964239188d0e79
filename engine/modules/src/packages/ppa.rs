//! Personal package archives of Launchpad: `ppa:owner/name` as a line of apt's sources, and the key that signs them.

use std::path::{Path, PathBuf};

use rplay_wire::Failure;
use serde_json::Value as Json;

use crate::{
    Change, Host,
    system::{
        http::{Request, Trust},
        place::{Content, Placement},
        text,
    },
};

/// What a repository begins with that names an archive of Launchpad.
pub(super) const PREFIX: &str = "ppa:";

const API: &str = "https://api.launchpad.net/1.0";
const ARCHIVES: &str = "https://ppa.launchpadcontent.net";
const KEYSERVER: &str = "keyserver.ubuntu.com";

/// An archive, for one release of a distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Archive {
    owner: String,
    name: String,
    codename: String,
}

impl Archive {
    /// The archive that `repo` names; `None` if it is no `ppa:`. `release` is the host's file about its release, which
    /// names the codename unless `codename` does.
    ///
    /// # Errors
    /// The host does not tell its codename.
    pub(super) fn parse(repo: &str, codename: Option<&str>, release: &Path) -> Result<Option<Self>, Failure> {
        let Some(named) = repo.strip_prefix(PREFIX) else { return Ok(None) };
        let mut parts = named.split('/');
        let owner = parts.next().unwrap_or_default().to_owned();
        let name = parts.next().unwrap_or("ppa").to_owned();
        let codename = match codename {
            Some(codename) => codename.to_owned(),
            None => codename_in(&text::read(release)?.unwrap_or_default()).ok_or_else(|| {
                Failure::new("this host does not tell the codename of its release")
                    .arg("codename")
                    .help("name the release of Ubuntu whose packages fit, such as `jammy`")
            })?,
        };
        Ok(Some(Archive { owner, name, codename }))
    }

    /// The line of apt's sources.
    pub(super) fn line(&self) -> String {
        format!("deb {ARCHIVES}/{}/{}/ubuntu {} main", self.owner, self.name, self.codename)
    }

    /// The file of the line, without `.list`, for an archive that was named `repo`.
    pub(super) fn file_name(&self, repo: &str) -> String {
        let named = format!("{repo}_{}", self.codename);
        named.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
    }

    /// Asks Launchpad for the archive's key, and makes apt trust it unless it does.
    ///
    /// # Errors
    /// Launchpad does not know the archive, or cannot be asked; or apt-key fails.
    pub(super) fn trust_key(&self, validate_certs: bool, host: &Host) -> Result<Option<Change>, Failure> {
        let fingerprint = self.fingerprint(API, validate_certs, host)?;
        self.trust(fingerprint, validate_certs, host)
    }

    fn trust(&self, fingerprint: String, validate_certs: bool, host: &Host) -> Result<Option<Change>, Failure> {
        let what = format!("trust the key {fingerprint} of {}/{}", self.owner, self.name);
        if host.has_program("apt-key") {
            let apt_key =
                |host: &Host| host.program("apt-key").untranslated().env("APT_KEY_DONT_WARN_ON_DANGEROUS_USAGE", "1");
            let exported = apt_key(host).args(["export", &fingerprint]).run()?;
            // Newer versions of gpg also end with an error then.
            if !exported.stderr.contains("nothing exported") {
                exported.success("cannot tell whether apt trusts the archive's key")?;
                return Ok(None);
            }
            return Ok(Some(Change::new(what, move |host, _| {
                let server = format!("hkp://{KEYSERVER}:80");
                let receive = ["adv", "--recv-keys", "--no-tty", "--keyserver", &server, &fingerprint];
                apt_key(host).args(receive).run()?.success("cannot receive the archive's key").map(|_| ())
            })));
        }
        // Debian 13 has no apt-key; keys in this directory are trusted alike.
        let path = PathBuf::from(format!("/etc/apt/trusted.gpg.d/{fingerprint}.asc"));
        if path.is_file() {
            return Ok(None);
        }
        Ok(Some(Change::new(what, move |host, outcome| {
            let url = format!("https://{KEYSERVER}/pks/lookup?op=get&options=mr&search=0x{fingerprint}");
            let key = fetched(&url, validate_certs, host)
                .map_err(|why| Failure::new(format!("Unable to get required signing key: {why}")))?;
            Placement::plain(&path, Content::Bytes(key)).put(host, outcome)
        })))
    }

    /// The fingerprint of the archive's key, as Launchpad's `api` tells it.
    fn fingerprint(&self, api: &str, validate_certs: bool, host: &Host) -> Result<String, Failure> {
        let about =
            |why: String| Failure::new(format!("failed to fetch PPA information, error was: {why}")).arg("repo");
        let url = format!("{api}/~{}/+archive/{}", self.owner, self.name);
        let told = fetched(&url, validate_certs, host).map_err(about)?;
        let told: Json = serde_json::from_slice(&told).map_err(|error| about(format!("no JSON: {error}")))?;
        let told = told.get("signing_key_fingerprint").and_then(Json::as_str);
        // It becomes an argument, and a part of a path.
        match told.filter(|told| !told.is_empty() && told.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            Some(fingerprint) => Ok(fingerprint.to_owned()),
            None => Err(about("the archive has no 'signing_key_fingerprint'".to_owned())),
        }
    }
}

fn fetched(url: &str, validate_certs: bool, host: &Host) -> Result<Vec<u8>, String> {
    let mut request = Request::get(url);
    request.trust = Trust { validate: validate_certs, ..Trust::default() };
    request.default_header("Accept", "application/json");
    let mut response = request.send(host).map_err(|error| format!("Request failed: {error}"))?;
    match response.status {
        200 => response.content().map_err(|failure| failure.msg),
        status => Err(format!("HTTP Error {status}: {}", response.reason)),
    }
}

/// `VERSION_CODENAME` of the text of /etc/os-release.
fn codename_in(release: &str) -> Option<String> {
    let line = release.lines().find_map(|line| line.trim().strip_prefix("VERSION_CODENAME="))?;
    Some(line.trim_matches(['"', '\'']).to_owned()).filter(|codename| !codename.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        stand_in::{Server, host, response},
        system::fs,
    };

    /// The lines and names are ansible-core's for the same archives.
    #[test]
    fn an_archive_is_a_line_in_a_file_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let release = root.path().join("os-release");
        fs::write(&release, "ID=debian\nVERSION_CODENAME=\"bookworm\"\n").unwrap();
        for (repo, codename, line, file) in [
            ("ppa:nginx/stable", None, "nginx/stable/ubuntu bookworm", "ppa_nginx_stable_bookworm"),
            ("ppa:nginx", Some("jammy"), "nginx/ppa/ubuntu jammy", "ppa_nginx_jammy"),
            ("ppa:a/b/c", Some("jammy"), "a/b/ubuntu jammy", "ppa_a_b_c_jammy"),
        ] {
            let archive = Archive::parse(repo, codename, &release).unwrap().unwrap();
            assert_eq!(archive.line(), format!("deb https://ppa.launchpadcontent.net/{line} main"));
            assert_eq!(archive.file_name(repo), file);
        }
        assert_eq!(Archive::parse("deb http://x y z", None, &release).unwrap(), None);
        let failure = Archive::parse("ppa:x/y", None, &root.path().join("none")).unwrap_err();
        assert_eq!(failure.arg.as_deref(), Some("codename"));
    }

    #[test]
    fn apt_key_tells_whether_a_key_is_trusted() {
        use std::{os::unix::fs::PermissionsExt, sync::Arc};

        let archive = Archive { owner: "o".to_owned(), name: "n".to_owned(), codename: "jammy".to_owned() };
        let trusts = |script: &str| {
            let programs = tempfile::tempdir().unwrap();
            let program = programs.path().join("apt-key");
            fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            let path = format!("{}:/usr/bin:/bin", programs.path().display());
            let host = Host::new(vec![("PATH".to_owned(), path)], Arc::new(crate::NoBlobs));
            archive.trust("8B39AF".to_owned(), true, &host).map(|change| change.is_none())
        };
        assert!(trusts("echo KEY").unwrap());
        assert!(!trusts("echo 'gpg: WARNING: nothing exported' >&2").unwrap());
        assert!(!trusts("echo 'gpg: WARNING: nothing exported' >&2; exit 2").unwrap());
        // Otherwise packages would come from an archive whose key nobody has.
        assert!(
            trusts("echo 'E: gnupg does not seem to be installed' >&2; exit 255").unwrap_err().msg.contains("gnupg")
        );
    }

    #[test]
    fn launchpad_tells_the_key() {
        let archive = Archive { owner: "o".to_owned(), name: "n".to_owned(), codename: "jammy".to_owned() };
        let told = |status: &'static str, body: &'static str| {
            let server = Server::start(move |_| response(status, "", body));
            archive.fingerprint(&server.url, true, &host()).map_err(|failure| failure.msg)
        };
        assert_eq!(told("200 OK", r#"{"signing_key_fingerprint": "8B39AF"}"#), Ok("8B39AF".to_owned()));
        let start = "failed to fetch PPA information, error was: ";
        assert_eq!(told("404 Not Found", ""), Err(format!("{start}HTTP Error 404: Not Found")));
        for wrong in [r#"{"signing_key_fingerprint": "--output=/etc/x"}"#, "{}"] {
            assert_eq!(told("200 OK", wrong), Err(format!("{start}the archive has no 'signing_key_fingerprint'")));
        }
    }
}
