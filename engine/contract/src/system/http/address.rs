//! Parsed URLs.

use super::Login;

/// An `http` or `https` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `http` or `https`.
    pub scheme: String,
    login: Option<(String, String)>,
    /// In lower case, without brackets around an IPv6 address.
    pub host: String,
    port: Option<u16>,
    /// With the query; begins with `/`.
    pub(super) path: String,
}

impl Address {
    /// Parses a URL.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let url = url.trim();
        let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("`{}` is not a URL", masked(url)))?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return Err(format!("unsupported scheme `{scheme}`; use http or https"));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let (login, server) = match authority.rsplit_once('@') {
            Some((login, server)) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                (Some((decoded(user), decoded(password))), server)
            }
            None => (None, authority),
        };
        let (host, port) = match server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match server.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (server, None),
            },
        };
        let port = match port.filter(|port| !port.is_empty()) {
            Some(port) => Some(port.parse().map_err(|_| format!("`{port}` is not a port"))?),
            None => None,
        };
        if host.is_empty() {
            return Err(format!("`{}` has no host", masked(url)));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Address { scheme, login, host: host.to_ascii_lowercase(), port, path: path.replace(' ', "%20") })
    }

    /// Removes and returns the credentials in the URL.
    pub fn take_login(&mut self) -> Option<Login> {
        self.login.take().map(|(user, password)| Login::new(user, password))
    }

    /// The URL without credentials, for requests and messages.
    pub fn without_login(&self) -> String {
        format!("{}{}", self.origin(), self.path)
    }

    /// Scheme, host and port: the scope of credentials.
    pub fn origin(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            Some(port) => format!("{}://{host}:{port}", self.scheme),
            None => format!("{}://{host}", self.scheme),
        }
    }

    /// The decoded last part of the path: a file name.
    pub fn file_name(&self) -> Option<String> {
        self.last_segment().map(decoded)
    }

    /// What follows the last slash of the path, as it is written there.
    pub fn last_segment(&self) -> Option<&str> {
        let path = self.path.split('?').next().unwrap_or_default();
        path.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// Resolves `location`, which may be relative (RFC 3986, section 5.2; as in Python, also after the same scheme).
    ///
    /// # Errors
    /// If the result is not a URL.
    pub fn join(&self, location: &str) -> Result<Self, String> {
        let directory = |path: &str| {
            let path = path.split('?').next().unwrap_or_default();
            path.rsplit_once('/').map_or(String::new(), |(directory, _)| directory.to_owned())
        };
        let (scheme, rest) = location.split_once(':').unwrap_or(("", location));
        let is_scheme = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let location = match is_scheme {
            true if !scheme.eq_ignore_ascii_case(&self.scheme) => return Address::parse(location),
            true => rest,
            false => location,
        };
        // Without a host, it is that of this URL.
        let location = location.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(location);
        let joined = if let Some(rest) = location.strip_prefix("//") {
            format!("{}://{rest}", self.scheme)
        } else if location.starts_with('/') {
            format!("{}{}", self.origin(), without_dots(location))
        } else if location.starts_with('?') {
            format!("{}{}{location}", self.origin(), self.path.split('?').next().unwrap_or_default())
        } else {
            format!("{}{}", self.origin(), without_dots(&format!("{}/{location}", directory(&self.path))))
        };
        Address::parse(&joined)
    }
}

/// An absolute path, with its query, without the segments `.` and `..`.
fn without_dots(path: &str) -> String {
    let (path, query) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    let end = if path.ends_with("/.") || path.ends_with("/..") { "/" } else { "" };
    format!("/{}{}{query}", kept.join("/"), if kept.is_empty() { "" } else { end })
}

/// Whether `host` matches a `no_proxy` list: names, domains (with or without a leading dot), `*`.
pub(super) fn is_among(host: &str, list: &str) -> bool {
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).any(|item| {
        let item = item.split(':').next().unwrap_or(item).trim_start_matches('.').to_ascii_lowercase();
        item == "*" || host == item || host.strip_suffix(&item).is_some_and(|rest| rest.ends_with('.'))
    })
}

/// Masks credentials: even an invalid URL may contain a password.
fn masked(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}"),
        None => url.to_owned(),
    }
}

/// Percent-decoding.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Form encoding: percent-encodes all except letters, digits and `-_.~`; a space becomes `+`.
pub fn form_encoded(text: &str) -> String {
    rplay_wire::percent::encode(text, " ").replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let mut address = Address::parse("https://me:s%40p@Example.com:8443/a%20b/c.tgz?x=1#frag").unwrap();
        assert_eq!(address.without_login(), "https://example.com:8443/a%20b/c.tgz?x=1");
        assert_eq!(address.take_login().unwrap().basic(), "Basic bWU6c0Bw");
        assert_eq!(address.file_name().as_deref(), Some("c.tgz"));
        assert_eq!(Address::parse("http://[::1]:80").unwrap().without_login(), "http://[::1]:80/");
        for wrong in ["example.com", "ftp://a/b", "http:///x", "http://a:b/"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
        assert!(!Address::parse("gopher//me:secret@a").unwrap_err().contains("secret"));
    }

    #[test]
    fn redirections() {
        let from = Address::parse("https://a.org/x/y?q=1").unwrap();
        for (location, expected) in [
            ("z", "https://a.org/x/z"),
            ("/z?w=2", "https://a.org/z?w=2"),
            ("//b.org/z", "https://b.org/z"),
            ("http://c.org", "http://c.org/"),
            ("?p", "https://a.org/x/y?p"),
            // As in Python's urljoin.
            ("/login?next=http://c.org/d", "https://a.org/login?next=http://c.org/d"),
            ("./z", "https://a.org/x/z"),
            ("../../z/./w?..", "https://a.org/z/w?.."),
            (".", "https://a.org/x/"),
            ("/b/c/..", "https://a.org/b/"),
            ("https:z", "https://a.org/x/z"),
            ("https:///z", "https://a.org/z"),
            ("HTTPS://B.org/Z", "https://b.org/Z"),
        ] {
            assert_eq!(from.join(location).unwrap().without_login(), expected);
        }
    }

    #[test]
    fn who_needs_no_proxy() {
        let list = "localhost, .corp.example,10.0.0.1:80";
        assert!(is_among("localhost", list) && is_among("a.corp.example", list) && is_among("10.0.0.1", list));
        assert!(!is_among("example", list) && !is_among("notcorp.example", list));
        assert!(is_among("anything", "*"));
    }
}
