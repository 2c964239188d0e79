//! `debconf`: presets the answer to a package's question.

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    args::ArgType,
    argtypes::{Flag, Text},
    choice,
    system::attributes::state_diff,
};

choice! {
    /// The type of a question.
    pub enum Kind {
        Boolean = "boolean",
        Error = "error",
        Multiselect = "multiselect",
        Note = "note",
        Password = "password",
        Seen = "seen",
        Select = "select",
        String = "string",
        Text = "text",
        Title = "title",
    }
}

args! {
    /// Answers a package's question before the package is installed.
    pub struct Debconf {
        /// The package.
        name: Text | "pkg",
        /// The question: `tzdata/Areas`.
        question: Option<Text> | "selection" | "setting",
        /// The type of the question.
        vtype: Option<Kind>,
        /// The answer.
        value: Option<Value> | "answer",
        /// Ask the question anyway.
        unseen: Flag = Flag(false),
    }
}

impl Module for Debconf {
    fn check(&self) -> Result<(), ArgError> {
        if self.name.is_empty() || self.name.starts_with('-') || self.name.contains(char::is_whitespace) {
            return Err(ArgError::new("name", format!("`{}` is not a valid package name", self.name)));
        }
        let given = [self.question.is_some(), self.vtype.is_some(), self.value.is_some()];
        if given.contains(&true) && given.contains(&false) {
            return Err(ArgError::new("vtype", "parameters are required together: question, vtype, value"));
        }
        if self.question.as_deref().is_some_and(|question| question.contains(char::is_whitespace)) {
            return Err(ArgError::new("question", "must be a single word"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        if !host.has_program("debconf-show") {
            return Err(Failure::new("this host has no debconf-show").help("install debconf, which comes with Debian"));
        }
        let done = host.program("debconf-show").args(["--", &self.name]).untranslated().run()?;
        let known = answers(&done.success("cannot read the debconf database")?.stdout);
        let all = || -> Map { known.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect() };
        let unchanged = Plan { data: data! { "current" => all(), "msg" => "" }, ..Plan::unchanged() };
        let (Some(question), Some(kind), Some(value)) = (&self.question, self.vtype, &self.value) else {
            return Ok(unchanged);
        };
        let is_list = matches!(value, Value::List(_));
        let value = match value {
            Value::List(items) => {
                items.iter().map(Text::parse).collect::<Result<Vec<_>, _>>().map(|items| items.join(", "))
            }
            Value::Bool(on) => Ok(on.to_string()),
            other => Text::parse(other),
        };
        let mut value = value.map_err(|msg| Failure::new(msg).arg("value"))?;
        if kind == Kind::Boolean {
            value = value.to_ascii_lowercase();
        }
        if value.contains('\n') {
            return Err(Failure::new("must be a single line").arg("value"));
        }
        let is_secret = kind == Kind::Password;
        let present = match is_secret {
            // debconf-show does not print it.
            true => self.password(host, question)?,
            false => known.iter().find(|(name, _)| name == question).map(|(_, value)| value.clone()),
        };
        let same = match kind {
            // As in Ansible, the order of a text counts.
            Kind::Multiselect if is_list => present.as_deref().is_some_and(|present| set(present) == set(&value)),
            _ => present.as_deref() == Some(value.as_str()),
        };
        if same {
            return Ok(unchanged);
        }
        // Of a question that was never answered ansible-core tells all that the package knows, and no answer to it.
        let mut before = match known.iter().any(|(name, _)| name == question) {
            true => Map::new(),
            false => all(),
        };
        let now = known.iter().find(|(name, _)| name == question).map_or("", |(_, value)| value.as_str());
        before.insert(question.clone(), now.into());
        let current = data! { question => if is_secret { OMITTED } else { value.as_str() } };
        let mut after = before.clone();
        after.extend(current.clone());
        let shown = state_diff(&before, &after);
        let diff = if host.diff {
            data! { "before" => before.clone(), "after" => after }
        } else {
            Map::new()
        };
        let told = data! { "msg" => "", "current" => current, "previous" => before, "diff" => diff };
        let line = format!("{} {question} {} {value}\n", self.name, kind.word());
        let change = Change::new(format!("answer {question}"), move |host, _| {
            let program = host.program("debconf-set-selections").untranslated();
            let program = if self.unseen.0 { program.arg("--unseen") } else { program };
            let done = program.stdin(line).run()?;
            // Its output may repeat the line.
            if done.rc != 0 && is_secret {
                return Err(Failure::new(format!("debconf-set-selections ended with {}", done.rc)));
            }
            match done.rc {
                0 => Ok(()),
                _ => Err(Failure::new(done.stderr).help("debconf-set-selections refused the answer")),
            }
        });
        Ok(Plan { data: told, ..Plan::unchanged() }.change(change.diff(shown)))
    }
}

impl Debconf {
    fn password(&self, host: &Host, question: &str) -> Result<Option<String>, Failure> {
        let talk = host.program("debconf-communicate").arg(&self.name).untranslated();
        let done = talk.env("DEBIAN_FRONTEND", "noninteractive").stdin(format!("get {question}\n")).run()?;
        Ok(done.stdout.trim_end_matches('\n').strip_prefix("0 ").map(str::to_owned))
    }
}

/// What debconf-show prints instead of a password.
const OMITTED: &str = "(password omitted)";

/// `* tzdata/Areas: Europe`; the star means that the question was asked.
fn answers(text: &str) -> Vec<(String, String)> {
    let answer = |line: &str| {
        let (name, value) = line.trim_start_matches(['*', ' ']).split_once(':')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    text.lines().filter_map(answer).collect()
}

fn set(text: &str) -> std::collections::BTreeSet<&str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_debconf_shows() {
        let known = answers(
            "* tzdata/Areas: Europe\n  tzdata/Zones/Etc: UTC\n* locales/locales_to_be_generated: en_US.UTF-8 UTF-8, de_DE.UTF-8 UTF-8\n",
        );
        assert_eq!(known[0], ("tzdata/Areas".to_owned(), "Europe".to_owned()));
        assert_eq!(known[1].1, "UTC");
        assert_eq!(set(&known[2].1), set("de_DE.UTF-8 UTF-8,en_US.UTF-8 UTF-8"));
    }
}
