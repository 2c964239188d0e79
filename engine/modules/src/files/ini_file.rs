//! `ini_file`: an option in an INI file.

use rplay_wire::{Failure, data};

use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, PresentAbsent as State, Text},
    system::{
        attributes::{Attributes, describe},
        lossless, paths,
        place::{Content, Placement},
        text,
    },
};

args! {
    /// Sets or removes an option in an INI file.
    pub struct IniFile {
        ..attributes: Attributes,
        /// The file.
        path: PathArg | "dest",
        /// The section; by default the part before the first section.
        section: Option<Text>,
        /// The option; by default the whole section.
        option: Option<Text>,
        /// Its value.
        value: Option<Text>,
        /// Several values, one line each.
        values: Option<Vec<Text>>,
        /// Whether it should exist.
        state: State = State::Present,
        /// Whether to remove other values of the option.
        exclusive: Flag = Flag(true),
        /// Write `a=b` instead of `a = b`.
        no_extra_spaces: Flag = Flag(false),
        /// Do not change lines that differ only in spaces.
        ignore_spaces: Flag = Flag(false),
        /// Allow options without a value.
        allow_no_value: Flag = Flag(false),
        /// Whether a commented-out option may be replaced.
        modify_inactive_option: Flag = Flag(true),
        /// Create the file if it does not exist.
        create: Flag = Flag(true),
        /// Keep a copy of the previous file.
        backup: Flag = Flag(false),
        /// Follow a symbolic link instead of replacing it.
        follow: Flag = Flag(false),
        /// Not supported.
        section_has_values: Option<Vec<rplay_wire::Map>>,
    }
}

impl Module for IniFile {
    fn check(&self) -> Result<(), ArgError> {
        self.attributes.check()?;
        if self.section_has_values.is_some() {
            return Err(ArgError::new("section_has_values", "is not supported"));
        }
        if self.value.is_some() && self.values.is_some() {
            return Err(ArgError::new("values", "cannot be combined with `value`"));
        }
        let needs_value = self.state == State::Present && self.option.is_some() && !self.allow_no_value.0;
        if needs_value && self.value.is_none() && self.values.as_ref().is_none_or(Vec::is_empty) {
            return Err(ArgError::new(
                "value",
                "Parameter 'value(s)' must be defined if state=present and allow_no_value=False.",
            ));
        }
        for value in self.value.iter().chain(self.values.iter().flatten()).chain(&self.option).chain(&self.section) {
            if value.contains('\n') {
                return Err(ArgError::new("value", "must be a single line"));
            }
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = self.path.on(host);
        let path = if self.follow.0 { paths::real(&path) } else { path };
        let mut plan = Plan::unchanged().set("path", paths::text(&path));
        let text = match text::read(&path).map_err(|failure| failure.arg("path"))? {
            Some(text) => text,
            None => {
                if !self.create.0 && !host.rehearses() {
                    let msg = format!("Destination {} does not exist!", path.display());
                    return Err(Failure::new(msg).arg("path").data(data! { "rc" => 257 }));
                }
                if self.state == State::Absent {
                    return Ok(plan.set("msg", "OK"));
                }
                String::new()
            }
        };
        let edited = self.edited(&text);
        let msg = if edited == text { "OK" } else { self.edit(&text) };
        let shown = path.clone();
        plan = plan.set("msg", msg).set("diff", text::content_frame(&path)).finish(move |_, data| {
            data.extend(describe(&shown));
            Ok(())
        });
        let wanted = self.attributes.resolve()?;
        if edited == text && path.exists() {
            return wanted.plan(&path, true, plan);
        }
        let placement = Placement::new(&path, Content::Bytes(lossless::encode(&edited)), &self.attributes)?;
        placement.backup(self.backup.0 && path.exists()).plan(host, plan)
    }
}

impl IniFile {
    /// Determines the message of the edit.
    fn edit(&self, text: &str) -> &'static str {
        let lines = text.lines().map(str::to_owned).collect::<Vec<_>>();
        let range = self.section.as_deref().map_or_else(|| Some((0, end_of(&lines, 0))), |name| find(&lines, name));
        let has_option = |option: &str| {
            let own = range.map_or(&[][..], |(from, to)| &lines[from..to]);
            own.iter().any(|line| active(line).is_some_and(|(name, _)| name == option))
        };
        match (self.state, &self.option) {
            (State::Absent, None) => "section removed",
            (State::Absent, Some(_)) => "option changed",
            (State::Present, None) => "only section added",
            (State::Present, Some(_)) if range.is_none() => "section and option added",
            (State::Present, Some(option)) if has_option(option) => "option changed",
            (State::Present, Some(_)) => "option added",
        }
    }

    /// The edited text.
    fn edited(&self, text: &str) -> String {
        let mut lines = text.lines().map(str::to_owned).collect::<Vec<_>>();
        if lines.is_empty() && self.state == State::Present {
            // As community.general: the first line of a new file is empty.
            lines.push(String::new());
        }
        let range = self.section.as_deref().map_or_else(|| Some((0, end_of(&lines, 0))), |name| find(&lines, name));
        match (self.state, &self.option, range) {
            (State::Absent, None, Some((from, to))) => {
                let from = if self.section.is_some() { from - 1 } else { from };
                lines.drain(from..to);
            }
            (State::Absent, Some(option), Some((from, to))) => {
                let wanted = self.values();
                let section = lines.drain(from..to).collect::<Vec<_>>();
                let doomed = |line: &str| {
                    active(line).is_some_and(|(name, value)| {
                        name == *option
                            && (self.exclusive.0
                                || wanted.is_empty()
                                || value.is_some_and(|value| wanted.iter().any(|one| *one == value)))
                    })
                };
                lines.splice(from..from, section.into_iter().filter(|line| !doomed(line)));
            }
            (State::Absent, ..) => {}
            (State::Present, None, Some(_)) => {}
            (State::Present, Some(option), Some((from, to))) => {
                let section = lines.drain(from..to).collect::<Vec<_>>();
                lines.splice(from..from, self.set(section, option));
            }
            (State::Present, option, None) => {
                lines.extend(self.section.iter().map(|name| format!("[{name}]")));
                if let Some(option) = option {
                    lines.extend(self.set(Vec::new(), option));
                }
            }
        }
        let edited = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        if edited.trim_end_matches('\n') == text.trim_end_matches('\n') { text.to_owned() } else { edited }
    }

    fn values(&self) -> Vec<&str> {
        self.value.iter().chain(self.values.iter().flatten()).map(String::as_str).collect()
    }

    fn line(&self, option: &str, value: Option<&str>) -> String {
        match (value, self.no_extra_spaces.0) {
            (None, _) => option.to_owned(),
            (Some(value), true) => format!("{option}={value}"),
            (Some(value), false) => format!("{option} = {value}").trim_end().to_owned(),
        }
    }

    /// The lines of a section with the option set: at its place, in place of a comment, or at the end.
    fn set(&self, mut section: Vec<String>, option: &str) -> Vec<String> {
        let values = self.values();
        let mut missing = if values.is_empty() { vec![None] } else { values.into_iter().map(Some).collect::<Vec<_>>() };
        // Existing values keep their place.
        let mut kept = vec![false; section.len()];
        for (line, kept) in section.iter_mut().zip(&mut kept) {
            let Some((_, value)) = active(line).filter(|(name, _)| name == option) else { continue };
            if let Some(at) = missing.iter().position(|wanted| wanted.map(str::to_owned) == value) {
                let written = self.line(option, missing.remove(at));
                if !self.ignore_spaces.0 {
                    *line = written;
                }
                *kept = true;
            }
        }
        // Missing values replace other values, then comments; remaining other values are removed.
        let mut result = Vec::new();
        for (line, kept) in section.into_iter().zip(kept) {
            let is_other = !kept && active(&line).is_some_and(|(name, _)| name == option) && self.exclusive.0;
            let is_comment = self.modify_inactive_option.0 && inactive(&line).is_some_and(|(name, _)| name == option);
            match (is_other || is_comment, missing.is_empty()) {
                (true, false) => result.push(self.line(option, missing.remove(0))),
                (true, true) if is_other => {}
                _ => result.push(line),
            }
        }
        // Like Ansible: after the last option, before comments that may belong to the next section.
        let end = result.iter().rposition(|line| active(line).is_some()).map_or(0, |last| last + 1);
        result.splice(end..end, missing.into_iter().map(|value| self.line(option, value)));
        result
    }
}

fn header(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.split_once(']').map(|(name, _)| name)
}

/// The lines of a section, without its header.
fn find(lines: &[String], name: &str) -> Option<(usize, usize)> {
    let from = lines.iter().position(|line| header(line) == Some(name))? + 1;
    Some((from, end_of(lines, from)))
}

fn end_of(lines: &[String], from: usize) -> usize {
    lines.iter().enumerate().skip(from).find(|(_, line)| header(line).is_some()).map_or(lines.len(), |(at, _)| at)
}

/// Name and value of an option.
fn active(line: &str) -> Option<(String, Option<String>)> {
    let bare = line.trim();
    if bare.is_empty() || bare.starts_with(['#', ';', '[']) {
        return None;
    }
    Some(match bare.split_once('=') {
        Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
        None => (bare.to_owned(), None),
    })
}

/// The same for a commented-out option.
fn inactive(line: &str) -> Option<(String, Option<String>)> {
    active(line.trim().strip_prefix(['#', ';'])?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rplay_wire::{Map, data};

    use super::*;
    use crate::{Args, runner::tests::call};

    const TEXT: &str = "# head\n[one]\na = 1\n;b = 2\n\n[two]\na=3\na=4\nflag\n";

    fn edited(args: Map, text: &str) -> String {
        let mut all = data! { "path" => "/x" };
        all.extend(args);
        let module = IniFile::from_map(&all).unwrap();
        module.check().unwrap();
        let once = module.edited(text);
        assert_eq!(module.edited(&once), once, "the second time changes nothing");
        once
    }

    #[test]
    fn settings_are_set_where_they_belong() {
        let set = |section: &str, option: &str, value: &str| {
            edited(data! { "section" => section, "option" => option, "value" => value }, TEXT)
        };
        assert_eq!(set("one", "a", "1"), TEXT);
        assert_eq!(set("one", "a", "5"), TEXT.replace("a = 1", "a = 5"));
        assert_eq!(set("one", "b", "5"), TEXT.replace(";b = 2", "b = 5"));
        assert_eq!(set("one", "c", "5"), TEXT.replace(";b = 2\n", "c = 5\n;b = 2\n"));
        assert_eq!(set("two", "a", "3"), TEXT.replace("a=3\na=4", "a = 3"));
        assert_eq!(set("new", "x", "y"), format!("{TEXT}[new]\nx = y\n"));
        assert_eq!(
            edited(data! { "option" => "top", "value" => "1", "no_extra_spaces" => true }, TEXT),
            format!("top=1\n{TEXT}")
        );
        assert_eq!(
            edited(data! { "section" => "two", "option" => "a", "values" => vec!["4", "9"] }, TEXT),
            TEXT.replace("a=3\na=4", "a = 9\na = 4")
        );
        assert_eq!(edited(data! { "section" => "two", "option" => "flag", "allow_no_value" => true }, TEXT), TEXT);
        assert_eq!(edited(data! { "section" => "s", "option" => "a", "value" => "b" }, ""), "\n[s]\na = b\n");
    }

    #[test]
    fn settings_and_sections_are_removed() {
        let gone = |args: Map| {
            edited(
                {
                    let mut all = data! { "state" => "absent" };
                    all.extend(args);
                    all
                },
                TEXT,
            )
        };
        assert_eq!(gone(data! { "section" => "two", "option" => "a" }), TEXT.replace("a=3\na=4\n", ""));
        assert_eq!(gone(data! { "section" => "one" }), TEXT.replace("[one]\na = 1\n;b = 2\n\n", ""));
        assert_eq!(gone(data! { "section" => "nosuch" }), TEXT);
        assert_eq!(
            gone(data! { "section" => "two", "option" => "a", "value" => "4", "exclusive" => false }),
            TEXT.replace("a=4\n", "")
        );
    }

    #[test]
    fn a_file_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.ini");
        let args = || data! { "path" => paths::text(&file), "section" => "s", "option" => "a", "value" => true, "mode" => "0600" };
        assert!(call("ini_file", args()).changed && !call("ini_file", args()).changed);
        assert_eq!(fs::read_to_string(&file).unwrap(), "\n[s]\na = True\n");
    }
}
