//! `patch`: changes files by a patch, through GNU patch(1).

use std::path::{Path, PathBuf};

use rplay_wire::{Failure, Value};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, PathArg},
    system::{
        machine::{self, AccessFlags},
        program::Program,
        regular,
    },
};

args! {
    /// Applies a patch, or takes it back, with GNU patch.
    pub struct Patch {
        /// The patch: on the controller, or on the host with `remote_src`.
        src: PathArg | "patchfile",
        /// The file to change; by default what the patch names.
        dest: Option<PathArg> | "originalfile",
        /// The directory that the names in the patch belong to.
        basedir: Option<PathArg>,
        /// Whether the patch should be applied.
        state: State = State::Present,
        /// Whether the patch lies on the host.
        remote_src: Flag = Flag(false),
        /// How many leading parts of the names in the patch do not count.
        strip: i64 = 0,
        /// Keep numbered copies of the previous files.
        backup: Flag = Flag(false),
        /// Leave line ends of DOS alone.
        binary: Flag = Flag(false),
        /// Ignore differences in white space.
        ignore_whitespace: Flag = Flag(false),
        _content: Option<Value>,
    }
}

impl Module for Patch {
    fn check(&self) -> Result<(), ArgError> {
        if self.dest.is_none() && self.basedir.is_none() {
            return Err(ArgError::new("dest", "one of the following is required: dest, basedir"));
        }
        match self.strip < 0 {
            true => Err(ArgError::new("strip", "must not be negative")),
            false => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let patch = self.patch(host)?;
        let mut plan = Plan::unchanged();
        if let Some(missing) = self.missing(host) {
            let what = missing.0;
            plan = plan.assumes(host, what, || missing.1)?;
            return Ok(plan.change(Change::new("apply the patch".to_owned(), |_, _| Ok(()))));
        }
        if !host.has_program("patch") {
            plan = plan.assumes(host, "the program patch", || Failure::new("patch command not found"))?;
            return Ok(plan.change(Change::new("apply the patch".to_owned(), |_, _| Ok(()))));
        }
        let (applied, wanted) = (self.state == State::Present, self.state == State::Absent);
        // What could be taken back is applied, and the other way round.
        let is_done = self.program(host, &patch, applied, true)?.run()?.rc == 0;
        if is_done {
            return Ok(plan);
        }
        let tried = self.program(host, &patch, wanted, true)?.run()?;
        if tried.rc != 0 {
            return Err(told(&tried.stdout, &tried.stderr));
        }
        let what = if wanted { "take the patch back" } else { "apply the patch" };
        Ok(plan.change(Change::new(what.to_owned(), move |host, _| {
            let done = self.program(host, &patch, wanted, false)?.run()?;
            if done.rc == 0 { Ok(()) } else { Err(told(&done.stdout, &done.stderr)) }
        })))
    }
}

fn told(stdout: &str, stderr: &str) -> Failure {
    Failure::new(if stderr.is_empty() { stdout } else { stderr })
}

impl Patch {
    /// The patch itself.
    fn patch(&self, host: &Host) -> Result<Vec<u8>, Failure> {
        if let Some(content) = &self._content {
            return match content {
                Value::Blob(blob) => Ok(regular::read(host.fetch(blob)?)?),
                Value::Bytes(bytes) => Ok(bytes.clone()),
                content => Ok(content.as_str().unwrap_or_default().as_bytes().to_vec()),
            };
        }
        let src = self.src.on(host);
        let told = || format!("src {} doesn't exist or not readable", src.display());
        match machine::access(&src, AccessFlags::R_OK) {
            Ok(()) => Ok(regular::read(&src)?),
            Err(_) => Err(Failure::new(told()).arg("src")),
        }
    }

    /// What must be there and is not, with the failure.
    fn missing(&self, host: &Host) -> Option<(String, Failure)> {
        let dest = self.dest.as_ref().map(|dest| dest.on(host));
        if let Some(dest) = dest.filter(|dest| machine::access(dest, AccessFlags::W_OK).is_err()) {
            let failure = Failure::new(format!("dest {} doesn't exist or not writable", dest.display()));
            return Some((format!("the file {}", dest.display()), failure.arg("dest")));
        }
        let directory =
            self.basedir.as_ref().map(|directory| directory.on(host)).filter(|directory| !directory.exists())?;
        let failure = Failure::new(format!("basedir {} doesn't exist", directory.display()));
        Some((format!("the directory {}", directory.display()), failure.arg("basedir")))
    }

    /// The program, with the patch as its input. It does not ask and writes no `.rej` files.
    fn program(&self, host: &Host, patch: &[u8], reverse: bool, dry: bool) -> Result<Program, Failure> {
        let dest = self.dest.as_ref().map(|dest| dest.on(host));
        let directory: PathBuf = match (&self.basedir, &dest) {
            (Some(directory), _) => directory.on(host),
            (None, Some(dest)) => dest.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf),
            (None, None) => PathBuf::from("/"),
        };
        let program = host.required_program("patch")?.args(["--quiet", "--forward", "--batch", "--reject-file=-"]);
        let program =
            program.arg(format!("--strip={}", self.strip)).arg(format!("--directory={}", directory.display()));
        let program = program.arg_if(dry, "--dry-run").arg_if(reverse, "--reverse").arg_if(self.binary.0, "--binary");
        let program = program.arg_if(self.ignore_whitespace.0, "--ignore-whitespace");
        let program = match self.backup.0 && !dry {
            true => program.args(["--backup", "--version-control=numbered"]),
            false => program,
        };
        Ok(match dest {
            Some(dest) => program.arg(dest),
            None => program,
        }
        .stdin(patch))
    }
}
