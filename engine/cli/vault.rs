//! `rplay vault`: encrypts and decrypts files and values, as `ansible-vault` does.

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use rplay::{
    config::Config,
    secrets::Secrets,
    source::{Problems, Source, Span},
    vault::{self, Vault},
};

use crate::{
    args::{EncryptArgs, VaultAction, VaultArgs, VaultFiles},
    faults, passwords,
};

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
enum VaultCommandFault {
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error("there is no vault password to encrypt with")]
    #[diagnostic(help("give one with --vault-password-file, --vault-id or -J"))]
    NoPassword,
    #[error("{0}")]
    Encrypt(String),
}

/// Carries out a sub-command of `rplay vault`.
pub fn command(args: &VaultArgs) -> Result<u8, Problems> {
    match &args.action {
        VaultAction::Encrypt(files) => each(files, |content, vault, id, path| {
            if Vault::is_encrypted(&content) {
                return Err(fault(path, "it is encrypted already").into());
            }
            encrypted(&content, vault, id).map(String::into_bytes)
        })?,
        VaultAction::Decrypt(files) => each(files, decrypted)?,
        VaultAction::View(files) => {
            let vault = gather(&files.with)?;
            for path in &files.files {
                let content = std::fs::read(path).map_err(|error| fault(path, error))?;
                io::stdout().write_all(&decrypted(content, &vault, None, path)?).map_err(|error| fault(path, error))?;
            }
        }
        VaultAction::EncryptString { name, with } => {
            let vault = gather(with)?;
            let mut content = Vec::new();
            io::stdin().read_to_end(&mut content).map_err(|error| fault(Path::new("standard input"), error))?;
            let envelope = encrypted(&content, &vault, with.encrypt_vault_id.as_deref())?;
            let head = name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            println!("{head}!vault |");
            for line in envelope.lines() {
                println!("          {line}");
            }
        }
    }
    Ok(0)
}

fn gather(with: &EncryptArgs) -> Result<Arc<Vault>, Problems> {
    let (config, warnings) = Config::load()?;
    faults::show(&warnings);
    passwords::vault(&with.passwords, &config, &Arc::new(Secrets::default()))
}

/// Changes each file in place, in one step; standard input to standard output when none is named.
fn each(
    files: &VaultFiles,
    change: impl Fn(Vec<u8>, &Vault, Option<&str>, &Path) -> Result<Vec<u8>, Problems>,
) -> Result<(), Problems> {
    let vault = gather(&files.with)?;
    let id = files.with.encrypt_vault_id.as_deref();
    if files.files.is_empty() {
        let path = Path::new("standard input");
        let mut content = Vec::new();
        io::stdin().read_to_end(&mut content).map_err(|error| fault(path, error))?;
        let changed = change(content, &vault, id, path)?;
        return io::stdout().write_all(&changed).map_err(|error| fault(path, error).into());
    }
    for path in &files.files {
        let content = std::fs::read(path).map_err(|error| fault(path, error))?;
        let changed = change(content, &vault, id, path)?;
        replace(path, &changed).map_err(|error| fault(path, error))?;
    }
    Ok(())
}

fn encrypted(content: &[u8], vault: &Vault, id: Option<&str>) -> Result<String, Problems> {
    let password = vault.password(id).ok_or(VaultCommandFault::NoPassword)?;
    vault::encrypt(content, password, id).map_err(|error| VaultCommandFault::Encrypt(error).into())
}

fn decrypted(content: Vec<u8>, vault: &Vault, _id: Option<&str>, path: &Path) -> Result<Vec<u8>, Problems> {
    if !Vault::is_encrypted(&content) {
        return Err(fault(path, "it is not encrypted").into());
    }
    let text = String::from_utf8_lossy(&content).into_owned();
    let source = Source::inline(path.display().to_string(), text);
    let span = Span::new(&source, 0..source.text.len().min(14));
    Ok(vault.decrypt(&source.text, &span)?.to_vec())
}

/// A file that holds secrets is written for its owner alone, and never half.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary: PathBuf = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let done = file.write_all(content).and_then(|()| std::fs::rename(&temporary, path));
    done.inspect_err(|_| drop(std::fs::remove_file(&temporary)))
}

fn fault(path: &Path, reason: impl ToString) -> VaultCommandFault {
    VaultCommandFault::File { path: path.display().to_string(), reason: reason.to_string() }
}
