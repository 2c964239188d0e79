//! This executable as something to be put on a host.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use flate2::{Compression, write::GzEncoder};
use parking_lot::Mutex;
use rplay_wire::{Failure, hex};
use sha2::{Digest, Sha256};

/// All executables that may be needed: our own, and those for other processors beside it.
pub struct Executables {
    /// `None` is the one that is running.
    own: Option<PathBuf>,
    /// Where the digest of our own is noted from one run to the next; a folder of ours alone.
    notes: Option<PathBuf>,
    read: Mutex<Vec<(String, Arc<Executable>)>>,
}

/// One executable. Its content is read only when a host has not got it yet.
pub struct Executable {
    /// Its name in a host's cache: the SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    pub size: u64,
    file: File,
    content: OnceLock<io::Result<Vec<u8>>>,
    gzip: OnceLock<io::Result<Vec<u8>>>,
}

impl Executables {
    pub fn new(own: Option<PathBuf>, notes: Option<PathBuf>) -> Self {
        Executables { own, notes, read: Mutex::default() }
    }

    /// Where our own lies; also if it has been replaced since it was started.
    pub fn own_path(&self) -> &Path {
        self.own.as_deref().unwrap_or(Path::new("/proc/self/exe"))
    }

    /// Our own, for hosts like this one. Reads the file at most once; blocks.
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
        let mut read = self.read.lock();
        if let Some((_, executable)) = read.iter().find(|(known, _)| known == processor) {
            return Ok(executable.clone());
        }
        let unreadable = |error| Failure::new(format!("{} cannot be read: {error}", path.display()));
        let file = File::open(path).map_err(unreadable)?;
        // What is looked at stands at its beginning.
        let mut head = vec![0; 1 << 16];
        let filled = file.read_at(&mut head, 0).map_err(unreadable)?;
        head.truncate(filled);
        if needs_loader(&head) {
            return Err(Failure::new("this rplay is not linked statically, so it cannot be put on other hosts")
                .help("build it with the project's own .cargo/config.toml; RUSTFLAGS in the environment replace it"));
        }
        let sha256 = digest(&file, self.notes.as_deref().map(|folder| folder.join(format!("{processor}.digest"))))
            .map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let executable = Arc::new(Executable { sha256, size, file, content: OnceLock::new(), gzip: OnceLock::new() });
        read.push((processor.to_owned(), executable.clone()));
        Ok(executable)
    }
}

impl Executable {
    /// The content as it is, or in gzip's format; made once, however many hosts wait for it.
    pub fn content(&self, gzip: bool) -> io::Result<&[u8]> {
        let made = match gzip {
            true => self.gzip.get_or_init(|| {
                // 18.9 MB become 8.3 in 0.2 s. Level 1 makes 10.2 in half the time, 6 makes 8.1 in half as
                // long again.
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(3));
                pour(&self.file, |piece| encoder.write_all(piece))?;
                encoder.finish()
            }),
            false => self.content.get_or_init(|| {
                let mut content = Vec::new();
                pour(&self.file, |piece| content.write_all(piece))?;
                Ok(content)
            }),
        };
        made.as_deref().map_err(|error| io::Error::new(error.kind(), error.to_string()))
    }
}

/// Hands over a file from its beginning, piece by piece.
fn pour(file: &File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut piece = vec![0; 1 << 18];
    let mut at = 0;
    loop {
        match file.read_at(&mut piece, at)? {
            0 => return Ok(()),
            count => {
                take(piece.get(..count).unwrap_or_default())?;
                at += count as u64;
            }
        }
    }
}

/// A file's SHA-256. It takes as long as all else that is done before the first connection, so it is noted down,
/// together with what tells that the file is still the same: nobody can set the time of a file's last change.
fn digest(file: &File, note: Option<PathBuf>) -> io::Result<String> {
    let found = file.metadata()?;
    let state = format!(
        "{} {} {} {}.{:09} {}.{:09} ",
        found.dev(),
        found.ino(),
        found.len(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec()
    );
    let noted = note.as_deref().and_then(|note| fs::read_to_string(note).ok());
    if let Some(sha256) = noted.as_deref().and_then(|noted| noted.strip_prefix(&state)).map(str::trim_end)
        && hex::is_sha256(sha256)
    {
        return Ok(sha256.to_owned());
    }
    let mut hasher = Sha256::new();
    pour(file, |piece| {
        hasher.update(piece);
        Ok(())
    })?;
    let sha256 = hex::encode(hasher.finalize());
    if let Some(note) = note {
        // Without it the next run reckons again.
        let _ = write_note(&note, &format!("{state}{sha256}\n"));
    }
    Ok(sha256)
}

/// Other runs may read or write it at the same time.
fn write_note(note: &Path, text: &str) -> io::Result<()> {
    let new = note.with_extension(format!("{:08x}", rand::random::<u32>()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&new, note));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
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
        let executables = Executables::new(Some("/opt/rplay".into()), None);
        let failure = executables.for_processor("riscv64").err().unwrap();
        assert_eq!(failure.help.unwrap(), "put an rplay built for it at /opt/rplay-riscv64");
        assert!(executables.for_processor("../x").is_err());
    }
    #[test]
    fn a_noted_digest_holds_until_the_file_changes() {
        let there = tempfile::tempdir().unwrap();
        let (path, note) = (there.path().join("file"), there.path().join("note"));
        let of = |content: &str| hex::encode(Sha256::digest(content));
        let asked = || digest(&File::open(&path).unwrap(), Some(note.clone())).unwrap();
        fs::write(&path, "one").unwrap();
        assert_eq!(asked(), of("one"));
        // That it comes from the note, and not from the file, shows with a note that is not true.
        let noted = fs::read_to_string(&note).unwrap();
        fs::write(&note, noted.replace(&of("one"), &of("other"))).unwrap();
        assert_eq!(asked(), of("other"));
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&path, "two").unwrap();
        assert_eq!(asked(), of("two"));
        fs::write(&note, &noted[..noted.len() / 2]).unwrap();
        assert_eq!(asked(), of("two"));
    }

    #[test]
    fn content_comes_whole_packed_or_not() {
        use std::io::Read;
        let there = tempfile::tempdir().unwrap();
        let path = there.path().join("rplay");
        let content: Vec<u8> = (0..700_000u32).flat_map(u32::to_le_bytes).collect();
        fs::write(&path, &content).unwrap();
        let executable = Executables::new(Some(path), None).own().unwrap();
        assert_eq!(executable.size, content.len() as u64);
        assert_eq!(executable.content(false).unwrap(), content);
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(executable.content(true).unwrap()).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == content);
    }
}
