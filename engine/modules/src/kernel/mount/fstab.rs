//! The lines of fstab, and of the kernel's list of mounts, which has the same format.

use std::path::Path;

use crate::system::octal::{escaped, unescaped};

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub source: String,
    pub point: String,
    pub kind: String,
    pub options: String,
    pub dump: String,
    pub pass: String,
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let mut words = line.split_whitespace().map(unescaped);
        Some(Entry {
            source: words.next()?,
            point: words.next()?,
            kind: words.next()?,
            options: words.next().unwrap_or_else(|| "defaults".to_owned()),
            dump: words.next().unwrap_or_else(|| "0".to_owned()),
            pass: words.next().unwrap_or_else(|| "0".to_owned()),
        })
    }

    fn line(&self) -> String {
        let words = [&self.source, &self.point, &self.kind, &self.options, &self.dump, &self.pass];
        words.map(|word| escaped(word)).join(" ")
    }

    /// Whether both are for the same mount point; for swap, which has none, the same source.
    fn replaces(&self, other: &Entry) -> bool {
        if self.kind == "swap" {
            other.kind == "swap" && self.source == other.source
        } else {
            self.point == other.point
        }
    }

    /// Whether the mounted source is the same. Names such as `UUID=...`, links, and bind mounts, for which the kernel
    /// shows the underlying device, cannot be compared and are assumed to match.
    pub(super) fn has_source(&self, mounted: &Entry) -> bool {
        let comparable = self.source.starts_with("/dev/") && !Path::new(&self.source).is_symlink()
            || self.kind.starts_with("nfs")
            || self.kind == "tmpfs";
        !comparable || mounted.source.trim_end_matches('/') == self.source.trim_end_matches('/')
    }
}

/// A table with all its lines.
pub(super) struct Fstab(Vec<String>);

impl Fstab {
    pub(super) fn parse(text: &str) -> Self {
        Fstab(text.lines().map(str::to_owned).collect())
    }

    pub(super) fn text(&self) -> String {
        self.0.iter().map(|line| format!("{line}\n")).collect()
    }

    /// The entry that `entry` would replace.
    pub(super) fn find(&self, entry: &Entry) -> Option<Entry> {
        self.0.iter().filter_map(|line| Entry::parse(line)).find(|found| entry.replaces(found))
    }

    /// Replaces the entry, or appends it. A line with the same content keeps its formatting.
    pub(super) fn set(&mut self, entry: &Entry) {
        let mut done = false;
        for line in &mut self.0 {
            if let Some(found) = Entry::parse(line).filter(|found| entry.replaces(found)) {
                if found != *entry {
                    *line = entry.line();
                }
                done = true;
            }
        }
        if !done {
            self.0.push(entry.line());
        }
    }

    /// Removes the entries for `point`, or only those with this source.
    pub(super) fn remove(&mut self, point: &Path, source: Option<&str>) {
        self.0.retain(|line| {
            !Entry::parse(line).is_some_and(|found| {
                Path::new(&found.point) == point && source.is_none_or(|source| found.source == source)
            })
        });
    }
}

/// The mount at `point`; of several, the last one, which hides the others.
pub(super) fn mounted(mounts: &str, point: &Path) -> Option<Entry> {
    mounts.lines().rev().filter_map(Entry::parse).find(|entry| Path::new(&entry.point) == point)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(options: &str) -> Entry {
        Entry::parse(&format!("/dev/sdb1 /srv/my\\040data ext4 {options} 0 2")).unwrap()
    }

    #[test]
    fn entries_are_set_once_and_taken_out() {
        let text = "# /etc/fstab\nUUID=1 / ext4 errors=remount-ro 0 1\n";
        let mut table = Fstab::parse(text);
        table.set(&entry("defaults"));
        let with = format!("{text}/dev/sdb1 /srv/my\\040data ext4 defaults 0 2\n");
        assert_eq!(table.text(), with);
        table.set(&entry("defaults"));
        assert_eq!(table.text(), with);
        table.set(&entry("noatime"));
        assert_eq!(table.text(), with.replace("defaults", "noatime"));
        table.remove(Path::new("/srv/my data"), None);
        assert_eq!(table.text(), text);
        let tabs = "/dev/sdb1\t/srv/my\\040data\text4\tdefaults\t0\t2\n";
        let mut table = Fstab::parse(tabs);
        table.set(&entry("defaults"));
        assert_eq!(table.text(), tabs, "the same in another notation");
    }

    #[test]
    fn what_the_kernel_says() {
        let mounts = "overlay / overlay rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/sdb1 /srv/my\\040data ext4 rw 0 0\n";
        let now = mounted(mounts, Path::new("/srv/my data")).unwrap();
        assert!(entry("defaults").has_source(&now));
        assert!(!Entry { source: "/dev/sdc1".into(), ..entry("defaults") }.has_source(&now));
        assert!(Entry { source: "UUID=5".into(), ..entry("defaults") }.has_source(&now));
        assert_eq!(mounted(mounts, Path::new("/srv")), None);
    }
}
