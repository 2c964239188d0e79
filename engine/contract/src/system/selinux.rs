//! SELinux labels, read and written as extended attributes, without the host's libraries.

use std::{io, path::Path, sync::OnceLock};

use rplay_wire::Failure;
use rustix::fs::{XattrFlags, getxattr, lgetxattr, lsetxattr, setxattr};

const ATTRIBUTE: &str = "security.selinux";

/// The requested parts of a label: user, role, type, level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label([Option<String>; 4]);

impl Label {
    /// The requested label; `None` if no part is requested, and on hosts without SELinux, where Ansible ignores it.
    ///
    /// # Errors
    /// If a part is to be the policy's default.
    pub fn wanted(parts: [&Option<String>; 4]) -> Result<Option<Label>, Failure> {
        const NAMES: [&str; 4] = ["seuser", "serole", "setype", "selevel"];
        let Some((name, part)) = NAMES.into_iter().zip(parts).find(|(_, part)| part.is_some()) else {
            return Ok(None);
        };
        if !is_enabled() {
            return Ok(None);
        }
        if part.as_deref() == Some("_default") {
            return Err(Failure::new(format!("`{name}: _default` is not supported"))
                .arg(name)
                .help("set the part explicitly, or run restorecon afterwards"));
        }
        Ok(Some(Label(parts.map(Clone::clone))))
    }

    /// The resulting label of a file with the label `present`.
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

/// Whether SELinux is enabled. Checked once: it changes only with a reboot.
pub fn is_enabled() -> bool {
    static ENABLED: OnceLock<bool> = OnceLock::new();
    *ENABLED.get_or_init(|| Path::new("/sys/fs/selinux/enforce").exists() || Path::new("/selinux/enforce").exists())
}

/// The label of a file; `None` if SELinux is not enabled.
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
///
/// # Errors
/// Those of setxattr(2).
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
