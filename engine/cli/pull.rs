//! `rplay pull`: fetches a repository and runs one of its playbooks on this machine, like `ansible-pull`.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use miette::Diagnostic;
use rplay::{
    config::Config,
    event::{Event, Status},
    report::{Log, Reader},
    secrets::Secrets,
    source::Problems,
};

use crate::{
    adhoc::{self, Task},
    args::pull::PullArgs,
    args::{common::BecomeArgs, run::RunArgs},
    diagnostics, output,
    run::{self, Plays},
    ssh_agent,
};

#[derive(Debug, thiserror::Error, Diagnostic)]
enum PullError {
    #[error("{path}: {error}")]
    File { path: String, error: std::io::Error },
}

/// Fetches and runs; returns the exit code.
pub(crate) fn command(args: &PullArgs) -> Result<u8, Problems> {
    let Some(url) = &args.url else {
        return Ok(diagnostics::refuse("URL for repository not specified, use -h for help"));
    };
    if !matches!(args.module_name.as_str(), "git" | "subversion") {
        let message = format!("Unsupported repo module {}, choices are git,subversion", args.module_name);
        return Ok(diagnostics::refuse(&message));
    }
    // As in ansible-core, what is no number is a wrong option, and not one of argparse's errors.
    let sleep = match args.sleep.as_deref().map(|most| most.trim().parse::<u64>().map_err(|_| most)).transpose() {
        Ok(sleep) => sleep,
        Err(most) => return Ok(diagnostics::refuse(&format!("{most} is not a number."))),
    };
    // The run itself reports settings that cannot be read.
    if let Ok((config, _)) = Config::load() {
        ssh_agent::join(&config)?;
    }
    if let Some(most) = sleep.filter(|most| *most > 0) {
        let seconds = rand::random_range(0..=most);
        output::tell(&format!("Sleeping for {seconds} seconds...\n"));
        std::thread::sleep(Duration::from_secs(seconds));
    }
    let names = Names::of_this_machine();
    let directory = match &args.directory {
        Some(directory) => directory.clone(),
        None => rplay::files::filled_in("~/.ansible/pull").join(&names.short),
    };
    // A relative path would change its meaning in the directory that the playbook runs in.
    let directory = std::path::absolute(&directory)
        .map_err(|error| PullError::File { path: directory.display().to_string(), error })?;
    let now = jiff::ZonedDateTime::now().strftime("%F %H:%M:%S").to_string();
    let said: Vec<String> = std::env::args().collect();
    output::tell(&format!("Starting Ansible Pull at {now}\n{}\n", said.join(" ")));
    let (code, changed) = fetch(args, url, &directory, &names)?;
    if code != 0 && !args.force {
        return Ok(code);
    }
    if code != 0 {
        output::aside("[WARNING]: Unable to update repository. Continuing with (forced) run of playbook.\n");
    } else if args.only_if_changed && !changed {
        output::tell("Repository has not changed, quitting.\n");
        return Ok(0);
    }
    let playbooks = match playbooks(args, &directory, &names) {
        Ok(playbooks) => playbooks,
        Err(message) => return Ok(diagnostics::refuse(&message)),
    };
    let inside = |error| PullError::File { path: directory.display().to_string(), error };
    let before = std::env::current_dir().map_err(inside)?;
    // Sources that do not exist here may be in the repository.
    let inventory = args.sources.inventory.iter().map(|source| match Path::new(source) {
        path if path.is_relative() && !source.contains(',') && path.exists() => before.join(path).display().to_string(),
        _ => source.clone(),
    });
    let mut run = run_args(args, inventory.collect());
    run.playbooks = playbooks;
    run.limit = Some(args.limit.clone().unwrap_or_else(|| names.limit()));
    std::env::set_current_dir(&directory).map_err(inside)?;
    let code = run::run(&run, Plays::Files)?;
    if args.purge {
        std::env::set_current_dir("/").map_err(inside)?;
        if let Err(error) = std::fs::remove_dir_all(&directory) {
            output::aside(&format!("[ERROR]: Failed to remove {}: {error}\n", directory.display()));
        }
    }
    Ok(code)
}

/// Fetches the repository into the directory; returns the exit code, and whether anything changed.
fn fetch(args: &PullArgs, url: &str, directory: &Path, names: &Names) -> Result<(u8, bool), Problems> {
    let module = format!("ansible.builtin.{}", args.module_name);
    let mut given = serde_json::json!({"dest": directory.display().to_string()});
    let mut say = |name: &str, value: serde_json::Value| given[name] = value;
    if args.module_name == "git" {
        say("name", url.into());
        if let Some(version) = &args.checkout {
            say("version", version.as_str().into());
        }
        let flags = [
            ("accept_hostkey", args.accept_host_key),
            ("verify_commit", args.verify_commit),
            ("track_submodules", args.track_subs),
            ("force", args.clean),
        ];
        flags.into_iter().filter(|(_, given)| *given).for_each(|(name, _)| say(name, true.into()));
        if let Some(key) = &args.connection.private_key {
            say("key_file", key.display().to_string().into());
        }
        if !args.full {
            say("depth", 1.into());
        }
    } else {
        say("repo", url.into());
        if let Some(revision) = &args.checkout {
            say("revision", revision.as_str().into());
        }
        if args.clean {
            say("force", true.into());
        }
    }
    let text = given.to_string();
    let task = Task { module: &module, args: &text, asynchronous: None, none: false };
    let source = task.playbook("all", "Ansible Pull");
    let changed = Arc::new(AtomicBool::new(false));
    let seen = changed.clone();
    let name = args.module_name.clone();
    let reader = move |config: &Config, secrets: &Arc<Secrets>, log: Option<Arc<Log>>| -> Box<dyn Reader> {
        Box::new(Watching { inner: adhoc::answers(&name, false, config, secrets, log), changed: seen })
    };
    // The inventory may be in the repository; until it is fetched, there is only this machine.
    let known = |source: &&String| source.contains(',') || Path::new(source).exists();
    let mut inventory: Vec<String> = args.sources.inventory.iter().filter(known).cloned().collect();
    if inventory.is_empty() {
        inventory.push("localhost,".to_owned());
    }
    let mut run = run_args(args, inventory);
    (run.tags, run.skip_tags, run.check, run.list_hosts) = (Vec::new(), Vec::new(), false, false);
    run.limit = Some(names.limit());
    let plays = Plays::Text { source, directory: PathBuf::from("."), reader: Box::new(reader) };
    let code = run::run(&run, plays)?;
    Ok((code, changed.load(Ordering::Acquire)))
}

/// The options that fetching and the run share.
fn run_args(args: &PullArgs, inventory: Vec<String>) -> RunArgs {
    let mut connection = args.connection.clone();
    connection.connection.get_or_insert_with(|| "local".to_owned());
    let mut sources = args.sources.clone();
    sources.inventory = inventory;
    RunArgs {
        tags: args.tags.clone(),
        skip_tags: args.skip_tags.clone(),
        check: args.check,
        diff: args.diff,
        list_hosts: args.list_hosts,
        module_path: args.module_path.clone(),
        flush_cache: args.flush_cache,
        becoming: BecomeArgs {
            ask_become_pass: args.ask_become_pass,
            become_password_file: args.become_password_file.clone(),
            ..BecomeArgs::default()
        },
        connection,
        sources,
        ..RunArgs::default()
    }
}

/// The playbooks: those given, or else the first that exists of FQDN.yml, HOSTNAME.yml and local.yml.
fn playbooks(args: &PullArgs, directory: &Path, names: &Names) -> Result<Vec<PathBuf>, String> {
    let readable = |path: &Path| match std::fs::File::open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("File does not exist"),
        Err(_) => Err("File is not readable"),
    };
    if !args.playbooks.is_empty() {
        return args
            .playbooks
            .iter()
            .map(|name| {
                let path = directory.join(name);
                readable(&path).map_err(|why| format!("{}: {why}", path.display()))?;
                Ok(path)
            })
            .collect();
    }
    let usual = [&names.full, &names.short, "local"].map(|name| directory.join(format!("{name}.yml")));
    let mut failed = Vec::new();
    for path in usual {
        match readable(&path) {
            Ok(()) => return Ok(vec![path]),
            Err(why) => failed.push(format!("{}: {why}", path.display())),
        }
    }
    failed.dedup();
    Err(format!("Could not find a playbook to run.\n{}", failed.join("\n")))
}

/// The names of this machine.
struct Names {
    full: String,
    short: String,
}

impl Names {
    fn of_this_machine() -> Self {
        let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // The name from the resolver and /etc/hosts; the plain host name if there is none.
        let printed = std::process::Command::new("hostname").arg("-f").output().ok();
        let full = printed.filter(|printed| printed.status.success());
        let full = full.map(|printed| String::from_utf8_lossy(&printed.stdout).trim().to_owned());
        let short = host.split('.').next().unwrap_or_default().to_owned();
        Names { full: full.filter(|name| !name.is_empty()).unwrap_or(host), short }
    }

    /// The hosts of an inventory that mean this machine.
    fn limit(&self) -> String {
        format!("localhost,{},{},127.0.0.1,::1", self.full, self.short)
    }
}

/// A report that notes whether anything changed.
struct Watching<R> {
    inner: R,
    changed: Arc<AtomicBool>,
}

impl<R: Reader> Reader for Watching<R> {
    fn read(&mut self, event: &Event) {
        if let Event::HostDone { result, .. } = event
            && result.status == Status::Changed
        {
            self.changed.store(true, Ordering::Release);
        }
        self.inner.read(event);
    }

    fn rest(&mut self) {
        self.inner.rest();
    }
}
