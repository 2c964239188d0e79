//! An executable that is put on hosts as their agent.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use memchr::memmem;
use rplay_wire::hex;
use sha2::{Digest, Sha256};

/// What an agent is able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AgentKind {
    /// All but HTTP, the modules that need it, and the tables of encodings.
    Lean,
    Full,
}

/// One executable. Its content is read only when a host has not got it yet.
pub(super) struct Executable {
    /// Its name in a host's cache: the SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    pub size: u64,
    pub kind: AgentKind,
    /// The file that it is, or is embedded in.
    pub path: PathBuf,
    /// Whether it is linked statically, so that it needs no libc of its host.
    pub is_static: bool,
    /// The build of the agent that it holds.
    pub build: Option<String>,
    file: File,
    /// Where the packed content is, if it is embedded in another file.
    embedded: Option<Embedded>,
    content: OnceLock<io::Result<Vec<u8>>>,
    gzip: OnceLock<io::Result<Vec<u8>>>,
    xz: OnceLock<io::Result<Vec<u8>>>,
}

/// Packed forms of an executable within a file: first byte and length of each.
#[derive(Clone, Copy)]
struct Embedded {
    /// A lean agent has none: it is small enough without.
    xz: Option<(u64, u64)>,
    gzip: (u64, u64),
}

/// How an executable is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Raw,
    Gzip,
    /// A quarter smaller than gzip's, but slow to unpack; only an embedded full agent has this form.
    Xz,
}

impl Packing {
    /// The name of the program that unpacks it, or `raw`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Packing::Raw => "raw",
            Packing::Gzip => "gzip",
            Packing::Xz => "xz",
        }
    }
}

/// What a name of a build begins with; 64 hexadecimal digits follow. The name in a lean agent begins differently.
const BUILD_PREFIX: &[u8] = b"rplay-agent-build:";
const BUILD_LENGTH: usize = BUILD_PREFIX.len() + 64;

/// The end of a file in which agents are embedded: so many bytes of text, `MAGIC BUILD`, then `SHA256 SIZE XZ GZIP` of the
/// full agent and of the lean one, and spaces. Before them come the packed agents: XZ bytes and GZIP bytes of the first, then
/// those of the second, which has no form of xz. `dist/build` writes it.
const TAIL: u64 = 512;
const MAGIC: &str = "rplay-embedded-agents 3";

/// What is known once a whole file was read.
struct Known {
    sha256: String,
    build: Option<String>,
}

impl Executable {
    /// A separate file. What is known of its content is cached in the file `note`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn open(path: &Path, note: Option<&Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        // The headers are at its beginning.
        let mut head = vec![0; 1 << 16];
        let filled = file.read_at(&mut head, 0)?;
        head.truncate(filled);
        let Known { sha256, build } = known(&file, note)?;
        let size = file.metadata()?.len();
        let is_static = !needs_loader(&head);
        let (content, gzip, xz) = Default::default();
        let path = path.to_owned();
        let kind = AgentKind::Full;
        Ok(Executable { sha256, size, kind, path, is_static, build, file, embedded: None, content, gzip, xz })
    }

    /// An agent that is embedded at the end of a file, if it is there and of that build.
    ///
    /// # Errors
    /// The file cannot be read; one that is not there holds none.
    pub(super) fn embedded(path: &Path, build: &str, kind: AgentKind) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(tail_at) = file.metadata()?.len().checked_sub(TAIL) else { return Ok(None) };
        let mut tail = [0; TAIL as usize];
        file.read_exact_at(&mut tail, tail_at)?;
        let Some((sha256, size, embedded)) = described(&tail, tail_at, build, kind) else { return Ok(None) };
        let (path, build, embedded) = (path.to_owned(), Some(build.to_owned()), Some(embedded));
        let (is_static, (content, gzip, xz)) = (true, Default::default());
        Ok(Some(Executable { sha256, size, kind, path, is_static, build, file, embedded, content, gzip, xz }))
    }

    /// Bytes of its smallest packed form, if it is embedded.
    pub(super) fn packed_size(&self) -> Option<u64> {
        self.embedded.map(|embedded| embedded.xz.unwrap_or(embedded.gzip).1)
    }

    /// The best of the forms that a host can unpack: `unpackers` are its programs, parted by `+`.
    pub(super) fn packing(&self, unpackers: &str) -> Packing {
        let has = |program: &str| unpackers.split('+').any(|there| there == program);
        match () {
            () if has("xz") && self.embedded.is_some_and(|embedded| embedded.xz.is_some()) => Packing::Xz,
            () if has("gzip") => Packing::Gzip,
            () => Packing::Raw,
        }
    }

    /// The content in one of the forms that [`Executable::packing`] chooses; made once, however many hosts wait for it.
    pub(super) fn content(&self, packing: Packing) -> io::Result<&[u8]> {
        let part = |(at, length): (u64, u64)| {
            let mut packed = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            self.file.read_exact_at(&mut packed, at)?;
            Ok(packed)
        };
        let made = match (self.embedded, packing) {
            (Some(Embedded { xz: Some(xz), .. }), Packing::Xz) => self.xz.get_or_init(|| part(xz)),
            (_, Packing::Xz) => return Err(io::Error::other("only a full agent that is embedded is packed by xz")),
            (Some(embedded), Packing::Gzip) => self.gzip.get_or_init(|| part(embedded.gzip)),
            (Some(_), Packing::Raw) => self.content.get_or_init(|| {
                let mut content = Vec::new();
                GzDecoder::new(self.content(Packing::Gzip)?).read_to_end(&mut content)?;
                Ok(content)
            }),
            (None, Packing::Gzip) => self.gzip.get_or_init(|| {
                // 18.9 MB become 8.3 in 0.2 s. Level 1 makes 10.2 in half the time, 6 makes 8.1 in half as
                // long again.
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(3));
                pour(&self.file, |piece| encoder.write_all(piece))?;
                encoder.finish()
            }),
            (None, Packing::Raw) => self.content.get_or_init(|| {
                let mut content = Vec::new();
                pour(&self.file, |piece| content.write_all(piece))?;
                Ok(content)
            }),
        };
        made.as_deref().map_err(|error| io::Error::new(error.kind(), error.to_string()))
    }
}

/// What the end of a file, which begins at `tail_at`, says of an agent of that build and kind: its digest, its size, and where
/// it is.
fn described(tail: &[u8], tail_at: u64, build: &str, kind: AgentKind) -> Option<(String, u64, Embedded)> {
    let mut words = str::from_utf8(tail).ok()?.strip_prefix(MAGIC)?.split_whitespace();
    let its_build = words.next()?;
    // Each part ends where the following one begins; the last one ends where the text begins.
    let mut end = tail_at;
    let mut before = |length: &str| {
        let length = length.parse().ok()?;
        end = end.checked_sub(length)?;
        Some((end, length))
    };
    let [full_sha256, full_size, full_xz, full_gzip, sha256, size, xz, gzip] =
        words.collect::<Vec<_>>().try_into().ok()?;
    let is_there = |(_, length): &(u64, u64)| *length > 0;
    let lean = Embedded { gzip: before(gzip)?, xz: Some(before(xz)?).filter(is_there) };
    let full = Embedded { gzip: before(full_gzip)?, xz: Some(before(full_xz)?).filter(is_there) };
    let (sha256, size, embedded) = match kind {
        AgentKind::Lean => (sha256, size, lean),
        AgentKind::Full => (full_sha256, full_size, full),
    };
    (hex::is_sha256(sha256) && its_build == build).then_some((sha256.to_owned(), size.parse().ok()?, embedded))
}

/// Passes a file's content to `take` from its beginning, piece by piece.
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

/// What is known of a file's content. Reading it takes as long as everything else before the first connection, so the
/// result is cached, together with the file's change time, which no program can set.
fn known(file: &File, note: Option<&Path>) -> io::Result<Known> {
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
    let noted = note.and_then(|note| fs::read_to_string(note).ok());
    let noted = noted.as_deref().and_then(|noted| noted.strip_prefix(&state)?.trim_end().split_once(' '));
    if let Some((sha256, build)) = noted
        && hex::is_sha256(sha256)
    {
        return Ok(Known { sha256: sha256.to_owned(), build: (build != "-").then(|| build.to_owned()) });
    }
    let mut hasher = Sha256::new();
    let mut build = None;
    // The end of the piece before, in which a name may have begun.
    let mut seam = Vec::new();
    pour(file, |piece| {
        hasher.update(piece);
        if build.is_none() {
            seam.extend(piece.iter().take(BUILD_LENGTH));
            build = build_in(&seam).or_else(|| build_in(piece));
            seam.clear();
            seam.extend(&piece[piece.len().saturating_sub(BUILD_LENGTH)..]);
        }
        Ok(())
    })?;
    let sha256 = hex::encode(hasher.finalize());
    if let Some(note) = note {
        // Without it the next run reads the file again.
        let _ = write_note(note, &format!("{state}{sha256} {}\n", build.as_deref().unwrap_or("-")));
    }
    Ok(Known { sha256, build })
}

/// The first whole name of a build in some bytes.
fn build_in(bytes: &[u8]) -> Option<String> {
    memmem::find_iter(bytes, BUILD_PREFIX)
        .filter_map(|at| str::from_utf8(bytes.get(at..at + BUILD_LENGTH)?).ok())
        .find(|name| name.as_bytes()[BUILD_PREFIX.len()..].iter().all(u8::is_ascii_hexdigit))
        .map(str::to_owned)
}

/// Atomic, since other runs may read or write it at the same time.
fn write_note(note: &Path, text: &str) -> io::Result<()> {
    let new = note.with_extension(format!("{:08x}", rand::random::<u32>()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&new, note));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

/// Whether an ELF file names a loader (has a PT_INTERP header), so that it needs a libc on the host.
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
    fn a_noted_digest_holds_until_the_file_changes() {
        let there = tempfile::tempdir().unwrap();
        let (path, note) = (there.path().join("file"), there.path().join("note"));
        let of = |content: &str| hex::encode(Sha256::digest(content));
        let asked = || known(&File::open(&path).unwrap(), Some(&note)).unwrap().sha256;
        fs::write(&path, "one").unwrap();
        assert_eq!(asked(), of("one"));
        // A false note shows that the value comes from the note and not from the file.
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
        let there = tempfile::tempdir().unwrap();
        let path = there.path().join("rplay");
        let content: Vec<u8> = (0..700_000u32).flat_map(u32::to_le_bytes).collect();
        fs::write(&path, &content).unwrap();
        let executable = Executable::open(&path, None).unwrap();
        assert_eq!(executable.size, content.len() as u64);
        assert_eq!(executable.content(Packing::Raw).unwrap(), content);
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(executable.content(Packing::Gzip).unwrap()).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == content);
        // It is not embedded.
        assert_eq!(executable.packing("gzip+xz"), Packing::Gzip);
        assert_eq!(executable.packing("raw"), Packing::Raw);
        assert!(executable.content(Packing::Xz).is_err());
    }
}
