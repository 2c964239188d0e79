//! Galaxy servers, as configured by settings and the command line.

use std::{fmt, path::Path};

use crate::{source::Source, syntax::yaml};

/// Galaxy's own server.
pub const GALAXY: &str = "https://galaxy.ansible.com";

/// A server and its credentials.
#[derive(Clone)]
pub struct Server {
    /// Its name in `server_list`, `cmd_arg` if from the command line, or `default`.
    pub name: String,
    pub url: String,
    pub token: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
    /// Where a token is exchanged for an access token.
    pub auth_url: Option<String>,
    pub client_id: String,
    pub validate_certs: bool,
    /// Seconds.
    pub timeout: u32,
}

/// Omits secrets.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({}, {})", self.name, self.url)
    }
}

impl Server {
    pub fn new(name: &str, url: &str) -> Self {
        Server {
            name: name.to_owned(),
            url: url.to_owned(),
            token: None,
            username: None,
            password: None,
            auth_url: None,
            client_id: "cloud-services".to_owned(),
            validate_certs: true,
            timeout: 60,
        }
    }
}

/// Settings and command-line options about servers.
#[derive(Debug, Default)]
pub struct Servers {
    /// The servers of `server_list`, in order.
    pub listed: Vec<Server>,
    /// The setting `server`.
    pub usual: Option<String>,
    /// `-s`: a name from the list, or a URL.
    pub chosen: Option<String>,
    /// `--token`, or the content of the token file.
    pub token: Option<String>,
    /// `--timeout`.
    pub timeout: Option<u32>,
    /// `-c`.
    pub ignore_certs: bool,
}

impl Servers {
    /// The servers to query, in order.
    pub fn asked(self) -> Vec<Server> {
        let Servers { listed, usual, chosen, token, timeout, ignore_certs } = self;
        let mut asked = match chosen {
            Some(chosen) => match listed.iter().find(|server| server.name == chosen) {
                Some(server) => vec![Server { token: token.or(server.token.clone()), ..server.clone() }],
                None => vec![Server { token, ..Server::new("cmd_arg", &chosen) }],
            },
            None if listed.is_empty() => {
                vec![Server { token, ..Server::new("default", usual.as_deref().unwrap_or(GALAXY)) }]
            }
            None => listed,
        };
        for server in &mut asked {
            server.timeout = timeout.unwrap_or(server.timeout);
            server.validate_certs &= !ignore_certs;
        }
        asked
    }
}

/// The token in a file such as `~/.ansible/galaxy_token`: YAML with `token: ...`.
pub fn token_in(path: &Path) -> Option<String> {
    let node = yaml::load(&Source::read(path).ok()?).ok()?.node;
    Some(node.get("token")?.as_str()?.to_owned())
}
