//! `rplay vault`: encrypts and decrypts files and values, like `ansible-vault`.

use std::{
    io::{self, IsTerminal, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use miette::Diagnostic;
use rplay::{
    config::Config,
    source::{Problems, Source, Span},
    vault::{PasswordSource, Vault, encrypt, encrypt_salted},
};
use thiserror::Error;

use crate::{
    args::common::PasswordArgs,
    args::vault::{CreateArgs, EncryptArgs, RekeyArgs, StringArgs, VaultAction, VaultArgs, VaultFiles},
    diagnostics, editor, output,
    passwords::{self, Asked},
    prompt,
};

/// Errors of the command, beside those of the vault itself. The words are Ansible's where scripts look for them.
#[derive(Debug, Error, Diagnostic)]
enum VaultCommandError {
    #[error("`{}`: {error}", path.display())]
    File { path: PathBuf, error: io::Error },

    #[error("Input is not vault encrypted data. for {name}: `{name}` is not encrypted")]
    NotEncrypted { name: String },

    #[error("input is already encrypted: `{name}` is encrypted already")]
    Encrypted { name: String },

    #[error("Did not find a match for --encrypt-vault-id={id} in the known vault-ids [{}]", known.join(", "))]
    #[diagnostic(help("give its password with --vault-id {id}@FILE"))]
    UnknownId { id: String, known: Vec<String> },

    #[error("{} exists, please use 'edit' instead", path.display())]
    Exists { path: PathBuf },

    #[error("encrypting failed: {message}")]
    Cipher { message: String },

    #[error("{0}")]
    Editor(String),

    /// What was asked for makes no sense; the exit code differs.
    #[error("{0}")]
    Options(String),
}

/// Why the command ended: `true` if its options are to blame.
struct Ended {
    problems: Problems,
    options: bool,
}

impl From<Problems> for Ended {
    fn from(problems: Problems) -> Self {
        Ended { problems, options: false }
    }
}

impl From<VaultCommandError> for Ended {
    fn from(error: VaultCommandError) -> Self {
        let options = matches!(error, VaultCommandError::Options(_));
        Ended { problems: error.into(), options }
    }
}

/// What is to be printed, and where to.
struct Printed {
    text: Vec<u8>,
    /// In place of standard output.
    file: Option<PathBuf>,
    /// Said on standard error.
    aside: String,
}

impl Printed {
    fn nothing() -> Self {
        Printed { text: Vec::new(), file: None, aside: String::new() }
    }
}

/// Runs `rplay vault` and prints its output.
pub(crate) fn command(args: &VaultArgs) -> Result<u8, Problems> {
    let (config, warnings) = Config::load()?;
    diagnostics::look_like(*config.diagnostics);
    diagnostics::show(&warnings);
    let printed = match run(args, &config, &mut io::stdin()) {
        Ok(printed) => printed,
        Err(ended) => {
            return Ok(diagnostics::end(&ended.problems, if ended.options { diagnostics::OPTIONS } else { 1 }));
        }
    };
    output::aside(&printed.aside);
    match &printed.file {
        Some(path) => write(path, &printed.text)?,
        None if matches!(args.action, VaultAction::View(_)) => output::page(&printed.text, &config.pager)?,
        None => output::show(&printed.text)?,
    }
    let done = match args.action {
        VaultAction::Encrypt(_) | VaultAction::EncryptString(_) => "Encryption successful\n",
        VaultAction::Decrypt(_) => "Decryption successful\n",
        VaultAction::Rekey(_) => "Rekey successful\n",
        _ => "",
    };
    if io::stdout().is_terminal() || matches!(args.action, VaultAction::Rekey(_)) {
        output::aside(done);
    }
    Ok(0)
}

/// The passwords for reading what is encrypted.
fn open(config: &Config, args: &PasswordArgs) -> Result<Arc<Vault>, Problems> {
    passwords::vault_for(args, config, diagnostics::secrets(), Asked::ToOpen)
}

/// The passwords for encrypting, of which the one to be used is known.
fn sealing(config: &Config, with: &EncryptArgs) -> Result<Sealing, Ended> {
    let vault = passwords::vault_for(&with.passwords, config, diagnostics::secrets(), Asked::ToEncrypt)?;
    Sealing::new(vault, wanted_id(config, with), config)
}

fn wanted_id(config: &Config, with: &EncryptArgs) -> Option<String> {
    with.encrypt_vault_id.clone().or_else(|| config.vault_encrypt_identity.value.clone())
}

/// What is encrypted with.
struct Sealing {
    vault: Arc<Vault>,
    id: Option<String>,
    salt: Option<String>,
}

impl Sealing {
    fn new(vault: Arc<Vault>, id: Option<String>, config: &Config) -> Result<Self, Ended> {
        let known: Vec<&str> = vault.ids().collect();
        if let Some(id) = id.as_ref().filter(|id| !known.contains(&id.as_str())) {
            let known = known.iter().map(|id| format!("'{id}'")).collect();
            return Err(VaultCommandError::UnknownId { id: id.clone(), known }.into());
        }
        if id.is_none() && known.len() > 1 {
            let message = format!(
                "The vault-ids {} are available to encrypt. Specify the vault-id to encrypt with --encrypt-vault-id",
                known.join(",")
            );
            return Err(VaultCommandError::Options(message).into());
        }
        if known.is_empty() {
            return Err(
                VaultCommandError::Options("A vault password is required to use Ansible's Vault".to_owned()).into()
            );
        }
        Ok(Sealing { vault, id, salt: config.vault_encrypt_salt.value.clone() })
    }

    fn seal(&self, content: &[u8]) -> Result<Vec<u8>, VaultCommandError> {
        let (id, password) = self.vault.password(self.id.as_deref()).unwrap_or_default();
        seal(content, password, Some(id), self.salt.as_deref())
    }
}

fn seal(content: &[u8], password: &[u8], id: Option<&str>, salt: Option<&str>) -> Result<Vec<u8>, VaultCommandError> {
    let sealed = match salt {
        Some(salt) => encrypt_salted(content, password, id, salt.as_bytes()),
        None => encrypt(content, password, id),
    };
    sealed.map(String::into_bytes).map_err(|message| VaultCommandError::Cipher { message })
}

/// Carries out `rplay vault`; what is to be printed comes back.
fn run(args: &VaultArgs, config: &Config, input: &mut dyn Read) -> Result<Printed, Ended> {
    match &args.action {
        VaultAction::Encrypt(files) => {
            single_output(files)?;
            let sealing = sealing(config, &files.with)?;
            each(files, input, |name, content| match Vault::is_encrypted(&content) {
                true => Err(VaultCommandError::Encrypted { name: name.to_owned() }.into()),
                false => Ok(sealing.seal(&content)?),
            })
        }
        VaultAction::Decrypt(files) => {
            single_output(files)?;
            let vault = open(config, &files.with.passwords)?;
            each(files, input, |name, content| decrypted(&vault, name, content))
        }
        VaultAction::View(files) => {
            let vault = open(config, &files.with.passwords)?;
            let mut shown = Printed::nothing();
            for path in &files.files {
                let content = if is_dash(path) { all(input)? } else { read(path)? };
                shown.text.extend(decrypted(&vault, &path.display().to_string(), content)?);
                if shown.text.last().is_some_and(|last| *last != b'\n') {
                    shown.text.push(b'\n');
                }
            }
            Ok(shown)
        }
        VaultAction::EncryptString(strings) => encrypt_strings(strings, config, input),
        VaultAction::Create(wanted) => create(wanted, config),
        VaultAction::Edit(files) => {
            let vault = open(config, &files.with.passwords)?;
            files.files.iter().try_for_each(|path| edit(path, &vault, config))?;
            Ok(Printed::nothing())
        }
        VaultAction::Rekey(wanted) => rekey(wanted, config),
    }
}

fn single_output(files: &VaultFiles) -> Result<(), VaultCommandError> {
    match files.output.is_some() && files.files.len() > 1 {
        true => {
            Err(VaultCommandError::Options("At most one input file may be used with the --output option".to_owned()))
        }
        false => Ok(()),
    }
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Turns files in place, or one of them into what is printed or goes to another file; without files, standard input.
fn each(
    files: &VaultFiles,
    input: &mut dyn Read,
    turn: impl Fn(&str, Vec<u8>) -> Result<Vec<u8>, Problems>,
) -> Result<Printed, Ended> {
    let file = files.output.clone().filter(|path| !is_dash(path));
    let asks = files.files.is_empty() && io::stdin().is_terminal();
    if asks {
        output::aside("Reading the text from standard input; ctrl-d ends it\n");
    }
    let mut printed = Printed { file, ..Printed::nothing() };
    if files.files.is_empty() {
        printed.text = turn("standard input", all(input)?)?;
        return Ok(printed);
    }
    let mut problems = Problems::default();
    for path in &files.files {
        let content = if is_dash(path) { all(input) } else { read(path) };
        let turned = content.and_then(|content| turn(&path.display().to_string(), content));
        let in_place = files.output.is_none() && !is_dash(path);
        match turned {
            Ok(content) if in_place => problems.0.extend(replace(path, &content).err().unwrap_or_default().0),
            Ok(content) => printed.text.extend(content),
            Err(found) => problems.0.extend(found.0),
        }
    }
    match problems.is_empty() {
        true => Ok(printed),
        false => Err(problems.into()),
    }
}

/// `encrypt_string`: values of the command line, of a question and of standard input, each ready for YAML.
fn encrypt_strings(wanted: &StringArgs, config: &Config, input: &mut dyn Read) -> Result<Printed, Ended> {
    let refuse = |message: &str| Ended::from(VaultCommandError::Options(message.to_owned()));
    let dash = wanted.values.iter().any(|value| value == "-");
    let from_input = dash || wanted.stdin_name.is_some() || (wanted.values.is_empty() && !wanted.prompt);
    if wanted.prompt && from_input {
        return Err(refuse("The --prompt option is not supported if also reading input from stdin"));
    }
    let sealing = sealing(config, &wanted.with)?;
    // Name, value, and where the value came from.
    let mut strings: Vec<(Option<String>, Vec<u8>, &str)> = Vec::new();
    if wanted.prompt {
        let name = prompt::line("Variable name (enter for no name): ", true).map_err(asked)?;
        let value = prompt::line("String to encrypt: ", wanted.show_input).map_err(asked)?;
        if value.is_empty() {
            return Err(refuse("The plaintext provided from the prompt was empty, not encrypting"));
        }
        strings.push((Some(name).filter(|name| !name.is_empty()), value.into_bytes(), "the interactive prompt"));
    }
    if from_input {
        if io::stdin().is_terminal() {
            output::aside("Reading the text from standard input; ctrl-d ends it\n");
        }
        let content = all(input)?;
        if content.is_empty() {
            return Err(refuse("stdin was empty, not encrypting"));
        }
        strings.push((wanted.stdin_name.clone(), content, "stdin"));
    }
    let mut names = wanted.name.iter();
    for value in wanted.values.iter().filter(|value| *value != "-") {
        if value.is_empty() {
            return Err(refuse("The plaintext provided from the command line args was empty, not encrypting"));
        }
        strings.push((names.next().cloned(), value.clone().into_bytes(), "the command line args"));
    }
    if strings.len() == 1
        && let (Some(first), None) = (wanted.name.first(), &strings[0].0)
    {
        strings[0].0 = Some(first.clone());
    }
    let mut printed = Printed { file: wanted.output.clone().filter(|path| !is_dash(path)), ..Printed::nothing() };
    let several = strings.len() > 1;
    for (at, (name, value, origin)) in strings.iter().enumerate() {
        let number = at + 1;
        printed.aside += &match name {
            _ if !several => String::new(),
            Some(name) => {
                format!("# The encrypted version of variable (\"{name}\", the string #{number} from {origin}).\n")
            }
            None => format!("# The encrypted version of the string #{number} from {origin}.\n"),
        };
        let sealed = sealing.seal(value)?;
        let lead = name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        let lines =
            String::from_utf8_lossy(&sealed).lines().map(|line| format!("          {line}\n")).collect::<String>();
        printed.text.extend(format!("{lead}!vault |\n{lines}").into_bytes());
    }
    Ok(printed)
}

fn asked(error: io::Error) -> Ended {
    VaultCommandError::File { path: PathBuf::from("the answer"), error }.into()
}

fn create(wanted: &CreateArgs, config: &Config) -> Result<Printed, Ended> {
    let refuse = |message: &str| Ended::from(VaultCommandError::Options(message.to_owned()));
    let [path] = wanted.files.as_slice() else {
        return Err(refuse("ansible-vault create can take only one filename argument"));
    };
    if !wanted.skip_tty_check && !io::stdout().is_terminal() {
        return Err(refuse("not a tty, editor cannot be opened"));
    }
    let sealing = sealing(config, &wanted.with)?;
    if path.exists() {
        return Err(VaultCommandError::Exists { path: path.clone() }.into());
    }
    let content = editor::edit(b"", path, &config.editor).map_err(VaultCommandError::Editor)?;
    write(path, &sealing.seal(&content)?)?;
    Ok(Printed::nothing())
}

/// Lets a person edit an encrypted file. It keeps its password and its id; what was not changed is not written.
fn edit(path: &Path, vault: &Vault, config: &Config) -> Result<(), Ended> {
    let content = read(path)?;
    let text = String::from_utf8_lossy(&content).into_owned();
    let before = decrypted(vault, &path.display().to_string(), content)?;
    let after = editor::edit(&before, path, &config.editor).map_err(VaultCommandError::Editor)?;
    if after != before
        && let Some((id, password)) = vault.opener(&text)
    {
        let sealed = seal(&after, password, id.as_deref(), config.vault_encrypt_salt.value.as_deref())?;
        replace(path, &sealed)?;
    }
    Ok(())
}

fn rekey(wanted: &RekeyArgs, config: &Config) -> Result<Printed, Ended> {
    let vault = open(config, &wanted.with.passwords)?;
    let sources = match (&wanted.new_vault_id, &wanted.new_vault_password_file) {
        (Some(id), _) => vec![PasswordSource::parse(id)],
        (None, Some(file)) => vec![PasswordSource::file(&file.display().to_string())],
        (None, None) => vec![PasswordSource::parse("prompt")],
    };
    let new = passwords::gather(&sources, config, diagnostics::secrets(), Asked::ToEncrypt)?;
    let sealing = Sealing::new(new, wanted_id(config, &wanted.with), config)?;
    // All are opened before the first one is written.
    let opened = wanted
        .files
        .iter()
        .map(|path| Ok((path, decrypted(&vault, &path.display().to_string(), read(path)?)?)))
        .collect::<Result<Vec<_>, Problems>>()?;
    for (path, content) in opened {
        replace(path, &sealing.seal(&content)?)?;
    }
    Ok(Printed::nothing())
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

/// Writes a file that only its owner may read; one that is there is replaced and keeps its mode.
fn write(path: &Path, content: &[u8]) -> Result<(), Problems> {
    if path.exists() {
        return replace(path, content);
    }
    let mut options = std::fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.write(true).create_new(true).open(path).and_then(|mut file| file.write_all(content));
    Ok(written.map_err(|error| VaultCommandError::File { path: path.to_owned(), error })?)
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
            // Only root may change the owner; for other users it is already the same.
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
            .map(|shown| String::from_utf8(shown.text).unwrap())
            .map_err(|ended| ended.problems.0[0].to_string())
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
        assert!(run("encrypt").unwrap_err().contains("already encrypted"));
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
        let none = vault(folder.path(), &["encrypt", "--vault-id", &id, "--encrypt-vault-id", "ops"], b"x");
        assert_eq!(none.unwrap_err(), "Did not find a match for --encrypt-vault-id=ops in the known vault-ids ['dev']");
        let two = vault(folder.path(), &["encrypt", "--vault-id", &id, "--vault-id", &format!("ops@{pw}")], b"x");
        assert!(two.unwrap_err().starts_with("The vault-ids dev,ops are available to encrypt."));
        let both = ["encrypt_string", "--vault-id", &id, "a", "b", "-n", "x", "-n", "y"];
        let both = vault(folder.path(), &both, b"").unwrap();
        assert!(both.starts_with("x: !vault |\n") && both.contains("\ny: !vault |\n"), "{both}");
        let empty = vault(folder.path(), &["encrypt_string", "--vault-id", &id], b"").unwrap_err();
        assert_eq!(empty, "stdin was empty, not encrypting");
    }

    /// A file keeps its id when it is edited, and takes the new one when its password changes.
    #[test]
    fn files_are_edited_and_rekeyed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("pw"), "secret\n").unwrap();
        std::fs::write(path("new"), "other\n").unwrap();
        std::fs::write(path("file"), "a: 1\n").unwrap();
        let (file, pw, new) = (path("file"), format!("dev@{}", path("pw")), path("new"));
        std::fs::write(path("ansible.cfg"), "[defaults]\neditor = sh -c 'echo b: 2 >> \"$1\"' editor\n").unwrap();
        let vault = |words: &[&str]| vault(folder.path(), words, b"");
        vault(&["encrypt", &file, "--vault-id", &pw]).unwrap();
        vault(&["edit", &file, "--vault-id", &pw]).unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().starts_with("$ANSIBLE_VAULT;1.2;AES256;dev\n"));
        assert_eq!(vault(&["view", &file, "--vault-id", &pw]).unwrap(), "a: 1\nb: 2\n");
        vault(&["rekey", &file, "--vault-id", &pw, "--new-vault-password-file", &new]).unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().starts_with("$ANSIBLE_VAULT;1.1;AES256\n"));
        let output = path("plain");
        let text = vault(&["decrypt", &file, "--vault-password-file", &new, "--output", "-"]).unwrap();
        assert_eq!(text, "a: 1\nb: 2\n");
        assert!(vault(&["view", &file, "--vault-id", &pw]).unwrap_err().contains("no vault secrets were found"));
        vault(&["create", &output, "--skip-tty-check", "--vault-password-file", &new]).unwrap();
        assert_eq!(vault(&["view", &output, "--vault-password-file", &new]).unwrap(), "b: 2\n");
        let again = vault(&["create", &output, "--skip-tty-check", "--vault-password-file", &new]);
        assert!(again.unwrap_err().contains("please use 'edit' instead"));
    }
}
