//! Mutates what rplay reads and counts what it does not survive: a panic, an abort, an answer that does not come,
//! memory without end.
//!
//!     mutations [--count N] [--seed N] [--workers N] [--seconds N] [--memory MIB] [--root DIR] [--keep DIR]
//!     mutations --replay READER FILE
//!
//! Input number N of a seed is always the same. Readers take turns, in worker processes: one that dies or does not
//! answer costs the one input it was at. Each lost input is kept as a file. The exit code is 1 if any was lost.

mod mutate;
mod random;
mod seeds;
mod targets;
mod work;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use random::Random;
use targets::Target;
use work::{Loss, Share};

/// Inputs that a worker takes before another one follows it: parsed templates stay in memory for good.
const SHARE: u64 = 20_000;

/// What the command line says.
#[derive(Clone)]
pub struct Options {
    pub count: u64,
    pub seed: u64,
    pub workers: u64,
    /// How long one input may take.
    pub patience: Duration,
    /// MiB of address space for a worker.
    pub memory: u64,
    pub root: PathBuf,
    pub keep: PathBuf,
}

fn main() -> ExitCode {
    rplay_modules::registry::install();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["--work", rest @ ..] => work::work(rest),
        ["--replay", reader, file] => replay(reader, Path::new(file)),
        rest => options(rest).and_then(|options| attack(&options)),
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn options(words: &[&str]) -> Result<Options, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut options = Options {
        count: 200_000,
        seed: now,
        workers: thread::available_parallelism().map_or(2, |count| count.get() as u64),
        patience: Duration::from_secs(20),
        memory: 4096,
        root: PathBuf::from("."),
        keep: std::env::temp_dir().join("mutations-lost"),
    };
    let mut words = words.iter();
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name} takes a number, not `{value}`"));
        match *name {
            "--count" => options.count = number()?,
            "--seed" => options.seed = number()?,
            "--workers" => options.workers = number()?.max(1),
            "--seconds" => options.patience = Duration::from_secs(number()?),
            "--memory" => options.memory = number()?,
            "--root" => options.root = PathBuf::from(value),
            "--keep" => options.keep = PathBuf::from(value),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
}

/// The readers, with the seeds of a checkout.
fn readers(root: &Path) -> Result<Vec<Target>, String> {
    let seeds = seeds::Seeds::below(root);
    match seeds.yaml.is_empty() || seeds.expressions.is_empty() {
        true => Err(format!("{} holds no seeds: give --root", root.display())),
        false => Ok(targets::all(&seeds)),
    }
}

/// Input number `at` and its reader.
fn input(readers: &[Target], seed: u64, at: u64) -> Option<(&Target, Vec<u8>)> {
    let round: usize = readers.iter().map(|reader| reader.turns).sum();
    let mut turn = (at % round.max(1) as u64) as usize;
    let reader = readers.iter().find(|reader| match turn.checked_sub(reader.turns) {
        Some(rest) => {
            turn = rest;
            false
        }
        None => true,
    })?;
    Some((reader, mutate::mutated(&reader.seeds, &mut Random::of(seed, at))))
}

fn attack(options: &Options) -> Result<ExitCode, String> {
    let readers = readers(&options.root)?;
    println!("seed {}, {} inputs for {} readers", options.seed, options.count, readers.len());
    let begun = Instant::now();
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let lost: Mutex<Vec<Loss>> = Mutex::default();
    let failed: Mutex<Option<String>> = Mutex::default();
    thread::scope(|scope| {
        for worker in 0..options.workers {
            let (next, done, lost, failed) = (&next, &done, &lost, &failed);
            scope.spawn(move || {
                loop {
                    let from = next.fetch_add(SHARE, Ordering::Relaxed);
                    if from >= options.count {
                        break;
                    }
                    let share = Share { from, to: (from + SHARE).min(options.count), worker };
                    match work::supervise(options, &share) {
                        Ok(more) => {
                            // At once: an attack that is ended early has still shown what it found.
                            more.iter().for_each(|loss| println!("lost: input {}: {}", loss.at, loss.how));
                            lost.lock().extend(more);
                            let done = done.fetch_add(share.to - share.from, Ordering::Relaxed) + share.to - share.from;
                            if done.is_multiple_of(50 * SHARE) {
                                println!("{done} inputs, {:.0} s", begun.elapsed().as_secs_f64());
                            }
                        }
                        Err(message) => {
                            *failed.lock() = Some(message);
                            break;
                        }
                    }
                }
            });
        }
    });
    if let Some(message) = failed.into_inner() {
        return Err(message);
    }
    let mut lost = lost.into_inner();
    lost.sort_by_key(|loss| loss.at);
    report(options, &readers, &lost, begun.elapsed())
}

fn report(options: &Options, readers: &[Target], lost: &[Loss], took: Duration) -> Result<ExitCode, String> {
    let mut by_reader: BTreeMap<&str, u64> = BTreeMap::new();
    for loss in lost {
        let Some((reader, input)) = input(readers, options.seed, loss.at) else { continue };
        *by_reader.entry(reader.name).or_default() += 1;
        fs::create_dir_all(&options.keep).map_err(|error| format!("{}: {error}", options.keep.display()))?;
        let path = options.keep.join(format!("{}-{}-{}", reader.name.replace(' ', "-"), options.seed, loss.at));
        fs::write(&path, input).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("lost: {} at input {}: {}\n      {}", reader.name, loss.at, loss.how, path.display());
    }
    println!("\n{:<18} {:>10} {:>10} {:>6}", "reader", "tried", "survived", "lost");
    let round = readers.iter().map(|reader| reader.turns as u64).sum::<u64>().max(1);
    let mut first = 0;
    for reader in readers {
        // Whole rounds, and what the last one, which may be cut, holds of this reader's turns.
        let turns = reader.turns as u64;
        let tried = options.count / round * turns + (options.count % round).saturating_sub(first).min(turns);
        first += turns;
        let lost = by_reader.get(reader.name).copied().unwrap_or(0);
        println!("{:<18} {tried:>10} {:>10} {lost:>6}", reader.name, tried.saturating_sub(lost));
    }
    let rate = options.count as f64 / took.as_secs_f64().max(0.001);
    let total = lost.len() as u64;
    println!("{:<18} {:>10} {:>10} {total:>6}", "all", options.count, options.count.saturating_sub(total));
    println!("{:.0} s, {rate:.0} inputs/s, seed {}", took.as_secs_f64(), options.seed);
    Ok(if lost.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Gives one kept input to its reader, in this process, so that a debugger sees what it does.
fn replay(name: &str, file: &Path) -> Result<ExitCode, String> {
    let content = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let targets = targets::all(&seeds::Seeds::default());
    let target =
        targets.iter().find(|target| target.name == name).ok_or_else(|| format!("there is no reader `{name}`"))?;
    let directory = std::env::temp_dir().join(format!("mutations-replay-{}", std::process::id()));
    let bench = targets::Bench::new(&directory)?;
    let begun = Instant::now();
    work::roomy(|| target.run(&bench, &content))?;
    let _ = fs::remove_dir_all(&directory);
    println!("survived in {:?}", begun.elapsed());
    Ok(ExitCode::SUCCESS)
}
