//! async_status: the state and the result of a background job.

use std::path::PathBuf;

use rplay_wire::{Call, Failure, Outcome, Value, data};

use crate::{
    Args, Change, Host, Module, Plan, args, choice, execution,
    system::{
        jobs::{JobFile, Progress},
        paths,
    },
};

choice! {
    /// What to do with a job.
    pub enum Mode {
        Status = "status",
        Cleanup = "cleanup",
    }
}

args! {
    /// Reports the state of a task started with `async` and `poll: 0`, or removes its record.
    pub struct AsyncStatus {
        /// The job ID: `ansible_job_id` in the task's result.
        jid: String,
        /// `status` reports, `cleanup` removes the record of the job.
        mode: Mode = Mode::Status,
    }
}

impl Module for AsyncStatus {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let file = JobFile::of(&self.jid, host)?;
        let erased = paths::text(file.path());
        known(&file, &self.jid).map_err(|mut failure| {
            failure.data.shift_remove("results_file");
            failure.data(data! { "erased" => &*erased })
        })?;
        let plan = Plan {
            data: data! { "ansible_job_id" => self.jid, "erased" => &*erased, "started" => false,
            "finished" => false, "stdout" => "", "stderr" => "" },
            ..Plan::default()
        };
        // Internal data of rplay, so this does not count as a change of the host.
        Ok(plan.change(Change::new(format!("remove {erased}"), move |_, _| file.remove()).auxiliary()))
    }
}

/// Answers a call. The outcome of a finished job is the job's own, which a plan cannot express.
pub(crate) fn run(call: &Call, host: &Host) -> Outcome {
    match AsyncStatus::from_map(&call.args) {
        Ok(AsyncStatus { jid, mode: Mode::Status }) => status(&jid, host).unwrap_or_else(Outcome::failed),
        _ => execution::run_module::<AsyncStatus>(call, host),
    }
}

fn status(id: &str, host: &Host) -> Result<Outcome, Failure> {
    let file = JobFile::of(id, host)?;
    let (mut outcome, finished) = match known(&file, id)? {
        Progress::Done(outcome) => (*outcome, true),
        Progress::Running(pid) if !alive(pid, id) => (Outcome::failed(died()), true),
        Progress::Ordered | Progress::Running(_) => (Outcome::default(), false),
    };
    let empty = |value: &str| Value::from(value);
    for (name, value) in [("stdout", empty("")), ("stderr", empty(""))] {
        outcome.data.entry(name.to_owned()).or_insert(value);
    }
    outcome.data.extend(file.describe(finished));
    Ok(outcome)
}

fn known(file: &JobFile, id: &str) -> Result<Progress, Failure> {
    file.read()?.ok_or_else(|| {
        let data = data! {
            "ansible_job_id" => id, "started" => true, "finished" => true, "stdout" => "", "stderr" => "",
            "results_file" => paths::text(file.path()),
        };
        Failure::new("could not find job").data(data)
    })
}

fn died() -> Failure {
    Failure::new("the job ended without writing its result").help("the host may have been restarted, or the job killed")
}

/// Whether the job's process still exists and is not another one with the same PID.
fn alive(pid: u32, id: &str) -> bool {
    let words = crate::system::regular::read(PathBuf::from(format!("/proc/{pid}/cmdline"))).unwrap_or_default();
    words.split(|byte| *byte == 0).any(|word| word == id.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{NoBlobs, runner};

    fn ask(directory: &std::path::Path, args: rplay_wire::Map) -> Outcome {
        let environment = vec![("ANSIBLE_ASYNC_DIR".to_owned(), directory.to_str().unwrap().to_owned())];
        let host = Host::new(environment, Arc::new(NoBlobs));
        let call = Call {
            module: "async_status".into(),
            args,
            mode: rplay_wire::Mode::default(),
            environment: host.environment.clone(),
            background: None,
        };
        runner::run(&call, &host)
    }

    #[test]
    fn a_job_is_unknown_then_running_then_what_came_of_it_then_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let jobs = directory.path().join("jobs");
        let unknown = ask(&jobs, data! { "jid" => "j1.2" });
        assert_eq!(unknown.failure.unwrap().msg, "could not find job");
        assert_eq!(unknown.data["finished"], true.into());

        let environment = vec![("ANSIBLE_ASYNC_DIR".to_owned(), jobs.to_str().unwrap().to_owned())];
        let file = JobFile::of("j1.2", &Host::new(environment, Arc::new(NoBlobs))).unwrap();
        file.write(&Progress::Ordered).unwrap();
        let running = ask(&jobs, data! { "jid" => "j1.2" });
        assert!(running.failure.is_none());
        assert_eq!(running.data["finished"], false.into());
        assert_eq!(running.data["stdout"], "".into());

        let failed = Outcome { data: data! { "rc" => 3 }, ..Outcome::failed(Failure::new("no")) };
        file.write(&Progress::Done(Box::new(failed))).unwrap();
        let done = ask(&jobs, data! { "jid" => "j1.2" });
        assert_eq!(done.failure.unwrap().msg, "no");
        assert_eq!(done.data["rc"], 3.into());
        assert_eq!(done.data["finished"], true.into());

        let gone = ask(&jobs, data! { "jid" => "j1.2", "mode" => "cleanup" });
        assert_eq!(gone.data["erased"], jobs.join("j1.2").to_str().unwrap().into());
        assert!(ask(&jobs, data! { "jid" => "j1.2" }).failure.is_some());
    }

    #[test]
    fn a_job_whose_process_is_gone_has_failed() {
        let directory = tempfile::tempdir().unwrap();
        let environment = vec![("ANSIBLE_ASYNC_DIR".to_owned(), directory.path().to_str().unwrap().to_owned())];
        let file = JobFile::of("j3", &Host::new(environment, Arc::new(NoBlobs))).unwrap();
        // An existing process that is not the job's.
        file.write(&Progress::Running(std::process::id())).unwrap();
        let outcome = ask(directory.path(), data! { "jid" => "j3" });
        assert!(outcome.failure.unwrap().msg.contains("ended without"));
        assert_eq!(outcome.data["finished"], true.into());
    }

    #[test]
    fn an_id_is_no_path() {
        let directory = tempfile::tempdir().unwrap();
        let failure =
            ask(directory.path(), data! { "jid" => "../../etc/passwd", "mode" => "cleanup" }).failure.unwrap();
        assert!(failure.msg.contains("is not a valid job ID"));
    }
}
