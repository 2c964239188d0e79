//! `authorized_key`: the keys that may log in to an account.

use std::path::{Path, PathBuf};

use rplay_wire::Failure;

use crate::system::fs;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, PathArg, Text},
    io_failure::io_failure,
    system::{
        accounts::User,
        attributes::{Wanted, describe},
        http::{Request, Trust},
        lossless,
        mode::Mode,
        paths,
        place::{Content, Placement},
        text,
    },
};

args! {
    /// Adds and removes SSH keys that may log in to an account.
    pub struct AuthorizedKey {
        /// The user.
        user: Text,
        /// The keys, one per line; or a URL of such lines.
        key: Text,
        /// Whether the keys should exist.
        state: State = State::Present,
        /// The file; by default the account's `~/.ssh/authorized_keys`.
        path: Option<PathArg>,
        /// Create the directory, and set its owner and permissions.
        manage_dir: Flag = Flag(true),
        /// Remove all other keys.
        exclusive: Flag = Flag(false),
        /// Options for the keys: `no-port-forwarding,from="10.0.1.1"`.
        key_options: Option<Text>,
        /// A comment that replaces the key's own.
        comment: Option<Text>,
        /// Follow a symbolic link instead of replacing it.
        follow: Flag = Flag(false),
        /// Whether to verify the TLS certificate of the URL's server.
        validate_certs: Flag = Flag(true),
    }
}

impl Module for AuthorizedKey {
    fn check(&self) -> Result<(), ArgError> {
        if is_url(&self.key) {
            return Ok(());
        }
        for line in lines(&self.key) {
            if Key::parse(line).is_none() {
                return Err(ArgError::new("key", format!("invalid key specified: {line}"))
                    .help("a key is a line such as `ssh-ed25519 AAAA... me@home`"));
            }
        }
        if lines(&self.key).next().is_none() {
            return Err(ArgError::new("key", "contains no key"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged().set("user", self.user.as_str()).set("exclusive", self.exclusive.0);
        let user = User::named(&self.user);
        let Some(user) = user else {
            plan = plan.assumes(host, format!("the user {}", self.user), || {
                Failure::new(format!("Failed to lookup user {0}: \"getpwnam(): name not found: '{0}'\"", self.user))
                    .arg("user")
            })?;
            return Ok(plan.change(Change::new(format!("change the keys of {}", self.user), |_, _| Ok(()))));
        };
        let text = if is_url(&self.key) { self.fetch(host)? } else { self.key.clone() };
        let mut keys = Vec::new();
        for line in lines(&text) {
            let mut key =
                Key::parse(line).ok_or_else(|| Failure::new(format!("invalid key specified: {line}")).arg("key"))?;
            if let Some(options) = &self.key_options {
                options.trim().clone_into(&mut key.options);
            }
            if let Some(comment) = &self.comment {
                comment.clone_into(&mut key.comment);
            }
            keys.push(key);
        }
        let path = match &self.path {
            Some(path) => path.on(host),
            None => PathBuf::from(&user.home).join(".ssh/authorized_keys"),
        };
        let path = if self.follow.0 { paths::real(&path) } else { path };
        plan = plan
            .set("keyfile", paths::text(&path))
            .set("key", self.key.as_str())
            .set("path", self.path.as_ref().map(|path| paths::text(path.on(host))))
            .set("comment", self.comment.clone())
            .set("key_options", self.key_options.clone())
            .set("state", self.state.word())
            .set("manage_dir", self.manage_dir.0)
            .set("follow", self.follow.0)
            .set("validate_certs", self.validate_certs.0);
        if let Some(path) = self.path.as_ref().map(|path| path.on(host)) {
            plan = plan.finish(move |_, data| {
                data.extend(describe(&path));
                Ok(())
            });
        }
        let before = text::read(&path)?.unwrap_or_default();
        let after = edited(&before, &keys, self.named(), self.state == State::Present, self.exclusive.0);
        let own =
            Wanted { uid: Some(user.uid), gid: Some(user.gid), mode: Some(Mode::Bits(0o600)), ..Wanted::default() };
        if self.manage_dir.0 && self.state == State::Present {
            plan = plan_directory(paths::directory(&path), &own, plan)?;
        }
        if after == before && (path.exists() || after.is_empty()) {
            return Ok(plan);
        }
        let mut placement = Placement::plain(&path, Content::Bytes(lossless::encode(&after)));
        if !path.exists() {
            placement.wanted = own;
        }
        if path.is_symlink() {
            return Err(Failure::new(format!("{} is a symbolic link", path.display()))
                .arg("path")
                .help("set `follow: true` to write through the link"));
        }
        placement.plan(host, plan)
    }
}

/// Which parts of a key are set by separate arguments, even if empty.
#[derive(Clone, Copy, Default)]
struct Named {
    options: bool,
    comment: bool,
}

impl AuthorizedKey {
    fn named(&self) -> Named {
        Named { options: self.key_options.is_some(), comment: self.comment.is_some() }
    }

    fn fetch(&self, host: &Host) -> Result<String, Failure> {
        let mut request = Request::get(self.key.trim());
        request.trust = Trust { validate: self.validate_certs.0, ..Trust::default() };
        let about = |msg: String| Failure::new(msg).arg("key");
        let mut response =
            request.send(host).map_err(|error| about(format!("Error getting key from: {}: {error}", self.key)))?;
        if response.status != 200 {
            return Err(about(format!("Error getting key from: {}: HTTP Error {}", self.key, response.status)));
        }
        Ok(String::from_utf8_lossy(&response.content()?).into_owned())
    }
}

fn is_url(key: &str) -> bool {
    key.trim_start().starts_with("http://") || key.trim_start().starts_with("https://")
}

fn lines(keys: &str) -> impl Iterator<Item = &str> {
    keys.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Plans the directory of the file: existing, owned by the account, and private.
fn plan_directory(directory: &Path, own: &Wanted, plan: Plan) -> Result<Plan, Failure> {
    let wanted = Wanted { mode: Some(Mode::Bits(0o700)), ..own.clone() };
    if directory.is_dir() {
        return wanted.plan(directory, true, plan);
    }
    let path = directory.to_owned();
    Ok(plan.change(Change::new(format!("create directory {}", path.display()), move |_, _| {
        fs::create_dir(&path).map_err(|error| io_failure("create", &path, &error))?;
        wanted.apply(&path, true).map(|_| ())
    })))
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    options: String,
    /// `ssh-ed25519` ...
    kind: String,
    data: String,
    comment: String,
}

const KINDS: [&str; 9] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ssh-dss",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-xmss@openssh.com",
];

impl Key {
    fn parse(line: &str) -> Option<Self> {
        // The key type is the first unquoted word that is one; options may contain quoted spaces.
        let (mut start, mut quoted, mut escaped) = (0, false, false);
        let mut words = Vec::new();
        for (at, c) in line.char_indices() {
            match c {
                '"' if !escaped => quoted = !quoted,
                c if c.is_whitespace() && !quoted => {
                    words.push((start, at));
                    start = at + c.len_utf8();
                }
                _ => {}
            }
            escaped = c == '\\' && !escaped;
        }
        words.push((start, line.len()));
        let (from, to) = words.into_iter().find(|(from, to)| line.get(*from..*to).is_some_and(is_kind))?;
        let rest = line.get(to..)?.trim_start();
        let (data, comment) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        // As in Ansible, whatever follows the type is a key; sshd ignores those that it cannot read.
        if data.is_empty() {
            return None;
        }
        Some(Key {
            options: line.get(..from)?.trim().to_owned(),
            kind: line.get(from..to)?.to_owned(),
            data: data.to_owned(),
            comment: comment.trim().to_owned(),
        })
    }

    fn is(&self, other: &Key) -> bool {
        self.kind == other.kind && self.data == other.data
    }

    fn line(&self) -> String {
        let parts = [&self.options, &self.kind, &self.data, &self.comment];
        parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

fn is_kind(word: &str) -> bool {
    KINDS.contains(&word) || word.ends_with("-cert-v01@openssh.com")
}

/// The text with keys added or removed. An existing key keeps its options and comment unless the task sets them, since
/// options such as `command=` restrict it.
fn edited(text: &str, keys: &[Key], named: Named, present: bool, exclusive: bool) -> String {
    let mut missing = keys.to_vec();
    let mut lines = Vec::new();
    for line in text.lines() {
        let Some(found) = Key::parse(line.trim()).filter(|_| !line.trim_start().starts_with('#')) else {
            lines.push(line.to_owned());
            continue;
        };
        match (keys.iter().find(|key| key.is(&found)), present) {
            (Some(key), true) => {
                // Keep only one copy.
                if let Some(at) = missing.iter().position(|key| key.is(&found)) {
                    missing.remove(at);
                    let mut wanted = key.clone();
                    if wanted.options.is_empty() && !named.options {
                        wanted.options.clone_from(&found.options);
                    }
                    if wanted.comment.is_empty() && !named.comment {
                        wanted.comment.clone_from(&found.comment);
                    }
                    lines.push(if wanted == found { line.to_owned() } else { wanted.line() });
                }
            }
            (Some(_), false) => {}
            (None, true) if exclusive => {}
            (None, _) => lines.push(line.to_owned()),
        }
    }
    if present {
        let mut added: Vec<&Key> = Vec::new();
        for key in &missing {
            if !added.iter().any(|known| known.is(key)) {
                added.push(key);
            }
        }
        lines.extend(added.into_iter().map(Key::line));
    }
    let edited = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    if edited.trim_end() == text.trim_end() { text.to_owned() } else { edited }
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;
    use crate::runner::tests::{call, checked};

    const ME: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMe me@home";
    const YOU: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABYou you";

    fn key(line: &str) -> Key {
        Key::parse(line).unwrap()
    }

    #[test]
    fn lines_of_the_file() {
        let found = key(r#"from="10.0.0.1",command="echo \"a b\"" ssh-rsa AAAAB3 two words"#);
        assert_eq!((found.kind.as_str(), found.comment.as_str()), ("ssh-rsa", "two words"));
        assert_eq!(found.options, r#"from="10.0.0.1",command="echo \"a b\"""#);
        for wrong in ["", "ssh-rsa", "AAAAB3 me"] {
            assert_eq!(Key::parse(wrong), None, "{wrong}");
        }
        // As in Ansible; sshd passes over what it cannot read.
        assert_eq!(key("ssh-rsa AAAAA.... me").data, "AAAAA....");
    }

    fn edit(text: &str, key: Key, present: bool, exclusive: bool) -> String {
        edited(text, &[key], Named::default(), present, exclusive)
    }

    #[test]
    fn keys_come_and_go() {
        let text = format!("# team\n{YOU}\n");
        let both = edit(&text, key(ME), true, false);
        assert_eq!(both, format!("# team\n{YOU}\n{ME}\n"));
        assert_eq!(edit(&both, key(ME), true, false), both);
        assert_eq!(edit(&both, key(ME), true, true), format!("# team\n{ME}\n"));
        assert_eq!(edit(&both, key(ME), false, false), text);
        let renamed = Key { comment: "new".into(), ..key(ME) };
        assert_eq!(edit(&both, renamed, true, false), both.replace("me@home", "new"));
    }

    #[test]
    fn options_and_comments_that_are_not_named_stay() {
        let text = format!("command=\"true\",no-pty {ME}\n");
        let bare = Key { comment: String::new(), ..key(ME) };
        assert_eq!(edit(&text, key(ME), true, false), text);
        assert_eq!(edit(&text, bare.clone(), true, true), text);
        let named = Named { options: true, comment: false };
        assert_eq!(edited(&text, &[bare], named, true, false), format!("{ME}\n"));
        let other = key(&format!("no-pty {ME}"));
        assert_eq!(edit(&text, other, true, false), format!("no-pty {ME}\n"));
    }

    #[test]
    fn a_file_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(".ssh/authorized_keys");
        let user = crate::system::accounts::user_name(nix::unistd::geteuid().as_raw());
        let args = || data! { "user" => user.as_str(), "key" => ME, "path" => paths::text(&file) };
        assert!(checked("authorized_key", args()).changed && !file.exists());
        let done = call("authorized_key", args());
        assert!(done.changed && done.failure.is_none(), "{done:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{ME}\n"));
        assert!(!call("authorized_key", args()).changed);
        let soft = checked("authorized_key", data! { "user" => "no-such-user", "key" => ME });
        assert!(soft.changed && soft.warnings.len() == 1);
    }
}
