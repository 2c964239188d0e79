//! The arguments that `uri` and `get_url` share: how a server is spoken to.

use std::time::Duration;

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    ArgFault, Host, args,
    args::ArgType,
    argtypes::{Flag, PathArg, Secret, Text},
    system::http::{Address, Follow, Login, Request, Trust},
};

args! {
    /// How a server is spoken to.
    pub struct Web {
        /// The address, `http://` or `https://`.
        url: Text,
        /// The name to log in with.
        url_username: Option<Text> | "username" | "user",
        /// The password to log in with.
        url_password: Option<Secret> | "password",
        /// Send the login at once; some servers never ask for it.
        force_basic_auth: Flag = Flag(false),
        /// Whether a copy that a cache on the way has, or the host, does not do.
        force: Flag = Flag(false),
        /// Headers to send.
        headers: Map = Map::new(),
        /// Headers that servers to which the first one redirects do not get.
        unredirected_headers: Vec<Text> = Vec::new(),
        /// The `User-Agent`.
        http_agent: Text = "ansible-httpget".to_owned(),
        /// Whether the server's certificate must be valid.
        validate_certs: Flag = Flag(true),
        /// A file or folder of certificates to believe, instead of the host's own.
        ca_path: Option<PathArg>,
        /// A file with the client's certificate, and the key unless `client_key` is given.
        client_cert: Option<PathArg>,
        /// A file with the key of the client's certificate.
        client_key: Option<PathArg>,
        /// Whether `http_proxy` and its kin are honoured.
        use_proxy: Flag = Flag(true),
        /// Whether a login is looked for in `~/.netrc`.
        use_netrc: Flag = Flag(true),
        /// Not supported: Kerberos.
        use_gssapi: Flag = Flag(false),
        /// Not supported: rustls chooses ciphers itself.
        ciphers: Vec<Text> = Vec::new(),
        /// Whether gzip is asked for and unpacked.
        decompress: Flag = Flag(true),
    }
}

impl Web {
    pub fn check(&self) -> Result<(), ArgFault> {
        if self.use_gssapi.0 {
            return Err(ArgFault::new("use_gssapi", "is not supported: there is no Kerberos here"));
        }
        if !self.ciphers.is_empty() {
            return Err(ArgFault::new("ciphers", "is not supported: only modern ciphers are ever used"));
        }
        Ok(())
    }

    /// Fails when the URL has no scheme at all, as ansible-core does; any other fault is one of the request.
    pub fn refuse_no_url(&self) -> Result<(), Failure> {
        let url = self.url.trim();
        match url.split_once(':') {
            Some((scheme, _)) if !scheme.is_empty() && !scheme.contains('/') => Ok(()),
            _ => {
                let told = data! { "status" => -1, "url" => url };
                Err(Failure::new(format!("unknown url type: '{url}'")).arg("url").data(told))
            }
        }
    }

    /// The address as it may be shown: without a login.
    pub fn shown(&self) -> String {
        Address::parse(&self.url).map_or_else(|_| self.url.clone(), |address| address.without_login())
    }

    /// The request, a GET so far.
    pub fn request(&self, host: &Host, timeout: u64) -> Request {
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
        request.login = self
            .url_username
            .as_ref()
            .map(|user| Login::new(user, self.url_password.as_ref().map_or("", |password| password.0.as_str())));
        request.force_basic_auth = self.force_basic_auth.0;
        request.use_netrc = self.use_netrc.0;
        request.use_proxy = self.use_proxy.0;
        request.decompress = self.decompress.0;
        request.trust = Trust {
            validate: self.validate_certs.0,
            ca_path: self.ca_path.as_ref().map(|path| path.on(host)),
            client_cert: self.client_cert.as_ref().map(|path| path.on(host)),
            client_key: self.client_key.as_ref().map(|path| path.on(host)),
        };
        request
    }
}
