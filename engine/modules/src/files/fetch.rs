//! fetch, the host's part: sends the content of a file to the controller.

use std::{
    io::{self, Read},
    path::Path,
};

use rplay_wire::{Failure, PIECE, Value, data, hex};
use sha1::{Digest, Sha1};

use crate::system::fs::{File, Metadata};
use crate::{
    ContentTarget, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    files::slurp,
    io_failure::io_failure,
    system::{digest::Algorithm, paths, regular},
};

args! {
    /// Copies a file from the host to the controller.
    pub struct Fetch {
        /// The file on the host.
        src: PathArg,
        /// The destination on the controller.
        dest: Option<Text>,
        /// Write to `dest` itself, without directories for host and path.
        flat: Flag = Flag(false),
        /// Whether an unreadable file is a failure.
        fail_on_missing: Flag = Flag(true),
        /// Whether to verify the checksum after the transfer.
        validate_checksum: Flag = Flag(true),
        /// The SHA-1 of the controller's existing file; the same content is not sent again.
        _checksum: Option<Text>,
        /// Internal: the number of the destination for content that is sent in pieces.
        _sink: Option<i64>,
    }
}

impl Module for Fetch {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = self.src.on(host);
        let mut data = data! { "source" => paths::text(&path), "remote_checksum" => Value::Null };
        // Used only by the controller.
        let _ = self._sink;
        match open(&path) {
            Ok((mut file, meta)) => {
                let failed = |error: io::Error| io_failure("read", &path, &error).arg("src");
                if let Some(known) = &self._checksum
                    && meta.len() > 0
                {
                    let checksum = Algorithm::Sha1.of_reader(&file).map_err(failed)?;
                    if checksum == *known {
                        data.insert("remote_checksum".to_owned(), checksum.into());
                        return Ok(Plan { data, ..Plan::default() });
                    }
                    io::Seek::rewind(&mut file).map_err(failed)?;
                }
                let checksum = match host.content().filter(|_| meta.len() > PIECE as u64) {
                    Some(target) => send(file, meta.len(), target).map_err(failed)?,
                    // Short, or in a file system such as /proc, where the length is unknown.
                    None => {
                        let content = slurp::read(&path, host.max_output())?;
                        let checksum = Algorithm::Sha1.of_bytes(&content);
                        if self._checksum.as_deref() == Some(checksum.as_str()) {
                            data.insert("remote_checksum".to_owned(), checksum.into());
                            return Ok(Plan { data, ..Plan::default() });
                        }
                        match host.content().filter(|_| content.len() > PIECE) {
                            Some(target) => send(content.as_slice(), content.len() as u64, target).map_err(failed)?,
                            None => {
                                data.insert("content".to_owned(), Value::Bytes(content));
                                checksum
                            }
                        }
                    }
                };
                data.insert("remote_checksum".to_owned(), checksum.into());
            }
            Err(failure) if self.fail_on_missing.0 => {
                let is_missing = failure.msg == MISSING;
                let told =
                    if is_missing { format!("{MISSING}, not transferring, ignored") } else { failure.msg.clone() };
                return Err(Failure { msg: told, ..failure }.arg("src"));
            }
            Err(failure) => {
                data.insert("msg".to_owned(), format!("{}, not transferring, ignored", failure.msg).into());
                if !path.is_dir() {
                    data.insert("file".to_owned(), paths::text(&path).into());
                }
            }
        }
        Ok(Plan { data, ..Plan::default() })
    }
}

const MISSING: &str = "the remote file does not exist";

/// The file, if it is one.
fn open(path: &Path) -> Result<(File, Metadata), Failure> {
    if path.is_dir() {
        return Err(Failure::new("remote file is a directory, fetch cannot work on directories"));
    }
    let opened = regular::open(path).and_then(|file| Ok((file.metadata()?, file)));
    opened.map(|(meta, file)| (file, meta)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::new(MISSING),
        _ => io_failure("read", path, &error),
    })
}

/// Sends this many bytes and returns their SHA-1. Data appended meanwhile is not sent.
fn send(content: impl Read, length: u64, target: &dyn ContentTarget) -> io::Result<String> {
    let mut content = content.take(length);
    let mut digest = Sha1::new();
    let mut left = length;
    while left > 0 {
        let mut piece = Vec::with_capacity(PIECE);
        content.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Err(io::Error::other("it was truncated while being read"));
        }
        left -= piece.len() as u64;
        digest.update(&piece);
        target.send(piece, left)?;
    }
    Ok(hex::encode(digest.finalize()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use rplay_wire::{Call, Mode, Outcome};

    use super::*;
    use crate::{NoBlobs, runner, runner::tests::call};

    #[test]
    fn content_is_sent_once_and_a_missing_file_fails_unless_it_may_be_missing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        std::fs::write(&file, "abc").unwrap();
        let src = file.to_str().unwrap();
        let outcome = call("fetch", data! { "src" => src });
        assert_eq!(outcome.data["content"], Value::Bytes(b"abc".to_vec()));
        let outcome = call("fetch", data! { "src" => src, "_checksum" => outcome.data["remote_checksum"].clone() });
        assert!(!outcome.data.contains_key("content"));
        assert!(call("fetch", data! { "src" => "/no/such" }).failure.is_some());
        let outcome = call("fetch", data! { "src" => "/no/such", "fail_on_missing" => "no" });
        assert!(outcome.failure.is_none() && outcome.data["msg"].as_str().unwrap().contains("not transferring"));
        assert!(call("fetch", data! { "src" => "/dev/zero" }).failure.unwrap().msg.contains("not a regular file"));
    }

    #[derive(Default)]
    struct Sent(Mutex<Vec<(Vec<u8>, u64)>>);

    impl ContentTarget for Sent {
        fn send(&self, piece: Vec<u8>, left: u64) -> io::Result<()> {
            self.0.lock().push((piece, left));
            Ok(())
        }
    }

    fn sent(args: rplay_wire::Map) -> (Outcome, Vec<(Vec<u8>, u64)>) {
        let target = Arc::new(Sent::default());
        let host = Host::new(Vec::new(), Arc::new(NoBlobs)).sends_to(target.clone());
        let call =
            Call { module: "fetch".into(), args, mode: Mode::default(), environment: Vec::new(), background: None };
        let outcome = runner::run(&call, &host);
        let sent = std::mem::take(&mut *target.0.lock());
        (outcome, sent)
    }

    #[test]
    fn long_content_goes_in_pieces_that_say_how_much_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        let content: Vec<u8> = (0..PIECE * 2 + 7).map(|n| n as u8).collect();
        std::fs::write(&file, &content).unwrap();
        let src = file.to_str().unwrap();
        let (outcome, pieces) = sent(data! { "src" => src });
        assert_eq!(pieces.iter().map(|(_, left)| *left).collect::<Vec<_>>(), [PIECE as u64 + 7, 7, 0]);
        assert_eq!(pieces.into_iter().flat_map(|(piece, _)| piece).collect::<Vec<_>>(), content);
        let checksum = outcome.data["remote_checksum"].clone();
        assert_eq!(checksum, Algorithm::Sha1.of_bytes(&content).into());
        assert!(!outcome.data.contains_key("content"));
        assert!(sent(data! { "src" => src, "_checksum" => checksum }).1.is_empty());
    }
}
