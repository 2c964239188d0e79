//! Mounts, and their free space.

use std::{collections::HashMap, path::Path, sync::mpsc, time::Duration};

use rplay_wire::{Map, Value, data};

use super::{Source, names};
use crate::system::{fs, machine::statvfs, octal};

pub(crate) fn gather(source: &Source) -> Map {
    let ids = by_id(&source.path("/dev/disk/by-uuid"));
    let table = source.text("/proc/self/mountinfo");
    let mounts = table.lines().filter_map(Mount::read).filter(Mount::is_of_a_device);
    let mounts: Vec<Value> = mounts.map(|mount| mount.facts(&ids, source.timeout).into()).collect();
    data! { "mounts" => mounts }
}

/// Devices and their names in a directory of links.
pub(crate) fn by_id(directory: &Path) -> HashMap<String, String> {
    let link = |name: String| {
        let target = fs::canonicalize(directory.join(&name)).ok()?;
        Some((target.to_string_lossy().into_owned(), unescaped_hex(&name)))
    };
    names(directory).into_iter().filter_map(link).collect()
}

/// `\x20`, udev's encoding of a space in names of links.
fn unescaped_hex(name: &str) -> String {
    name.replace("\\x20", " ").replace("\\x2f", "/")
}

#[derive(Debug, PartialEq)]
struct Mount {
    device: String,
    mount: String,
    kind: String,
    options: String,
}

impl Mount {
    /// Parses a line of /proc/self/mountinfo (proc(5)).
    fn read(line: &str) -> Option<Mount> {
        let (first, second) = line.split_once(" - ")?;
        let mut first = first.split(' ').skip(3);
        let (root, mount, options) = (first.next()?, first.next()?, first.next()?);
        let mut second = second.split(' ');
        let (kind, device, of_device) = (second.next()?, second.next()?, second.next().unwrap_or_default());
        let mut all: Vec<&str> = options.split(',').collect();
        all.extend(of_device.split(',').filter(|option| !matches!(*option, "rw" | "ro" | "")));
        if root != "/" {
            all.push("bind");
        }
        Some(Mount {
            device: octal::unescaped(device),
            mount: octal::unescaped(mount),
            kind: kind.to_owned(),
            options: all.join(","),
        })
    }

    fn is_of_a_device(&self) -> bool {
        (self.device.starts_with('/') || self.device.contains(":/")) && self.kind != "none"
    }

    fn facts(self, ids: &HashMap<String, String>, timeout: Duration) -> Map {
        let real = fs::canonicalize(&self.device).map(|path| path.to_string_lossy().into_owned());
        let uuid = ids.get(real.as_deref().unwrap_or(&self.device)).map_or("N/A", String::as_str);
        let room = room(self.mount.clone(), timeout);
        let mut facts = data! {
            "mount" => self.mount,
            "device" => self.device,
            "fstype" => self.kind,
            "options" => self.options,
            "dump" => 0,
            "passno" => 0,
        };
        match room {
            Some(room) => facts.extend(room),
            None => {
                facts.insert("note".to_owned(), "could not get the size in time".into());
            }
        }
        facts.insert("uuid".to_owned(), uuid.into());
        facts
    }
}

/// The sizes of a file system. Read in a separate thread, since a network mount may never respond.
pub(crate) fn room(mount: String, timeout: Duration) -> Option<Map> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let room = statvfs(mount.as_str()).ok().map(|found| {
            let unit = found.fragment_size() as i128;
            let (blocks, free) = (found.blocks() as i128, found.blocks_available() as i128);
            let (inodes, inodes_free) = (found.files() as i128, found.files_available() as i128);
            data! {
                "size_total" => blocks * unit,
                "size_available" => free * unit,
                "block_size" => found.block_size() as i128,
                "block_total" => blocks,
                "block_available" => free,
                "block_used" => blocks - free,
                "inode_total" => inodes,
                "inode_available" => inodes_free,
                "inode_used" => inodes - inodes_free,
            }
        });
        // The receiver may have given up.
        let _ = sender.send(room);
    });
    receiver.recv_timeout(timeout).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_is_read() {
        let line = r"36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext4 /dev/root rw,errors=continue";
        let mount = Mount::read(line).unwrap();
        assert_eq!((mount.mount.as_str(), mount.kind.as_str()), ("/mnt 2", "ext4"));
        assert_eq!(mount.options, "rw,noatime,errors=continue,bind");
        assert!(mount.is_of_a_device());
        assert!(!Mount::read("22 1 0:21 / /proc rw - proc proc rw").unwrap().is_of_a_device());
    }

    #[test]
    fn the_root_has_a_size() {
        assert!(matches!(room("/".into(), Duration::from_secs(5)).unwrap()["size_total"], Value::Int(1..)));
    }
}
