//! Shows the result of a task on a host.

use std::io::Write;

use super::Terminal;
use crate::{
    event::{HostResult, Item, Status, TaskId},
    report::{Level, message, palette::Colour, task_error::TaskError, values},
    vars::{Value, mapping},
};

impl<W: Write> Terminal<W> {
    /// Whether the task shows nothing but its message or variable.
    pub(super) fn is_debug(&self, task: TaskId) -> bool {
        let action = self.tasks.get(&task).map(|task| &*task.action);
        matches!(action, Some("debug" | "ansible.builtin.debug" | "ansible.legacy.debug"))
    }

    pub(super) fn result(&mut self, task: TaskId, item: Option<&Item>, result: &HostResult) {
        let host = match &result.delegated_to {
            Some(other) => format!("{} -> {}", self.name(&result.host), self.name(&other.shown())),
            None => self.name(&result.host),
        };
        let label = item.map(|item| self.label(item));
        let (word, colour) = match result.status {
            Status::Ok => ("ok", Colour::Ok),
            Status::Changed => ("changed", Colour::Changed),
            Status::Skipped => ("skipping", Colour::Skipped),
            Status::Failed | Status::Ignored | Status::Unreachable | Status::UnreachableIgnored => {
                return self.failure(task, &host, label, result);
            }
        };
        self.polled(result, "OK");
        self.differences(result);
        // As in Ansible, a hidden result also hides its warnings.
        if self.hides(result.status) {
            return;
        }
        self.warnings(result);
        let mut line = format!("{word}: [{host}]");
        if let Some(label) = label {
            line += &format!(" => (item={label})");
        }
        let detailed = result.task_result.verbose_always && result.status != Status::Skipped;
        // A module that has not run did not ask for silence.
        let silent = result.silent && result.status != Status::Skipped;
        let data = match detailed || self.look.verbosity > 0 && !silent {
            // Only a loop without items has an empty `results`.
            true if result.data.get_attr("results").is_ok_and(|results| results.len() == Some(0)) => {
                format!(" => {}", self.data(task, &values::without(&result.data, "results"), detailed))
            }
            true => format!(" => {}", self.data(task, &result.data, detailed)),
            false => String::new(),
        };
        // Ansible has a space there; scripts compare whole lines.
        if result.status == Status::Skipped && item.is_some() {
            line.push(' ');
        }
        self.line_and_data(&line, &data, Some(colour));
        // A diff is more informative, if there is one.
        let told =
            self.look.changes && (self.look.verbosity > 0 || result.shows_diff && result.task_result.diff.is_empty());
        if result.status == Status::Changed && told {
            for change in result.task_result.changes.iter() {
                self.line(&format!("  - {}", self.name(change)), Some(Colour::Changed));
            }
        }
    }

    /// Shows that a polled job has ended.
    fn polled(&mut self, result: &HostResult, how: &str) {
        if result.polled {
            let known = |data: &Value| data.get_attr("ansible_job_id").ok().filter(|id| !id.is_undefined());
            let job = known(&result.data).or_else(|| known(&result.data.get_attr("async_result").ok()?));
            let job = job.map(|id| values::label(&id)).unwrap_or_default();
            self.line(&format!("ASYNC {how} on {}: jid={job}", self.name(&result.host)), Some(Colour::Verbose));
        }
    }

    /// The data of a result in the configured format; indented if details are requested.
    fn data(&self, task: TaskId, data: &Value, detailed: bool) -> String {
        let indent = detailed || self.look.verbosity > 2;
        self.look.results.show(data, self.is_debug(task), indent, &self.secrets)
    }

    fn failure(&mut self, task: TaskId, host: &str, label: Option<String>, result: &HostResult) {
        self.polled(result, "FAILED");
        self.warnings(result);
        self.aside_now = self.look.failures_aside;
        let unreachable = matches!(result.status, Status::Unreachable | Status::UnreachableIgnored);
        // The items were told of before their sum.
        let is_sum = unreachable && result.data.get_attr("results").is_ok_and(|results| !results.is_undefined());
        if !self.look.boxes && !is_sum {
            self.tell(task, result);
        }
        let data = self.data(task, &result.data, result.task_result.verbose_always);
        if label.is_none() && !unreachable {
            self.failed_path(task);
        }
        let colour = if unreachable { Colour::Unreachable } else { Colour::Failed };
        let line = match label {
            Some(label) => format!("failed: [{host}] (item={label}) => "),
            None if unreachable => format!("fatal: [{host}]: UNREACHABLE! => "),
            None => format!("fatal: [{host}]: FAILED! => "),
        };
        self.line_and_data(&line, &data, Some(colour));
        self.aside_now = false;
        if self.look.boxes && unreachable {
            self.failures.add_unreachable(result, &self.secrets);
        }
        if self.look.boxes
            && result.status == Status::Failed
            && let Some(place) = &result.task_result.place
        {
            self.failures.add(place, result, &self.secrets);
        }
        if matches!(result.status, Status::Ignored | Status::UnreachableIgnored) {
            self.line("...ignoring", Some(Colour::Skipped));
        }
    }

    /// Shows the place of a failed task, if requested and not shown yet.
    fn failed_path(&mut self, task: TaskId) {
        if self.look.failed_paths
            && self.look.verbosity < 2
            && let Some(task) = self.tasks.get(&task).cloned()
        {
            self.path(&task);
        }
    }

    /// Shows a failure with its places.
    fn tell(&mut self, task: TaskId, result: &HostResult) {
        let Some(task) = self.tasks.get(&task).filter(|_| !message::is_told_by_module(result)) else { return };
        let text = (self.explain)(&TaskError::of(task, result, &self.secrets));
        let masked = self.secrets.mask(&text).into_owned();
        if self.told.insert(masked.clone()) {
            // As in ansible-core, an error of an include is not the result of a task.
            let aside = self.aside_now;
            self.aside_now |= message::reason_of_include(result).is_some();
            self.write(&masked, Some(Colour::Failed), Level::Error);
            self.aside_now = aside;
        }
    }

    /// Shows where the last task failed.
    pub(super) fn explain(&mut self) {
        for help in self.failures.take_helps() {
            self.write(&help, None, Level::Error);
        }
        for failure in self.failures.take() {
            let text = (self.explain)(&failure);
            // It has its own colours, and control characters are already visible (`Explain`).
            let masked = self.secrets.mask(text.trim_end()).into_owned();
            self.write(&masked, None, Level::Error);
        }
    }

    pub(super) fn after_items(&mut self, task: TaskId, result: &HostResult) {
        match result.status {
            Status::Failed | Status::Ignored => {
                // The failures were already shown with the items; only `debug` has this line, as in Ansible.
                if self.is_debug(task) {
                    self.aside_now = self.look.failures_aside;
                    let shown = mapping([("msg", Value::from("One or more items failed"))]);
                    let data = self.data(task, &shown, false);
                    self.failed_path(task);
                    let line = format!("fatal: [{}]: FAILED! => ", self.name(&result.host));
                    self.line_and_data(&line, &data, Some(Colour::Failed));
                    self.aside_now = false;
                }
                if result.status == Status::Ignored {
                    self.line("...ignoring", Some(Colour::Skipped));
                }
            }
            Status::Skipped if self.look.show_skipped => {
                let data = match self.look.verbosity > 0 {
                    true => format!(" => {}", self.data(task, &values::without(&result.data, "results"), false)),
                    false => String::new(),
                };
                let line = format!("skipping: [{}]", self.name(&result.host));
                self.line_and_data(&line, &data, Some(Colour::Skipped));
            }
            _ => {}
        }
    }
}
