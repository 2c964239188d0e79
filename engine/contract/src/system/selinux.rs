//! SELinux labels, read and written where the kernel keeps them: in an extended attribute. No library of
//! the host is needed for it.

use std::{io, path::Path, sync::OnceLock};

use rplay_wire::Failure;
use rustix::fs::{XattrFlags, getxattr, lgetxattr, lsetxattr, setxattr};

const ATTRIBUTE: &str = "security.selinux";

/// The parts of a label that were asked for: user, role, type, level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label([Option<String>; 4]);

impl Label {
    /// `None` if no part was asked for. Fails where there is no SELinux to know labels.
    pub fn wanted(parts: [&Option<String>; 4]) -> Result<Option<Label>, Failure> {
        const NAMES: [&str; 4] = ["seuser", "serole", "setype", "selevel"];
        let Some((name, part)) = NAMES.into_iter().zip(parts).find(|(_, part)| part.is_some()) else {
            return Ok(None);
        };
        if !is_enabled() {
            return Err(Failure::new(format!("`{name}` is set, but this host has no SELinux enabled"))
                .arg(name)
                .help("leave it out for hosts without SELinux, with `default(omit)` for instance"));
        }
        if part.as_deref() == Some("_default") {
            return Err(Failure::new(format!("`{name}: _default` is not supported"))
                .arg(name)
                .help("write the part itself, or run restorecon afterwards"));
        }
        Ok(Some(Label(parts.map(Clone::clone))))
    }

    /// The label that comes out when a file has the label `present`.
    pub fn applied(&self, present: Option<&str>) -> String {
        let mut present = present.unwrap_or_default().splitn(4, ':');
        let defaults = ["system_u", "object_r", "unlabeled_t", "s0"];
        let parts = self.0.iter().zip(defaults).map(|(wanted, default)| {
            let old = present.next().filter(|part| !part.is_empty()).unwrap_or(default);
            wanted.as_deref().unwrap_or(old)
        });
        parts.collect::<Vec<_>>().join(":")
    }
}

/// Whether the kernel runs SELinux. Looked at once: that changes only when the host starts anew.
pub fn is_enabled() -> bool {
    static ENABLED: OnceLock<bool> = OnceLock::new();
    *ENABLED.get_or_init(|| Path::new("/sys/fs/selinux/enforce").exists() || Path::new("/selinux/enforce").exists())
}

/// The label of a file; `None` where SELinux is not enabled.
pub fn label_of(path: &Path, follow: bool) -> Option<String> {
    if !is_enabled() {
        return None;
    }
    let mut buffer = [0u8; 512];
    let read = if follow { getxattr(path, ATTRIBUTE, &mut buffer) } else { lgetxattr(path, ATTRIBUTE, &mut buffer) };
    let bytes = buffer.get(..read.ok()?)?;
    Some(String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned())
}

/// Gives a file that label.
pub fn set_label(path: &Path, label: &str, follow: bool) -> io::Result<()> {
    let bytes = [label.as_bytes(), b"\0"].concat();
    let set = if follow {
        setxattr(path, ATTRIBUTE, &bytes, XattrFlags::empty())
    } else {
        lsetxattr(path, ATTRIBUTE, &bytes, XattrFlags::empty())
    };
    set.map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_not_asked_for_stay() {
        let label = Label([None, None, Some("httpd_sys_content_t".into()), None]);
        assert_eq!(label.applied(Some("u:r:t:s0:c1,c2")), "u:r:httpd_sys_content_t:s0:c1,c2");
        assert_eq!(label.applied(None), "system_u:object_r:httpd_sys_content_t:s0");
    }
}
