//! `at`: a job that runs once, later, through at(1).

use std::io::Write;

use rplay_wire::{Failure, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, Text},
    choice,
    system::{paths, regular, scratch},
};

choice! {
    /// What `count` counts.
    pub enum Units {
        Minutes = "minutes",
        Hours = "hours",
        Days = "days",
        Weeks = "weeks",
    }
}

args! {
    /// Schedules a command or a script to run once, or takes it from the queue.
    pub struct At {
        /// The command.
        command: Option<Text>,
        /// The script, a file on the host.
        script_file: Option<Text>,
        /// In how many `units` it runs.
        count: Option<i64>,
        /// What `count` counts.
        units: Option<Units>,
        /// Whether it should be in the queue.
        state: State = State::Present,
        /// Leave a job alone that does the same, instead of adding another one.
        unique: Flag = Flag(false),
    }
}

impl Module for At {
    fn check(&self) -> Result<(), ArgError> {
        if self.command.is_some() && self.script_file.is_some() {
            return Err(ArgError::exclusive("script_file", &["command", "script_file"]));
        }
        if self.command.is_none() && self.script_file.is_none() {
            return Err(ArgError::new("command", "one of the following is required: command, script_file"));
        }
        if self.state == State::Present && (self.count.is_none() || self.units.is_none()) {
            let arg = if self.count.is_none() { "count" } else { "units" };
            return Err(ArgError::new(arg, "present state requires count and units"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged().set("state", self.state.word());
        if host.rehearses() && !host.has_program("at") {
            plan = plan.assumption("the program at");
            return Ok(plan.change(Change::new("change the queue of at".to_owned(), |_, _| Ok(()))));
        }
        host.required_program("at")?;
        let file = self.script_file.as_ref().map(|file| paths::expand(file, host));
        if self.state == State::Absent || self.unique.0 {
            let script = match (&self.command, &file) {
                (Some(command), _) => command.clone(),
                (None, file) => regular::read_to_string(file.as_deref().unwrap_or_default()).unwrap_or_default(),
            };
            let jobs = jobs(host, script.trim())?;
            if self.state == State::Absent {
                for job in jobs {
                    plan = plan.change(Change::new(format!("remove the job {job}"), move |host, _| {
                        host.required_program("atrm")?.arg(&job).succeed().map(|_| ())
                    }));
                }
                return Ok(plan);
            }
            if !jobs.is_empty() {
                return Ok(plan);
            }
        }
        let (count, units) = (self.count.unwrap_or_default(), self.units.map(Units::word).unwrap_or_default());
        let command = self.command;
        Ok(plan.change(Change::new(format!("schedule a job in {count} {units}"), move |host, data| {
            let mut made = None;
            let file = match (command, file) {
                (Some(command), _) => {
                    let mut script = scratch::file("")?;
                    writeln!(script, "{command}")?;
                    let path = paths::text(script.path());
                    made = Some(script);
                    path
                }
                (None, file) => file.unwrap_or_default(),
            };
            let program = host.required_program("at")?.args(["-f", &file, "now", "+"]);
            program.arg(count.to_string()).arg(units).succeed()?;
            drop(made);
            data.extend(data! { "script_file" => file, "count" => count, "units" => units });
            Ok(())
        })))
    }
}

/// The jobs in the queue that end in this script. What comes before it sets up the environment.
fn jobs(host: &Host, script: &str) -> Result<Vec<String>, Failure> {
    let list = host.required_program("atq")?.succeed()?.stdout;
    let mut found = Vec::new();
    for job in list.lines().filter_map(|line| line.split_whitespace().next()) {
        let text = host.required_program("at")?.args(["-c", job]).succeed()?.stdout;
        let is_own =
            text.trim_end().strip_suffix(script).is_some_and(|before| before.is_empty() || before.ends_with('\n'));
        if is_own && !script.is_empty() {
            found.push(job.to_owned());
        }
    }
    Ok(found)
}
