//! Opens the user's editor on secret text.

use std::{
    io::{self, Write},
    path::Path,
    process::Command,
};

/// Opens an editor on a text, in a temporary file that only its owner can read; returns the new text. `editor` is a
/// command line; the file gets the extension of `like`, by which editors choose colours.
///
/// # Errors
/// If the file cannot be written or read, or the editor cannot be started or fails.
pub(crate) fn edit(text: &[u8], like: &Path, editor: &str) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("the text to edit cannot be kept in a temporary file: {error}");
    let suffix = like.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    let mut file = tempfile::Builder::new().prefix("rplay-edit-").suffix(&suffix).tempfile().map_err(failed)?;
    file.write_all(text).and_then(|()| file.flush()).map_err(failed)?;
    let result = run(editor, file.path()).and_then(|()| std::fs::read(file.path()).map_err(failed));
    // The editor may have replaced the file, so the original is overwritten in any case.
    let _ = file.as_file().set_len(0);
    result
}

fn run(editor: &str, path: &Path) -> Result<(), String> {
    let words = shell_words::split(editor).map_err(|error| format!("the editor `{editor}`: {error}"))?;
    let (program, args) = words.split_first().ok_or("no editor is set; set EDITOR")?;
    match Command::new(program).args(args).arg(path).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the editor `{editor}` ended with {status}; nothing was changed")),
        Err(error) => Err(format!("Unable to execute the command \"{editor} {}\": {error}", path.display())),
    }
}
