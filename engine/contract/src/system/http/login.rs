//! Credentials for servers.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{Host, argtypes::Secret, system::paths};

/// A user name and a password. The password is never shown.
#[derive(Clone, Debug)]
pub struct Login {
    pub(super) user: String,
    pub(super) password: Secret,
}

impl Login {
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Login { user: user.into(), password: Secret(password.into()) }
    }

    /// The value of the `Authorization` header.
    pub fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password.0)))
    }

    /// The credentials of a server in the file named by `NETRC`, or `~/.netrc`.
    pub fn from_netrc(host: &Host, server: &str) -> Option<Self> {
        let path = host.variable("NETRC").unwrap_or_else(|| "~/.netrc".to_owned());
        let text = crate::system::regular::read_to_string(paths::expand(&path, host)).ok()?;
        Self::in_netrc(&text, server)
    }

    fn in_netrc(text: &str, server: &str) -> Option<Self> {
        let mut words = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::split_whitespace);
        let (mut user, mut password, mut ours) = (None, None, false);
        while let Some(word) = words.next() {
            match word {
                "machine" | "default" => {
                    if ours {
                        break;
                    }
                    ours = word == "default" || words.next() == Some(server);
                }
                "login" => user = words.next().filter(|_| ours).or(user),
                "password" => password = words.next().filter(|_| ours).or(password),
                _ => {}
            }
        }
        Some(Login::new(user?, password?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netrc() {
        let text = "# mine\nmachine a.org login me password pw\nmachine b.org\n  login you\n  password qw\n";
        assert_eq!(Login::in_netrc(text, "b.org").unwrap().basic(), Login::new("you", "qw").basic());
        assert_eq!(Login::in_netrc(text, "a.org").unwrap().basic(), Login::new("me", "pw").basic());
        assert!(Login::in_netrc(text, "c.org").is_none());
        assert!(!format!("{:?}", Login::new("me", "hush")).contains("hush"));
    }
}
