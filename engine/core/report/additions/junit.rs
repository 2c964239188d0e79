//! The run as a JUnit file (`junit`): a test case for each result, as CI systems read it.

use std::{
    collections::HashMap,
    fmt::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::Addition;
use crate::{
    event::{Event, HostResult, Status, TaskId, TaskStarted},
    report::values,
    secrets::Secrets,
    visible::visible,
};

/// The settings of Ansible's callback `junit`.
#[derive(Clone, Debug, Default)]
pub struct JunitOptions {
    pub directory: PathBuf,
    pub fail_on_change: bool,
    pub fail_on_ignore: bool,
    pub hide_arguments: bool,
    /// The class of a test case is a file, without the line.
    pub task_class: bool,
    /// Tasks that gather facts are test cases, too.
    pub with_setup: bool,
    /// Only tasks whose names begin with this, and failures, are test cases.
    pub prefix: String,
    /// Paths are relative to this directory.
    pub relative_to: Option<PathBuf>,
    /// Replaces the directory of files outside it.
    pub out_of_tree: Option<String>,
}

pub struct Junit {
    options: JunitOptions,
    secrets: Arc<Secrets>,
    playbook: String,
    play: String,
    tasks: HashMap<TaskId, (Arc<TaskStarted>, Instant)>,
    cases: Vec<Case>,
}

struct Case {
    class: String,
    name: String,
    took: Duration,
    outcome: Outcome,
}

enum Outcome {
    Passed(String),
    Failed { message: String, text: String },
    Skipped(String),
}

impl Junit {
    pub fn new(options: JunitOptions, secrets: Arc<Secrets>) -> Self {
        let (playbook, play, tasks) = (String::new(), String::new(), HashMap::new());
        Junit { options, secrets, playbook, play, tasks, cases: Vec::new() }
    }

    fn case(&mut self, task: TaskId, host: &str, failed: bool, outcome: Outcome) {
        let Some((task, begun)) = self.tasks.get(&task) else { return };
        let own = values::own_name(task);
        if !self.options.with_setup && matches!(task.action.rsplit('.').next(), Some("setup" | "gather_facts"))
            || !failed && !own.starts_with(&self.options.prefix)
        {
            return;
        }
        let mut name = format!("[{host}] {}: {}", self.play, task.name.trim());
        if !self.options.hide_arguments
            && let Some(args) = values::written(&task.about.args).as_object()
        {
            for (key, value) in args {
                let value = match value {
                    serde_json::Value::String(text) => text.clone(),
                    other => crate::template::text(&crate::vars::from_wire(other.clone().into())),
                };
                name += &format!(" {key}={value}");
            }
        }
        let case = Case { class: self.class(&values::place(&task.place)), name, took: begun.elapsed(), outcome };
        self.cases.push(case);
    }

    /// The class of a task: its place.
    fn class(&self, place: &str) -> String {
        let mut class = place.to_owned();
        if let Some(root) = &self.options.relative_to {
            match Path::new(place).strip_prefix(root) {
                Ok(inner) => class = inner.display().to_string(),
                Err(_) => {
                    if let Some(other) = &self.options.out_of_tree {
                        class = format!("{other}{}", place.rsplit('/').next().unwrap_or(place));
                    }
                }
            }
        }
        match class.rsplit_once(".yml:") {
            Some((file, _)) if self.options.task_class => file.to_owned(),
            _ => class,
        }
    }

    fn result(&mut self, task: TaskId, result: &HostResult) {
        let Some((started, _)) = self.tasks.get(&task) else { return };
        let name = started.name.clone();
        let (is_expected, is_toggled) = (name.contains("EXPECTED FAILURE"), name.contains("TOGGLE RESULT"));
        let failed = match result.status {
            Status::Failed | Status::Unreachable => !is_expected,
            Status::Ignored | Status::UnreachableIgnored => self.options.fail_on_ignore && !is_expected,
            Status::Changed => self.options.fail_on_change,
            Status::Ok | Status::Skipped => false,
        };
        let text = values::result(result, &self.secrets);
        let msg = |key: &str| {
            let value = result.data.get_attr(key).ok().filter(|value| !value.is_undefined() && !value.is_none());
            value.map(|value| values::label(&value)).unwrap_or_default()
        };
        let failed = failed != is_toggled;
        let outcome = match result.status {
            Status::Skipped => Outcome::Skipped(msg("skip_reason")),
            _ if failed => Outcome::Failed { message: msg("msg"), text },
            _ => Outcome::Passed(text),
        };
        self.case(task, &result.host, failed, outcome);
    }

    fn write(&mut self) -> Result<(), String> {
        let seconds = jiff::Timestamp::now().as_microsecond();
        let name = format!("{}-{}.{:06}.xml", self.playbook, seconds / 1_000_000, seconds % 1_000_000);
        let path = self.options.directory.join(name);
        let text = self.document();
        std::fs::create_dir_all(&self.options.directory)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| format!("the JUnit file {} cannot be written: {error}", path.display()))
    }

    fn document(&self) -> String {
        let count = |is: fn(&Outcome) -> bool| self.cases.iter().filter(|case| is(&case.outcome)).count();
        let failures = count(|outcome| matches!(outcome, Outcome::Failed { .. }));
        let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        let tests = self.cases.len();
        let time: Duration = self.cases.iter().map(|case| case.took).sum();
        let time = time.as_secs_f64();
        let mut text = format!(
            "<?xml version=\"1.0\" ?>\n<testsuites disabled=\"0\" errors=\"0\" failures=\"{failures}\" tests=\"{tests}\" \
             time=\"{time:.6}\">\n\t<testsuite disabled=\"0\" errors=\"0\" failures=\"{failures}\" name=\"{}\" \
             skipped=\"{skipped}\" tests=\"{tests}\" time=\"{time:.6}\">\n",
            self.escaped(&self.playbook)
        );
        for Case { class, name, took, outcome } in &self.cases {
            let (class, name, took) = (self.escaped(class), self.escaped(name), took.as_secs_f64());
            let _ = write!(text, "\t\t<testcase classname=\"{class}\" name=\"{name}\" time=\"{took:.6}\">\n\t\t\t");
            let _ = match outcome {
                Outcome::Passed(out) => write!(text, "<system-out>{}</system-out>", self.escaped(out)),
                Outcome::Skipped(why) => write!(text, "<skipped>{}</skipped>", self.escaped(why)),
                Outcome::Failed { message, text: out } => {
                    let message = self.escaped(message);
                    write!(text, "<failure message=\"{message}\" type=\"failure\">{}</failure>", self.escaped(out))
                }
            };
            text += "\n\t\t</testcase>\n";
        }
        text + "\t</testsuite>\n</testsuites>\n"
    }

    /// A text without secrets, as XML.
    fn escaped(&self, text: &str) -> String {
        let masked = self.secrets.mask(text);
        let mut escaped = String::with_capacity(masked.len());
        for c in visible(&masked).chars() {
            match c {
                '&' => escaped += "&amp;",
                '<' => escaped += "&lt;",
                '>' => escaped += "&gt;",
                '"' => escaped += "&quot;",
                c => escaped.push(c),
            }
        }
        escaped
    }
}

impl Addition for Junit {
    fn read(&mut self, event: &Event) -> Result<Option<String>, String> {
        match event {
            Event::PlaybookStarted { name, .. } => {
                let file = Path::new(&**name).file_stem().unwrap_or_default();
                self.playbook = file.to_string_lossy().into_owned();
            }
            Event::PlayStarted(play) => {
                self.tasks.clear();
                self.play = play.name.trim().to_owned();
            }
            Event::TaskStarted(task) => {
                self.tasks.insert(task.id, (task.clone(), Instant::now()));
            }
            Event::HostDone { task, result } | Event::IncludeDone { task, item: None, result } => {
                self.result(*task, result);
            }
            Event::Included { task, hosts, file, .. } => {
                let text = format!("{file} (args={{}} vars={{}}): [{}]", hosts.join(", "));
                self.case(*task, "include", false, Outcome::Passed(text));
            }
            Event::RunEnded(_) => return self.write().map(|()| None),
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hosts_say_is_text_in_xml() {
        let secrets = Arc::new(Secrets::default());
        secrets.add("tell-nobody");
        let junit = Junit::new(JunitOptions::default(), secrets);
        assert_eq!(junit.escaped("<a b=\"&\">\u{1b} tell-nobody"), "&lt;a b=&quot;&amp;&quot;&gt;^[ ********");
    }

    #[test]
    fn classes_follow_the_settings() {
        let class = |options: JunitOptions| Junit::new(options, Arc::default()).class("/work/roles/a/main.yml:3");
        assert_eq!(class(JunitOptions::default()), "/work/roles/a/main.yml:3");
        assert_eq!(class(JunitOptions { task_class: true, ..Default::default() }), "/work/roles/a/main");
        let relative = JunitOptions { relative_to: Some("/work".into()), ..Default::default() };
        assert_eq!(class(relative.clone()), "roles/a/main.yml:3");
        let elsewhere = JunitOptions { relative_to: Some("/x".into()), out_of_tree: Some("OUT/".into()), ..relative };
        assert_eq!(class(elsewhere), "OUT/main.yml:3");
    }
}
