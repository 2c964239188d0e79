//! This executable, and how another user can run it.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use nix::sys::statvfs::{FsFlags, statvfs};

/// Where a copy may lie: folders that every user can enter. Not $TMPDIR, which may be private to a user.
const SHARED: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// The executable at a place from which the other user can start it; a copy goes away when this is dropped.
pub struct Executable {
    path: PathBuf,
    copy_in: Option<PathBuf>,
}

impl Executable {
    /// The controller puts the executable into the login user's cache, a folder of mode 0700: root can
    /// start it there, others cannot. They get a copy which is there only until they have started it, in a
    /// new folder with an unguessable name: it can be entered by all, but written by the login user alone,
    /// so nobody else can put something in its place. (Passing an open file is no way: sudo closes all but
    /// the standard streams, and /proc/PID/exe of another user cannot be followed.)
    pub fn runnable_by(user: &str) -> io::Result<Self> {
        let own = fs::read_link("/proc/self/exe")?;
        if user == "root" {
            return Ok(Executable { path: own, copy_in: None });
        }
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for shared in SHARED.iter().map(Path::new).filter(|folder| runs_programs(folder)) {
            match copy_into(shared) {
                Ok(executable) => return Ok(executable),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Executable {
    fn drop(&mut self) {
        if let Some(folder) = &self.copy_in {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn runs_programs(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|found| !found.flags().contains(FsFlags::ST_NOEXEC))
}

fn copy_into(shared: &Path) -> io::Result<Executable> {
    let folder = nix::unistd::mkdtemp(&shared.join("rplay-XXXXXX"))?;
    let path = folder.join("agent");
    let executable = Executable { path: path.clone(), copy_in: Some(folder.clone()) };
    // Through /proc, since the file itself may have been replaced meanwhile.
    io::copy(&mut File::open("/proc/self/exe")?, &mut File::create_new(&path)?)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))?;
    Ok(executable)
}

/// Sets the modification time of this executable if it lies in a cache under its digest: what has not been
/// used for a month is removed from there.
pub fn mark_used() {
    let Ok(own) = fs::read_link("/proc/self/exe") else { return };
    let cached = own
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()));
    if cached {
        // Nothing depends on it.
        let _ = File::open(own).and_then(|file| file.set_modified(SystemTime::now()));
    }
}
