//! The arguments that `uri` and `get_url` share: how to connect to a server.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use jiff::{Timestamp, tz::TimeZone};
use rplay_wire::{Failure, Map, Value, data};

use crate::system::fs;
use crate::{
    ArgError, Host, args,
    args::ArgType,
    argtypes::{Flag, PathArg, Secret, Text},
    system::http::{Follow, Login, Request, Response, Trust},
};

args! {
    /// How to connect to a server.
    pub struct Web {
        /// The URL, `http://` or `https://`.
        url: Text,
        /// The password.
        url_password: Option<Secret> | "password",
        /// Send credentials without waiting for a challenge; some servers require it.
        force_basic_auth: Flag = Flag(false),
        /// Whether to bypass caches, and an existing file.
        force: Flag = Flag(false),
        /// Headers to send.
        headers: Map = Map::new(),
        /// Headers that are not sent after a redirect.
        unredirected_headers: Vec<Text> = Vec::new(),
        /// The `User-Agent`.
        http_agent: Text = "ansible-httpget".to_owned(),
        /// Whether to verify the server's TLS certificate.
        validate_certs: Flag = Flag(true),
        /// A file with the client certificate, and its key unless `client_key` is given.
        client_cert: Option<PathArg>,
        /// A file with the key of the client certificate.
        client_key: Option<PathArg>,
        /// Whether to use `http_proxy` and similar variables.
        use_proxy: Flag = Flag(true),
        /// Whether to read credentials from `~/.netrc`.
        use_netrc: Flag = Flag(true),
        /// Not supported: Kerberos.
        use_gssapi: Flag = Flag(false),
        /// Not supported: rustls chooses the ciphers.
        ciphers: Vec<Text> = Vec::new(),
        /// Whether to request and decompress gzip.
        decompress: Flag = Flag(true),
    }
}

impl Web {
    pub(crate) fn check(&self) -> Result<(), ArgError> {
        if self.use_gssapi.0 {
            return Err(ArgError::new("use_gssapi", "is not supported: rplay has no Kerberos"));
        }
        if !self.ciphers.is_empty() {
            return Err(ArgError::new("ciphers", "is not supported: only modern ciphers are used"));
        }
        Ok(())
    }

    /// Fails when the URL has no scheme at all, as ansible-core does; any other error is one of the request.
    pub(crate) fn refuse_no_url(&self) -> Result<(), Failure> {
        let url = self.url.trim();
        match url.split_once(':') {
            Some((scheme, _)) if !scheme.is_empty() && !scheme.contains('/') => Ok(()),
            _ => {
                let told = data! { "status" => -1, "url" => url };
                Err(Failure::new(format!("unknown url type: '{url}'")).arg("url").data(told))
            }
        }
    }

    /// The URL as written, with asterisks instead of a user and a password.
    pub(crate) fn shown(&self) -> String {
        match self.login() {
            Some((before, login, after)) => {
                let hidden = if login.contains(':') { "****:****" } else { "****" };
                format!("{before}{hidden}@{after}")
            }
            None => self.url.clone(),
        }
    }

    /// The URL as written, without a user and a password; `None` if it has none.
    pub(crate) fn without_login(&self) -> Option<String> {
        self.login().map(|(before, _, after)| format!("{before}{after}"))
    }

    /// What stands before a user in the URL, the user with the password, and the rest.
    fn login(&self) -> Option<(&str, &str, &str)> {
        let start = self.url.find("://")? + 3;
        let (before, rest) = self.url.split_at(start);
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let at = rest[..end].rfind('@')?;
        Some((before, &rest[..at], &rest[at + 1..]))
    }

    /// The request, initially a GET; `user` logs in, `ca_path` has trusted certificates instead of the host's own.
    pub(crate) fn request(&self, host: &Host, timeout: u64, user: Option<&Text>, ca_path: Option<&PathArg>) -> Request {
        let mut request = Request::get(&self.url);
        for (name, value) in &self.headers {
            if *value != Value::Null {
                request.headers.push((name.clone(), Text::parse(value).unwrap_or_default()));
            }
        }
        request.default_header("User-Agent", &self.http_agent);
        request.unredirected = self.unredirected_headers.clone();
        request.timeout = Duration::from_secs(timeout.max(1));
        request.follow = Follow::Urllib2;
        request.login =
            user.map(|user| Login::new(user, self.url_password.as_ref().map_or("", |password| password.0.as_str())));
        request.force_basic_auth = self.force_basic_auth.0;
        request.use_netrc = self.use_netrc.0;
        request.use_proxy = self.use_proxy.0;
        request.decompress = self.decompress.0;
        request.trust = Trust {
            validate: self.validate_certs.0,
            ca_path: ca_path.map(|path| path.on(host)),
            client_cert: self.client_cert.as_ref().map(|path| path.on(host)),
            client_key: self.client_key.as_ref().map(|path| path.on(host)),
        };
        request
    }
}

/// The file name in the header of a response, without any directory.
pub(super) fn name_in_header(response: &Response) -> Option<String> {
    let header = response.header("content-disposition")?;
    let name = header.split(';').map(str::trim).find_map(|part| part.strip_prefix("filename="))?;
    Some(Path::new(name.trim_matches('"')).file_name()?.to_string_lossy().into_owned())
}

/// `If-Modified-Since` for a file.
pub(super) fn modified(path: &Path) -> Option<String> {
    let time = fs::metadata(path).and_then(|meta| meta.modified()).ok()?;
    http_date(time)
}

fn http_date(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?.to_zoned_datetime(TimeZone::UTC);
    Some(time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn dates_are_written_for_headers() {
        assert_eq!(http_date(UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
