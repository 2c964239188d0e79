//! Content that stays on the controller until an agent asks for it.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Cursor, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use parking_lot::Mutex;

use rplay_contract::wire::{self, Blob};
use rplay_wire::hex;
use sha2::{Digest, Sha256};

use super::download::Downloads;
use crate::files;

/// Bytes; smaller content is sent with the call.
const INLINE: u64 = 32 * 1024;

/// Where the content of a blob is.
#[derive(Clone)]
pub enum BlobData {
    File(PathBuf),
    Bytes(Arc<[u8]>),
}

/// All content offered to agents in this run. A file is hashed once, however many hosts need it.
#[derive(Default)]
pub struct Blobs {
    by_digest: Mutex<HashMap<String, BlobData>>,
    by_path: Mutex<HashMap<PathBuf, (u64, Option<SystemTime>, wire::Value)>>,
    /// The opposite direction: files that hosts send.
    pub downloads: Downloads,
}

impl Blobs {
    /// A file's content as an argument: inline if small, otherwise by its digest.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn file(&self, path: &Path) -> io::Result<wire::Value> {
        let about = std::fs::metadata(path)?;
        if !about.is_file() {
            // A FIFO can be read only once.
            return Ok(self.bytes(files::read(path)?));
        }
        let modified = about.modified().ok();
        if let Some((size, when, value)) = self.by_path.lock().get(path)
            && *size == about.len()
            && *when == modified
        {
            return Ok(value.clone());
        }
        let value = if about.len() <= INLINE {
            wire::Value::Bytes(files::read(path)?)
        } else {
            let mut file = File::open(path)?;
            let mut digest = Sha256::new();
            let mut piece = vec![0u8; 256 * 1024];
            let mut size = 0;
            loop {
                let n = file.read(&mut piece)?;
                if n == 0 {
                    break;
                }
                size += n as u64;
                digest.update(&piece[..n]);
            }
            self.offer(hex::encode(digest.finalize()), size, BlobData::File(path.to_owned()))
        };
        let mut known = self.by_path.lock();
        known.insert(path.to_owned(), (about.len(), modified, value.clone()));
        Ok(value)
    }

    /// Generated content.
    pub fn bytes(&self, content: Vec<u8>) -> wire::Value {
        if content.len() as u64 <= INLINE {
            return wire::Value::Bytes(content);
        }
        let digest = hex::encode(Sha256::digest(&content));
        let size = content.len() as u64;
        self.offer(digest, size, BlobData::Bytes(content.into()))
    }

    /// A file that is named by its digest and never changes: whatever its size, a host asks for it only if it does not
    /// have it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn lasting(&self, sha256: &str, path: &Path) -> io::Result<wire::Value> {
        let size = std::fs::metadata(path)?.len();
        Ok(self.offer(sha256.to_owned(), size, BlobData::File(path.to_owned())))
    }

    fn offer(&self, sha256: String, size: u64, data: BlobData) -> wire::Value {
        self.by_digest.lock().insert(sha256.clone(), data);
        wire::Value::Blob(Blob { sha256, size })
    }

    /// Opens the content of a blob that an agent asks for.
    ///
    /// # Errors
    /// If no call has mentioned this digest, or the file cannot be opened.
    pub fn open(&self, sha256: &str) -> io::Result<Box<dyn Read + Send>> {
        let data = self.by_digest.lock().get(sha256).cloned();
        match data {
            Some(BlobData::File(path)) => Ok(Box::new(File::open(path)?)),
            Some(BlobData::Bytes(bytes)) => Ok(Box::new(Cursor::new(bytes))),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "this content was never offered")),
        }
    }

    /// Replaces blobs in arguments by their content: a background job has nobody to ask for it.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn inline(&self, args: &mut wire::Map) -> io::Result<()> {
        args.values_mut().try_for_each(|value| match value {
            wire::Value::Blob(blob) => {
                let mut content = Vec::new();
                self.open(&blob.sha256)?.read_to_end(&mut content)?;
                *value = wire::Value::Bytes(content);
                Ok(())
            }
            wire::Value::Map(map) => self.inline(map),
            _ => Ok(()),
        })
    }
}
