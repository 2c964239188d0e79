//! Ends that come before a run is over: a signal, or a fault of rplay itself.
//!
//! Either may come at any time and on any thread, while others wait for hosts, a person or each other. So a thread
//! of its own ends the process: it shows what is known of the run until then and exits. The agents notice that
//! their controller has gone and end what they started.

use std::{
    io::{IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rplay::{event::Event, report::Channel, run::Run};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{output, prompt};

/// The exit code after Ctrl-C, as Ansible's.
const INTERRUPTED: i32 = 99;

/// The exit code after a fault of rplay itself, as Ansible's.
const UNEXPECTED: i32 = 250;

/// How long the report may take to show what is known.
const PATIENCE: Duration = Duration::from_secs(3);

/// The run that is under way, and where it is shown.
static UNDER_WAY: Mutex<Option<(Arc<Run>, Arc<Channel>)>> = Mutex::new(None);

/// Somebody is ending the process already.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Sees to signals and panics from now on.
pub fn prepare() {
    std::panic::set_hook(Box::new({
        let told = std::env::var_os("RUST_BACKTRACE").is_some_and(|wanted| wanted != "0");
        let default = std::panic::take_hook();
        move |panic| {
            if told {
                default(panic);
            }
            // The message may quote data of the run: only the place is told.
            let place = panic.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
            end(UNEXPECTED, fault(&place.unwrap_or_default()));
        }
    }));
    let signals: Vec<i32> = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)).collect();
    let Ok(mut signals) = Signals::new(signals) else { return };
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let (code, text) = match signal {
                SIGINT => (INTERRUPTED, "User interrupted execution".to_owned()),
                // As a shell tells of a process that a signal has ended.
                SIGTERM => (128 + signal, "the run was ended by the signal TERM".to_owned()),
                _ => (128 + signal, "the run was ended by the signal HUP".to_owned()),
            };
            end(code, text);
        }
    });
}

/// Shows this run if it ends early.
pub fn watch(run: &Arc<Run>, channel: &Arc<Channel>) {
    *UNDER_WAY.lock() = Some((run.clone(), channel.clone()));
}

/// The run is over. Does not return when something else ends the process already.
pub fn run_is_over() {
    if ENDING.load(Ordering::Acquire) {
        wait();
    }
    UNDER_WAY.lock().take();
}

/// Waits for the thread that ends the process.
pub fn wait() -> ! {
    loop {
        std::thread::park();
    }
}

/// What is said after a panic.
fn fault(place: &str) -> String {
    format!(
        "rplay has a fault and cannot go on{place}. Please report it with your playbook's task; RUST_BACKTRACE=1 tells \
         more"
    )
}

/// Ends the process, in a thread of its own; at once when asked for the second time.
fn end(code: i32, text: String) {
    if ENDING.swap(true, Ordering::AcqRel) {
        // A thread that panics while the run is ended is of no interest.
        if code != UNEXPECTED {
            prompt::restore();
            std::process::exit(code);
        }
        return;
    }
    let show = move || {
        show(&text);
        prompt::restore();
        std::process::exit(code);
    };
    if std::thread::Builder::new().spawn(show).is_err() {
        prompt::restore();
        std::process::exit(code);
    }
    std::thread::spawn(move || {
        std::thread::sleep(2 * PATIENCE);
        prompt::restore();
        std::process::exit(code);
    });
}

/// Tells why the run ends, and what has come of it so far.
fn show(text: &str) {
    let under_way = UNDER_WAY.lock().take();
    if let Some((_, channel)) = &under_way {
        channel.close_to_others();
        channel.flush_within(PATIENCE);
    }
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = match colour {
        // After the `^C` that the terminal has shown.
        true => format!("\r\n\x1b[0;31m[ERROR]: {text}\x1b[0m\n"),
        false => format!("[ERROR]: {text}\n"),
    };
    output::aside(&text);
    if let Some((run, channel)) = &under_way {
        let recap = run.recap();
        let hosts: Vec<String> = recap.hosts.iter().map(|(host, counts)| format!("{host} : {counts}\n")).collect();
        channel.send_last(Event::RunEnded(Arc::new(recap)));
        if !channel.flush_within(PATIENCE) {
            // The report itself has the fault.
            let _ = write!(std::io::stdout(), "\nPLAY RECAP\n{}", hosts.concat());
        }
    }
}

/// Whether the caller of rplay wants a signal ignored (`nohup`).
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & 1 << (signal - 1) != 0
}
