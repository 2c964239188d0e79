//! slurp: the content of a file, in the result.

use std::{io, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use rplay_wire::{Failure, data};

use crate::{Host, Module, Plan, args, argtypes::PathArg, cannot::cannot, paths};

args! {
    /// Reads a file of the host into the result, in base64.
    pub struct Slurp {
        /// The file.
        src: PathArg | "path",
    }
}

impl Module for Slurp {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = self.src.on(host);
        let content = read(&path)?;
        Ok(Plan {
            data: data! {
                "content" => STANDARD.encode(content),
                "source" => paths::text(&path),
                "encoding" => "base64",
            },
            ..Plan::default()
        })
    }
}

/// The content of a plain file, or why it cannot be had.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.is_dir() {
        let msg = format!("Source is a directory and must be a file: {}", path.display());
        return Err(Failure::new(msg).arg("src"));
    }
    crate::regular::read(path).map_err(|error| {
        let failure = match error.kind() {
            io::ErrorKind::NotFound => Failure::new(format!("File not found: {}", path.display())),
            io::ErrorKind::PermissionDenied => Failure::new(format!("File is not readable: {}", path.display())),
            _ => {
                let mut failure = cannot("read", path, &error);
                failure.msg = format!("Unable to slurp file: {}", failure.msg);
                failure
            }
        };
        failure.arg("src")
    })
}

#[cfg(test)]
mod tests {
    use crate::runner::tests::call;
    use rplay_wire::data;

    #[test]
    fn content_comes_in_base64_and_faults_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        std::fs::write(&file, [0, 255, b'a']).unwrap();
        let outcome = call("slurp", data! { "path" => file.to_str().unwrap() });
        assert_eq!(outcome.data["content"], "AP9h".into());
        assert_eq!(outcome.data["encoding"], "base64".into());
        assert!(!outcome.changed);
        let gone = call("slurp", data! { "src" => "/no/such/file" }).failure.unwrap();
        assert_eq!(gone.msg, "File not found: /no/such/file");
        let msg = call("slurp", data! { "src" => "/etc" }).failure.unwrap().msg;
        assert_eq!(msg, "Source is a directory and must be a file: /etc");
    }
}
