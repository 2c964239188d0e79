//! Ends a run early: on a signal, or after an internal error.
//!
//! Either may happen at any time and on any thread, while other threads wait for hosts, a person or each other.
//! Therefore a dedicated thread ends the process: it shows the recap so far and exits. The agents notice that the
//! controller is gone and stop what they started.

use std::{
    io::{IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rplay::{
    event::{Event, Recap},
    report::Channel,
    run::Run,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{output, prompt, ssh_agent};

/// Exit code after Ctrl-C, same as Ansible's.
const INTERRUPTED: i32 = 99;

/// Exit code after an internal error, same as Ansible's.
const UNEXPECTED: i32 = 250;

/// How long the report may take to show the recap.
const PATIENCE: Duration = Duration::from_secs(3);

/// The current run and the channel to its report.
static UNDER_WAY: Mutex<Option<(Arc<Run>, Arc<Channel>)>> = Mutex::new(None);

/// Whether a thread is already ending the process.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Installs the handlers for signals and panics.
pub(crate) fn prepare() {
    std::panic::set_hook(Box::new({
        let told = std::env::var_os("RUST_BACKTRACE").is_some_and(|wanted| wanted != "0");
        let default = std::panic::take_hook();
        move |panic| {
            if told {
                default(panic);
            }
            // The panic message may quote data of the run, so only the place is shown.
            let place = panic.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
            end(UNEXPECTED, internal_error(&place.unwrap_or_default()));
        }
    }));
    let signals: Vec<i32> = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)).collect();
    let Ok(mut signals) = Signals::new(signals) else { return };
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let (code, text) = match signal {
                SIGINT => (INTERRUPTED, "User interrupted execution".to_owned()),
                // The convention of shells for a process that was ended by a signal.
                SIGTERM => (128 + signal, "the run was ended by SIGTERM".to_owned()),
                _ => (128 + signal, "the run was ended by SIGHUP".to_owned()),
            };
            end(code, text);
        }
    });
}

/// Registers the run whose recap is shown if it ends early.
pub(crate) fn watch(run: &Arc<Run>, channel: &Arc<Channel>) {
    *UNDER_WAY.lock() = Some((run.clone(), channel.clone()));
}

/// Marks the run as finished. Does not return if another thread is already ending the process.
pub(crate) fn run_is_over() {
    if ENDING.load(Ordering::Acquire) {
        wait();
    }
    UNDER_WAY.lock().take();
}

/// Waits for the thread that ends the process.
pub(crate) fn wait() -> ! {
    loop {
        std::thread::park();
    }
}

/// The message shown after a panic.
fn internal_error(place: &str) -> String {
    format!(
        "internal error{place}. Please report it with the task that caused it; RUST_BACKTRACE=1 shows \
         a backtrace"
    )
}

/// Ends the process, in a thread of its own; the second call ends it immediately.
fn end(code: i32, text: String) {
    if ENDING.swap(true, Ordering::AcqRel) {
        // A panic while the run is being ended is ignored.
        if code != UNEXPECTED {
            leave(code);
        }
        return;
    }
    let show = move || {
        show(&text);
        leave(code)
    };
    if std::thread::Builder::new().spawn(show).is_err() {
        leave(code);
    }
    std::thread::spawn(move || {
        std::thread::sleep(2 * PATIENCE);
        leave(code)
    });
}

fn leave(code: i32) -> ! {
    prompt::restore();
    ssh_agent::end();
    std::process::exit(code)
}

/// Shows why the run ends, and the recap so far.
fn show(text: &str) {
    let under_way = UNDER_WAY.lock().take();
    if let Some((_, channel)) = &under_way {
        channel.close_to_others();
        channel.flush_within(PATIENCE);
    }
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = match colour {
        // Starts a new line after the `^C` that the terminal echoed.
        true => format!("\r\n\x1b[0;31m[ERROR]: {text}\x1b[0m\n"),
        false => format!("[ERROR]: {text}\n"),
    };
    output::aside(&text);
    if let Some((run, channel)) = &under_way {
        let recap = Recap { interrupted: true, ..run.recap() };
        let hosts: Vec<String> = recap.hosts.iter().map(|(host, counts)| format!("{host} : {counts}\n")).collect();
        channel.send_last(Event::RunEnded(Arc::new(recap)));
        if !channel.flush_within(PATIENCE) {
            // The report itself panicked.
            let _ = write!(std::io::stdout(), "\nPLAY RECAP\n{}", hosts.concat());
        }
    }
}

/// Whether rplay's parent process ignores the signal (`nohup`).
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & 1 << (signal - 1) != 0
}
