//! Publishes a collection's archive on a server, and waits until the server has imported it.

use std::{
    fmt::Display,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;
use rplay_contract::wire::hex;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::{Galaxy, GalaxyError, Result, api::Api, archive, upload::Upload};
use crate::source::absolute;

/// `galaxy collection publish`.
#[derive(Debug, Default)]
pub struct PublishOptions {
    pub archive: PathBuf,
    /// Whether to wait until the server has imported it.
    pub waits: bool,
    /// How long to wait; `None` means without end.
    pub patience: Option<Duration>,
}

/// Pauses between questions about an import: the first one, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Galaxy {
    /// Sends an archive to the first server.
    ///
    /// # Errors
    /// If it is no archive, the server refuses it, or its import fails or takes too long.
    pub fn publish(&self, options: &PublishOptions) -> Result<()> {
        let path = PathBuf::from(absolute(&options.archive));
        let server = self.servers.first().ok_or_else(|| GalaxyError::new("there is no server to publish on"))?;
        let api = Api::new(self, server);
        let place = format!("{} {}", server.name, api.root_url()?);
        self.say(format!("Publishing collection artifact '{}' to {place}", path.display()));
        let content = content(&path)?;
        let task = api.send_collection(&Upload {
            file: path.file_name().unwrap_or_default().display().to_string(),
            sha256: hex::encode(Sha256::digest(&content)),
            content,
        })?;
        if !options.waits {
            self.say(format!(
                "Collection has been pushed to the Galaxy server {place}, not waiting until import has completed due to \
                 --no-wait being set. Import task results can be found at {task}"
            ));
            return Ok(());
        }
        self.say(format!("Collection has been published to the Galaxy server {place}"));
        self.say(format!("Waiting until Galaxy import task {task} has completed"));
        self.wait_for_import(&api, &task, options.patience)?;
        self.say(format!("Collection has been successfully published and imported to the Galaxy server {place}"));
        Ok(())
    }

    fn wait_for_import(&self, api: &Api<'_>, task: &str, patience: Option<Duration>) -> Result<()> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        let told = loop {
            let told = api.import(task)?;
            if told.get("finished_at").is_some_and(|time| !time.is_null()) {
                break told;
            }
            if patience.is_some_and(|patience| begun.elapsed() + pause > patience) {
                return Err(GalaxyError::new(format!(
                    "Timeout while waiting for the Galaxy import process to finish, check progress at '{task}'"
                )));
            }
            thread::sleep(pause);
            pause = pause.mul_f64(1.5).min(LONGEST_PAUSE);
        };
        let text = |of: &Json, name: &str| of.get(name).and_then(Json::as_str).map(str::to_owned);
        for message in told.get("messages").and_then(Json::as_array).into_iter().flatten() {
            let said = text(message, "message").unwrap_or_default();
            match text(message, "level").unwrap_or_default().to_ascii_lowercase().as_str() {
                "error" => self.warn(format!("Galaxy import error message: {said}")),
                "warning" => self.warn(format!("Galaxy import warning message: {said}")),
                _ => {}
            }
        }
        if text(&told, "state").as_deref() != Some("failed") {
            return Ok(());
        }
        let why = told.get("error").cloned().unwrap_or_default();
        Err(GalaxyError::new(format!(
            "Galaxy import process failed: {} (Code: {})",
            text(&why, "description").unwrap_or_else(|| "Unknown error, see server logs for more details".to_owned()),
            text(&why, "code").unwrap_or_else(|| "UNKNOWN".to_owned())
        )))
    }
}

/// The archive of a collection.
fn content(path: &Path) -> Result<Vec<u8>> {
    let refuse =
        |why: &dyn Display| GalaxyError::new(format!("The collection path specified '{}' {why}", path.display()));
    if !path.exists() {
        return Err(refuse(&"does not exist."));
    }
    let unreadable = |error| refuse(&format!("cannot be read: {error}"));
    let no_archive =
        || refuse(&"is not a tarball, use 'ansible-galaxy collection build' to create a proper release artifact.");
    if path.metadata().map_err(unreadable)?.len() > archive::MOST_BYTES {
        return Err(no_archive());
    }
    let content = fs::read(path).map_err(unreadable)?;
    // A file that is not compressed fails at its first entry.
    let is_archive = tar::Archive::new(GzDecoder::new(&*content))
        .entries()
        .is_ok_and(|mut entries| entries.next().is_none_or(|entry| entry.is_ok()));
    if is_archive { Ok(content) } else { Err(no_archive()) }
}
