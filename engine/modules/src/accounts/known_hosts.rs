//! `known_hosts`: host keys known to ssh.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use rplay_wire::{Failure, Value, data};
use sha1::Sha1;

use crate::system::machine;
use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, PathArg, Text},
    system::{
        attributes::describe,
        lossless, paths,
        place::{Content, Placement},
        text,
    },
};

args! {
    /// Adds a host's keys to a known_hosts file, or removes them.
    pub struct KnownHosts {
        /// The host in ssh's notation: `example.org`, or `[example.org]:2222` for another port.
        name: Text | "host",
        /// Its keys, one per line, in the format of the file: `example.org ssh-ed25519 AAAA...`.
        key: Option<Text>,
        /// The file. Its directory must exist.
        path: PathArg = PathArg("~/.ssh/known_hosts".to_owned()),
        /// Whether to store a hash instead of the name.
        hash_host: Flag = Flag(false),
        /// Whether it should exist.
        state: State = State::Present,
    }
}

/// One line: `[@marker] hosts type key [comment]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line<'a> {
    marker: Option<&'a str>,
    hosts: &'a str,
    kind: &'a str,
    key: &'a str,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split_whitespace().peekable();
        let marker = words.next_if(|word| ["@cert-authority", "@revoked"].contains(word));
        let hosts = words.next().filter(|hosts| !hosts.starts_with('#'))?;
        Some(Line { marker, hosts, kind: words.next()?, key: words.next()? })
    }

    fn is_hashed(&self) -> bool {
        self.hosts.starts_with('|')
    }

    /// Whether the line is about the host. Patterns are compared literally.
    fn names(&self, host: &str) -> bool {
        match self.hosts.strip_prefix("|1|").and_then(|rest| rest.split_once('|')) {
            Some((salt, digest)) => STANDARD.decode(salt).is_ok_and(|salt| hashed(&salt, host) == digest),
            None => self.hosts.split(',').any(|name| name.eq_ignore_ascii_case(host)),
        }
    }
}

/// The hash that ssh-keygen -H writes for a name, in base64.
fn hashed(salt: &[u8], host: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(salt) else { return String::new() };
    mac.update(host.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

impl Module for KnownHosts {
    fn check(&self) -> Result<(), ArgError> {
        if self.name.contains(',') {
            let msg = "Comma separated list of names is not supported. Please pass a single name to lookup in the \
                       known_hosts file.";
            return Err(ArgError::new("name", msg));
        }
        if self.state == State::Present && self.key.as_deref().is_none_or(|key| key.trim().is_empty()) {
            return Err(ArgError::new("key", "No key specified when adding a host"));
        }
        match self.keys().all(|(_, line)| line.is_some_and(|line| line.names(&self.host()))) {
            true => Ok(()),
            false => Err(ArgError::new("key", "Host parameter does not match hashed host field in supplied key")),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = self.path.on(host);
        let key = self.key.as_deref().map_or(Value::Null, Value::from);
        let plan = Plan::unchanged()
            .set("name", self.name.as_str())
            .set("key", key)
            .set("path", paths::text(&path))
            .set("hash_host", self.hash_host.0)
            .set("state", self.state.word());
        let before = text::read(&path).map_err(|failure| failure.arg("path"))?;
        let after = self.edited(before.as_deref().unwrap_or_default())?;
        let removes_all = self.state == State::Absent && self.key.is_none();
        // The result contains the difference even without `--diff`.
        let header = if path.exists() { paths::text(&path) } else { "/dev/null".to_owned() };
        let plan = plan.set(
            "diff",
            data! {
                "before_header" => header,
                "after_header" => paths::text(&path),
                "before" => before.as_deref().unwrap_or_default(),
                // As in Ansible, which does not show the removal of all keys of a host.
                "after" => if removes_all { before.as_deref().unwrap_or_default() } else { after.as_str() },
            },
        );
        let mut plan = match after == before.as_deref().unwrap_or_default() {
            true => plan,
            false => Placement::plain(paths::real(&path), Content::Bytes(lossless::encode(&after))).plan(host, plan)?,
        };
        if removes_all {
            plan.changes.iter_mut().for_each(|change| change.diff = None);
        }
        if host.check && !plan.changes.is_empty() {
            // ansible-core tells no more of what it would do.
            let data = plan.data.into_iter().filter(|(name, _)| name == "diff").collect();
            return Ok(Plan { data, ..plan });
        }
        Ok(plan.finish(move |_, data| {
            data.extend(describe(&path));
            Ok(())
        }))
    }
}

impl KnownHosts {
    /// ssh looks up names in lower case.
    fn host(&self) -> String {
        self.name.to_lowercase()
    }

    /// The lines of `key`, parsed.
    fn keys(&self) -> impl Iterator<Item = (&str, Option<Line<'_>>)> {
        let lines = self.key.as_deref().unwrap_or_default().lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| (line, Line::read(line)))
    }

    /// The file as it should be. A key replaces others of its type and moves to the end.
    fn edited(&self, before: &str) -> Result<String, Failure> {
        let host = self.host();
        let wanted: Vec<(&str, Line<'_>)> = self.keys().filter_map(|(text, line)| Some((text, line?))).collect();
        let mut found = vec![false; wanted.len()];
        let mut after = String::new();
        for written in before.split_inclusive('\n') {
            let line = Line::read(written).filter(|line| line.names(&host));
            let stays = line.is_none_or(|line| {
                let same = |other: &Line<'_>| other.kind == line.kind && other.marker == line.marker;
                let as_wanted = wanted.iter().position(|(_, other)| {
                    let hosts = if self.hash_host.0 || other.is_hashed() {
                        line.is_hashed()
                    } else {
                        line.hosts == other.hosts
                    };
                    same(other) && other.key == line.key && hosts
                });
                match (self.state, as_wanted) {
                    (State::Present, Some(at)) => !std::mem::replace(&mut found[at], true),
                    (State::Present, None) => !wanted.iter().any(|(_, other)| same(other)),
                    (State::Absent, _) => !wanted.is_empty() && !wanted.iter().any(|(_, other)| same(other)),
                }
            });
            if stays {
                after.push_str(written);
            }
        }
        if self.state == State::Absent {
            return Ok(after);
        }
        for ((text, line), _) in wanted.iter().zip(found).filter(|(_, found)| !found) {
            if !after.is_empty() && !after.ends_with('\n') {
                after.push('\n');
            }
            match self.hash_host.0 && !line.is_hashed() {
                true => {
                    let mut salt = [0; 20];
                    machine::random(&mut salt)?;
                    let name = format!("|1|{}|{}", STANDARD.encode(salt), hashed(&salt, &host));
                    after.push_str(&text.replacen(line.hosts, &name, 1));
                }
                false => after.push_str(text),
            }
            after.push('\n');
        }
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(before: &str, name: &str, key: Option<&str>, state: State, hash: bool) -> String {
        let module = KnownHosts {
            name: name.to_owned(),
            key: key.map(str::to_owned),
            path: PathArg(String::new()),
            hash_host: Flag(hash),
            state,
        };
        module.check().unwrap();
        module.edited(before).unwrap()
    }

    #[test]
    fn a_key_replaces_another_one_of_its_type_at_the_end() {
        let before = "# c\nh ssh-rsa A\nh,i ssh-ed25519 B\nj ssh-rsa C";
        let set = |name, key| edited(before, name, Some(key), State::Present, false);
        assert_eq!(set("h", "h ssh-rsa A"), before);
        assert_eq!(set("i", "h,i ssh-ed25519 B"), before);
        assert_eq!(set("H", "h ssh-rsa D"), "# c\nh,i ssh-ed25519 B\nj ssh-rsa C\nh ssh-rsa D\n");
        assert_eq!(set("new", "new ssh-rsa A note"), format!("{before}\nnew ssh-rsa A note\n"));
        assert_eq!(
            set("[h]:22", "[h]:22 ssh-rsa A\n[h]:22 ssh-rsa B"),
            format!("{before}\n[h]:22 ssh-rsa A\n[h]:22 ssh-rsa B\n")
        );
        assert_eq!(set("*.x", "@cert-authority *.x ssh-rsa A"), format!("{before}\n@cert-authority *.x ssh-rsa A\n"));
    }

    #[test]
    fn absent_removes_keys_of_the_type_or_all() {
        let before = "h ssh-rsa A\nh,i ssh-ed25519 B\nj ssh-rsa C\n";
        assert_eq!(edited(before, "h", None, State::Absent, false), "j ssh-rsa C\n");
        assert_eq!(
            edited(before, "h", Some("h ssh-rsa other"), State::Absent, false),
            "h,i ssh-ed25519 B\nj ssh-rsa C\n"
        );
        assert_eq!(edited(before, "k", None, State::Absent, false), before);
    }

    #[test]
    fn hashed_names_are_found_written_and_taken_back() {
        // Written by `ssh-keygen -H`.
        let known = "|1|JiLOIvZTODXoarfGw4hSiW/hViI=|PzR4PtKAMhwzl3XMlxdJt6pHtug= ssh-rsa A\n";
        assert_eq!(edited(known, "h1", Some("h1 ssh-rsa A"), State::Present, true), known);
        assert_eq!(edited(known, "h1", Some("h1 ssh-rsa A"), State::Present, false), "h1 ssh-rsa A\n");
        assert_eq!(edited(known, "h1", None, State::Absent, false), "");
        let hashed = edited("", "h2", Some("h2 ssh-rsa A"), State::Present, true);
        assert!(hashed.starts_with("|1|") && hashed.ends_with(" ssh-rsa A\n"), "{hashed}");
        assert_eq!(edited(&hashed, "h2", Some("h2 ssh-rsa A"), State::Present, true), hashed);
    }

    #[test]
    fn a_key_of_another_host_is_refused() {
        let module = |name: &str, key: Option<&str>| KnownHosts {
            name: name.to_owned(),
            key: key.map(str::to_owned),
            path: PathArg(String::new()),
            hash_host: Flag(false),
            state: State::Present,
        };
        for (name, key) in
            [("h", Some("i ssh-rsa A")), ("h", Some("h nonsense")), ("h", None), ("a,b", Some("a,b ssh-rsa A"))]
        {
            assert!(module(name, key).check().is_err(), "{name} {key:?}");
        }
    }
}
