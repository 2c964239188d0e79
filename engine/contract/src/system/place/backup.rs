//! Backups of files that are about to be replaced.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rplay_wire::Failure;

use crate::{
    Host,
    io_failure::io_failure,
    system::{attributes::Wanted, paths, preserved::Preserved, regular, times},
};

/// Creates a backup next to the file, with Ansible's naming, its times and all preserved attributes, and returns its
/// path. What cannot be preserved becomes a warning.
///
/// # Errors
/// If the file cannot be read, or the backup cannot be written.
pub fn backup(path: &Path, host: &Host) -> Result<PathBuf, Failure> {
    let failed = |error: io::Error| io_failure("make a backup of", path, &error);
    let time = times::now().strftime("%Y-%m-%d@%H:%M:%S").to_string();
    let mut source = regular::open(path).map_err(failed)?;
    // Several changes of a file within a second create separate backups.
    let mut number = std::process::id();
    let (mut copy, kept) = loop {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{number}.{time}~"));
        let kept = path.with_file_name(name);
        match File::options().write(true).create_new(true).mode(0o600).open(&kept) {
            Ok(file) => break (file, kept),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number = number.wrapping_add(1),
            Err(error) => return Err(failed(error)),
        }
    };
    let mut fill = || -> Result<(), Failure> {
        io::copy(&mut source, &mut copy).map_err(failed)?;
        let old = Preserved::of(&paths::real(path)).map_err(failed)?;
        old.give(&copy, &Wanted::default(), path)?.into_iter().for_each(|lost| host.warn(format!("backup: {lost}")));
        let meta = source.metadata().map_err(failed)?;
        let times = fs::FileTimes::new();
        let times = meta.modified().map_or(times, |time| times.set_modified(time));
        let times = meta.accessed().map_or(times, |time| times.set_accessed(time));
        copy.set_times(times).map_err(failed)
    };
    let filled = fill();
    if filled.is_err() {
        // An incomplete backup is removed.
        let _ = fs::remove_file(&kept);
    }
    filled.map(|()| kept)
}
