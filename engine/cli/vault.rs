//! `rplay vault`: encrypts and decrypts files and values, like `ansible-vault`.

mod error;
mod files;
mod sealing;

use std::{
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use miette::Diagnostic;
use rplay::{
    config::Config,
    source::{Problems, Source, Span, absolute},
    vault::{PasswordSource, Vault},
};

use crate::{
    args::common::PasswordArgs,
    args::vault::{CreateArgs, EncryptArgs, RekeyArgs, StringArgs, VaultAction, VaultArgs, VaultFiles},
    diagnostics, editor, output,
    passwords::{self, PromptWhen},
    prompt,
};
use error::{Ended, VaultCommandError};
use files::{all, is_dash, read, replace, write};
use sealing::{Sealing, seal};

/// The output, and its destination.
struct Printed {
    text: Vec<u8>,
    /// The file to write instead of standard output.
    file: Option<PathBuf>,
    /// A message for standard error.
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

/// The passwords for decrypting.
fn open(config: &Config, args: &PasswordArgs) -> Result<Arc<Vault>, Problems> {
    passwords::vault_for(args, config, diagnostics::secrets(), PromptWhen::ToDecrypt)
}

/// The passwords for encrypting, with the one to use.
fn sealing(config: &Config, with: &EncryptArgs) -> Result<Sealing, Ended> {
    let vault = passwords::vault_for(&with.passwords, config, diagnostics::secrets(), PromptWhen::ToEncrypt)?;
    Sealing::new(vault, wanted_id(config, with), config)
}

fn wanted_id(config: &Config, with: &EncryptArgs) -> Option<String> {
    with.encrypt_vault_id.clone().or_else(|| config.vault_encrypt_identity.value.clone())
}

/// Runs `rplay vault`; returns the output.
fn run(args: &VaultArgs, config: &Config, input: &mut dyn Read) -> Result<Printed, Ended> {
    match &args.action {
        VaultAction::Encrypt(files) => {
            single_output(files)?;
            let sealing = sealing(config, &files.with)?;
            each(files, input, "plaintext", |name, content| match Vault::is_encrypted(&content) {
                true => Err(VaultCommandError::Encrypted { name: name.to_owned() }.into()),
                false => Ok(sealing.seal(&content)?),
            })
        }
        VaultAction::Decrypt(files) => {
            single_output(files)?;
            let vault = open(config, &files.with.passwords)?;
            each(files, input, "ciphertext", |name, content| decrypted(&vault, name, content))
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

/// Converts files in place, or one file to the output or another file. Without files it reads standard input, and says
/// so at a terminal: `what` is `plaintext` or `ciphertext`.
fn each(
    files: &VaultFiles,
    input: &mut dyn Read,
    what: &str,
    turn: impl Fn(&str, Vec<u8>) -> Result<Vec<u8>, Problems>,
) -> Result<Printed, Ended> {
    let file = files.output.clone().filter(|path| !is_dash(path));
    let asks = files.files.is_empty() && io::stdin().is_terminal();
    if asks {
        output::aside(&format!("Reading {what} input from stdin\n"));
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
            Ok(content) if in_place => problems.0.extend(write(path, &content).err().unwrap_or_default().0),
            Ok(content) => printed.text.extend(content),
            Err(found) => problems.0.extend(found.0),
        }
    }
    match problems.is_empty() {
        true => Ok(printed),
        false => Err(problems.into()),
    }
}

/// `encrypt_string`: values from the command line, a prompt and standard input, each ready for YAML.
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
            output::aside(
                "Reading plaintext input from stdin. (ctrl-d to end input, twice if your content does not already have \
                 a newline)\n",
            );
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
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty() && !directory.exists())
    {
        diagnostics::warn(&format!("{} does not exist, creating...", directory.display()));
        let failed = |error| VaultCommandError::File { path: directory.to_owned(), error };
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    if path.exists() {
        return Err(VaultCommandError::Exists { path: path.clone() }.into());
    }
    let content = editor::edit(b"", path, &config.editor).map_err(VaultCommandError::Editor)?;
    write(path, &sealing.seal(&content)?)?;
    Ok(Printed::nothing())
}

/// Opens an editor on an encrypted file, which keeps its password and ID; an unchanged file is not written.
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
    let new = passwords::gather(&sources, config, diagnostics::secrets(), PromptWhen::ToEncrypt)?;
    let sealing = Sealing::new(new, wanted_id(config, &wanted.with), config)?;
    // All are decrypted before the first one is written.
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
        let path = Path::new(name);
        let name = if path.exists() { absolute(path) } else { name.to_owned() };
        return Err(VaultCommandError::NotEncrypted { name }.into());
    }
    let source = Source::inline(name, String::from_utf8_lossy(&content));
    let first = source.text.lines().next().map_or(0, str::len);
    let opened = vault.decrypt(&source.text, &Span::new(&source, 0..first)).map_err(|error| {
        let help = Diagnostic::help(&error).map(|help| help.to_string());
        VaultCommandError::Undecryptable { name: name.to_owned(), error, help }
    })?;
    Ok(opened.to_vec())
}

#[cfg(test)]
mod tests;
