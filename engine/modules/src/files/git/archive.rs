//! An archive of a checkout's version, made by `git archive`.

use std::path::{Path, PathBuf};

use rplay_wire::{Failure, Map, data};

use super::checkout::Checkout;
use crate::{
    Change, Host, Plan,
    system::{
        paths,
        place::{Content, Placement},
        regular, scratch,
    },
};

/// The formats, as endings of the file's name.
const FORMATS: [&str; 4] = ["tar.gz", "tar", "zip", "tgz"];

/// git's name of the format of an archive with this path. An error for an unknown ending, in ansible-core's words.
pub(super) fn format(path: &str) -> Result<&'static str, Failure> {
    let found = FORMATS.into_iter().find(|format| path.strip_suffix(format).is_some_and(|stem| stem.ends_with('.')));
    found.ok_or_else(|| {
        let details = "Please specify archive as filename with extension. File extension can be one of ['tar', \
                       'tar.gz', 'zip', 'tgz']";
        Failure::new(format!("Unable to get file extension from archive file name : {path}"))
            .arg("archive")
            .data(data! { "details" => details })
    })
}

impl Checkout {
    /// The plan that brings the archive up to date with the checkout, to be made after the checkout's own changes.
    pub(super) fn archived(&self, path: PathBuf, format: &'static str, host: &Host) -> Result<Plan, Failure> {
        let what = format!("archive {} as {}", self.dest.display(), path.display());
        if host.rehearses() && self.present(host)?.is_none() {
            return Ok(Plan::unchanged().change(Change::new(what, |_, _| Ok(()))));
        }
        let directory = scratch::directory()?;
        let made = directory.path().join(format!("archive.{format}"));
        self.archive(&made, format, host)?;
        let bytes = regular::read(&made)?;
        if regular::read(&path).is_ok_and(|present| present == bytes) {
            return Ok(Plan::unchanged());
        }
        Ok(Plan::unchanged().change(Change::new(what, move |host, _| {
            let archive = Placement::plain(&path, Content::Bytes(bytes));
            archive.put(host, &mut Map::new()).map_err(|failure| failure.arg("archive"))
        })))
    }

    fn archive(&self, path: &Path, format: &str, host: &Host) -> Result<(), Failure> {
        let mut args =
            vec!["archive".to_owned(), format!("--format={format}"), "--output".to_owned(), paths::text(path)];
        if let Some(prefix) = &self.task.archive_prefix {
            args.extend(["--prefix".to_owned(), prefix.clone()]);
        }
        args.push(self.task.version.clone());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let done = self.clean(self.run(host, &args)?);
        if done.rc == 0 {
            return Ok(());
        }
        let details = format!(
            "Git archive command failed to create archive {} using {} directory. Error: {}",
            path.display(),
            self.dest.display(),
            done.stderr
        );
        Err(Failure::new("Failed to perform archive operation").arg("archive").data(data! { "details" => details }))
    }
}
