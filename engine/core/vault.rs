//! Ansible Vault: password-encrypted files and values.

mod envelope;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use miette::Diagnostic;
use parking_lot::Mutex;
use thiserror::Error;

use envelope::Envelope;
pub use envelope::{encrypt, encrypt_salted};

use crate::{
    files, program,
    secrets::Secrets,
    source::{Problems, Source, Span},
};

/// The ID of passwords that were given without one.
pub const DEFAULT_ID: &str = "default";

/// An error of an encrypted text or of the passwords.
#[derive(Debug, Error, Diagnostic)]
pub enum VaultError {
    #[error("Attempting to decrypt but no vault secrets found: this is encrypted, and no vault password was given")]
    #[diagnostic(help("give --vault-password-file FILE, --vault-id NAME@FILE or --ask-vault-password"))]
    NoPassword {
        #[source_code]
        #[label]
        place: Span,
    },

    #[error("Decryption failed (no vault secrets were found that could decrypt)")]
    WrongPassword {
        #[source_code]
        #[label("encrypted{id}")]
        place: Span,
        /// ` with the id NAME`, if the text names one.
        id: String,
        #[help]
        help: String,
    },

    #[error("invalid vault text: {message}")]
    Malformed {
        message: String,
        #[source_code]
        #[label]
        place: Span,
    },

    #[error("the decrypted content is not UTF-8 text")]
    NotText {
        #[source_code]
        #[label]
        place: Span,
    },

    #[error("cannot read `{}`: {message}", path.display())]
    Unreadable { path: PathBuf, message: String },

    #[error("vault password {origin}: {message}")]
    Password { origin: String, message: String },
}

/// The text in an envelope that this password opens.
///
/// # Errors
/// The envelope is damaged, the password is another one, or the content is no text. The message says which.
pub fn decrypt_with(envelope: &str, password: &[u8]) -> Result<String, String> {
    let content = Envelope::parse(envelope)?
        .open(password)
        .ok_or("Decryption failed (no vault secrets were found that could decrypt).")??;
    String::from_utf8(content).map_err(|_| "what was decrypted is not text in UTF-8".to_owned())
}

/// Where a vault password comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordSource {
    pub id: String,
    pub from: PasswordFrom,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordFrom {
    Prompt,
    /// A file that contains the password, or an executable that prints it.
    File(PathBuf),
}

impl PasswordSource {
    /// Parses `NAME@FILE`, `NAME@prompt`, `FILE` or `prompt`, the values of `--vault-id`.
    pub fn parse(text: &str) -> Self {
        let (id, from) = match text.split_once('@') {
            Some((id, from)) if !id.is_empty() => (id, from),
            Some((_, from)) => (DEFAULT_ID, from),
            None => (DEFAULT_ID, text),
        };
        let from = match from {
            "prompt" | "prompt_ask_vault_pass" => PasswordFrom::Prompt,
            file => PasswordFrom::File(files::filled_in(file)),
        };
        PasswordSource { id: id.to_owned(), from }
    }

    /// A password without an ID, from a file or a program.
    pub fn file(path: &str) -> Self {
        PasswordSource { id: DEFAULT_ID.to_owned(), from: PasswordFrom::File(files::filled_in(path)) }
    }
}

/// The passwords of a run, and the values decrypted with them.
#[derive(Default)]
pub struct Vault {
    passwords: Vec<(String, Vec<u8>)>,
    /// Whether only a password with the same ID may decrypt (`vault_id_match`).
    strict_ids: bool,
    secrets: Arc<Secrets>,
    /// Cache: deriving keys takes milliseconds, and hosts share their variables.
    opened: Mutex<HashMap<Box<str>, Arc<[u8]>>>,
    /// The content of encrypted values.
    values: Mutex<HashSet<Box<str>>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({} passwords)", self.passwords.len())
    }
}

impl Vault {
    /// Fetches the passwords; `prompt` is given the id and asks the user, `warn` is told of a file that gives no
    /// password while another one does.
    ///
    /// # Errors
    /// A question stays without an answer, or all files and programs fail.
    pub fn gather(
        sources: &[PasswordSource],
        strict_ids: bool,
        secrets: Arc<Secrets>,
        mut prompt: impl FnMut(&str) -> std::io::Result<String>,
        mut warn: impl FnMut(&str),
    ) -> Result<Self, VaultError> {
        let mut vault = Vault { strict_ids, secrets, ..Vault::default() };
        let mut failed = None;
        for source in sources {
            let unusable = |origin: String, message: String| VaultError::Password { origin, message };
            match &source.from {
                PasswordFrom::Prompt => {
                    let origin = format!("for `{}`", source.id);
                    let typed = prompt(&source.id).map_err(|error| unusable(origin.clone(), error.to_string()))?;
                    match typed.trim_ascii() {
                        "" => return Err(unusable(origin, "it is empty".to_owned())),
                        typed => vault.add(&source.id, typed.as_bytes()),
                    }
                }
                PasswordFrom::File(path) => {
                    let read =
                        password_file(path, &source.id, &vault).and_then(|password| match password.trim_ascii() {
                            [] => Err("it is empty".to_owned()),
                            password => Ok(password.to_owned()),
                        });
                    match read {
                        Ok(password) => vault.add(&source.id, &password),
                        Err(message) => {
                            let what = match path.exists() {
                                true => "Error in vault password file loading",
                                false => "Error getting vault password file",
                            };
                            let error = unusable(format!("from `{}`", path.display()), message);
                            warn(&format!("{what} ({}): {error}", source.id));
                            failed = Some(error);
                        }
                    }
                }
            }
        }
        match failed {
            Some(error) if vault.passwords.is_empty() => Err(error),
            _ => Ok(vault),
        }
    }

    /// The ids of the passwords, in their order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.passwords.iter().map(|(id, _)| id.as_str())
    }

    /// Adds a password with an ID.
    pub fn add(&mut self, id: &str, password: &[u8]) {
        if let Ok(text) = std::str::from_utf8(password) {
            self.secrets.add(text);
        }
        self.passwords.push((id.to_owned(), password.to_owned()));
    }

    /// The passwords with their ids, as they are tried.
    pub fn passwords(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.passwords.iter().map(|(id, password)| (id.as_str(), password.as_slice()))
    }

    /// What no output may show.
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// The password of an ID, or the first one, with its ID: for encrypting.
    pub fn password(&self, id: Option<&str>) -> Option<(&str, &[u8])> {
        let found = match id {
            Some(id) => self.passwords.iter().find(|(known, _)| known == id),
            None => self.passwords.first(),
        };
        found.map(|(id, password)| (id.as_str(), password.as_slice()))
    }

    /// Whether a text begins like an encrypted one.
    pub fn is_encrypted(content: &[u8]) -> bool {
        content.starts_with(b"$ANSIBLE_VAULT;")
    }

    /// Reads a file that may be encrypted as a whole; the content of an encrypted file is registered as secret.
    ///
    /// # Errors
    /// If it cannot be read or decrypted.
    pub fn read(&self, path: &Path) -> Result<Arc<Source>, Problems> {
        let source = Source::read(path)
            .map_err(|error| VaultError::Unreadable { path: path.to_owned(), message: error.to_string() })?;
        self.open(source)
    }

    /// The same source, decrypted if it is encrypted as a whole.
    ///
    /// # Errors
    /// If no password fits, or the envelope is damaged.
    pub fn open(&self, source: Arc<Source>) -> Result<Arc<Source>, Problems> {
        if !Vault::is_encrypted(source.text.as_bytes()) {
            return Ok(source);
        }
        let place = first_line(&source);
        let content = self.decrypt(&source.text, &place)?;
        let text = String::from_utf8(content.to_vec()).map_err(|_| VaultError::NotText { place })?;
        self.secrets.add_file(&text);
        Ok(Source::decrypted(source.name.clone(), source.path.clone(), text))
    }

    /// Decrypts the content of a file to be copied; plain content is returned unchanged.
    ///
    /// # Errors
    /// If no password fits, or the envelope is damaged.
    pub fn open_bytes(&self, path: &Path, content: Vec<u8>) -> Result<Vec<u8>, VaultError> {
        if !Vault::is_encrypted(&content) {
            return Ok(content);
        }
        let text = String::from_utf8_lossy(&content).into_owned();
        let source = Source::of(path.display().to_string(), Some(path.to_owned()), text);
        let opened = self.decrypt(&source.text, &first_line(&source))?;
        if let Ok(text) = std::str::from_utf8(&opened) {
            self.secrets.add(text);
        }
        Ok(opened.to_vec())
    }

    /// Decrypts a `!vault` value and registers it as secret.
    ///
    /// # Errors
    /// If no password fits, the envelope is damaged, or the text is not UTF-8.
    pub fn decrypt_value(&self, envelope: &str, place: &Span) -> Result<String, VaultError> {
        let content = self.decrypt(envelope, place)?;
        let text = std::str::from_utf8(&content).map_err(|_| VaultError::NotText { place: place.clone() })?;
        self.secrets.add(text);
        self.values.lock().insert(text.into());
        Ok(text.to_owned())
    }

    /// Whether a text is the content of an encrypted value.
    pub fn is_value(&self, text: &str) -> bool {
        self.values.lock().contains(text)
    }

    /// The id that an encrypted text names, and the first password that opens it.
    pub fn opener(&self, envelope: &str) -> Option<(Option<String>, &[u8])> {
        let parts = Envelope::parse(envelope).ok()?;
        let (_, password) = self.passwords.iter().find(|(_, password)| matches!(parts.open(password), Some(Ok(_))))?;
        Some((parts.id, password))
    }

    /// Decrypts a text with the first password that fits.
    ///
    /// # Errors
    /// The text is damaged, or no password fits.
    pub fn decrypt(&self, envelope: &str, place: &Span) -> Result<Arc<[u8]>, VaultError> {
        let lock = || self.opened.lock();
        if let Some(content) = lock().get(envelope) {
            return Ok(content.clone());
        }
        let parts =
            Envelope::parse(envelope).map_err(|message| VaultError::Malformed { message, place: place.clone() })?;
        if self.passwords.is_empty() {
            return Err(VaultError::NoPassword { place: place.clone() });
        }
        let same_id = |(id, _): &&(String, Vec<u8>)| parts.id.as_deref() == Some(id);
        let likely = self.passwords.iter().filter(same_id);
        let others = self.passwords.iter().filter(|entry| !self.strict_ids && !same_id(entry));
        for (_, password) in likely.chain(others) {
            if let Some(opened) = parts.open(password) {
                let content: Arc<[u8]> =
                    opened.map_err(|message| VaultError::Malformed { message, place: place.clone() })?.into();
                lock().insert(envelope.into(), content.clone());
                return Ok(content);
            }
        }
        let tried: Vec<&str> = self.passwords.iter().map(|(id, _)| id.as_str()).collect();
        Err(VaultError::WrongPassword {
            place: place.clone(),
            id: parts.id.map(|id| format!(" with the id `{id}`")).unwrap_or_default(),
            help: format!("passwords were given for: {}", tried.join(", ")),
        })
    }
}

fn first_line(source: &Arc<Source>) -> Span {
    Span::new(source, 0..source.text.lines().next().map_or(0, str::len))
}

/// `before` holds the passwords that were named before: one of them may open a file that is encrypted itself.
fn password_file(path: &Path, id: &str, before: &Vault) -> Result<Vec<u8>, String> {
    use std::os::unix::fs::PermissionsExt;
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if about.is_dir() {
        return Err("it is a directory".to_owned());
    }
    if about.permissions().mode() & 0o111 == 0 {
        let content = files::read(path).map_err(|error| error.to_string())?;
        return before.open_bytes(path, content).map_err(|error| format!("the file is encrypted itself: {error}"));
    }
    let program = if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) };
    let mut command = Command::new(program);
    // Like Ansible, passes the ID to programs named like `keyring-client.py`.
    if path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("-client")) {
        command.args(["--vault-id", id]);
    }
    let output = program::run(command.stderr(std::process::Stdio::inherit())).map_err(|error| {
        if error.raw_os_error() == Some(nix::libc::ENOEXEC) {
            return "it is executable but not a program; if it contains the password, `chmod -x` it".to_owned();
        }
        error.to_string()
    })?;
    if !output.status.success() {
        return Err(format!("the program exited with {}", output.status));
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Written by ansible-vault 2.19 with the password `secret`; the content is `hunter2`.
    const BY_ANSIBLE: &str = include_str!("../../tests/fixtures/vault/by-ansible.txt");
    /// The same with the ID `dev` and the password `other`.
    const BY_ANSIBLE_ID: &str = include_str!("../../tests/fixtures/vault/by-ansible-dev.txt");

    fn vault(passwords: &[(&str, &str)]) -> Vault {
        let mut vault = Vault::default();
        passwords.iter().for_each(|(id, password)| vault.add(id, password.as_bytes()));
        vault
    }

    fn open(vault: &Vault, text: &str) -> Result<String, VaultError> {
        let source = Source::inline("test", text);
        vault.decrypt_value(text, &Span::new(&source, 0..text.len()))
    }

    #[test]
    fn what_ansible_wrote_is_read() {
        let both = vault(&[("default", "secret"), ("dev", "other")]);
        assert_eq!(open(&both, BY_ANSIBLE).unwrap(), "hunter2");
        assert_eq!(open(&both, BY_ANSIBLE_ID).unwrap(), "hunter2");
        assert_eq!(both.secrets().mask("it is hunter2"), "it is ********");
        // An ID is only a hint, unless IDs must match.
        let mut misnamed = vault(&[("prod", "other")]);
        assert_eq!(open(&misnamed, BY_ANSIBLE_ID).unwrap(), "hunter2");
        misnamed = vault(&[("prod", "other")]);
        misnamed.strict_ids = true;
        assert!(matches!(open(&misnamed, BY_ANSIBLE_ID), Err(VaultError::WrongPassword { .. })));
    }

    #[test]
    fn what_was_encrypted_comes_back() {
        for content in [&b""[..], b"0123456789abcdef", "ä\n".as_bytes()] {
            for id in [None, Some("default"), Some("dev")] {
                let text = encrypt(content, b"pw", id).unwrap();
                assert_eq!(text.contains(";1.2;AES256;dev"), id == Some("dev"));
                let source = Source::inline("test", text.clone());
                let opened = vault(&[("x", "pw")]).decrypt(&text, &first_line(&source)).unwrap();
                assert_eq!(&*opened, content);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let one = vault(&[("default", "wrong")]);
        let wrong = open(&one, BY_ANSIBLE).unwrap_err().to_string();
        assert_eq!(wrong, "Decryption failed (no vault secrets were found that could decrypt)");
        assert!(matches!(open(&Vault::default(), BY_ANSIBLE), Err(VaultError::NoPassword { .. })));
        let right = vault(&[("default", "secret")]);
        let tampered = BY_ANSIBLE.trim_end().to_owned();
        let last = if tampered.ends_with('0') { "1" } else { "0" };
        let tampered = format!("{}{last}", &tampered[..tampered.len() - 1]);
        assert!(matches!(
            open(&right, &tampered),
            Err(VaultError::WrongPassword { .. } | VaultError::Malformed { .. })
        ));
        for (text, message) in [
            ("$ANSIBLE_VAULT;1.1;AES256\nxyz1", "unhexlify error: Non-hexadecimal digit found"),
            ("$ANSIBLE_VAULT;1.1;AES256\n616", "unhexlify error: Odd-length string"),
            ("$ANSIBLE_VAULT;1.1;AES256\n6161", "truncated"),
            ("$ANSIBLE_VAULT;9.9;ROT13\n", "version 9.9 with ROT13"),
        ] {
            assert!(open(&right, text).unwrap_err().to_string().contains(message), "{text}");
        }
    }

    #[test]
    fn passwords_come_from_files_programs_and_prompts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "secret\n").unwrap();
        let program = folder.path().join("my-client");
        std::fs::write(&program, "#!/bin/sh\necho \"$1 $2\"\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let sources = [
            PasswordSource::parse(file.to_str().unwrap()),
            PasswordSource::parse(&format!("dev@{}", program.display())),
            PasswordSource::parse("ops@prompt"),
        ];
        let gather = |sources: &[PasswordSource]| {
            let mut warnings = Vec::new();
            let warn = |warning: &str| warnings.push(warning.to_owned());
            let vault = Vault::gather(sources, false, Arc::default(), |id| Ok(format!("typed for {id}")), warn);
            (vault, warnings)
        };
        let gathered = gather(&sources).0.unwrap();
        assert_eq!(gathered.password(None).unwrap().1, b"secret");
        assert_eq!(gathered.password(Some("dev")).unwrap().1, b"--vault-id dev");
        assert_eq!(gathered.password(Some("ops")).unwrap().1, b"typed for ops");
        std::fs::write(&file, "\n").unwrap();
        let empty = gather(&sources[..1]).0.unwrap_err();
        assert!(empty.to_string().contains("it is empty"), "{empty}");
        // As long as one gives a password, the others only warn.
        let (some, warnings) = gather(&sources);
        assert_eq!(some.unwrap().ids().collect::<Vec<_>>(), ["dev", "ops"]);
        assert!(warnings[0].starts_with("Error in vault password file loading (default): "), "{warnings:?}");
        let missing = [PasswordSource::parse("id1@/nowhere/at/all"), sources[1].clone()];
        assert!(gather(&missing).1[0].starts_with("Error getting vault password file (id1): "));
        // A password file may be encrypted with a password that was named before it.
        std::fs::write(&file, encrypt(b"inner", b"--vault-id dev", None).unwrap()).unwrap();
        let inner = [sources[1].clone(), sources[0].clone()];
        assert_eq!(gather(&inner).0.unwrap().password(Some(DEFAULT_ID)).unwrap().1, b"inner");
    }

    #[test]
    fn whole_files_are_opened_and_their_values_masked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("vars.yml");
        std::fs::write(&file, encrypt(b"user: root\ndb_password: 'abc1'\n", b"pw", None).unwrap()).unwrap();
        let vault = vault(&[("default", "pw")]);
        assert_eq!(vault.read(&file).unwrap().text, "user: root\ndb_password: 'abc1'\n");
        assert_eq!(vault.secrets().mask("root has abc1"), "root has ********");
    }
}
