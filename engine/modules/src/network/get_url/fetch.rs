//! Downloads a file and puts it in place.

use std::{io, path::Path, time::Instant};

use rplay_wire::{Failure, Map, Value, data};

use super::{GetUrl, Target, checksum::hashed, file_name, refuse_closed, refused, size_message, unreachable};
use crate::{
    Host,
    system::{
        attributes::describe,
        digest::Algorithm,
        http::IncompleteRead,
        machine::{self, AccessFlags},
        paths,
        place::{Content, Placement},
        scratch,
    },
};

/// A download into its place.
pub(super) struct Fetch {
    pub module: GetUrl,
    pub file: Target,
    pub since: Option<String>,
    pub checksum: Option<(String, String)>,
}

impl Fetch {
    pub(super) fn make(self, host: &Host, data: &mut Map) -> Result<bool, Failure> {
        let begun = Instant::now();
        let module = self.module;
        let response = module.request(host, self.since.as_ref()).send(host);
        let elapsed = || begun.elapsed().as_secs();
        let mut response = response.map_err(|error| unreachable(&error, elapsed()))?;
        data.insert("elapsed".to_owned(), elapsed().into());
        let path = match &self.file {
            Target::At(path) => path.clone(),
            Target::In(directory) => directory.join(file_name(&response)),
        };
        if !matches!(response.status, 200 | 304) {
            return Err(refused(&response));
        }
        data.insert("dest".to_owned(), paths::text(&path).into());
        if response.status == 304 {
            data.extend(data! { "status_code" => 304, "msg" => "HTTP Error 304: Not Modified" });
            let changed = module.attributes.resolve()?.apply(&path, true)?;
            data.extend(describe(&path));
            return Ok(changed);
        }
        let directory = self.file.directory();
        let has_directory = directory.is_dir();
        let nearby = match &module.tmp_dest {
            Some(directory) => directory.on(host),
            None if machine::access(directory, AccessFlags::W_OK).is_ok() => directory.to_owned(),
            // Only for the result, or the same content.
            None => machine::temp_dir(),
        };
        if module.tmp_dest.is_some() && !nearby.is_dir() {
            let what =
                if nearby.exists() { "is a file but should be a directory." } else { "directory does not exist." };
            ["url", "dest"].into_iter().for_each(|key| drop(data.shift_remove(key)));
            return Err(Failure::new(format!("{} {what}", nearby.display())).arg("tmp_dest"));
        }
        let failed = |error: io::Error| place_failure(&nearby, &error);
        let mut new = scratch::file_in(&nearby).map_err(failed)?;
        let size = io::copy(&mut response.reader(), new.as_file_mut()).map_err(|error| {
            let why = format!("the response from {} is incomplete: {error}", response.url);
            match IncompleteRead::of(&error) {
                Some(IncompleteRead { read, missing: Some(missing) }) => {
                    ["url", "dest"].into_iter().for_each(|key| drop(data.shift_remove(key)));
                    let msg = format!(
                        "Incomplete read, (rsp.length={missing}, cl={}, st.st_size={read}) failed to read remaining \
                         {missing} bytes",
                        read + missing
                    );
                    Failure::new(msg).arg("url").help(why)
                }
                _ => Failure::new(why).arg("url"),
            }
        })?;
        let source = Algorithm::Sha1.of_file(new.path())?;
        data.extend(data! { "src" => paths::text(new.path()), "checksum_src" => source.as_str() });
        let before = if path.is_file() { Some(Algorithm::Sha1.of_file(&path)?) } else { None };
        data.insert("checksum_dest".to_owned(), before.clone().into());
        if !has_directory {
            return Err(Failure::new(format!("Destination {} does not exist", directory.display())).arg("dest"));
        }
        refuse_closed(&path, directory)?;
        if let Some((algorithm, hex)) = &self.checksum {
            let found = hashed(new.path(), algorithm).inspect_err(|_| data.clear())?;
            if found != *hex {
                return Err(Failure::new(format!(
                    "The checksum for {} did not match {hex}; it was {found}.",
                    new.path().display()
                ))
                .arg("checksum"));
            }
        }
        data.extend(data! {
            "msg" => size_message(&response), "size" => size,
            // A file has no status.
            "status_code" => if response.url.starts_with("file:") { Value::Null } else { response.status.into() },
        });
        let changed = if before.as_ref() == Some(&source) {
            module.attributes.resolve()?.apply(&path, true)?
        } else {
            // A link that leads nowhere is replaced.
            let target = if path.exists() { paths::real(&path) } else { path.clone() };
            let placement = Placement::new(&target, Content::File(new.path().to_owned()), &module.attributes);
            let is_refused = placement.refused.is_some();
            let put = placement.backup(module.backup.0).put(host, data);
            if put.is_err() && is_refused {
                data.clear();
            }
            put?;
            true
        };
        data.insert("md5sum".to_owned(), Algorithm::Md5.of_file(&path).ok().into());
        data.extend(describe(&path));
        Ok(changed)
    }
}

fn place_failure(directory: &Path, error: &io::Error) -> Failure {
    crate::io_failure::io_failure("write into", directory, error)
}
