//! The text of a file for modules that edit it; arbitrary bytes are preserved.

use std::{
    io,
    path::{Path, PathBuf},
};

use rplay_wire::{Failure, Map, data};

use crate::{
    Change, Host, Plan,
    io_failure::io_failure,
    system::{
        attributes::Attributes,
        bounded,
        directories::make_directories,
        encoding::Encoding,
        lossless::{decode, decode_ascii, encode},
        paths,
        place::{Content, Placement},
    },
};

/// Maximum size in bytes of an edited file, which is in memory several times.
const MAX_TEXT: usize = 32 << 20;

/// Decodes bytes in an encoding. UTF-8 and ASCII keep what is no text; `None` if another encoding cannot.
fn decode_in(bytes: &[u8], encoding: Encoding) -> Option<String> {
    match encoding {
        Encoding::Utf8 => Some(decode(bytes)),
        Encoding::Ascii => Some(decode_ascii(bytes)),
        other => other.decode(bytes),
    }
}

/// The text of a regular file; `None` if it does not exist.
///
/// # Errors
/// If the file cannot be read. It never passes for empty text, which would replace its content.
pub fn read(path: &Path) -> Result<Option<String>, Failure> {
    Ok(read_bytes(path)?.map(|bytes| decode(&bytes)))
}

fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match bounded::read_file(path, MAX_TEXT) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            let msg = format!("{} is too long to be edited: {error}", path.display());
            Err(Failure::new(msg).help("edit it with a program on the host, such as sed"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_failure("read", path, &error)),
    }
}

/// A text file being edited.
pub struct TextFile {
    /// As named by the task.
    pub path: PathBuf,
    /// `None` if there is no file.
    pub before: Option<String>,
    encoding: Encoding,
}

impl TextFile {
    /// Reads the file in this encoding. One that does not exist is empty.
    ///
    /// # Errors
    /// If it is a directory, cannot be read, or is not in this encoding.
    pub fn read(path: PathBuf, encoding: Encoding, name: &str) -> Result<TextFile, Failure> {
        if path.is_dir() {
            let msg = format!("Path {} is a directory !", path.display());
            return Err(Failure::new(msg).arg("path").data(data! { "rc" => 256 }));
        }
        let bytes = read_bytes(&path).map_err(|failure| failure.arg("path"))?;
        let not_text = || {
            let msg = format!("{} is not text in the encoding `{name}`", path.display());
            Failure::new(msg).arg("encoding")
        };
        let before = bytes.map(|bytes| decode_in(&bytes, encoding).ok_or_else(not_text)).transpose()?;
        Ok(TextFile { path, before, encoding })
    }

    /// The failure for a missing file that must not be created.
    pub fn missing(&self, what: &str) -> Failure {
        let msg = format!("{what} {} does not exist !", self.path.display());
        Failure::new(msg).arg("path").data(data! { "rc" => 257 })
    }

    /// The plan to set the text, owner and mode of the file. A link at the path is kept. `msg` describes the edit; it
    /// is added to the data, as is `backup_file`.
    ///
    /// The result's `diff` has two parts, for content and attributes, whether they are shown or not.
    ///
    /// # Errors
    /// If owner, group or mode cannot be resolved, or the path cannot hold a file.
    pub fn plan(
        self,
        host: &Host,
        text: &str,
        msg: String,
        attributes: &Attributes,
        backup: bool,
        validate: Option<String>,
    ) -> Result<Plan, Failure> {
        let path = paths::real(&self.path);
        let content = match self.encoding {
            Encoding::Utf8 | Encoding::Ascii => encode(text),
            // As in ansible-core, a question mark replaces each character that the encoding lacks.
            other => other.encode_lossy(text),
        };
        let mut placement = Placement::new(&path, Content::Bytes(content), attributes).validate(validate);
        placement.backup = backup && self.before.is_some();
        placement.link = Some(self.path.clone());
        let settings = match self.before {
            Some(_) => placement.wanted.difference(&path, false).unwrap_or_default(),
            None if host.check => Default::default(),
            None => placement.wanted.difference_of_new(),
        };
        let is_edited = self.before.as_deref() != Some(text);
        let mut plan = Plan::unchanged();
        let directory = paths::directory(&path);
        if !directory.is_dir() {
            plan = make_directories(directory, &crate::system::attributes::Wanted::default(), plan)?;
            // As in ansible-core, the differences are those of the file alone.
            plan.changes.iter_mut().for_each(|change| change.diff = None);
        }
        plan = match placement.refused.take_if(|_| !is_edited) {
            Some(failure) => return Err(failure),
            None if is_edited => placement.plan(host, plan)?,
            None => placement.wanted.plan(&path, false, plan)?,
        };
        let mut msg = msg;
        if !settings.1.is_empty() {
            msg.push_str(if msg.is_empty() { "" } else { " and " });
            msg.push_str("ownership, perms or SE linux context changed");
        }
        plan.data.insert("msg".to_owned(), msg.into());
        plan.changes = std::mem::take(&mut plan.changes).into_iter().map(without_output).collect();
        if host.check && self.before.is_none() {
            plan.data.insert("diff".to_owned(), content_frame(&self.path).into());
            return Ok(plan);
        }
        let named = |part: &str| format!("{} ({part})", self.path.display());
        let attributes = named("file attributes");
        let mut attributes = data! { "before_header" => attributes.as_str(), "after_header" => attributes.as_str() };
        let (before, after) = settings;
        if !after.is_empty() {
            attributes.extend(data! { "before" => before, "after" => after });
        }
        let mut content = content_frame(&self.path);
        if host.diff && !is_edited {
            // Both sides, equal as they are.
            content.extend(data! { "before" => text, "after" => text });
        }
        plan.data.insert("diff".to_owned(), vec![content, attributes].into());
        Ok(plan)
    }
}

/// A change whose failure is only the message of the command that refused the new text.
pub fn without_output(change: Change) -> Change {
    change.on_failure(|mut failure| {
        if failure.data.contains_key("exit_status") {
            failure.data.clear();
        }
        failure
    })
}

/// What the `diff` of a file's content holds where it is not shown.
pub fn content_frame(path: &Path) -> Map {
    let header = format!("{} (content)", path.display());
    data! { "before" => "", "after" => "", "before_header" => header.as_str(), "after_header" => header.as_str() }
}

/// Names the file that was kept `backup`, as lineinfile does; empty without one.
pub fn as_backup(data: &mut Map) {
    let kept = data.shift_remove("backup_file").unwrap_or_else(|| "".into());
    data.insert("backup".to_owned(), kept);
}

/// The lines of a file, each with its line break.
pub fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// A delimiter in which `\n`, `\t`, `\r` and `\\` are one character each.
pub fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('\\') | None => out.push('\\'),
                Some(other) => out.extend(['\\', other]),
            },
            (c, false) => out.push(c),
        }
    }
    out
}
