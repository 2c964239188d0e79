//! `rplay vault`: encrypts and decrypts files and values, as `ansible-vault` does.

use std::{
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use miette::Diagnostic;
use rplay::{
    config::Config,
    source::{Problems, Source, Span},
    vault::{Vault, encrypt},
};
use thiserror::Error;

use crate::{
    args::{EncryptArgs, PasswordArgs, VaultAction, VaultArgs, VaultFiles},
    faults, output, passwords,
};

/// What can go wrong beside the vault's own faults.
#[derive(Debug, Error, Diagnostic)]
enum VaultCommandError {
    #[error("`{}`: {error}", path.display())]
    File { path: PathBuf, error: io::Error },

    #[error("`{name}` is not encrypted")]
    NotEncrypted { name: String },

    #[error("`{name}` is encrypted already")]
    Encrypted { name: String },

    #[error("no vault password was given{}", id.as_ref().map(|id| format!(" for `{id}`")).unwrap_or_default())]
    #[diagnostic(help("give --vault-password-file FILE, --vault-id NAME@FILE or --ask-vault-password"))]
    NoPassword { id: Option<String> },

    #[error("encrypting failed: {message}")]
    Cipher { message: String },
}

/// Carries out `rplay vault` and prints what is to be printed.
pub fn command(args: &VaultArgs) -> Result<u8, Problems> {
    let (config, warnings) = Config::load()?;
    faults::show(&warnings);
    let shown = run(args, &config, &mut io::stdin())?;
    output::show(&shown)?;
    Ok(0)
}

fn open(config: &Config, args: &PasswordArgs) -> Result<Arc<Vault>, Problems> {
    passwords::vault(args, config, faults::secrets())
}

/// Carries out `rplay vault`; what is to be printed comes back.
fn run(args: &VaultArgs, config: &Config, input: &mut dyn Read) -> Result<Vec<u8>, Problems> {
    match &args.action {
        VaultAction::Encrypt(files) => each(files, config, input, |vault, name, content| {
            if Vault::is_encrypted(&content) {
                return Err(VaultCommandError::Encrypted { name: name.to_owned() }.into());
            }
            encrypted(vault, &content, &files.with, config).map(String::into_bytes)
        }),
        VaultAction::Decrypt(files) => each(files, config, input, decrypted),
        VaultAction::View(files) => {
            let vault = open(config, &files.with.passwords)?;
            let mut shown = Vec::new();
            for path in &files.files {
                shown.extend(decrypted(&vault, &path.display().to_string(), read(path)?)?);
            }
            Ok(shown)
        }
        VaultAction::EncryptString { name, with } => {
            let vault = open(config, &with.passwords)?;
            let text = encrypted(&vault, &all(input)?, with, config)?;
            let lead = name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            let lines: String = text.lines().map(|line| format!("          {line}\n")).collect();
            Ok(format!("{lead}!vault |\n{lines}").into_bytes())
        }
    }
}

/// Turns files in place, or standard input into what is printed.
fn each(
    files: &VaultFiles,
    config: &Config,
    input: &mut dyn Read,
    turn: impl Fn(&Vault, &str, Vec<u8>) -> Result<Vec<u8>, Problems>,
) -> Result<Vec<u8>, Problems> {
    let vault = open(config, &files.with.passwords)?;
    if files.files.is_empty() {
        return turn(&vault, "standard input", all(input)?);
    }
    let mut problems = Problems::default();
    for path in &files.files {
        let turned = read(path).and_then(|content| turn(&vault, &path.display().to_string(), content));
        if let Err(found) = turned.and_then(|content| replace(path, &content)) {
            problems.0.extend(found.0);
        }
    }
    problems.unless_any(Vec::new())
}

fn encrypted(vault: &Vault, content: &[u8], with: &EncryptArgs, config: &Config) -> Result<String, Problems> {
    let id = with.encrypt_vault_id.as_deref().or(config.vault_encrypt_identity.as_deref());
    let (id, password) =
        vault.password(id).ok_or_else(|| VaultCommandError::NoPassword { id: id.map(str::to_owned) })?;
    Ok(encrypt(content, password, Some(id)).map_err(|message| VaultCommandError::Cipher { message })?)
}

fn decrypted(vault: &Vault, name: &str, content: Vec<u8>) -> Result<Vec<u8>, Problems> {
    if !Vault::is_encrypted(&content) {
        return Err(VaultCommandError::NotEncrypted { name: name.to_owned() }.into());
    }
    let source = Source::inline(name, String::from_utf8_lossy(&content));
    let first = source.text.lines().next().map_or(0, str::len);
    Ok(vault.decrypt(&source.text, &Span::new(&source, 0..first))?.to_vec())
}

fn all(input: &mut dyn Read) -> Result<Vec<u8>, Problems> {
    let mut content = Vec::new();
    let failed = |error| VaultCommandError::File { path: PathBuf::from("standard input"), error };
    input.read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}

fn read(path: &Path) -> Result<Vec<u8>, Problems> {
    Ok(rplay::files::read(path).map_err(|error| VaultCommandError::File { path: path.to_owned(), error })?)
}

/// Puts new content in a file's place in one step, with the file's mode and, if possible, its owner. The
/// file is never readable for more people than before, not even for a moment.
fn replace(path: &Path, content: &[u8]) -> Result<(), Problems> {
    let put = || -> io::Result<()> {
        let path = path.canonicalize()?;
        let about = path.metadata()?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let new = folder.join(format!(".{name}.{}.rplay", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.write(true).create_new(true).open(&new).and_then(|mut file| {
            file.write_all(content)?;
            // Only root may give files away; for others the owner is the same already.
            let _ = std::os::unix::fs::fchown(&file, Some(about.uid()), Some(about.gid()));
            file.set_permissions(std::fs::Permissions::from_mode(about.mode() & 0o7777))?;
            std::fs::rename(&new, &path)
        });
        if written.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        written
    };
    Ok(put().map_err(|error| VaultCommandError::File { path: path.to_owned(), error })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};

    fn config(folder: &Path) -> Config {
        Config::read(&rplay::config::Surroundings { env: &|_| None, folder }).unwrap().0
    }

    fn vault(folder: &Path, words: &[&str], mut input: &[u8]) -> Result<String, String> {
        let words = ["rplay", "vault"].iter().chain(words);
        let Some(Command::Vault(args)) = Cli::read(words).unwrap().command else { panic!("not vault") };
        run(&args, &config(folder), &mut input)
            .map(|shown| String::from_utf8(shown).unwrap())
            .map_err(|problems| problems.0[0].to_string())
    }

    #[test]
    fn files_are_encrypted_in_place_and_keep_their_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("pw"), "secret\n").unwrap();
        std::fs::write(path("file"), "a: 1\n").unwrap();
        std::fs::set_permissions(path("file"), std::fs::Permissions::from_mode(0o640)).unwrap();
        let (file, pw) = (path("file"), path("pw"));
        let run = |action: &str| vault(folder.path(), &[action, &file, "--vault-password-file", &pw], b"");
        assert_eq!(run("encrypt").unwrap(), "");
        assert!(std::fs::read_to_string(&file).unwrap().starts_with("$ANSIBLE_VAULT;1.1;AES256\n"));
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        assert!(run("encrypt").unwrap_err().contains("encrypted already"));
        assert_eq!(run("view").unwrap(), "a: 1\n");
        run("decrypt").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a: 1\n");
        assert!(run("decrypt").unwrap_err().contains("is not encrypted"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn values_are_encrypted_for_use_in_yaml() {
        let folder = tempfile::tempdir().unwrap();
        let pw = folder.path().join("pw").display().to_string();
        std::fs::write(&pw, "secret\n").unwrap();
        let id = format!("dev@{pw}");
        let text = vault(folder.path(), &["encrypt-string", "-n", "key", "--vault-id", &id], b"hunter2").unwrap();
        assert!(text.starts_with("key: !vault |\n          $ANSIBLE_VAULT;1.2;AES256;dev\n          "), "{text}");
        let envelope: String = text.lines().skip(1).map(|line| format!("{}\n", line.trim())).collect();
        assert_eq!(vault(folder.path(), &["decrypt", "--vault-id", &id], envelope.as_bytes()).unwrap(), "hunter2");
        assert!(vault(folder.path(), &["encrypt"], b"x").unwrap_err().contains("no vault password"));
        let none = vault(folder.path(), &["encrypt", "--vault-id", &id, "--encrypt-vault-id", "ops"], b"x");
        assert_eq!(none.unwrap_err(), "no vault password was given for `ops`");
    }
}
