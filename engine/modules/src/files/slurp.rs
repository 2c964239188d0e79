//! slurp: returns the content of a file.

use std::{
    io::{self, Read},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rplay_wire::{Failure, data};

use crate::system::fs::File;
use crate::{
    Host, Module, Plan, args,
    argtypes::PathArg,
    io_failure::io_failure,
    system::{paths, regular},
};

args! {
    /// Returns the content of a file on the host, in base64.
    pub struct Slurp {
        /// The file.
        src: PathArg | "path",
    }
}

impl Module for Slurp {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = self.src.on(host);
        // Base64 encodes three bytes as four.
        let most = host.max_output() / 4 * 3;
        let (file, length) = open(&path, most)?;
        Ok(Plan {
            data: data! {
                "content" => encoded(file, length, most).map_err(|error| unreadable(&path, &error, most))?,
                "source" => paths::text(&path),
                "encoding" => "base64",
            },
            ..Plan::default()
        })
    }
}

/// The content of a regular file. Files with more than `most` bytes are rejected.
pub(crate) fn read(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let (file, length) = open(path, most)?;
    let mut content = Vec::with_capacity(length);
    let read = file.take(most as u64 + 1).read_to_end(&mut content);
    match read {
        Ok(length) if length > most => Err(too_long(path, length as u64, most)),
        Ok(_) => Ok(content),
        Err(error) => Err(unreadable(path, &error, most)),
    }
}

/// The file and its reported size in bytes.
fn open(path: &Path, most: usize) -> Result<(File, usize), Failure> {
    if path.is_dir() {
        let msg = format!("Source is a directory and must be a file: {}", path.display());
        return Err(Failure::new(msg).arg("src"));
    }
    let opened = regular::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    match opened.map_err(|error| unreadable(path, &error, most))? {
        (length, _) if length > most as u64 => Err(too_long(path, length, most)),
        (length, file) => Ok((file, length as usize)),
    }
}

/// The content in base64, encoded in chunks. A file that grows beyond the limit meanwhile is an error.
fn encoded(file: File, length: usize, most: usize) -> io::Result<String> {
    let mut text = String::with_capacity(length.div_ceil(3) * 4);
    let mut content = file.take(most as u64 + 1);
    // A multiple of three, so that only the last chunk is padded.
    let mut piece = Vec::with_capacity(48 << 10);
    let mut read = 0;
    loop {
        piece.clear();
        let count = content.by_ref().take(48 << 10).read_to_end(&mut piece)?;
        read += count;
        if read > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        STANDARD.encode_string(&piece, &mut text);
        if count < 48 << 10 {
            return Ok(text);
        }
    }
}

fn unreadable(path: &Path, error: &io::Error, most: usize) -> Failure {
    let failure = match error.kind() {
        io::ErrorKind::NotFound => Failure::new(format!("File not found: {}", path.display())),
        io::ErrorKind::PermissionDenied => Failure::new(format!("File is not readable: {}", path.display())),
        io::ErrorKind::FileTooLarge => return too_long(path, most as u64 + 1, most),
        _ => {
            let mut failure = io_failure("read", path, error);
            failure.msg = format!("Unable to slurp file: {}", failure.msg);
            failure
        }
    };
    failure.arg("src")
}

fn too_long(path: &Path, length: u64, most: usize) -> Failure {
    let msg = format!("{} has {length} bytes; a result can contain at most {most} bytes of a file", path.display());
    Failure::new(msg).arg("src").help("use fetch, which supports files of any size, or raise `rplay_max_output`")
}

#[cfg(test)]
mod tests {
    use crate::runner::tests::call;
    use rplay_wire::data;

    #[test]
    fn content_comes_in_base64_and_errors_name_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
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

    #[test]
    fn a_file_without_a_length_is_read_and_one_that_is_too_long_is_not() {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let status = call("slurp", data! { "src" => "/proc/self/status" }).data["content"].clone();
        assert!(STANDARD.decode(status.as_str().unwrap()).unwrap().starts_with(b"Name:"));
        let directory = tempfile::tempdir().unwrap();
        let (short, long) = (directory.path().join("short"), directory.path().join("long"));
        let content: Vec<u8> = (0..100_001).map(|n| n as u8).collect();
        std::fs::write(&short, &content).unwrap();
        let outcome = call("slurp", data! { "src" => short.to_str().unwrap() });
        assert_eq!(outcome.data["content"], STANDARD.encode(content).into());
        std::fs::File::create(&long).unwrap().set_len(4 << 30).unwrap();
        let failure = call("slurp", data! { "src" => long.to_str().unwrap() }).failure.unwrap();
        assert!(failure.msg.contains("has 4294967296 bytes") && failure.help.unwrap().contains("use fetch"));
        assert!(call("slurp", data! { "src" => "/dev/zero" }).failure.unwrap().msg.contains("not a regular file"));
    }
}
