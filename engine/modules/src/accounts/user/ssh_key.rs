//! The SSH key of a user.

use std::path::{Path, PathBuf};

use rplay_wire::{Failure, Value, data};

use super::User;
use crate::{
    Change, Host, Plan,
    argtypes::Secret,
    io_failure::io_failure,
    system::{accounts::User as Entry, attributes::Wanted, dialogue, fs, machine, mode::Mode, paths, regular},
};

impl User {
    /// The file of the private key.
    pub(super) fn key_file(&self, home: &Path) -> PathBuf {
        let default = format!(".ssh/id_{}", self.ssh_key_type);
        home.join(self.ssh_key_file.as_ref().map_or(default, |file| file.0.clone()))
    }

    /// Plans the key pair, unless there is one.
    pub(super) fn ssh_key(&self, host: &Host, present: Option<&Entry>, plan: Plan) -> Result<Plan, Failure> {
        let home = self.home.as_ref().map(|home| home.on(host)).or(present.map(|user| PathBuf::from(&user.home)));
        if let Some(file) = home.map(|home| self.key_file(&home)).filter(|file| file.exists() && !self.force.0) {
            regular::refuse_special_target(&file)
                .map_err(|error| io_failure("read", &file, &error).arg("ssh_key_file"))?;
            let file = file.display();
            return Ok(plan.warn(format!(
                "Found existing ssh key private file \"{file}\", no force, so skipping ssh-keygen generation"
            )));
        }
        let keygen = host.required_program("ssh-keygen")?;
        let module = self.clone();
        Ok(plan.change(Change::new(format!("generate an SSH key for {}", self.name), move |host, _| {
            let gone = || Failure::new(format!("user {} does not exist", module.name));
            let user = Entry::named(&module.name).ok_or_else(gone)?;
            let file = module.key_file(Path::new(&user.home));
            // Neither a key nor what a link of its name leads to is overwritten, but with `force`.
            for (path, kind) in [(file.clone(), "private"), (public(&file), "public")] {
                if path.symlink_metadata().is_err() {
                    continue;
                }
                if !module.force.0 {
                    host.warn(format!(
                        "Found existing ssh key {kind} file \"{}\", no force, so skipping ssh-keygen generation",
                        path.display()
                    ));
                    return Ok(());
                }
                fs::remove_file(&path).map_err(|error| io_failure("remove", &path, &error))?;
            }
            let owned = |mode| Wanted { uid: Some(user.uid), gid: Some(user.gid), mode, ..Wanted::default() };
            let directory = paths::directory(&file);
            if !directory.exists() {
                fs::create_dir(directory).map_err(|error| io_failure("create", directory, &error))?;
                owned(Some(Mode::Bits(0o700))).apply(directory, false)?;
            }
            let mut tool = keygen;
            tool = tool.arg("-q").option("-t", Some(&module.ssh_key_type)).option("-b", module.ssh_key_bits);
            let comment = module.ssh_key_comment.clone().unwrap_or_else(|| {
                let name = machine::gethostname().unwrap_or_default();
                format!("ansible-generated on {}", name.to_string_lossy())
            });
            tool = tool.option("-C", Some(comment)).option("-f", Some(paths::text(&file)));
            let (rc, said) = match &module.ssh_key_passphrase {
                // It is typed on a terminal, since all users of the host can read arguments.
                Some(Secret(passphrase)) => {
                    let prompt = "(?i)enter (same )?passphrase[^:]*: ?";
                    dialogue::converse(host, tool.words(), &[(prompt, passphrase)])?
                }
                None => {
                    let output = tool.option("-N", Some("")).run()?;
                    (Some(output.rc), if output.stderr.is_empty() { output.stdout } else { output.stderr })
                }
            };
            if rc != Some(0) {
                let rc = rc.map_or(Value::Null, Value::from);
                return Err(Failure::new(said).data(data! { "name" => module.name.as_str(), "rc" => rc }));
            }
            owned(None).apply(&file, false)?;
            owned(None).apply(&public(&file), false).map(|_| ())
        })))
    }
}

/// The file of the public key.
pub(super) fn public(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}.pub", file.display()))
}
