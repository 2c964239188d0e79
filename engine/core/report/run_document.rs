//! The document of a run's report: its rows, and how it is written.

use std::{io::Write, path::Path};

use serde::Serialize;

use super::page;
use crate::{event::Counts, secrets::Secrets};

/// Information about a run as a whole that its events do not contain.
#[derive(Clone, Debug, Default)]
pub struct RunAbout {
    pub version: &'static str,
    pub inventory: Vec<String>,
    pub limit: Option<String>,
    pub tags: Vec<String>,
    pub skip_tags: Vec<String>,
    pub forks: u32,
    pub check: bool,
    /// Who runs it on which machine: `USER@MACHINE`.
    pub controller: String,
    /// The working directory.
    pub directory: String,
    /// The configuration file, if there is one.
    pub config: Option<String>,
}

/// The document. The names are those of docs/report.schema.json.
#[derive(Serialize)]
pub(super) struct Document {
    pub format: u32,
    pub rplay: &'static str,
    pub started: String,
    pub elapsed_ms: u32,
    /// False if the run was aborted.
    pub complete: bool,
    pub exit_code: u8,
    pub check: bool,
    pub playbooks: Vec<String>,
    pub inventory: Vec<String>,
    pub limit: Option<String>,
    pub tags: Vec<String>,
    pub skip_tags: Vec<String>,
    pub forks: u32,
    pub controller: String,
    pub directory: String,
    pub config: Option<String>,
    pub hosts: Vec<HostRow>,
    pub plays: Vec<PlayRow>,
    pub tasks: Vec<TaskRow>,
    pub failures: Vec<FailureRow>,
    pub diffs: Vec<DiffRow>,
    pub warnings: Vec<WarningRow>,
    pub custom_stats: Vec<StatsRow>,
    pub left_out: LeftOut,
}

#[derive(Serialize)]
pub(super) struct HostRow {
    pub name: String,
    #[serde(flatten)]
    pub counts: Counts,
}

#[derive(Serialize)]
pub(super) struct PlayRow {
    pub name: String,
    pub place: String,
    pub hosts: Vec<usize>,
}

#[derive(Serialize)]
pub(super) struct TaskRow {
    pub play: usize,
    pub name: String,
    pub action: String,
    pub place: String,
    pub handler: bool,
    /// Milliseconds from the start of the run to the start of the task's first result.
    pub start: u32,
    /// One letter for each result.
    pub status: String,
    /// The hosts of the results; absent if they are all hosts of the play.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<usize>>,
    pub starts: Vec<u32>,
    pub took: Vec<u32>,
    #[serde(skip)]
    pub results: Vec<ResultRow>,
}

/// One host's result, before it becomes part of the task's columns.
pub(super) struct ResultRow {
    pub host: usize,
    pub status: char,
    pub start: u32,
    pub took: u32,
}

#[derive(Serialize)]
pub(super) struct FailureRow {
    pub task: usize,
    pub hosts: Vec<usize>,
    pub status: &'static str,
    pub item: Option<String>,
    pub message: String,
    pub place: Option<PlaceRow>,
    pub excerpt: Vec<LineRow>,
    pub help: Option<String>,
    /// The first host's whole result, as JSON text.
    pub result: String,
}

#[derive(Serialize)]
pub(super) struct PlaceRow {
    pub file: String,
    pub line: usize,
    pub column: usize,
}

#[derive(Serialize)]
pub(super) struct LineRow {
    pub line: usize,
    pub text: String,
}

#[derive(Serialize)]
pub(super) struct DiffRow {
    pub task: usize,
    pub hosts: Vec<usize>,
    pub text: String,
}

#[derive(Serialize)]
pub(super) struct WarningRow {
    pub message: String,
    pub place: Option<String>,
}

#[derive(Serialize)]
pub(super) struct StatsRow {
    pub host: Option<String>,
    pub data: serde_json::Value,
}

#[derive(Default, Serialize)]
pub(super) struct LeftOut {
    pub failures: usize,
    pub diffs: usize,
    pub warnings: usize,
}

impl Document {
    /// A document without results.
    pub(super) fn new(about: RunAbout, secrets: &Secrets) -> Self {
        let texts = |texts: Vec<String>| texts.iter().map(|text| secrets.mask(text).into_owned()).collect();
        Document {
            format: 1,
            rplay: about.version,
            started: jiff::ZonedDateTime::now().strftime("%Y-%m-%d %H:%M:%S %z").to_string(),
            elapsed_ms: 0,
            complete: true,
            exit_code: 0,
            check: about.check,
            playbooks: Vec::new(),
            inventory: texts(about.inventory),
            limit: about.limit.map(|limit| secrets.mask(&limit).into_owned()),
            tags: texts(about.tags),
            skip_tags: texts(about.skip_tags),
            forks: about.forks,
            controller: secrets.mask(&about.controller).into_owned(),
            directory: secrets.mask(&about.directory).into_owned(),
            config: about.config.map(|config| secrets.mask(&config).into_owned()),
            hosts: Vec::new(),
            plays: Vec::new(),
            tasks: Vec::new(),
            failures: Vec::new(),
            diffs: Vec::new(),
            warnings: Vec::new(),
            custom_stats: Vec::new(),
            left_out: LeftOut::default(),
        }
    }

    /// Writes the document to a file; the file's name determines the format.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let json = serde_json::to_string(self)?;
        let text = if kind(path) == Some("json") { json + "\n" } else { page::page(&json) };
        // Readers of the old report still see all of it.
        let mut file = tempfile::NamedTempFile::new_in(directory(path))?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

impl TaskRow {
    /// The results as columns, in the order of hosts.
    pub(super) fn make_columns(&mut self, plays: &[PlayRow]) {
        let mut results = std::mem::take(&mut self.results);
        results.sort_by_key(|result| result.host);
        if let Some(first) = results.iter().map(|result| result.start).min() {
            self.start = first;
        }
        let hosts: Vec<usize> = results.iter().map(|result| result.host).collect();
        let of_play = plays.get(self.play).is_some_and(|play| play.hosts == hosts);
        self.status = results.iter().map(|result| result.status).collect();
        self.starts = results.iter().map(|result| result.start - self.start).collect();
        self.took = results.iter().map(|result| result.took).collect();
        self.hosts = (!of_play).then_some(hosts);
    }
}

/// `html` or `json`, from the file's name.
pub(super) fn kind(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "html" | "htm" => Some("html"),
        "json" => Some("json"),
        _ => None,
    }
}

pub(super) fn directory(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
