//! HTTP and HTTPS requests from the host, for `uri`, `get_url` and others.

mod address;
mod challenge;
mod login;
mod names;
mod response;
mod secured;
mod status_line;
mod tls;
mod unix;
mod verifier;

pub use address::{Address, form_encoded};
pub use login::Login;
pub use response::{IncompleteRead, Response};
pub use tls::Trust;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ureq::{
    Agent, Proxy, http,
    unversioned::transport::{ConnectProxyConnector, Connector, DefaultConnector, TcpConnector},
};

use crate::{Host, choice, lean, system::regular};
use response::urlopen_error;
use status_line::StatusLine;

choice! {
    /// Which redirects are followed.
    pub enum Follow {
        /// Only for GET and HEAD.
        Safe = "safe",
        All = "all" | "yes" | "true",
        None = "none" | "no" | "false",
        /// Like Python's urllib2: `all`, but 307 and 308 only for GET and HEAD.
        Urllib2 = "urllib2",
    }
}

/// Maximum number of consecutive redirects.
const MAX_REDIRECTS: usize = 10;
/// What Python says of a response that redirects once more than that, before the reason of the response.
const LOOP: &str = "The HTTP server returned a redirect error that would lead to an infinite loop.\nThe last 30x error \
                    message was:\n";

/// A request, with all that is wanted of it.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    /// Names of headers that are not sent after a redirect.
    pub unredirected: Vec<String>,
    pub body: Option<Vec<u8>>,
    /// A file to send instead of `body`.
    pub body_file: Option<std::path::PathBuf>,
    /// Timeout for connecting, for the response, and for each part of it.
    pub timeout: Duration,
    pub follow: Follow,
    pub login: Option<Login>,
    /// Send credentials without waiting for a challenge.
    pub force_basic_auth: bool,
    /// Read credentials from `~/.netrc`.
    pub use_netrc: bool,
    pub trust: Trust,
    /// Connect to this socket instead of the URL's host.
    pub unix_socket: Option<std::path::PathBuf>,
    /// Use `http_proxy`, `https_proxy` and `no_proxy`.
    pub use_proxy: bool,
    /// Decompress a response that the server compressed with gzip, although as in ansible-core it is not asked to.
    pub decompress: bool,
    /// Whether a URL that begins with `file:` is a file of this host.
    pub reads_files: bool,
}

impl Request {
    /// A GET with a timeout of 10 seconds per wait, the default of `get_url`.
    pub fn get(url: impl Into<String>) -> Self {
        Request {
            method: "GET".to_owned(),
            url: url.into(),
            headers: Vec::new(),
            unredirected: Vec::new(),
            body: None,
            body_file: None,
            timeout: Duration::from_secs(10),
            follow: Follow::Urllib2,
            login: None,
            force_basic_auth: false,
            use_netrc: true,
            trust: Trust::default(),
            unix_socket: None,
            use_proxy: true,
            decompress: true,
            reads_files: false,
        }
    }

    /// Adds a header unless it is already set.
    pub fn default_header(&mut self, name: &str, value: impl Into<String>) {
        if !self.headers.iter().any(|(found, _)| found.eq_ignore_ascii_case(name)) {
            self.headers.push((name.to_owned(), value.into()));
        }
    }

    /// Sends the request, follows redirects, and authenticates if required. A response of any status is one.
    ///
    /// # Errors
    /// A sentence that says why there was no response.
    pub fn send(mut self, host: &Host) -> Result<Response, String> {
        if let Some(path) = self.url.trim().strip_prefix("file:").filter(|_| self.reads_files) {
            return Response::of_file(path, self.url.trim());
        }
        if cfg!(feature = "lean") {
            return Err(lean::ABSENT.to_owned());
        }
        let mut address = Address::parse(&self.url).map_err(|wrong| match self.url.trim().split_once(':') {
            Some((scheme, _)) if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") => {
                urlopen_error(&format!("unknown url type: {scheme}"))
            }
            _ => wrong,
        })?;
        if let Some(login) = address.take_login() {
            self.login.get_or_insert(login);
        }
        // As in ansible-core, it replaces a header of the task's own.
        if self.login.is_none() && self.use_netrc {
            self.login = Login::from_netrc(host, &address.host);
            self.force_basic_auth |= self.login.is_some();
        }
        if self.force_basic_auth
            && let Some(login) = &self.login
        {
            self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
            self.headers.push(("Authorization".to_owned(), login.basic()));
        }
        let mut cookies: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut order: Vec<(String, String)> = Vec::new();
        let mut redirects = 0;
        loop {
            let line = StatusLine::default();
            let response = self.exchange(&self.agent(host, &address, &line)?, &address, &cookies)?;
            for value in response.headers().get_all(http::header::SET_COOKIE) {
                let Ok(text) = value.to_str() else { continue };
                let pair = text.split(';').next().and_then(|pair| pair.split_once('='));
                if let Some((name, value)) = pair {
                    cookies.insert((address.host.clone(), name.trim().to_owned()), value.trim().to_owned());
                    order.retain(|(found, _)| found != name.trim());
                    order.push((name.trim().to_owned(), value.trim().to_owned()));
                }
            }
            let status = response.status().as_u16();
            if status == 401
                && let Some(authorization) = self.authorization(&response, &address)
            {
                self.headers.push(("Authorization".to_owned(), authorization));
                continue;
            }
            let location = response.headers().get(http::header::LOCATION).and_then(|value| value.to_str().ok());
            match location {
                Some(location) if self.follows(status) => {
                    redirects += 1;
                    if redirects > MAX_REDIRECTS {
                        let mut last = Response::of(response, &address, false, order, self.decompress, &line);
                        last.reason = format!("{LOOP}{}", last.reason);
                        return Ok(last);
                    }
                    let next = address.join(location)?;
                    self.redirect(status, next.origin() == address.origin());
                    address = next;
                }
                _ => return Ok(Response::of(response, &address, redirects > 0, order, self.decompress, &line)),
            }
        }
    }

    /// What to send to a server that asks for credentials; `None` if there are none, or they were sent already.
    fn authorization(&self, response: &http::Response<ureq::Body>, address: &Address) -> Option<String> {
        // Credentials that were sent unasked are not sent again: a redirect may have been told to drop them.
        let login = self.login.as_ref().filter(|_| !self.force_basic_auth)?;
        if self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            return None;
        }
        let asked = response.headers().get_all(http::header::WWW_AUTHENTICATE);
        let asked: Vec<&str> = asked.iter().filter_map(|value| value.to_str().ok()).collect();
        challenge::meet(login, &asked, &self.method, &address.path)
    }

    fn follows(&self, status: u16) -> bool {
        let is_safe = matches!(self.method.as_str(), "GET" | "HEAD");
        matches!(status, 301 | 302 | 303 | 307 | 308)
            && match self.follow {
                Follow::None => false,
                Follow::Safe => is_safe,
                Follow::All => true,
                Follow::Urllib2 => is_safe || (self.method == "POST" && status < 304),
            }
    }

    /// Changes the request for a redirect.
    fn redirect(&mut self, status: u16, same_origin: bool) {
        let becomes_get = match status {
            302 | 303 => self.method != "HEAD",
            301 => self.method == "POST",
            _ => false,
        };
        if becomes_get {
            "GET".clone_into(&mut self.method);
        }
        if !matches!(status, 307 | 308) {
            self.body = None;
            self.body_file = None;
            self.headers.retain(|(name, _)| {
                !["content-length", "content-type", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str())
            });
        }
        let dropped = std::mem::take(&mut self.unredirected);
        self.headers.retain(|(name, value)| {
            !dropped.iter().any(|found| found.eq_ignore_ascii_case(name))
                // A digest is of one path.
                && !(name.eq_ignore_ascii_case("authorization") && value.starts_with("Digest "))
                // Credentials are not sent to other servers.
                && (same_origin || !["authorization", "cookie"].contains(&name.to_ascii_lowercase().as_str()))
        });
        if !same_origin {
            self.login = None;
        }
    }

    fn exchange(
        &self,
        agent: &Agent,
        address: &Address,
        cookies: &BTreeMap<(String, String), String>,
    ) -> Result<http::Response<ureq::Body>, String> {
        let mut request = http::Request::builder().method(self.method.as_str()).uri(address.without_login());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let kept = cookies
            .iter()
            .filter(|((host, _), _)| *host == address.host)
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect::<Vec<_>>();
        if !kept.is_empty() && !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie")) {
            request = request.header("Cookie", kept.join("; "));
        }
        let wrong = |error: http::Error| format!("cannot send this request: {error}");
        let response = match (&self.body_file, &self.body) {
            (Some(path), _) => {
                let file = regular::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                agent.run(request.body(&file).map_err(wrong)?)
            }
            (None, Some(body)) => agent.run(request.body(body.as_slice()).map_err(wrong)?),
            (None, None) => agent.run(request.body(()).map_err(wrong)?),
        };
        response.map_err(|error| self.explain(&error, &address.host))
    }

    fn explain(&self, error: &ureq::Error, server: &str) -> String {
        let told = error.to_string();
        if let Some((_, why)) = told.split_once("invalid peer certificate: ") {
            return urlopen_error(&format!(
                "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {}",
                certificate_error(why, server)
            ));
        }
        match error {
            ureq::Error::Timeout(_) => format!("timed out after {} s", self.timeout.as_secs()),
            ureq::Error::HostNotFound => urlopen_error("[Errno -2] Name or service not known"),
            ureq::Error::Io(error) => match error.raw_os_error() {
                Some(code) => urlopen_error(&format!("[Errno {code}] {}", nix::errno::Errno::from_raw(code).desc())),
                None => error.to_string(),
            },
            ureq::Error::ConnectionFailed => urlopen_error("[Errno 111] Connection refused"),
            other => other.to_string(),
        }
    }

    /// One per server, because a redirect may lead behind a proxy, or to https.
    fn agent(&self, host: &Host, address: &Address, line: &StatusLine) -> Result<Agent, String> {
        let limit = Some(self.timeout);
        let proxy = match self.use_proxy && self.unix_socket.is_none() {
            true => proxy(host, address)?,
            false => None,
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .allow_non_standard_methods(true)
            .user_agent("")
            .accept("")
            .accept_encoding("identity")
            .timeout_connect(limit)
            .timeout_recv_response(limit)
            .timeout_per_read(limit)
            .timeout_per_write(limit)
            .max_idle_connections(0)
            .proxy(proxy);
        let names = names::Names::new(host, self.timeout);
        Ok(match &self.unix_socket {
            Some(path) => Agent::with_parts(config.build(), unix::Socket(path.clone()).chain(line.clone()), names),
            // Reading the host's certificates is slow.
            None if address.scheme == "https" => {
                let tls = secured::Tls(Arc::new(self.trust.config(host)?));
                let reached = ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default());
                Agent::with_parts(config.build(), reached.chain(tls).chain(line.clone()), names)
            }
            None => Agent::with_parts(config.build(), DefaultConnector::new().chain(line.clone()), names),
        })
    }
}

/// What is wrong with a server's certificate, in the words of OpenSSL, which playbooks look for, as far as it has them.
fn certificate_error(why: &str, server: &str) -> String {
    match why {
        _ if why.starts_with("certificate not valid for name") || why.starts_with("NotValidForName") => {
            format!("Hostname mismatch, certificate is not valid for '{server}'.")
        }
        _ if why.starts_with("UnknownIssuer") => "unable to get local issuer certificate".to_owned(),
        _ if why.starts_with("certificate expired") || why.starts_with("Expired") => {
            "certificate has expired".to_owned()
        }
        _ if why.starts_with("certificate not valid yet") || why.starts_with("NotValidYet") => {
            "certificate is not yet valid".to_owned()
        }
        other => other.to_owned(),
    }
}

/// The proxy that the environment names for this address.
fn proxy(host: &Host, address: &Address) -> Result<Option<Proxy>, String> {
    let either = |name: &str| {
        [name.to_owned(), name.to_ascii_uppercase()]
            .iter()
            .find_map(|name| host.variable(name))
            .filter(|value| !value.trim().is_empty())
    };
    let Some(proxy) = either(&format!("{}_proxy", address.scheme)).or_else(|| either("all_proxy")) else {
        return Ok(None);
    };
    let direct = either("no_proxy").is_some_and(|names| address::is_among(&address.host, &names));
    if direct {
        return Ok(None);
    }
    // Not repeated in the message, since it may contain a password.
    Proxy::new(&proxy)
        .map(Some)
        .map_err(|_| format!("the environment's {}_proxy is not the URL of a proxy", address.scheme))
}

#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod tests;
