//! Ansible Vault: password-encrypted files and values.

mod envelope;
mod error;
mod password_source;

use std::{
    collections::HashMap,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use parking_lot::Mutex;

use envelope::Envelope;
pub use envelope::{encrypt, encrypt_salted};
pub use error::VaultError;
pub use password_source::{DEFAULT_ID, PasswordFrom, PasswordSource};

use crate::{
    files, program,
    secrets::Secrets,
    source::{Problems, Source, Span},
};

/// Decrypts the text in an envelope.
///
/// # Errors
/// If the envelope is damaged, the password is wrong, or the content is not text. The message says which.
pub fn decrypt_with(envelope: &str, password: &[u8]) -> Result<String, String> {
    let content = Envelope::parse(envelope)?
        .open(password)
        .ok_or("Decryption failed (no vault secrets were found that could decrypt).")??;
    String::from_utf8(content).map_err(|_| "what was decrypted is not text in UTF-8".to_owned())
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
    values: Mutex<Values>,
}

/// The content of encrypted values. Each has one text in memory, which its copies in other values share: so it is known
/// from other texts that read the same.
#[derive(Default)]
struct Values {
    by_envelope: HashMap<Arc<str>, Arc<str>>,
    /// The envelope by the address of the text, which is never freed.
    by_address: HashMap<usize, Arc<str>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({} passwords)", self.passwords.len())
    }
}

impl Vault {
    /// Fetches the passwords. `prompt` asks the user for that of a source, and fails with `UnexpectedEof` if there is no
    /// answer; `warn` receives what is wrong with a source.
    ///
    /// # Errors
    /// If the user does not answer, or all files and programs fail.
    pub fn gather(
        sources: &[PasswordSource],
        strict_ids: bool,
        secrets: Arc<Secrets>,
        mut prompt: impl FnMut(&PasswordSource) -> std::io::Result<String>,
        mut warn: impl FnMut(&str),
    ) -> Result<Self, VaultError> {
        let mut vault = Vault { strict_ids, secrets, ..Vault::default() };
        let mut failed = None;
        for source in sources {
            let id = &source.id;
            match &source.from {
                PasswordFrom::Prompt | PasswordFrom::Ask => {
                    let typed = prompt(source).map_err(|error| match error.kind() {
                        std::io::ErrorKind::UnexpectedEof => format!("EOFError (ctrl-d) on prompt for ({id})"),
                        _ => error.to_string(),
                    });
                    let filled = typed.and_then(|typed| match typed.trim_ascii() {
                        "" => Err("Invalid vault password was provided".to_owned()),
                        typed => Ok(typed.to_owned()),
                    });
                    let password = filled.map_err(|message| {
                        warn(&format!("Error in vault password prompt ({id}): {message}"));
                        VaultError::Prompt { message }
                    })?;
                    vault.add(id, password.as_bytes());
                }
                PasswordFrom::File(path) => match password_file(path, &source.id, &vault) {
                    Ok(password) => vault.add(&source.id, password.trim_ascii()),
                    Err(error) => {
                        let what = match error {
                            VaultError::NoPasswordFile { .. } | VaultError::Directory { .. } => {
                                "Error getting vault password file"
                            }
                            _ => "Error in vault password file loading",
                        };
                        warn(&format!("{what} ({id}): {error}"));
                        failed = Some(error);
                    }
                },
            }
        }
        match failed {
            Some(error) if vault.passwords.is_empty() => Err(error),
            _ => Ok(vault),
        }
    }

    /// The IDs of the passwords, in order.
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

    /// The passwords with their IDs, in the order in which they are tried.
    pub fn passwords(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.passwords.iter().map(|(id, password)| (id.as_str(), password.as_slice()))
    }

    /// The secrets that all output masks.
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
        content.starts_with(b"$ANSIBLE_VAULT")
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

    /// Decrypts a `!vault` value and registers it as secret. An envelope always has the same text in memory.
    ///
    /// # Errors
    /// If no password fits, the envelope is damaged, or the text is not UTF-8.
    pub fn decrypt_value(&self, envelope: &str, place: &Span) -> Result<Arc<str>, VaultError> {
        if let Some(known) = self.values.lock().by_envelope.get(envelope) {
            return Ok(known.clone());
        }
        let content = self.decrypt(envelope, place)?;
        let text = std::str::from_utf8(&content).map_err(|_| VaultError::NotText { place: place.clone() })?;
        self.secrets.add(text);
        let mut values = self.values.lock();
        let text = values.by_envelope.entry(envelope.into()).or_insert_with(|| text.into()).clone();
        // All empty texts may have the same address.
        if !text.is_empty() {
            values.by_address.insert(text.as_ptr() as usize, envelope.into());
        }
        Ok(text)
    }

    /// The envelope of an encrypted value, if this very text is its content.
    pub fn envelope_of(&self, text: &str) -> Option<Arc<str>> {
        let values = self.values.lock();
        let envelope = values.by_address.get(&(text.as_ptr() as usize))?;
        (values.by_envelope.get(envelope)?.len() == text.len()).then(|| envelope.clone())
    }

    /// The ID that an encrypted text names, and the first password that opens it.
    pub fn opener(&self, envelope: &str) -> Option<(Option<String>, &[u8])> {
        let parts = Envelope::parse(envelope).ok()?;
        let (_, password) = self.passwords.iter().find(|(_, password)| matches!(parts.open(password), Some(Ok(_))))?;
        Some((parts.id, password))
    }

    /// Decrypts a text with the first password that fits.
    ///
    /// # Errors
    /// If the text is damaged, or no password fits.
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

/// `before` has the passwords named earlier: one of them may open a password file that is itself encrypted.
fn password_file(path: &Path, id: &str, before: &Vault) -> Result<Vec<u8>, VaultError> {
    use std::os::unix::fs::PermissionsExt;
    let unusable = |message: String| VaultError::Password { origin: format!("from `{}`", path.display()), message };
    let own = || path.to_owned();
    let about = std::fs::metadata(path).map_err(|_| VaultError::NoPasswordFile { path: own() })?;
    if about.is_dir() {
        return Err(VaultError::Directory { path: own() });
    }
    let filled = |password: Vec<u8>, kind| match password.trim_ascii() {
        [] => Err(VaultError::Empty { kind, path: own() }),
        _ => Ok(password),
    };
    if about.permissions().mode() & 0o111 == 0 {
        let content = files::read(path).map_err(|error| unusable(error.to_string()))?;
        let opened = before.open_bytes(path, content);
        return filled(opened.map_err(|error| unusable(format!("the file is encrypted itself: {error}")))?, "file");
    }
    let program = if path.is_absolute() { own() } else { Path::new(".").join(path) };
    let mut command = Command::new(program);
    // Like Ansible, passes the ID to programs named like `keyring-client.py`, and tells what they say of it.
    let is_client = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("-client"));
    if is_client {
        command.args(["--vault-id", id]);
    }
    let stderr = if is_client { Stdio::piped() } else { Stdio::inherit() };
    let output = program::run(command.stderr(stderr)).map_err(|error| {
        if error.raw_os_error() == Some(nix::libc::ENOEXEC) {
            return unusable(
                "it is executable but not a program; if it contains the password, `chmod -x` it".to_owned(),
            );
        }
        unusable(error.to_string())
    })?;
    if output.status.success() {
        return filled(output.stdout, "script");
    }
    let code = output.status.code().or_else(|| Some(-output.status.signal()?)).unwrap_or(-1);
    if !is_client {
        return Err(VaultError::Script { path: own(), code });
    }
    let failed = match code {
        2 => format!("did not find a secret for vault-id={id}"),
        _ => format!("returned non-zero ({code}) when getting secret for vault-id={id}"),
    };
    let told = format!("b'{}'", output.stderr.escape_ascii().to_string().replace("\\\"", "\""));
    Err(VaultError::Client { path: own(), failed, told })
}

#[cfg(test)]
mod tests;
