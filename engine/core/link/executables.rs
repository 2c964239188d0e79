//! Which executable a host gets as its agent.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use rplay_wire::Failure;

use super::executable::{AgentKind, Executable};
use crate::event::Deliveries;

/// All executables that may be needed: for hosts like this one, and for those with other processors.
///
/// For each processor there is the whole of rplay, which is an agent as well, and the agent alone, which is much smaller:
/// embedded in the whole, once lean and once full, or in the file `rplay-agent`, which is full. An agent of another build
/// is skipped, since only one of the controller's own build understands it.
pub(super) struct Executables {
    /// `None` is the one that is running.
    own: Option<PathBuf>,
    /// The name of the build ([`LinkOptions::agent_build`](super::LinkOptions)). `None`: no agent alone is looked for.
    build: Option<String>,
    /// Where digests are noted from one run to the next; a directory that only this user can write to.
    notes: Option<PathBuf>,
    read: Mutex<Vec<(String, AgentKind, Arc<Executable>)>>,
    /// Where those that are being sent are counted.
    pub(super) deliveries: Arc<Deliveries>,
}

/// What hosts with this machine's processor get as their agent; sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostAgent {
    /// The agents that are embedded in the executable, which are sent packed: the one that hosts get first, and the full
    /// one for tasks that need it.
    Embedded { size: u64, packed: u64, full_size: u64, full_packed: u64 },
    /// The agent alone, a file beside the executable.
    Beside { path: PathBuf, size: u64 },
    /// The executable.
    Whole { size: u64 },
}

/// What a controller with that build of the agent puts on hosts.
///
/// # Errors
/// As [`Executables::own`].
pub fn host_agent(build: &str) -> Result<HostAgent, Failure> {
    let executables = Executables::new(None, Some(build.to_owned()), None);
    let own = executables.own(AgentKind::Lean)?;
    let size = own.size;
    Ok(match (own.packed_size(), &own.path) {
        (Some(packed), _) => {
            let full = executables.own(AgentKind::Full)?;
            let full_packed = full.packed_size().unwrap_or(full.size);
            HostAgent::Embedded { size, packed, full_size: full.size, full_packed }
        }
        (None, path) if path == executables.own_path() => HostAgent::Whole { size },
        (None, path) => HostAgent::Beside { path: path.clone(), size },
    })
}

impl Executables {
    pub(super) fn new(own: Option<PathBuf>, build: Option<String>, notes: Option<PathBuf>) -> Self {
        Executables { own, build, notes, read: Mutex::default(), deliveries: Arc::default() }
    }

    /// Counts there what is being sent.
    pub(super) fn counting(self, deliveries: &Arc<Deliveries>) -> Self {
        Executables { deliveries: deliveries.clone(), ..self }
    }

    /// The path of the running executable, which works even if the file has been replaced since it was started.
    pub(super) fn own_path(&self) -> &Path {
        self.own.as_deref().unwrap_or(Path::new("/proc/self/exe"))
    }

    /// The agent for hosts with this machine's processor. Reads each file at most once; blocks.
    ///
    /// # Errors
    /// The executable cannot be read, or is not linked statically.
    pub(super) fn own(&self, kind: AgentKind) -> Result<Arc<Executable>, Failure> {
        self.for_processor(std::env::consts::ARCH, kind)
    }

    /// The agent for a processor as `uname -m` names it: a full one, too, where there is no lean one.
    ///
    /// # Errors
    /// There is none for that processor, it is of another build, cannot be read, or is not linked statically.
    pub(super) fn for_processor(&self, processor: &str, kind: AgentKind) -> Result<Arc<Executable>, Failure> {
        let mut read = self.read.lock();
        if let Some((.., executable)) = read.iter().find(|(known, of, _)| known == processor && *of == kind) {
            return Ok(executable.clone());
        }
        let executable = Arc::new(self.find(processor, kind)?);
        read.push((processor.to_owned(), kind, executable.clone()));
        Ok(executable)
    }

    fn find(&self, processor: &str, kind: AgentKind) -> Result<Executable, Failure> {
        let is_own = processor == std::env::consts::ARCH;
        let own = self.own.clone().map_or_else(std::env::current_exe, Ok)?;
        let beside = |name: String| own.with_file_name(name);
        let whole = if is_own { self.own_path().to_owned() } else { beside(format!("rplay-{processor}")) };
        let missing = || {
            let arch = std::env::consts::ARCH;
            Failure::new(format!("the host has another processor: {processor}, not {arch}"))
                .help(format!("put an rplay built for it at {}", whole.display()))
        };
        // The name comes from the host: it must not lead to another directory.
        if !processor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(missing());
        }
        let mut other_build = None;
        if let Some(build) = &self.build {
            if let Some(agent) = Executable::embedded(&whole, build, kind).map_err(unreadable(&whole))? {
                return Ok(agent);
            }
            let names = [is_own.then(|| "rplay-agent".to_owned()), Some(format!("rplay-agent-{processor}"))];
            for path in names.into_iter().flatten().map(beside).filter(|path| path.exists()) {
                let agent = self.open(processor, "agent", &path)?;
                if agent.is_static && agent.build.as_deref() == Some(build) {
                    return Ok(agent);
                }
                other_build = Some(path);
            }
        }
        if is_own || whole.exists() {
            let executable = self.open(processor, "whole", &whole)?;
            if !executable.is_static {
                return Err(Failure::new("this rplay is not linked statically, so it cannot be put on other hosts")
                    .help(
                        "build it with the project's own .cargo/config.toml; RUSTFLAGS in the environment replace it",
                    ));
            }
            if is_own || self.build.is_none() || executable.build == self.build {
                return Ok(executable);
            }
            other_build = Some(whole.clone());
        }
        Err(match other_build {
            Some(path) => Failure::new(format!("{} is of another build than this rplay", path.display()))
                .help("build it from the same sources"),
            None => missing(),
        })
    }

    fn open(&self, processor: &str, what: &str, path: &Path) -> Result<Executable, Failure> {
        let note = self.notes.as_deref().map(|directory| directory.join(format!("{processor}-{what}.digest")));
        Executable::open(path, note.as_deref()).map_err(unreadable(path))
    }
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> Failure + '_ {
    |error| Failure::new(format!("{} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use flate2::{Compression, write::GzEncoder};
    use rplay_wire::hex;
    use sha2::{Digest, Sha256};

    use super::super::executable::Packing;
    use super::*;

    const BUILD: &str = "rplay-agent-build:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn all(own: &Path) -> Executables {
        Executables::new(Some(own.to_owned()), Some(BUILD.to_owned()), None)
    }

    fn sha256(content: &[u8]) -> String {
        hex::encode(Sha256::digest(content))
    }

    #[test]
    fn an_unknown_processor_says_what_is_missing() {
        let executables = all(Path::new("/opt/rplay"));
        let failure = executables.for_processor("riscv64", AgentKind::Lean).err().unwrap();
        assert_eq!(failure.help.unwrap(), "put an rplay built for it at /opt/rplay-riscv64");
        assert!(executables.for_processor("../x", AgentKind::Lean).is_err());
    }

    #[test]
    fn the_agent_alone_is_taken_if_it_is_of_this_build() {
        let there = tempfile::tempdir().unwrap();
        let own = there.path().join("rplay");
        let agent = there.path().join("rplay-agent");
        fs::write(&own, "whole").unwrap();
        assert_eq!(all(&own).own(AgentKind::Lean).unwrap().sha256, sha256(b"whole"));
        // The name of the build may lie across the borders of what is read at a time.
        for at in [0, (1 << 18) - 5, 1 << 18, (1 << 19) - 80] {
            let content = [vec![b'x'; at].as_slice(), BUILD.as_bytes(), b"rest"].concat();
            fs::write(&agent, &content).unwrap();
            assert_eq!(all(&own).own(AgentKind::Lean).unwrap().sha256, sha256(&content), "{at}");
        }
        fs::write(&agent, BUILD.replace('0', "1")).unwrap();
        assert_eq!(all(&own).own(AgentKind::Lean).unwrap().sha256, sha256(b"whole"), "another build");
        fs::write(&agent, BUILD.replace("-agent", "-lean-agent")).unwrap();
        assert_eq!(all(&own).own(AgentKind::Lean).unwrap().sha256, sha256(b"whole"), "a lean one");
        assert_eq!(Executables::new(Some(own), None, None).own(AgentKind::Lean).unwrap().sha256, sha256(b"whole"));
    }

    #[test]
    fn another_build_for_another_processor_is_refused() {
        let there = tempfile::tempdir().unwrap();
        let own = there.path().join("rplay");
        let other = there.path().join("rplay-riscv64");
        fs::write(&other, "old").unwrap();
        let failure = all(&own).for_processor("riscv64", AgentKind::Lean).err().unwrap();
        assert_eq!(failure.msg, format!("{} is of another build than this rplay", other.display()));
        fs::write(&other, BUILD).unwrap();
        assert_eq!(all(&own).for_processor("riscv64", AgentKind::Lean).unwrap().sha256, sha256(BUILD.as_bytes()));
        let alone = there.path().join("rplay-agent-riscv64");
        fs::write(alone, [BUILD, " alone"].concat()).unwrap();
        assert_eq!(all(&own).for_processor("riscv64", AgentKind::Lean).unwrap().size, BUILD.len() as u64 + 6);
    }

    #[test]
    fn embedded_agents_are_found_at_the_end() {
        let there = tempfile::tempdir().unwrap();
        let own = there.path().join("rplay");
        let agent: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(9));
        encoder.write_all(&agent).unwrap();
        let packed = encoder.finish().unwrap();
        // What only xz(1) reads here.
        let xz = b"\xfd7zXZ of the agent";
        let lean = [7; 99];
        let full = format!("{} {} {} {}", sha256(&agent), agent.len(), xz.len(), packed.len());
        let lean_ones = format!("{} 1000 0 {}", sha256(b"lean"), lean.len());
        let tail = |build: &str| format!("{:<512}", format!("rplay-embedded-agents 3 {build} {full} {lean_ones}"));
        let parts = [b"whole".as_slice(), xz, &packed, &lean];
        fs::write(&own, [parts.concat().as_slice(), tail(BUILD).as_bytes()].concat()).unwrap();
        let first = all(&own).own(AgentKind::Lean).unwrap();
        assert_eq!((first.kind, &first.sha256, first.size), (AgentKind::Lean, &sha256(b"lean"), 1000));
        assert_eq!(first.packing("raw+gzip+xz"), Packing::Gzip);
        assert!(first.content(Packing::Gzip).unwrap() == lean && first.content(Packing::Xz).is_err());
        let found = all(&own).own(AgentKind::Full).unwrap();
        assert_eq!((found.kind, &found.sha256, found.size), (AgentKind::Full, &sha256(&agent), agent.len() as u64));
        assert!(found.content(Packing::Gzip).unwrap() == packed && found.content(Packing::Raw).unwrap() == agent);
        assert!(found.content(Packing::Xz).unwrap() == xz);
        let packings = ["raw+gzip+xz", "raw+gzip", "raw"].map(|unpackers| found.packing(unpackers));
        assert_eq!(packings, [Packing::Xz, Packing::Gzip, Packing::Raw]);
        let other = [parts.concat().as_slice(), tail("other").as_bytes()].concat();
        fs::write(&own, &other).unwrap();
        for kind in [AgentKind::Lean, AgentKind::Full] {
            assert_eq!(all(&own).own(kind).unwrap().sha256, sha256(&other), "of another build");
        }
    }
}
