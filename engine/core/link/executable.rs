//! This executable as something to be put on a host.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use flate2::{Compression, write::GzEncoder};
use rplay_wire::Failure;
use sha2::{Digest, Sha256};

/// All executables that may be needed: our own, and those for other processors beside it.
pub struct Executables {
    /// `None` is the one that is running.
    own: Option<PathBuf>,
    read: Mutex<Vec<(String, Arc<Executable>)>>,
}

/// One executable's content.
pub struct Executable {
    /// Its name in a host's cache: the SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    pub content: Vec<u8>,
    gzip: OnceLock<io::Result<Vec<u8>>>,
}

impl Executables {
    pub fn new(own: Option<PathBuf>) -> Self {
        Executables { own, read: Mutex::default() }
    }

    /// Where our own lies; also if it has been replaced since it was started.
    pub fn own_path(&self) -> &Path {
        self.own.as_deref().unwrap_or(Path::new("/proc/self/exe"))
    }

    /// Our own, for hosts like this one. Reads the file once; blocks.
    pub fn own(&self) -> Result<Arc<Executable>, Failure> {
        self.load(std::env::consts::ARCH, self.own_path())
    }

    /// The one for a processor as `uname -m` names it.
    pub fn for_processor(&self, processor: &str) -> Result<Arc<Executable>, Failure> {
        if processor == std::env::consts::ARCH {
            return self.own();
        }
        let own = self.own.clone().map_or_else(std::env::current_exe, Ok)?;
        let plain = processor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let beside = own.with_file_name(format!("rplay-{processor}"));
        if !plain || !beside.exists() {
            return Err(Failure::new(format!(
                "the host has another processor: {processor}, not {}",
                std::env::consts::ARCH
            ))
            .help(format!("put an rplay built for it at {}", beside.display())));
        }
        self.load(processor, &beside)
    }

    fn load(&self, processor: &str, path: &Path) -> Result<Arc<Executable>, Failure> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, executable)) = read.iter().find(|(known, _)| known == processor) {
            return Ok(executable.clone());
        }
        let content =
            fs::read(path).map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
        if needs_loader(&content) {
            return Err(Failure::new("this rplay is not linked statically, so it cannot be put on other hosts")
                .help("build it with the project's own .cargo/config.toml; RUSTFLAGS in the environment replace it"));
        }
        let sha256 = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        let executable = Arc::new(Executable { sha256, content, gzip: OnceLock::new() });
        read.push((processor.to_owned(), executable.clone()));
        Ok(executable)
    }
}

impl Executable {
    /// The content in gzip's format; computed once, however many hosts wait for it.
    pub fn gzip(&self) -> io::Result<&[u8]> {
        let packed = self.gzip.get_or_init(|| {
            // The default level, 6, saves another 7 % and takes three times as long.
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(3));
            encoder.write_all(&self.content)?;
            encoder.finish()
        });
        packed.as_deref().map_err(|error| io::Error::new(error.kind(), error.to_string()))
    }
}

/// Whether an ELF file names a loader (a PT_INTERP header), so that it needs a libc on its host.
fn needs_loader(elf: &[u8]) -> bool {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, size: usize| {
        let bytes = elf.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    let found = || {
        let wide = *elf.get(4)? == 2;
        let (table, each, count) = match wide {
            true => (number(0x20, 8)?, number(0x36, 2)?, number(0x38, 2)?),
            false => (number(0x1c, 4)?, number(0x2a, 2)?, number(0x2c, 2)?),
        };
        (0..count).find(|n| number((table + n * each) as usize, 4) == Some(PT_INTERP))
    };
    elf.starts_with(b"\x7fELF") && found().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamically_linked_executable_is_told_from_a_static_one() {
        assert!(needs_loader(&fs::read("/bin/sh").unwrap()));
        assert!(!needs_loader(b"\x7fELF\x02 cut short"));
        assert_eq!(needs_loader(&fs::read("/proc/self/exe").unwrap()), !cfg!(target_feature = "crt-static"));
    }

    #[test]
    fn an_unknown_processor_says_what_is_missing() {
        let executables = Executables::new(Some("/opt/rplay".into()));
        let failure = executables.for_processor("riscv64").err().unwrap();
        assert_eq!(failure.help.unwrap(), "put an rplay built for it at /opt/rplay-riscv64");
        assert!(executables.for_processor("../x").is_err());
    }
}
