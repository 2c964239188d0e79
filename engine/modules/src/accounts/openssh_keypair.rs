//! `openssh_keypair`: a private key of OpenSSH and its public key, through ssh-keygen(1).

use std::path::{Path, PathBuf};

use rplay_wire::{Failure, Map, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, PresentAbsent as State, Secret, Text},
    choice,
    system::{
        attributes::{Attributes, state_diff},
        fs, paths,
        place::{Content, Placement},
        regular, scratch,
    },
};

choice! {
    /// The kind of key.
    pub enum Kind {
        Rsa = "rsa",
        Dsa = "dsa",
        /// For version 1 of the protocol.
        Rsa1 = "rsa1",
        Ecdsa = "ecdsa",
        Ed25519 = "ed25519",
    }
}

choice! {
    /// When an existing key may be replaced.
    pub enum Regenerate {
        Never = "never",
        Fail = "fail",
        PartialIdempotence = "partial_idempotence",
        FullIdempotence = "full_idempotence",
        Always = "always",
    }
}

choice! {
    /// What makes the key.
    pub enum Backend {
        Auto = "auto",
        /// Python's library.
        Cryptography = "cryptography",
        Opensshbin = "opensshbin",
    }
}

choice! {
    /// The format of the private key.
    pub enum Format {
        Auto = "auto",
        Pkcs1 = "pkcs1",
        Pkcs8 = "pkcs8",
        Ssh = "ssh",
    }
}

args! {
    /// Makes an OpenSSH key pair, or removes it.
    pub struct OpensshKeypair {
        ..attributes: Attributes,
        /// The private key; the public key has the same name with `.pub`.
        path: PathArg,
        /// Whether the keys should exist.
        state: State = State::Present,
        /// The kind of key.
        r#type: Kind = Kind::Rsa,
        /// The bits of the key; 4096 for RSA, 1024 for DSA, 256 for ECDSA.
        size: Option<i64>,
        /// The comment of the public key.
        comment: Option<Text>,
        /// Make a new key in any case.
        force: Flag = Flag(false),
        /// When an existing key may be replaced: never, not silently, if it differs, also if it cannot be read, or
        /// always.
        regenerate: Regenerate = Regenerate::PartialIdempotence,
        /// A passphrase. Not supported: it needs Python's cryptography.
        passphrase: Option<Secret>,
        /// What makes the key: only ssh-keygen.
        backend: Backend = Backend::Auto,
        /// The format of the private key: only that of the host's ssh-keygen.
        private_key_format: Format = Format::Auto,
    }
}

impl Module for OpensshKeypair {
    fn check(&self) -> Result<(), ArgError> {
        self.attributes.check()?;
        if self.passphrase.is_some() {
            return Err(ArgError::new("passphrase", "is not supported"));
        }
        if self.backend == Backend::Cryptography {
            return Err(ArgError::new("backend", "is not supported other than `opensshbin`"));
        }
        if matches!(self.private_key_format, Format::Pkcs1 | Format::Pkcs8) {
            return Err(ArgError::new("private_key_format", "is not supported other than `ssh`"));
        }
        let refuse = |msg: &str| Err(ArgError::new("size", msg));
        match (self.r#type, self.size) {
            (Kind::Rsa | Kind::Rsa1, Some(size)) if size < 1024 => refuse(
                "For RSA keys, the minimum size is 1024 bits and the default is 4096 bits. Attempting to use bit lengths \
                 under 1024 will cause the module to fail.",
            ),
            (Kind::Dsa, Some(size)) if size != 1024 => {
                refuse("DSA keys must be exactly 1024 bits as specified by FIPS 186-2.")
            }
            (Kind::Ecdsa, Some(size)) if ![256, 384, 521].contains(&size) => refuse(
                "For ECDSA keys, size determines the key length by selecting from one of three elliptic curve sizes: 256, \
                 384 or 521 bits. Attempting to use bit lengths other than these three values for ECDSA keys will cause \
                 this module to fail.",
            ),
            _ => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = self.path.on(host);
        let public = public_of(&path);
        let plan = Plan::unchanged().set("size", self.size()).set("type", self.r#type.word());
        let mut plan = plan.set("filename", paths::text(&path));
        if path.is_dir() {
            let msg = format!("{} is a directory. Please specify a path to a file.", path.display());
            return Err(Failure::new(msg).arg("path"));
        }
        let directory = paths::directory(&path).to_owned();
        if self.state == State::Present && !directory.is_dir() {
            let missing = || {
                let msg =
                    format!("The directory {} does not exist or the file is not a directory", directory.display());
                Failure::new(msg).arg("path").data(data! { "name" => paths::text(&directory) })
            };
            plan = plan.assumes(host, format!("the directory {}", directory.display()), missing)?;
        }
        if host.rehearses() && !host.has_program("ssh-keygen") {
            plan = plan.assumption("the program ssh-keygen");
            return Ok(plan.change(Change::new(format!("make the key {}", path.display()), |_, _| Ok(()))));
        }
        let present = Key::of(host, &path)?;
        let before = present.as_ref().map(Key::shown).unwrap_or_default();
        if self.state == State::Absent {
            let print = present.map(|key| key.fingerprint).unwrap_or_default();
            plan = plan.set("fingerprint", print).set("public_key", "").set("comment", "");
            for file in [path, public].into_iter().filter(|file| file.symlink_metadata().is_ok()) {
                // Without a diff, which would show the private key.
                let what = format!("remove {}", file.display());
                plan = plan.change(Change::new(what, move |_, _| Ok(fs::remove_file(&file)?)));
            }
            return Ok(match host.diff {
                true => plan.set("diff", data! { "before" => before, "after" => Map::new() }),
                false => plan,
            });
        }
        let exists = path.symlink_metadata().is_ok();
        let is_new = !exists || self.is_replaced(present.as_ref())?;
        let mut also = None;
        if is_new {
            plan = plan.change(self.generation(&path));
        } else if let Some(key) = &present {
            plan = self.public_change(host, plan, key, &public)?;
            also = Some(key.clone());
        }
        let wanted = self.attributes.resolve()?;
        if !is_new {
            for file in [&path, &public].into_iter().filter(|file| file.exists()) {
                plan = wanted.plan(file, true, plan)?;
            }
        } else {
            let (path, public) = (path.clone(), public.clone());
            plan = plan.change(
                Change::new("set owner and mode of the key".to_owned(), move |_, _| {
                    for file in [&path, &public] {
                        wanted.apply(file, true)?;
                    }
                    Ok(())
                })
                .auxiliary(),
            );
        }
        if let Some(change) = plan.changes.first_mut().filter(|change| change.diff.is_none()) {
            change.diff = Some(state_diff(&before, &data! { "path" => paths::text(&path) }));
        }
        let comment = self.comment;
        Ok(plan.finish(move |host, data| {
            // In check mode, the old key is still there.
            let mut now = if host.check && is_new { present } else { Key::of(host, &path)?.or(also) };
            if let (true, Some(key), Some(comment)) = (host.check, now.as_mut(), comment) {
                key.comment = comment;
            }
            let after = now.as_ref().map(Key::shown).unwrap_or_default();
            let key = now.unwrap_or_default();
            data.extend(data! {
                "fingerprint" => key.fingerprint, "public_key" => key.public, "comment" => key.comment,
            });
            if host.diff {
                data.extend(data! { "diff" => data! { "before" => before, "after" => after } });
            }
            Ok(())
        }))
    }
}

fn public_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.pub", path.display()))
}

/// A key pair that is there and can be read.
#[derive(Clone, Debug, Default)]
struct Key {
    size: i64,
    kind: String,
    fingerprint: String,
    /// The kind and the data of the public key.
    public: String,
    comment: String,
    /// Whether the file of the public key is there and belongs to the private one.
    is_complete: bool,
}

impl Key {
    /// `None` if there is none, or it cannot be read.
    fn of(host: &Host, path: &Path) -> Result<Option<Key>, Failure> {
        // ssh-keygen would wait at a FIFO.
        if !path.is_file() {
            return Ok(None);
        }
        let said = host.required_program("ssh-keygen")?.arg("-lf").arg(path).run()?;
        let derived = host.required_program("ssh-keygen")?.args(["-P", "", "-yf"]).arg(path).run()?;
        if said.rc != 0 || derived.rc != 0 {
            return Ok(None);
        }
        let words: Vec<&str> = said.stdout.split_whitespace().collect();
        let ([size, print, ..], Some(kind)) = (words.as_slice(), words.last()) else { return Ok(None) };
        let two = |text: &str| text.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        let written = regular::read_to_string(public_of(path)).unwrap_or_default();
        let public = two(&derived.stdout);
        Ok(Some(Key {
            size: size.parse().unwrap_or_default(),
            kind: kind.trim_matches(['(', ')']).to_lowercase(),
            fingerprint: (*print).to_owned(),
            is_complete: two(&written) == public,
            public,
            comment: written.trim().splitn(3, ' ').nth(2).unwrap_or_default().to_owned(),
        }))
    }

    fn shown(&self) -> Map {
        data! {
            "size" => self.size, "type" => self.kind.as_str(), "fingerprint" => self.fingerprint.as_str(),
            "format" => "", "comment" => self.comment.as_str(),
            "public_key" => self.public.split(' ').nth(1).unwrap_or_default(),
        }
    }
}

impl OpensshKeypair {
    fn size(&self) -> i64 {
        match (self.r#type, self.size) {
            (Kind::Ed25519, _) => 256,
            (_, Some(size)) => size,
            (Kind::Ecdsa, None) => 256,
            (Kind::Dsa, None) => 1024,
            (Kind::Rsa | Kind::Rsa1, None) => 4096,
        }
    }

    /// Whether the key that is there is replaced. `None` cannot be read.
    fn is_replaced(&self, present: Option<&Key>) -> Result<bool, Failure> {
        if self.force.0 || self.regenerate == Regenerate::Always {
            return Ok(true);
        }
        let Some(key) = present else {
            if self.regenerate == Regenerate::FullIdempotence {
                return Ok(true);
            }
            let msg = "Unable to read the key. The key is protected with a passphrase or broken. Will not proceed. To force \
                       regeneration, call the module with `generate` set to `full_idempotence` or `always`, or with \
                       `force=true`.";
            return Err(Failure::new(msg).arg("path"));
        };
        let fits = key.kind == self.r#type.word() && key.size == self.size();
        match self.regenerate {
            _ if fits => Ok(false),
            Regenerate::Never => Ok(false),
            Regenerate::Fail => {
                let msg = "Key has wrong type and/or size. Will not proceed. To force regeneration, call the module with \
                           `generate` set to `partial_idempotence`, `full_idempotence` or `always`, or with `force=true`.";
                Err(Failure::new(msg).arg("path"))
            }
            _ => Ok(true),
        }
    }

    /// Makes a new pair in a directory of its own and puts both files in place.
    fn generation(&self, path: &Path) -> Change {
        let (kind, size, comment) = (self.r#type, self.size(), self.comment.clone().unwrap_or_default());
        let path = path.to_owned();
        Change::new(format!("make the key {}", path.display()), move |host, _| {
            let directory = scratch::directory_in(paths::directory(&path))?;
            let new = directory.path().join("key");
            let program = host.required_program("ssh-keygen")?.args(["-q", "-N", "", "-t", kind.word()]);
            let program = program.args(["-b", &size.to_string(), "-C", &comment, "-f"]).arg(&new);
            program.succeed()?;
            fs::rename(public_of(&new), public_of(&path))?;
            fs::rename(&new, &path)?;
            Ok(())
        })
    }

    /// Restores the public key, or changes its comment.
    fn public_change(&self, host: &Host, plan: Plan, key: &Key, public: &Path) -> Result<Plan, Failure> {
        let comment = self.comment.as_deref().unwrap_or(&key.comment);
        if key.is_complete && comment == key.comment {
            return Ok(plan);
        }
        let line = format!("{} {comment}", key.public);
        Placement::plain(public, Content::Bytes(format!("{}\n", line.trim_end()).into_bytes())).plan(host, plan)
    }
}
