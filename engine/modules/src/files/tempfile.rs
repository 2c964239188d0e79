//! tempfile: creates a temporary file or directory.

use std::{os::unix::fs::PermissionsExt, path::PathBuf};

use rplay_wire::{Failure, data};

use crate::system::fs::Permissions;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{PathArg, Text},
    choice,
    io_failure::{io_failure, python_error},
    system::{attributes::describe, paths},
};

choice! {
    /// What to create.
    pub enum State {
        File = "file",
        Directory = "directory",
    }
}

args! {
    /// Creates a temporary file or directory with a unique name. Remove it in a later task.
    pub struct Tempfile {
        /// What to create.
        state: State = State::File,
        /// The parent directory; by default the host's temporary directory.
        path: Option<PathArg>,
        /// The prefix of the name.
        prefix: Text = "ansible.".to_owned(),
        /// The suffix of the name.
        suffix: Text = String::new(),
    }
}

impl Module for Tempfile {
    fn check(&self) -> Result<(), ArgError> {
        for (name, part) in [("prefix", &self.prefix), ("suffix", &self.suffix)] {
            if part.contains(['/', '\0']) {
                let msg = format!("{name} must be a valid file name component, got '{part}'");
                return Err(ArgError::new(name, msg).help("set the directory with `path`"));
            }
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let directory = match &self.path {
            Some(path) => path.on(host),
            None => host.variable("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from),
        };
        let plan = Plan::unchanged().set("path", rplay_wire::Value::Null);
        let change = Change::new(format!("create a temporary {}", self.state.word()), move |_, data| {
            let mut name = crate::system::scratch::Builder::new();
            name.prefix(&self.prefix).suffix(&self.suffix).rand_bytes(8);
            let made = match self.state {
                State::File => name
                    .tempfile_in(&directory)
                    .and_then(|file| file.into_temp_path().keep().map_err(|error| error.error)),
                State::Directory => {
                    name.permissions(Permissions::from_mode(0o700)).tempdir_in(&directory).map(|made| made.keep())
                }
            };
            let made = made.map_err(|error| {
                // The name that was tried is unknown; ansible-core reports its own.
                let tried = directory.join(format!("{}XXXXXXXX{}", self.prefix, self.suffix));
                Failure::new(format!("{}: '{}'", python_error(&error), tried.display()))
                    .arg("path")
                    .help(io_failure("create a file in", &directory, &error).msg)
            })?;
            data.extend(data! { "path" => paths::text(&made) });
            data.extend(describe(&made));
            Ok(())
        });
        // The path cannot be foretold.
        Ok(plan.change(change.unpredictable("remote module (tempfile) does not support check mode")))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rplay_wire::data;

    use crate::runner::tests::{call, checked};

    #[test]
    fn what_is_made_stays_in_its_directory() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("inner");
        std::fs::create_dir(&directory).unwrap();
        for part in ["prefix", "suffix"] {
            for text in ["../x", "/tmp/x", "a/b", "../../"] {
                for state in ["file", "directory"] {
                    let args = data! { "path" => directory.to_str().unwrap(), "state" => state, part => text };
                    let failure = call("tempfile", args).failure.unwrap();
                    assert_eq!(failure.msg, format!("{part} must be a valid file name component, got '{text}'"));
                }
            }
        }
        assert_eq!(base.path().read_dir().unwrap().count() + directory.read_dir().unwrap().count(), 1);
    }

    #[test]
    fn files_and_directories_are_made_for_the_user_alone() {
        let base = tempfile::tempdir().unwrap();
        let args = |state: &str| data! { "path" => base.path().to_str().unwrap(), "state" => state, "suffix" => ".x" };
        let skipped = checked("tempfile", args("file"));
        assert!(!skipped.changed && skipped.skipped.is_some_and(|why| why.contains("does not support check mode")));
        assert_eq!(base.path().read_dir().unwrap().count(), 0);
        let file = call("tempfile", args("file"));
        let path = file.data["path"].as_str().unwrap();
        assert!(Path::new(path).is_file() && path.ends_with(".x") && path.contains("/ansible."));
        assert_eq!(file.data["mode"], "0600".into());
        let directory = call("tempfile", args("directory"));
        assert_eq!((&directory.data["mode"], &directory.data["state"]), (&"0700".into(), &"directory".into()));
    }
}
