//! The attributes that a file passes to its replacement: owner, permissions, access control list, extended attributes
//! and inode flags. Ansible keeps all of them except the flags.

use std::{
    ffi::{CStr, CString},
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::Path,
};

use rplay_wire::Failure;
use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr, lgetxattr, llistxattr};

use crate::{
    io_failure::io_failure,
    system::{
        acl::{ACCESS, Acl},
        attributes::Wanted,
        flags,
    },
};

/// Hashes of the content, which the kernel (IMA, EVM) computes again for other content.
const OF_CONTENT: [&CStr; 2] = [c"security.ima", c"security.evm"];

/// Cleared by the kernel when the owner changes, like setuid: it was granted to that owner's file.
const CAPABILITY: &CStr = c"security.capability";

/// Prefixes of attributes set by users and security modules; others belong to the file system.
const KEPT: [&str; 4] = ["user.", "trusted.", "security.", "system."];

/// The attributes of a file that is about to be replaced.
pub struct Preserved {
    uid: u32,
    gid: u32,
    /// Permission bits, with setuid, setgid and sticky.
    mode: u32,
    acl: Option<Acl>,
    /// Without the access control list.
    attributes: Vec<(CString, Vec<u8>)>,
    flags: u32,
}

impl Preserved {
    /// Reads them from the file at `path`, which must not be a symbolic link.
    ///
    /// # Errors
    /// If the file cannot be inspected.
    pub fn of(path: &Path) -> io::Result<Preserved> {
        let meta = fs::symlink_metadata(path)?;
        let mut preserved = Preserved {
            uid: meta.uid(),
            gid: meta.gid(),
            mode: meta.mode() & 0o7777,
            acl: None,
            attributes: Vec::new(),
            flags: flags::of(path).unwrap_or_default() & flags::KEPT,
        };
        for name in names(path) {
            // Removed meanwhile, or not readable for this user.
            let Some(value) = value(path, &name) else { continue };
            if name.as_c_str() == ACCESS {
                preserved.acl = Acl::read(&value);
            } else if !OF_CONTENT.contains(&name.as_c_str()) {
                preserved.attributes.push((name, value));
            }
        }
        Ok(preserved)
    }

    /// Sets them on `file`, a new, private file; `wanted` takes precedence. At no moment does the file have more
    /// permissions than in the end. `path` is for messages. Returns what could not be preserved.
    ///
    /// # Errors
    /// If something that `wanted` requests cannot be set.
    pub fn give(&self, file: &File, wanted: &Wanted, path: &Path) -> Result<Vec<String>, Failure> {
        let mut lost = Vec::new();
        let failed = |error: &io::Error| io_failure("write", path, error);
        let mut base = self.mode;
        let mut group_bits = 0o070;
        let is_handed_over =
            wanted.uid.is_some_and(|uid| uid != self.uid) || wanted.gid.is_some_and(|gid| gid != self.gid);
        if is_handed_over {
            base &= !0o6000;
        }
        // The owner first: changing it later would clear setuid and capabilities.
        let (uid, gid) = (wanted.uid.unwrap_or(self.uid), wanted.gid.unwrap_or(self.gid));
        if let Err(error) = own(file, Some(uid), Some(gid)) {
            if wanted.uid.is_some() && own(file, wanted.uid, None).is_err()
                || wanted.gid.is_some() && own(file, None, wanted.gid).is_err()
            {
                return Err(io_failure("change the owner of", path, &error));
            }
            if !is_refused(&error) {
                return Err(failed(&error));
            }
            let _ = own(file, None, Some(gid));
            let present = file.metadata().map_err(|error| failed(&error))?;
            if present.uid() != uid {
                base &= !0o4000;
                lost.push(format!("the owner {uid} of {} could not be kept", path.display()));
            }
            if present.gid() != gid {
                // These permissions belonged to another group: the new one gets no more than others.
                base &= !0o2000;
                group_bits = (base & 0o007) << 3;
                lost.push(format!("the group {gid} of {} could not be kept", path.display()));
            }
        }
        let narrowed = |mode: u32| mode & (0o7707 | group_bits);
        let final_mode = |base: u32| wanted.mode_over(base);
        let mut mode = final_mode(if self.acl.is_some() { base } else { narrowed(base) });
        match &self.acl {
            Some(acl) => {
                let acl = acl.with_mode(mode, group_bits >> 3);
                if let Err(error) = fsetxattr(file, ACCESS, &acl.bytes(), XattrFlags::empty()) {
                    let _ = fremovexattr(file, ACCESS);
                    // The group bits contained the mask; without the list they would become the group's permissions.
                    mode = final_mode(base & !0o070 | acl.group_rights() << 3);
                    lost.push(lost_attribute(ACCESS, path, error.into()));
                }
            }
            // Set on the new file by the directory's default list.
            None => drop(fremovexattr(file, ACCESS)),
        }
        for (name, value) in &self.attributes {
            if is_handed_over && name.as_c_str() == CAPABILITY {
                continue;
            }
            if of_file(file, name).as_ref() == Some(value) {
                continue;
            }
            let set = fsetxattr(file, name.as_c_str(), value, XattrFlags::empty());
            let Err(error) = set else { continue };
            if KEPT.iter().any(|space| name.as_bytes().starts_with(space.as_bytes())) {
                lost.push(lost_attribute(name, path, error.into()));
            }
        }
        set_mode(file, mode).map_err(|error| io_failure("change the mode of", path, &error))?;
        if self.flags != 0
            && let Err(error) = flags::add(file, self.flags)
        {
            let letters = flags::letters(self.flags);
            lost.push(format!("the attributes `{letters}` of {} could not be kept: {error}", path.display()));
        }
        Ok(lost)
    }
}

/// Sets owner and mode of a new file that replaces none.
///
/// # Errors
/// If one of them cannot be set.
pub fn give_new(file: &File, wanted: &Wanted, path: &Path) -> Result<(), Failure> {
    own(file, wanted.uid, wanted.gid).map_err(|error| io_failure("change the owner of", path, &error))?;
    set_mode(file, wanted.mode_of_new(false)).map_err(|error| io_failure("change the mode of", path, &error))
}

/// Changes the owner unless it is already set.
fn own(file: &File, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let present = file.metadata()?;
    let uid = uid.filter(|uid| *uid != present.uid());
    let gid = gid.filter(|gid| *gid != present.gid());
    if uid.is_none() && gid.is_none() { Ok(()) } else { fchown(file, uid, gid) }
}

fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    if file.metadata()?.mode() & 0o7777 == mode { Ok(()) } else { file.set_permissions(Permissions::from_mode(mode)) }
}

/// Whether this user or file system does not permit changing the owner, as opposed to other errors.
fn is_refused(error: &io::Error) -> bool {
    use nix::libc::{EINVAL, ENOSYS, ENOTSUP, EPERM};
    error.kind() == io::ErrorKind::PermissionDenied
        || matches!(error.raw_os_error(), Some(EPERM | EINVAL | ENOTSUP | ENOSYS))
}

fn lost_attribute(name: &CStr, path: &Path, error: io::Error) -> String {
    let what = match () {
        () if name == ACCESS => "the access control list".to_owned(),
        () if name == CAPABILITY => "the capabilities".to_owned(),
        () => format!("the extended attribute {}", name.to_string_lossy()),
    };
    format!("{what} of {} could not be kept: {error}", path.display())
}

/// The names of a file's extended attributes; empty if unavailable.
fn names(path: &Path) -> Vec<CString> {
    let list = sized(|buffer| llistxattr(path, buffer)).unwrap_or_default();
    list.split(|byte| *byte == 0).filter(|name| !name.is_empty()).filter_map(|name| CString::new(name).ok()).collect()
}

fn value(path: &Path, name: &CStr) -> Option<Vec<u8>> {
    sized(|buffer| lgetxattr(path, name, buffer))
}

fn of_file(file: &File, name: &CStr) -> Option<Vec<u8>> {
    sized(|buffer| fgetxattr(file, name, buffer))
}

/// The result of a call that reports the length it needs. `None` on any error.
fn sized(mut call: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>) -> Option<Vec<u8>> {
    // Most are short; the kernel allows 64 KiB.
    let mut buffer = vec![0; 512];
    let length = match call(&mut buffer) {
        Err(rustix::io::Errno::RANGE) => {
            buffer.resize(1 << 16, 0);
            call(&mut buffer)
        }
        result => result,
    };
    buffer.truncate(length.ok()?);
    Some(buffer)
}
