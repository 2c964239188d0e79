//! The archive that `unarchive` unpacks.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use rplay_wire::Failure;

use crate::{
    io_failure::io_failure,
    system::{paths, regular, scratch::TempPath},
};

/// Where an archive lies.
pub(super) enum Source {
    Path(PathBuf),
    /// Removed with the plan.
    Temporary(TempPath),
}

impl AsRef<Path> for Source {
    fn as_ref(&self) -> &Path {
        match self {
            Source::Path(path) => path,
            Source::Temporary(path) => path,
        }
    }
}

/// The format, with its compression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Tar,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
    Zip,
}

impl Kind {
    /// Determined by the first bytes; anything unknown is treated as plain tar.
    fn of(start: &[u8]) -> Kind {
        let starts: [(&[u8], Kind); 6] = [
            (b"PK\x03\x04", Kind::Zip),
            (b"PK\x05\x06", Kind::Zip),
            (b"\x1f\x8b", Kind::Gzip),
            (b"BZh", Kind::Bzip2),
            (b"\xfd7zXZ\0", Kind::Xz),
            (b"\x28\xb5\x2f\xfd", Kind::Zstd),
        ];
        starts.iter().find(|(magic, _)| start.starts_with(magic)).map_or(Kind::Tar, |(_, kind)| *kind)
    }

    /// Ansible's name in results.
    pub(super) fn handler(self) -> &'static str {
        match self {
            // Ansible's handler for plain tar accepts these before the specific ones are tried.
            Kind::Tar | Kind::Bzip2 | Kind::Xz | Kind::Zstd => "TarArchive",
            Kind::Gzip => "TgzArchive",
            Kind::Zip => "ZipArchive",
        }
    }
}

/// An archive, and how it is packed.
pub(super) struct Archive {
    pub source: Source,
    pub kind: Kind,
}

impl Archive {
    pub(super) fn open(source: Source) -> Result<Archive, Failure> {
        let path = source.as_ref();
        let mut start = Vec::new();
        let read = regular::open(path).and_then(|file| file.take(6).read_to_end(&mut start));
        read.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Failure::new(format!("Source '{}' does not exist", path.display())),
            _ => io_failure("read", path, &error),
        })
        .map_err(|failure| failure.arg("src"))?;
        if start.is_empty() {
            return Err(Failure::new(format!("Invalid archive '{}', the file is 0 bytes", path.display())).arg("src"));
        }
        let kind = Kind::of(&start);
        Ok(Archive { source, kind })
    }

    pub(super) fn path(&self) -> String {
        paths::text(&self.source)
    }
}
