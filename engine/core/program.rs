//! Programs on the controller whose output is read: inventories, vault passwords, `pipe`. Output and time are limited.

use std::{
    env, fs,
    io::{self, Read},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{AccessFlags, Pid, access},
};

use crate::limits;

/// The executable file of that name in a directory of `PATH`.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file() && access(file, AccessFlags::X_OK).is_ok())
}

/// The output of a program and its exit status.
#[derive(Debug)]
pub struct Printed {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    /// Empty unless it was piped.
    pub stderr: Vec<u8>,
}

/// Runs a program and captures standard output, and standard error if the command pipes it.
///
/// # Errors
/// If it cannot be started, prints more than [`limits::file_size`] bytes, or takes longer than
/// [`limits::program_time`]. It is then killed with all processes that it started.
pub fn run(command: &mut Command) -> io::Result<Printed> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let begun = Instant::now();
    let (sender, receiver) = mpsc::channel();
    let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
    let stderr = child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
    let mut open = 0;
    for (at, pipe) in [stdout, stderr].into_iter().enumerate() {
        let Some(pipe) = pipe else { continue };
        open += 1;
        let sender = sender.clone();
        thread::Builder::new().spawn(move || {
            let mut text = Vec::new();
            let read = pipe.take(limits::file_size() + 1).read_to_end(&mut text);
            let _ = sender.send((at, read.map(|_| text)));
        })?;
    }
    let mut printed = [Vec::new(), Vec::new()];
    while open > 0 {
        let left = limits::program_time().saturating_sub(begun.elapsed());
        let text = match receiver.recv_timeout(left) {
            Ok((at, Ok(text))) if text.len() as u64 <= limits::file_size() => {
                printed.get_mut(at).map(|slot| *slot = text)
            }
            Ok((_, Ok(_))) => {
                end(&mut child);
                let most = limits::file_size();
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it printed more than {most} bytes")));
            }
            Ok((_, Err(error))) => {
                end(&mut child);
                return Err(error);
            }
            Err(_) => return Err(too_slow(&mut child)),
        };
        open -= usize::from(text.is_some());
    }
    // It may close its output and keep running.
    loop {
        if let Some(status) = child.try_wait()? {
            let [stdout, stderr] = printed;
            return Ok(Printed { status, stdout, stderr });
        }
        if begun.elapsed() > limits::program_time() {
            return Err(too_slow(&mut child));
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn too_slow(child: &mut Child) -> io::Error {
    end(child);
    let seconds = limits::program_time().as_secs();
    let message =
        format!("it did not end within {seconds} seconds; raise the setting `program_timeout` in the section [rplay]");
    io::Error::new(io::ErrorKind::TimedOut, message)
}

/// Kills a program and its descendants, parents first, so that none of them starts another meanwhile.
fn end(child: &mut Child) {
    let mut processes = i32::try_from(child.id()).map(|id| vec![id]).unwrap_or_default();
    let mut at = 0;
    while let Some(id) = processes.get(at).copied() {
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
        processes.extend(children.split_whitespace().filter_map(|id| id.parse::<i32>().ok()));
        at += 1;
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_and_status_come_back() {
        let mut command = Command::new("/bin/sh");
        let printed = run(command.args(["-c", "echo out; echo err >&2; exit 3"]).stderr(Stdio::piped())).unwrap();
        assert_eq!((&*printed.stdout, &*printed.stderr), (&b"out\n"[..], &b"err\n"[..]));
        assert_eq!(printed.status.code(), Some(3));
    }

    #[test]
    fn what_a_program_started_ends_with_it() {
        let mut child =
            Command::new("/bin/sh").args(["-c", "sleep 1000 & wait"]).stdout(Stdio::null()).spawn().unwrap();
        let path = format!("/proc/{0}/task/{0}/children", child.id());
        let below = loop {
            let below = fs::read_to_string(&path).unwrap();
            if !below.is_empty() {
                break below.trim().to_owned();
            }
            thread::sleep(Duration::from_millis(5));
        };
        end(&mut child);
        let gone = || fs::read_to_string(format!("/proc/{below}/stat")).map_or(true, |stat| stat.contains(") Z "));
        while !gone() {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
