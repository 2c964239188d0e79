//! `sudoers`: a rule of sudo's in a file of its own.

use rplay_wire::{Failure, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    args::ArgType,
    argtypes::{Flag, PresentAbsent as State, Text},
    choice,
    system::{
        mode::Mode,
        paths,
        place::{Content, Placement, removal},
    },
};

choice! {
    /// Whether visudo(8) checks the rule.
    pub enum Validation {
        Absent = "absent",
        /// If the host has it.
        Detect = "detect",
        Required = "required",
    }
}

args! {
    /// Allows commands with sudo, by a rule in a file of its own.
    pub struct Sudoers {
        /// The name of the rule and of its file.
        name: Text,
        /// The commands; `ALL` for all.
        commands: Option<Vec<Text>>,
        /// Whom the rule is for.
        user: Option<Text>,
        /// The group that the rule is for.
        group: Option<Text>,
        /// The hosts that the rule is for.
        host: Text = "ALL".to_owned(),
        /// Whether the commands may not start others.
        noexec: Flag = Flag(false),
        /// Whether no password is needed.
        nopassword: Flag = Flag(true),
        /// Whether the environment may be kept.
        setenv: Flag = Flag(false),
        /// The user that the commands run as.
        runas: Option<Text>,
        /// The directory of the file.
        sudoers_path: Text = "/etc/sudoers.d".to_owned(),
        /// Whether the rule should exist.
        state: State = State::Present,
        /// Whether visudo(8) must accept the rule: not at all, if it is there, or always.
        validation: Validation = Validation::Detect,
    }
}

impl Module for Sudoers {
    fn check(&self) -> Result<(), ArgError> {
        if self.user.is_some() && self.group.is_some() {
            return Err(ArgError::exclusive("group", &["user", "group"]));
        }
        if !paths::is_file_name(&self.name) {
            return Err(ArgError::new("name", format!("`{}` is not a file name", self.name)));
        }
        if self.state == State::Absent {
            return Ok(());
        }
        if self.commands.as_ref().is_none_or(Vec::is_empty) {
            return Err(ArgError::new("commands", "state is present but all of the following are missing: commands"));
        }
        if self.user.is_none() && self.group.is_none() {
            return Err(ArgError::new("user", "is required, or `group`, for a rule that is present"));
        }
        match self.rule().trim_end_matches('\n').contains('\n') {
            true => Err(ArgError::new("commands", "must be one line each")),
            false => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = std::path::PathBuf::from(paths::expand(&self.sudoers_path, host)).join(&self.name);
        if self.state == State::Absent {
            let plan = Plan::unchanged();
            return Ok(if path.symlink_metadata().is_ok() { plan.change(removal(path, host)) } else { plan });
        }
        let rule = self.rule();
        let checked = self.validate(host, &rule)?;
        let mut plan = Plan::unchanged();
        plan.warnings.extend(checked);
        let directory = paths::directory(&path);
        if !directory.is_dir() {
            let told = format!("[Errno 2] No such file or directory: '{}'", path.display());
            let missing = || Failure::new(told).arg("sudoers_path");
            let plan = plan.assumes(host, format!("the directory {}", directory.display()), missing)?;
            return Ok(plan.change(Change::new(format!("create {}", path.display()), |_, _| Ok(()))));
        }
        let mut placement = Placement::plain(path, Content::Bytes(rule.into_bytes()));
        placement.wanted.mode = Mode::parse(&"0440".into()).ok();
        placement.plan(host, plan)
    }
}

impl Sudoers {
    fn rule(&self) -> String {
        let group = self.group.as_ref().map(|group| format!("%{group}"));
        let owner = self.user.clone().or(group).unwrap_or_default();
        let runas = self.runas.as_ref().filter(|runas| !runas.is_empty());
        let runas = runas.map(|runas| format!("({runas})")).unwrap_or_default();
        let tags = [(self.noexec.0, "NOEXEC:"), (self.nopassword.0, "NOPASSWD:"), (self.setenv.0, "SETENV:")];
        let tags: String = tags.iter().filter(|(set, _)| *set).map(|(_, tag)| *tag).collect();
        let tags = if tags.is_empty() && runas.is_empty() { String::new() } else { format!("{runas}{tags}") };
        format!(
            "{owner} {}={tags} {}\n",
            self.host,
            self.commands.iter().flatten().cloned().collect::<Vec<_>>().join(", ")
        )
    }

    /// Has visudo check the rule, which changes nothing.
    fn validate(&self, host: &Host, rule: &str) -> Result<Option<String>, Failure> {
        match (self.validation, host.has_program("visudo")) {
            (Validation::Absent, _) | (Validation::Detect, false) => return Ok(None),
            (Validation::Required, false) => {
                let plan = Plan::unchanged().assumes(host, "the program visudo", || host.missing_program("visudo"))?;
                return Ok(plan.warnings.into_iter().next());
            }
            _ => {}
        }
        let done = host.required_program("visudo")?.args(["-c", "-f", "-"]).stdin(rule).run()?;
        if done.rc == 0 {
            return Ok(None);
        }
        let output = data! { "stdout" => done.stdout.as_str(), "stderr" => done.stderr.as_str() };
        let said = if done.stdout.is_empty() { done.stderr } else { done.stdout };
        Err(Failure::new(format!("Failed to validate sudoers rule:\n{said}")).data(output))
    }
}
