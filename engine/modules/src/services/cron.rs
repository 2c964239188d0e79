//! `cron`: a job or a variable in a user's crontab, or in a file in `/etc/cron.d`.

mod crontab;

use std::path::PathBuf;

use rplay_wire::{Diff, Failure};

use crate::system::fs;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, PresentAbsent as State, Text},
    choice,
    system::{
        lossless, paths,
        place::{self, Content, Placement},
        text,
    },
};
use crontab::Crontab;

choice! {
    /// A named time.
    pub enum SpecialTime {
        Reboot = "reboot",
        Yearly = "yearly",
        Annually = "annually",
        Monthly = "monthly",
        Weekly = "weekly",
        Daily = "daily",
        Hourly = "hourly",
    }
}

args! {
    /// Adds and removes jobs and variables in a crontab.
    pub struct Cron {
        /// The name of the job, written above it, or of the variable.
        name: Text,
        /// The command, or the value of the variable.
        job: Option<Text> | "value",
        /// Whether it should exist.
        state: State = State::Present,
        /// The user of the crontab; in a file, the user who runs the job.
        user: Option<Text>,
        /// A file in `/etc/cron.d` to use instead, by name or path.
        cron_file: Option<PathArg>,
        /// Keep a copy of the previous crontab, returned as `backup_file`.
        backup: Flag = Flag(false),
        /// Minute.
        minute: Text = "*".to_owned(),
        /// Hour.
        hour: Text = "*".to_owned(),
        /// Day of the month.
        day: Text | "dom" = "*".to_owned(),
        /// Month.
        month: Text = "*".to_owned(),
        /// Day of the week; Sunday is 0.
        weekday: Text | "dow" = "*".to_owned(),
        /// A named time, instead of the fields above.
        special_time: Option<SpecialTime>,
        /// Comment the job out.
        disabled: Flag = Flag(false),
        /// Set a variable instead of a job.
        env: Flag = Flag(false),
        /// Insert the variable after this one.
        insertafter: Option<Text>,
        /// Insert the variable before this one.
        insertbefore: Option<Text>,
    }
}

impl Module for Cron {
    fn check(&self) -> Result<(), ArgError> {
        if self.state == State::Present && self.job.is_none() {
            return Err(ArgError::new("job", "You must specify 'job' to install a new cron job or variable"));
        }
        if let Some(file) = &self.cron_file
            && !file.0.starts_with(['/', '~', '$'])
            && !paths::is_file_name(&file.0)
        {
            return Err(ArgError::new("cron_file", "must be a file name in /etc/cron.d or an absolute path"));
        }
        for (name, text) in [("name", Some(self.name.as_str())), ("job", self.job.as_deref().map(trimmed))] {
            if text.is_some_and(|text| text.contains(['\n', '\r'])) {
                return Err(ArgError::new(name, "must be a single line"));
            }
        }
        let times = [&self.minute, &self.hour, &self.day, &self.month, &self.weekday];
        if self.special_time.is_some() && times.iter().any(|time| *time != "*") {
            let msg = "You cannot combine special_time with any of the time or day/date parameters.";
            return Err(ArgError::new("special_time", msg));
        }
        if (self.insertafter.is_some() || self.insertbefore.is_some()) && !self.env.0 {
            let msg = "Insertafter and insertbefore parameters are valid only with env=yes";
            return Err(ArgError::new("insertafter", msg).help("they place a variable"));
        }
        if self.insertafter.is_some() && self.insertbefore.is_some() {
            return Err(ArgError::exclusive("insertbefore", &["insertafter", "insertbefore"]));
        }
        if self.env.0 && !self.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(ArgError::new("name", "Invalid name for environment variable")
                .help("a name has letters, digits and underscores"));
        }
        if self.cron_file.is_some() && self.named_user().is_none() && self.state == State::Present && !self.env.0 {
            let msg = "To use cron_file=... parameter you must specify user=... as well";
            return Err(ArgError::new("user", msg).help("such a file names the user of each job"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        if self.cron_file.as_ref().is_some_and(|file| matches!(file.0.as_str(), "crontab" | "/etc/crontab")) {
            // The system's own table: removing a job file would delete it.
            let msg = "Will not manage /etc/crontab via cron_file, see documentation.";
            return Err(Failure::new(msg).arg("cron_file"));
        }
        let file = self.cron_file.as_ref().map(|file| match file.0.contains('/') {
            true => file.on(host),
            false => PathBuf::from("/etc/cron.d").join(&file.0),
        });
        let mut plan = Plan::unchanged();
        let file_name = self.cron_file.as_ref().map_or("", |file| file.0.rsplit('/').next().unwrap_or_default());
        if !file_name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
            // cron passes over others.
            plan = plan.warn(format!(
                "Filename portion of cron_file (\"{file_name}\") should consist solely of upper- and lower-case letters, \
                 digits, underscores, and hyphens"
            ));
        }
        let before = match &file {
            Some(path) => text::read(path).map_err(|failure| failure.arg("cron_file"))?.unwrap_or_default(),
            None => match self.list(host) {
                Ok(text) => text,
                Err(failure) if host.rehearses() => {
                    plan = plan.warn(format!("check mode: {failure}"));
                    String::new()
                }
                Err(failure) => return Err(failure),
            },
        };
        let mut crontab = Crontab::parse(&before);
        let value = trimmed(self.job.as_deref().unwrap_or_default()).to_owned();
        match (self.env.0, self.state) {
            (true, State::Present) => crontab
                .set_variable(&self.name, &value, self.insertafter.as_deref(), self.insertbefore.as_deref())
                .map_err(|error| Failure::new(error).arg("insertafter"))?,
            (true, State::Absent) => crontab.remove_variable(&self.name),
            (false, State::Present) => crontab.set_job(&self.name, &self.line(&value)),
            (false, State::Absent) => crontab.remove_job(&self.name),
        }
        let after = crontab.text();
        plan = plan.set("jobs", crontab.jobs()).set("envs", crontab.variables());
        if let Some(file) = &self.cron_file {
            plan = plan.set("cron_file", file.0.as_str());
        }
        if after == before || (after.trim().is_empty() && before.trim().is_empty()) {
            return Ok(plan);
        }
        let Some(path) = file else {
            let shown = format!("crontab of {}", self.named_user().unwrap_or("the user"));
            // The headers are ansible-core's.
            let header = self.named_user().map(|user| format!("crontab for user \"{user}\""));
            let diff = Diff::text(header.as_deref().unwrap_or("crontab"), before.as_str(), after.as_str());
            let change = Change::new(format!("change the {shown}"), move |host, outcome| {
                if self.backup.0 {
                    let kept = crate::system::scratch::Builder::new().prefix("crontab").tempfile()?;
                    fs::write(kept.path(), &before)?;
                    let (_, path) = kept.keep().map_err(|error| Failure::from(error.error))?;
                    outcome.insert("backup_file".to_owned(), paths::text(path).into());
                }
                let new = crate::system::scratch::Builder::new().prefix("crontab").tempfile()?;
                fs::write(new.path(), &after)?;
                let done = self.crontab(host).arg(new.path()).run()?;
                if done.rc == 0 {
                    return Ok(());
                }
                let msg = format!("Failed to install new cronfile: {}", new.path().display());
                Err(Failure::new(msg).data(done.data()))
            });
            return Ok(plan.change(change.diff(diff)));
        };
        if crontab.is_empty() && self.state == State::Absent {
            let mut removal = place::removal(path, host);
            if let Some(diff) = &mut removal.diff {
                diff.after_header = "/dev/null".to_owned();
            }
            plan.data.retain(|name, _| name == "cron_file");
            return Ok(plan.set("state", "absent").change(removal));
        }
        let is_new = !path.exists();
        let mut placement =
            Placement::plain(path, Content::Bytes(lossless::encode(&after))).backup(self.backup.0 && !is_new);
        if is_new {
            placement.wanted.mode = Some(crate::system::mode::Mode::Bits(0o644));
        }
        placement.plan(host, plan)
    }
}

/// A job without the newlines around it, which a block of YAML (`job: |`) ends with.
fn trimmed(job: &str) -> &str {
    job.trim_matches(['\n', '\r'])
}

impl Cron {
    /// The user; as in Ansible, an empty name is none.
    fn named_user(&self) -> Option<&str> {
        self.user.as_deref().filter(|user| !user.is_empty())
    }

    fn crontab(&self, host: &Host) -> crate::system::program::Program {
        let program = host.program("crontab").untranslated();
        match self.named_user() {
            Some(user) => program.args(["-u", user]),
            None => program,
        }
    }

    fn list(&self, host: &Host) -> Result<String, Failure> {
        let done = self.crontab(host).arg("-l").run()?;
        match done.rc {
            0 => Ok(crontab::without_header(&done.stdout)),
            1 if done.stderr.contains("no crontab for") => Ok(String::new()),
            // It is told again when the table is installed.
            1 if done.stderr.trim_end().ends_with("unknown") => Ok(String::new()),
            _ => Err(done.failure("Unable to read crontab").arg("user")),
        }
    }

    /// The line of the job.
    fn line(&self, job: &str) -> String {
        let disabled = if self.disabled.0 { "#" } else { "" };
        let user = match (&self.cron_file, &self.user) {
            (Some(_), Some(user)) => format!("{user} "),
            _ => String::new(),
        };
        match self.special_time {
            Some(time) => format!("{disabled}@{} {user}{job}", time.word()),
            None => {
                let times = [&self.minute, &self.hour, &self.day, &self.month, &self.weekday];
                let times = times.map(String::as_str).join(" ");
                format!("{disabled}{times} {user}{job}")
            }
        }
    }
}
