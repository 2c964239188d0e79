//! Keeps a module's panic from ending the agent, in builds whose panics do not unwind.
//!
//! The agent of a release is built with `panic = "abort"`: without the tables and the code for unwinding, it is a fifth
//! smaller. There, calls run on another thread than the one that answers. The panic hook tells the one that waits of the
//! panic and lets its own thread sleep for ever, so the process never gets to the abort. What the thread held stays
//! held; the agent lives no longer than a run.

use std::{
    cell::Cell,
    io,
    panic::{self, PanicHookInfo},
    sync::mpsc::{self, Sender},
    thread,
};

use nix::unistd::{Pid, gettid};
use rplay_modules::{Host, runner};
use rplay_wire::{Call, Failure, Outcome};

use crate::running::Running;

/// Why work has no result.
#[derive(Debug)]
enum Lost {
    Panicked { thread: Pid, message: String },
    NoThread(io::Error),
}

type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    /// The thread that did this one's last work: starting another for each call would cost as much as a small call.
    static SERVING: Cell<Option<Sender<Job>>> = const { Cell::new(None) };
    /// Whom the panic hook tells of a panic on this thread.
    static WAITING: Cell<Option<Box<dyn FnOnce(String)>>> = const { Cell::new(None) };
}

/// Sets the hook that [`run`] relies on. Panics on threads that nobody waits for are written to standard error.
pub(crate) fn begin() {
    panic::set_hook(Box::new(|info| match WAITING.take() {
        Some(tell) => {
            tell(message(info));
            loop {
                thread::park();
            }
        }
        None => eprintln!("rplay agent: {info}"),
    }));
}

/// Carries out a call on this host. Processes that it starts are killed when the batch is stopped. A module's panic is a
/// failed outcome.
pub(crate) fn run(call: &Call, host: Host, running: &Running) -> Outcome {
    if cfg!(panic = "unwind") {
        return running.at_work(|| runner::run(call, &host));
    }
    let (own_call, own_running) = (call.clone(), running.clone());
    match on_own_thread(move || own_running.at_work(|| runner::run(&own_call, &host))) {
        Ok(outcome) => outcome,
        Err(Lost::Panicked { thread, message }) => {
            running.forget(thread);
            runner::broke_down(call, &message)
        }
        Err(Lost::NoThread(error)) => {
            Outcome::failed(Failure::new(format!("cannot start a thread on the host: {error}")))
        }
    }
}

/// Runs `work` on another thread and waits for it. That thread serves the next work of this one, too, unless it panics.
fn on_own_thread<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R, Lost> {
    let jobs = match SERVING.take() {
        Some(jobs) => jobs,
        None => serve().map_err(Lost::NoThread)?,
    };
    let (tell, told) = mpsc::channel();
    let job = move || {
        let (thread, told_of_panic) = (gettid(), tell.clone());
        WAITING.set(Some(Box::new(move |message| {
            let _ = told_of_panic.send(Err(Lost::Panicked { thread, message }));
        })));
        let result = work();
        WAITING.take();
        let _ = tell.send(Ok(result));
    };
    let gone = || Lost::NoThread(io::ErrorKind::BrokenPipe.into());
    jobs.send(Box::new(job)).map_err(|_| gone())?;
    let result = told.recv().unwrap_or_else(|_| Err(gone()));
    if result.is_ok() {
        SERVING.set(Some(jobs));
    }
    result
}

/// Starts a thread that does jobs until nobody can send it more.
fn serve() -> io::Result<Sender<Job>> {
    let (jobs, next) = mpsc::channel::<Job>();
    thread::Builder::new().spawn(move || next.into_iter().for_each(|job| job()))?;
    Ok(jobs)
}

fn message(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use std::{env, process};

    use super::*;

    /// In a process of its own: the tests' own hook could not be restored while a thread sleeps in ours.
    #[test]
    fn a_panic_is_told_and_neither_unwinds_nor_aborts() {
        const ALONE: &str = "RPLAY_TEST_ALONE";
        if env::var_os(ALONE).is_none() {
            let mut again = process::Command::new(env::current_exe().unwrap());
            again.args(["--exact", "contained::tests::a_panic_is_told_and_neither_unwinds_nor_aborts", "--nocapture"]);
            let output = again.env(ALONE, "1").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        begin();
        #[allow(clippy::useless_vec, reason = "the index of an array would be checked by the compiler")]
        let number = vec![1_usize];
        let lost = on_own_thread(move || number[number.len()]).unwrap_err();
        let is_told = matches!(&lost, Lost::Panicked { message, .. }
            if message == "index out of bounds: the len is 1 but the index is 1");
        let goes_on = matches!(on_own_thread(|| 2), Ok(2));
        eprintln!("{lost:?}, goes on: {goes_on}");
        process::exit(i32::from(!is_told || !goes_on));
    }
}
