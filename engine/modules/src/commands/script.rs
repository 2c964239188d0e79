//! script, the host's part: runs a script sent by the controller.

use std::{io::Write, os::unix::fs::PermissionsExt};

use rplay_wire::{Failure, Value};

use crate::system::fs;
use crate::{
    Change, Host, Module, Plan, args,
    argtypes::{PathArg, Text},
    commands::execution::{not_needed, succeed},
    system::{paths, process, scratch},
};

args! {
    /// Runs a script from the controller on the host.
    pub struct Script {
        /// The script and its arguments, as in a shell.
        _raw_params: Option<Text>,
        /// The script and its arguments; alternative to the free-form text.
        cmd: Option<Text>,
        /// A path or glob pattern; if it matches an existing file, the script does not run.
        creates: Option<PathArg>,
        /// A path or glob pattern; if it matches no file, the script does not run.
        removes: Option<PathArg>,
        /// The working directory.
        chdir: Option<PathArg>,
        /// The interpreter of the script, with its arguments.
        executable: Option<Text>,
        _content: Option<Value>,
        _original_basename: Option<Text>,
        _arguments: Option<Text>,
    }
}

impl Module for Script {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let directory = self.chdir.as_ref().map(|chdir| chdir.on(host));
        if let Some(reason) = not_needed(&self.creates, &self.removes, directory.as_deref(), host) {
            // Unlike for command, Ansible counts this as skipped.
            let option = if reason.ends_with("not exist") { "removes" } else { "creates" };
            let reason = format!("{}, matching {option} option", reason.replace('\'', ""));
            return Ok(Plan { skipped: Some(reason.clone()), ..Plan::default() }.set("msg", reason));
        }
        let Some(content) = self._content else {
            return Err(Failure::new("the controller did not send the script").arg("_raw_params"));
        };
        let is_guarded = self.creates.is_some() || self.removes.is_some();
        let change = Change::new("run a script", move |host, data| {
            let name = self._original_basename.as_deref().unwrap_or("script");
            let place = scratch::directory()?;
            let path = place.path().join(name);
            let mut file = fs::File::create(&path)?;
            match &content {
                Value::Bytes(bytes) => file.write_all(bytes)?,
                Value::Str(text) => file.write_all(text.as_bytes())?,
                Value::Blob(blob) => {
                    std::io::copy(&mut crate::system::regular::open(host.fetch(blob)?)?, &mut file)?;
                }
                _ => return Err(Failure::new("the script's content is not text")),
            }
            file.set_permissions(fs::Permissions::from_mode(0o700))?;
            // Closed first: a file that is open for writing cannot be executed.
            drop(file);
            let quoted = shell_words::quote(&paths::text(&path)).into_owned();
            let words = [self.executable.as_deref(), Some(quoted.as_str()), self._arguments.as_deref()];
            let line = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
            let mut shell = host.command("/bin/sh");
            shell.args(["-c", &line]);
            match &directory {
                Some(directory) if directory.is_dir() => drop(shell.current_dir(directory)),
                // The shell tells that it cannot go there.
                Some(directory) => {
                    let directory = shell_words::quote(&paths::text(directory)).into_owned();
                    shell = host.command("/bin/sh");
                    shell.args(["-c", &format!("cd {directory} && {line}")]);
                }
                None => {}
            }
            let mut finished = process::run(&mut shell, None, host.max_output())
                .map_err(|error| Failure::new(format!("cannot run the script: {error}")).arg("cmd"))?;
            data.insert("stdout".to_owned(), std::mem::take(&mut finished.stdout).into());
            data.insert("stderr".to_owned(), std::mem::take(&mut finished.stderr).into());
            succeed(host, &finished, "the script", data)
        });
        let reason = "Check mode is not supported for this task.";
        Ok(Plan::unchanged().change(if is_guarded {
            change.changed_even_if_failed()
        } else {
            change.changed_even_if_failed().unpredictable(reason)
        }))
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use crate::runner::tests::{call, checked};

    #[test]
    fn a_script_runs_with_its_arguments_and_is_gone_afterwards() {
        let script = "#!/bin/sh\necho \"$0|$1|$2\"\npwd\nexit 3\n";
        let args = data! {
            "_content" => script, "_arguments" => "'a b' c", "_original_basename" => "x.sh", "chdir" => "/",
        };
        let outcome = call("script", args.clone());
        assert!(outcome.changed && outcome.failure.is_some() && outcome.data["rc"] == 3.into());
        let lines: Vec<&str> = outcome.data["stdout"].as_str().unwrap().lines().collect();
        let (path, rest) = lines[0].split_once('|').unwrap();
        assert!(path.ends_with("/x.sh") && rest == "a b|c" && lines[1] == "/");
        assert!(!std::path::Path::new(path).exists());
        assert!(checked("script", args).skipped.is_some());
        let with =
            call("script", data! { "_content" => "print $ARGV[0]", "_arguments" => "1", "executable" => "perl" });
        assert_eq!(with.data["stdout"], "1".into());
        assert!(call("script", data! { "_content" => "x", "creates" => "/etc" }).skipped.is_some());
    }
}
