//! The lookup `password`: a password that is generated once and kept in a file.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use minijinja::Value;
use parking_lot::Mutex;
use rplay_contract::system::crypt;

use super::Table;

use crate::template::{
    args::Args,
    eval::machine::Machine,
    library::{mersenne_twister::Chance, paths},
    value::{
        containers,
        error::{EvalError, EvalResult},
        items, show, size,
    },
};

pub(super) const LOOKUPS: Table = &[("password", password)];

/// Hosts render in parallel; the first one creates the password, the others read it.
static MAKING: Mutex<()> = Mutex::new(());

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// The content of the file: `PASSWORD salt=SALT ident=IDENT`.
#[derive(Debug, PartialEq)]
struct Kept {
    password: String,
    salt: Option<String>,
    ident: Option<String>,
}

impl Kept {
    fn read(text: &str) -> Self {
        let text = text.trim_end_matches('\n');
        let (text, ident) = match text.rsplit_once(" ident=") {
            Some((text, ident)) => (text, Some(ident.to_owned())),
            None => (text, None),
        };
        let (password, salt) = match text.rsplit_once(" salt=") {
            Some((password, salt)) => (password, Some(salt.to_owned())),
            None => (text, None),
        };
        Kept { password: password.to_owned(), salt, ident }
    }

    fn text(&self) -> String {
        let mut text = self.password.clone();
        for (name, value) in [("salt", &self.salt), ("ident", &self.ident)] {
            if let Some(value) = value {
                text.push_str(&format!(" {name}={value}"));
            }
        }
        text + "\n"
    }
}

/// The characters of a named set, or the characters themselves.
fn characters(words: &[String]) -> Vec<char> {
    let mut out: Vec<char> = Vec::new();
    for word in words {
        let set = match &**word {
            "ascii_letters" => LETTERS.to_owned(),
            "ascii_lowercase" => LETTERS.get(..26).unwrap_or_default().to_owned(),
            "ascii_uppercase" => LETTERS.get(26..).unwrap_or_default().to_owned(),
            "digits" => DIGITS.to_owned(),
            "hexdigits" => "0123456789abcdefABCDEF".to_owned(),
            "octdigits" => "01234567".to_owned(),
            "punctuation" => PUNCTUATION.to_owned(),
            other => other.replace(['"', '\''], ""),
        };
        out.extend(set.chars().filter(|c| !out.contains(c)).collect::<Vec<_>>());
    }
    out
}

fn made(length: usize, characters: &[char], seed: Option<&Value>) -> EvalResult<String> {
    if characters.is_empty() {
        return Err(EvalError::new("the set of characters for the password is empty"));
    }
    let mut chance = Chance::new(seed);
    Ok((0..length).filter_map(|_| characters.get(chance.index(characters.len()))).collect())
}

/// Splits off the options at the end of a term, since paths may contain spaces.
///
/// # Errors
/// If an option is unknown.
fn split_term(term: &str) -> EvalResult<(String, Vec<(String, String)>)> {
    let known = ["length", "encrypt", "chars", "ident", "seed"];
    let (first, rest) = term.split_once(' ').unwrap_or((term, ""));
    let mut path = vec![first.to_owned()];
    let mut options = Vec::new();
    let mut unknown = Vec::new();
    for (key, value) in super::key_values(rest) {
        match key {
            Some(key) if known.contains(&&*key) => options.push((key, value)),
            Some(key) => unknown.push(key),
            None => path.push(value),
        }
    }
    match unknown.is_empty() {
        true => Ok((path.join(" "), options)),
        false => {
            let message = format!("Unrecognized parameter(s) given to password lookup: {}", unknown.join(", "));
            Err(EvalError::new(message))
        }
    }
}

fn password(machine: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    let mut found = Vec::new();
    for term in terms {
        let (path, own) = split_term(&show::text(&term)?)?;
        let mut options = options.clone();
        for (key, value) in own {
            options.named.retain(|(known, _)| *known != key);
            options.named.push((key, Value::from(value)));
        }
        let password = one(machine, &path, options)?;
        // One that is not kept can only be known by being shown.
        if path != "/dev/null" {
            machine.session.scope.magic.conceal(&password);
        }
        found.push(Value::from(password));
    }
    Ok(found)
}

fn one(machine: &Machine<'_>, path: &str, mut options: Args) -> EvalResult<String> {
    let length = size::room(options.int_or("length", 20)?)?;
    // An empty value means no encryption.
    let encrypt = options.text("encrypt")?.filter(|kind| !kind.is_empty());
    let chars = match options.optional("chars")? {
        None => vec!["ascii_letters".to_owned(), "digits".to_owned(), ".,:-_".to_owned()],
        Some(value) if containers::is_list(&value) => {
            items::items(&value)?.iter().map(show::text).collect::<EvalResult<Vec<_>>>()?
        }
        Some(value) => {
            let text = show::text(&value)?;
            // Two commas stand for a comma in the set of characters.
            let comma = text.contains(",,").then(|| ",".to_owned());
            let words = text.replace(",,", ",");
            let words = words.split(',').filter(|word| !word.is_empty()).map(str::to_owned);
            comma.into_iter().chain(words).collect()
        }
    };
    let seed = options.optional("seed")?.filter(|seed| !seed.is_none());
    let ident = options.text("ident")?;
    options.finish()?;
    let characters = characters(&chars);
    let _making = MAKING.lock();
    let file = place(machine, path);
    let known = match crate::files::read_text(&file) {
        Ok(text) if file != Path::new("/dev/null") => Some(Kept::read(&text)),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(EvalError::new(format!("cannot read `{}`: {error}", file.display())));
        }
        _ => None,
    };
    let fresh = known.is_none();
    let mut kept = match known {
        Some(kept) => kept,
        None => Kept { password: made(length, &characters, seed.as_ref())?, salt: None, ident: None },
    };
    let scheme = encrypt.as_deref().map(crypt::Scheme::named).transpose().map_err(EvalError::new)?;
    let salted = scheme.filter(|_| kept.salt.is_none());
    if let Some(scheme) = salted {
        let salt = crypt::random_salt(scheme.salt_size());
        kept.salt = Some(salt.map_err(|error| EvalError::new(format!("no random data: {error}")))?);
        kept.ident = ident.clone().or_else(|| scheme.ident().map(str::to_owned));
    }
    if (fresh || salted.is_some()) && file != Path::new("/dev/null") {
        write(&file, &kept.text())
            .map_err(|error| EvalError::new(format!("cannot write `{}`: {error}", file.display())))?;
    }
    match scheme {
        None => Ok(kept.password),
        Some(scheme) => {
            let ident = ident.or(kept.ident);
            let options =
                crypt::Options { salt: kept.salt.as_deref(), ident: ident.as_deref(), ..crypt::Options::default() };
            scheme.hash(&kept.password, options).map_err(EvalError::new)
        }
    }
}

/// Relative paths start at the playbook's directory.
fn place(machine: &Machine<'_>, path: &str) -> PathBuf {
    let path = paths::expanduser(path);
    match (Path::new(&path).is_absolute(), machine.session.scope.directories.last()) {
        (false, Some(directory)) => directory.join(path),
        _ => PathBuf::from(path),
    }
}

/// The file is readable only by the current user.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(directory) = file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let temporary = file.with_extension(format!("rplay-{}", std::process::id()));
    let mut new = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    new.write_all(text.as_bytes())?;
    fs::rename(&temporary, file)
}
