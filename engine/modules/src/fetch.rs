//! fetch, the host's half: the content of a file, on its way to the controller.

use rplay_wire::{Failure, Value, data};

use crate::{
    Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    cannot::cannot,
    digest::Algorithm,
    paths, slurp,
};

/// The longest file that is sent, in bytes: it travels in one frame.
const MAX: u64 = 192 << 20;

args! {
    /// Copies a file from the host to the controller.
    pub struct Fetch {
        /// The file on the host.
        src: PathArg,
        /// Where to put it on the controller.
        dest: Option<Text>,
        /// Put it at `dest` itself, without folders for host and path.
        flat: Flag = Flag(false),
        /// Whether a file that cannot be read is a failure.
        fail_on_missing: Flag = Flag(true),
        /// Whether the checksum is compared after the transfer.
        validate_checksum: Flag = Flag(true),
        /// The SHA-1 of what the controller has already; the same content is then not sent again.
        _checksum: Option<Text>,
    }
}

impl Module for Fetch {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = self.src.on(host);
        let mut data = data! { "source" => paths::text(&path), "remote_checksum" => Value::Null };
        let found = match path.metadata() {
            Ok(meta) if meta.is_dir() => {
                Err(Failure::new("remote file is a directory, fetch cannot work on directories"))
            }
            Ok(meta) if meta.len() > MAX => {
                Err(Failure::new(format!("{} has {} bytes; fetch sends at most {MAX}", path.display(), meta.len())))
            }
            Ok(_) => Algorithm::Sha1.of_file(&path).map_err(|error| cannot("read", &path, &error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Failure::new("the remote file does not exist"))
            }
            Err(error) => Err(cannot("read", &path, &error)),
        };
        match found {
            Ok(checksum) => {
                if self._checksum.as_deref() != Some(checksum.as_str()) {
                    data.insert("content".to_owned(), Value::Bytes(slurp::read(&path)?));
                }
                data.insert("remote_checksum".to_owned(), checksum.into());
            }
            Err(failure) if self.fail_on_missing.0 => {
                return Err(failure.arg("src").data(data! { "file" => paths::text(&path) }));
            }
            Err(failure) => {
                data.insert("msg".to_owned(), format!("{}, not transferring, ignored", failure.msg).into());
                data.insert("file".to_owned(), paths::text(&path).into());
            }
        }
        Ok(Plan { data, ..Plan::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::tests::call;

    #[test]
    fn content_is_sent_once_and_a_missing_file_fails_unless_it_may_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        std::fs::write(&file, "abc").unwrap();
        let src = file.to_str().unwrap();
        let outcome = call("fetch", data! { "src" => src });
        assert_eq!(outcome.data["content"], Value::Bytes(b"abc".to_vec()));
        let outcome = call("fetch", data! { "src" => src, "_checksum" => outcome.data["remote_checksum"].clone() });
        assert!(!outcome.data.contains_key("content"));
        assert!(call("fetch", data! { "src" => "/no/such" }).failure.is_some());
        let outcome = call("fetch", data! { "src" => "/no/such", "fail_on_missing" => "no" });
        assert!(outcome.failure.is_none() && outcome.data["msg"].as_str().unwrap().contains("not transferring"));
    }
}
