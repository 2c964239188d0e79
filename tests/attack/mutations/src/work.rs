//! A worker process, and who watches over it.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    os::unix::{fs::FileExt, process::ExitStatusExt},
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Options, targets::Bench};
use parking_lot::Mutex;

/// The stack of the thread that reads: what rplay gives its own threads for templates.
const STACK: usize = 64 << 20;

/// Inputs for one worker.
pub(crate) struct Share {
    pub from: u64,
    pub to: u64,
    pub worker: u64,
}

/// An input that was not survived.
pub(crate) struct Loss {
    pub at: u64,
    pub how: String,
}

/// What a panic said since it was last asked.
static PANICKED: Mutex<Option<String>> = Mutex::new(None);

fn panicked() -> Option<String> {
    PANICKED.lock().take()
}

/// Runs on a thread with the stack that rplay has.
pub(crate) fn roomy<T: Send>(run: impl FnOnce() -> T + Send) -> Result<T, String> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run);
        thread.map_err(|error| error.to_string())?.join().map_err(|_| "it panicked".to_owned())
    })
}

/// The worker: `SEED FROM TO ROOT DIRECTORY`. The number of the present input stands in `DIRECTORY/at`, panics are told
/// on standard output.
pub(crate) fn work(words: &[&str]) -> Result<ExitCode, String> {
    let [seed, from, to, root, directory] = words else { return Err("a worker takes five words".to_owned()) };
    let number = |word: &str| word.parse::<u64>().map_err(|error| error.to_string());
    let (seed, from, to) = (number(seed)?, number(from)?, number(to)?);
    let readers = crate::readers(Path::new(root))?;
    let directory = PathBuf::from(directory);
    // Before the engine reads anything: it keeps panics that it expects from whatever hook there is.
    set_hook(Box::new(|about| {
        *PANICKED.lock() = Some(about.to_string().replace('\n', " "));
    }));
    let bench = Bench::new(&directory)?;
    let progress = File::create(directory.join("at")).map_err(|error| error.to_string())?;
    roomy(|| {
        for at in from..to {
            let _ = progress.write_all_at(&at.to_le_bytes(), 0);
            let Some((reader, input)) = crate::input(&readers, seed, at) else { continue };
            let done = catch_unwind(AssertUnwindSafe(|| reader.run(&bench, &input)));
            // A panic that somebody caught counts as well: its text would have been printed.
            if let Some(how) = panicked().or_else(|| done.err().map(|_| "panic".to_owned())) {
                println!("{at} {how}");
            }
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Has a share worked through, by as many workers one after the other as it takes.
pub(crate) fn supervise(options: &Options, share: &Share) -> Result<Vec<Loss>, String> {
    let directory = std::env::temp_dir().join(format!("mutations-{}-{}", std::process::id(), share.worker));
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut lost = Vec::new();
    let mut from = share.from;
    while from < share.to {
        let _ = fs::write(directory.join("at"), from.to_le_bytes());
        let mut child = start(options, from, share.to, &directory)?;
        // Read on the side, so that a worker with much to say does not wait for us.
        let told = child.stdout.take().map(|told| {
            thread::spawn(move || {
                BufReader::new(told)
                    .lines()
                    .map_while(Result::ok)
                    .filter_map(|line| {
                        let (at, how) = line.split_once(' ')?;
                        Some(Loss { at: at.parse().ok()?, how: how.to_owned() })
                    })
                    .collect::<Vec<_>>()
            })
        });
        let end = watch(&mut child, options.patience, &directory);
        lost.extend(told.and_then(|told| told.join().ok()).into_iter().flatten());
        let Some(how) = end? else { break };
        let at = position(&directory).unwrap_or(from);
        lost.push(Loss { at, how });
        from = at + 1;
        if lost.len() > 200 {
            break;
        }
    }
    let _ = fs::remove_dir_all(&directory);
    Ok(lost)
}

/// The address space is bounded by the shell: no allocation without end takes the machine with it.
fn start(options: &Options, from: u64, to: u64, directory: &Path) -> Result<Child, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    Command::new("/bin/sh")
        .args(["-c", "ulimit -v \"$1\" && ulimit -c 0; shift; exec \"$@\"", "sh", &(options.memory << 10).to_string()])
        .arg(own)
        .args(["--work", &options.seed.to_string(), &from.to_string(), &to.to_string()])
        .args([&options.root, directory])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())
}

fn position(directory: &Path) -> Option<u64> {
    Some(u64::from_le_bytes(fs::read(directory.join("at")).ok()?.try_into().ok()?))
}

/// Waits for a worker; the text says how it was lost.
fn watch(child: &mut Child, patience: Duration, directory: &Path) -> Result<Option<String>, String> {
    let (mut last, mut since) = (None, Instant::now());
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return ended(status);
        }
        let now = position(directory);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if since.elapsed() > patience {
            let _ = child.kill();
            let _ = child.wait();
            return Ok(Some(format!("no answer within {} s", patience.as_secs())));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn ended(status: ExitStatus) -> Result<Option<String>, String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(None),
        (Some(2), _) => Err("a worker could not begin; is the root right?".to_owned()),
        (_, Some(signal)) => Ok(Some(format!("signal {signal}: an abort, the stack or the memory is at its end"))),
        _ => Ok(Some(format!("it ended with {status}"))),
    }
}
