//! `htpasswd`: a user and the hash of a password in a file that web servers read.

use rplay_wire::Failure;

use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, PresentAbsent as State, Secret, Text},
    system::{
        attributes::{Attributes, Wanted},
        crypt::{self, Options, Scheme},
        directories, lossless, paths,
        place::{Content, Placement},
        text,
    },
};

const SCHEMES: &str = "apr_md5_crypt, bcrypt, sha512_crypt, sha256_crypt, md5_crypt, ldap_sha1, plaintext";

args! {
    /// Sets and removes users with passwords in a file for Apache, nginx and other web servers.
    pub struct Htpasswd {
        ..attributes: Attributes,
        /// The file.
        path: PathArg | "dest" | "destfile",
        /// The user.
        name: Text | "username",
        /// The password; required if the user should exist.
        password: Option<Secret>,
        /// How a new password is hashed: `apr_md5_crypt`, `bcrypt`, `sha512_crypt`, `sha256_crypt`, `md5_crypt`,
        /// `ldap_sha1` or `plaintext`. A hash of another scheme stays as long as the password is the same.
        hash_scheme: Text | "crypt_scheme" = "apr_md5_crypt".to_owned(),
        /// Whether the user should exist.
        state: State = State::Present,
        /// Create the file if it does not exist.
        create: Flag = Flag(true),
    }
}

impl Module for Htpasswd {
    fn check(&self) -> Result<(), ArgError> {
        self.attributes.check()?;
        if !SCHEMES.split(", ").any(|scheme| scheme == self.hash_scheme) {
            let msg = format!("no crypt handler found for algorithm: '{}'; use {SCHEMES}", self.hash_scheme);
            return Err(ArgError::new("hash_scheme", msg));
        }
        if self.name.len() > 255 {
            return Err(ArgError::new("name", format!("user must be at most 255 characters: '{}'", self.name)));
        }
        if self.name.contains([':', '\n', '\r', '\t', '\0']) {
            return Err(ArgError::new("name", format!("user contains invalid characters: '{}'", self.name)));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = paths::real(&self.path.on(host));
        let wanted = self.attributes.resolve()?;
        let Some(old) = text::read(&path).map_err(|failure| failure.arg("path"))? else {
            return self.without_file(host, &path, &wanted);
        };
        let entries = entries(&old)
            .map_err(|line| Failure::new(format!("malformed htpasswd file (error reading line {line})")).arg("path"))?;
        let found = entries.iter().find(|(_, user, _)| *user == self.name);
        let (new, msg) = match (self.state, found) {
            (State::Absent, None) => (None, format!("{} not present", self.name)),
            (State::Absent, Some(_)) => (Some(self.with_entry(&old, &entries, None)), format!("Remove {}", self.name)),
            (State::Present, found) => {
                let Secret(password) = self.password()?;
                let same = match found {
                    Some((_, _, hash)) => crypt::matches(password, hash).ok_or_else(|| {
                        let msg = format!(
                            "the hash of {} in {} is of a kind that is not supported",
                            self.name,
                            path.display()
                        );
                        Failure::new(msg).arg("path").help("remove the user first")
                    })?,
                    None => false,
                };
                match same {
                    true => (None, format!("{} already present", self.name)),
                    false => {
                        let line = self.line(password)?;
                        (Some(self.with_entry(&old, &entries, Some(&line))), format!("Add/update {}", self.name))
                    }
                }
            }
        };
        let differs = wanted.difference(&path, true).is_ok_and(|(_, after)| !after.is_empty());
        let plan = Plan::unchanged().set("msg", told(msg, new.is_some(), differs));
        match new {
            Some(new) => self.placed(&path, &new)?.plan(host, plan),
            None => wanted.plan(&path, true, plan),
        }
    }
}

impl Htpasswd {
    fn without_file(&self, host: &Host, path: &std::path::Path, wanted: &Wanted) -> Result<Plan, Failure> {
        if self.state == State::Absent {
            let plan = Plan::unchanged().set("msg", format!("{} not present", self.name));
            return Ok(plan.warn(format!("{} does not exist", path.display())));
        }
        if !self.create.0 {
            return Err(Failure::new(format!("Destination {} does not exist", path.display())).arg("path"));
        }
        let line = self.line(&self.password()?.0)?;
        let made = match host.check {
            true => format!("Create {}", path.display()),
            false => format!("Created {} and added {}", path.display(), self.name),
        };
        let differs = !wanted.difference_of_new().1.is_empty();
        let mut plan = Plan::unchanged().set("msg", told(made, true, differs));
        let directory = paths::directory(path);
        if !directory.is_dir() {
            plan = directories::make_directories(directory, &Wanted::default(), plan)?;
        }
        self.placed(path, &line)?.plan(host, plan)
    }

    fn placed(&self, path: &std::path::Path, text: &str) -> Result<Placement, Failure> {
        let mut placement = Placement::new(path, Content::Bytes(lossless::encode(text)), &self.attributes);
        // A diff would tell the hashes.
        placement.shown = false;
        Ok(placement)
    }

    fn password(&self) -> Result<&Secret, Failure> {
        let missing = || Failure::new("secret must be unicode or bytes, not None").arg("password");
        self.password.as_ref().ok_or_else(missing)
    }

    /// The user's line, with a new hash.
    fn line(&self, password: &str) -> Result<String, Failure> {
        use base64::Engine;
        use sha1::Digest;
        let scheme = match &*self.hash_scheme {
            "plaintext" if password.contains([':', '\n', '\r', '\t', '\0']) => {
                return Err(Failure::new("the password contains characters that the file cannot hold").arg("password"));
            }
            "plaintext" => return Ok(format!("{}:{password}\n", self.name)),
            "ldap_sha1" => {
                let digest = base64::engine::general_purpose::STANDARD.encode(sha1::Sha1::digest(password));
                return Ok(format!("{}:{{SHA}}{digest}\n", self.name));
            }
            "apr_md5_crypt" => Scheme::Apache,
            other => Scheme::named(other).map_err(|msg| Failure::new(msg).arg("hash_scheme"))?,
        };
        let hash = scheme.hash(password, Options::default()).map_err(Failure::new)?;
        Ok(format!("{}:{hash}\n", self.name))
    }

    /// The text with that line for the user, in its place or at the end. All further lines of the user are removed.
    fn with_entry(&self, text: &str, entries: &[(usize, &str, &str)], line: Option<&str>) -> String {
        let own: Vec<usize> = entries.iter().filter(|(_, user, _)| *user == self.name).map(|(at, ..)| *at).collect();
        let mut lines = text::lines(text);
        if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
            last.push('\n');
        }
        let mut out = String::new();
        for (at, old) in lines.iter().enumerate() {
            match own.contains(&at) {
                false => out.push_str(old),
                true if own.first() == Some(&at) => out.push_str(line.unwrap_or_default()),
                true => {}
            }
        }
        if own.is_empty() {
            out.push_str(line.unwrap_or_default());
        }
        out
    }
}

/// The message with what else was changed.
fn told(msg: String, is_changed: bool, differs: bool) -> String {
    let and = if is_changed { " and " } else { "" };
    let also = if differs { format!("{and}ownership, perms or SE linux context changed") } else { String::new() };
    msg + &also
}

/// The entries: the number of the line, from 0, the user and the hash. An error is the number of a line, from 1, that
/// is neither an entry nor a comment.
fn entries(text: &str) -> Result<Vec<(usize, &str, &str)>, usize> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_start().is_empty() && !line.trim_start().starts_with('#'));
    lines
        .map(|(at, line)| match line.split_once(':') {
            Some((user, hash)) if !hash.contains(':') => Ok((at, user, hash.trim_end())),
            _ => Err(at + 1),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_lines_with_one_colon() {
        assert_eq!(entries("# a\n\n  \njo:x\nmo:y "), Ok(vec![(3, "jo", "x"), (4, "mo", "y")]));
        assert_eq!(entries("jo:x\nnone\n"), Err(2));
        assert_eq!(entries("jo:x:y\n"), Err(1));
    }
}
