//! A directory tree to be copied.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use rplay_wire::{Failure, Value};

use crate::{io_failure::io_failure, system::place::Content};

/// A file, directory or link of a tree. Directories precede their content.
#[derive(Clone, Debug)]
pub struct Node {
    /// Relative to the root of the tree.
    pub path: PathBuf,
    /// The permission bits of the source.
    pub mode: Option<u32>,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Directory,
    File(Content),
    /// A symbolic link with its target.
    Link(PathBuf),
}

impl Node {
    /// Parses an entry sent by the controller: a map of path, kind (dir, file, link), mode, target, content.
    ///
    /// # Errors
    /// If a key is missing or has another type.
    pub fn read(value: &Value) -> Result<Node, Failure> {
        let wrong = |what: &str| Failure::new(format!("an entry of the directory to copy {what}"));
        let map = value.as_map().ok_or_else(|| wrong("is not a dict"))?;
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let path = PathBuf::from(text("path").ok_or_else(|| wrong("has no path"))?);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(wrong(&format!("leads outside of it: {}", path.display())));
        }
        let kind = match text("kind") {
            Some("dir") => Kind::Directory,
            Some("link") => Kind::Link(text("target").ok_or_else(|| wrong("is a link without a target"))?.into()),
            Some("file") => Kind::File(match map.get("content") {
                Some(Value::Bytes(bytes)) => Content::Bytes(bytes.clone()),
                Some(Value::Str(text)) => Content::Bytes(text.clone().into_bytes()),
                Some(Value::Blob(blob)) => Content::Blob(blob.clone()),
                _ => return Err(wrong("has no content")),
            }),
            _ => return Err(wrong("is of an unknown kind")),
        };
        let mode = match map.get("mode") {
            Some(Value::Int(bits)) => u32::try_from(*bits).ok(),
            _ => None,
        };
        Ok(Node { path, mode, kind })
    }
}

/// The content of a directory on this host. With `follow`, links are followed.
///
/// # Errors
/// If a directory cannot be read.
pub fn walk(top: &Path, follow: bool) -> Result<Vec<Node>, Failure> {
    let mut nodes = Vec::new();
    descend(top, Path::new(""), follow, &mut Vec::new(), &mut nodes)?;
    Ok(nodes)
}

fn descend(
    top: &Path,
    under: &Path,
    follow: bool,
    above: &mut Vec<(u64, u64)>,
    nodes: &mut Vec<Node>,
) -> Result<(), Failure> {
    let directory = top.join(under);
    let failed = |error: io::Error| io_failure("read", &directory, &error);
    let meta = fs::metadata(&directory).map_err(failed)?;
    let id = (meta.dev(), meta.ino());
    if above.contains(&id) {
        return Err(Failure::new(format!("{} contains itself", directory.display())));
    }
    above.push(id);
    let entries = fs::read_dir(&directory).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let mut names: Vec<_> = entries.map_err(failed)?.into_iter().map(|entry| entry.file_name()).collect();
    crate::system::order::sort(&mut names);
    for name in names {
        let path = under.join(name);
        let source = top.join(&path);
        let looked = if follow && source.exists() { fs::metadata(&source) } else { fs::symlink_metadata(&source) };
        let meta = looked.map_err(|error| io_failure("read", &source, &error))?;
        let mode = Some(meta.mode() & 0o7777);
        if meta.is_symlink() {
            let target = fs::read_link(&source).map_err(|error| io_failure("read", &source, &error))?;
            nodes.push(Node { path, mode: None, kind: Kind::Link(target) });
        } else if meta.is_dir() {
            nodes.push(Node { path: path.clone(), mode, kind: Kind::Directory });
            descend(top, &path, follow, above, nodes)?;
        } else if meta.is_file() {
            nodes.push(Node { path, mode, kind: Kind::File(Content::File(source)) });
        } else {
            return Err(Failure::new(format!("{} is not a file, a directory or a link", source.display())));
        }
    }
    above.pop();
    Ok(())
}
