//! `ini_file`: an option in an INI file.

use rplay_wire::{Failure, Value, data};

use crate::{
    ArgError, Host, Module, Plan, args,
    args::{ArgType, nested},
    argtypes::{AbsentPresent as State, Flag, PathArg, Text},
    system::{
        attributes::{Attributes, Wanted, describe},
        directories::make_directories,
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
        /// Of several sections of this name, the first one that has all of these: `option`, and `value` or `values`.
        section_has_values: Option<Vec<Condition>>,
    }
}

args! {
    /// What a section must have.
    pub struct Condition {
        /// The option.
        option: Text,
        /// The value that it must have; by default any.
        value: Option<Text>,
        /// Values of which it must have one.
        values: Option<Vec<Text>>,
    }
}

impl ArgType for Condition {
    const KIND: &'static str = "dict";

    fn parse(value: &Value) -> Result<Self, String> {
        let read: Condition = nested(value, "section_has_values")?;
        match read.value.is_some() && read.values.is_some() {
            true => {
                let error = ArgError::exclusive("values", &["value", "values"]);
                Err(format!("{} found in section_has_values", error.msg))
            }
            false => Ok(read),
        }
    }
}

impl Condition {
    fn values(&self) -> Vec<&str> {
        self.value.iter().chain(self.values.iter().flatten()).map(String::as_str).collect()
    }
}

impl Module for IniFile {
    fn check(&self) -> Result<(), ArgError> {
        self.attributes.check()?;
        if self.value.is_some() && self.values.is_some() {
            return Err(ArgError::exclusive("values", &["value", "values"]));
        }
        let needs_value = self.state == State::Present && !self.allow_no_value.0;
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
                if !self.create.0 {
                    let msg = format!("Destination {} does not exist!", path.display());
                    return Err(Failure::new(msg).arg("path").data(data! { "rc" => 257 }));
                }
                if self.state == State::Absent {
                    return Ok(plan.set("msg", "OK"));
                }
                String::new()
            }
        };
        // As Python reads a file: without a mark of the encoding, and with plain line ends.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
        let (edited, msg) = self.edited(&text);
        let shown = path.clone();
        let mut frame = text::content_frame(&path);
        if host.diff && edited == text {
            // Both sides, equal as they are.
            frame.extend(data! { "before" => text.as_str(), "after" => text.as_str() });
        }
        plan = plan.set("msg", msg).set("diff", frame).finish(move |_, data| {
            data.extend(describe(&shown));
            Ok(())
        });
        if edited == text && path.exists() {
            return self.attributes.resolve()?.plan(&path, true, plan);
        }
        let directory = paths::directory(&path);
        if !directory.is_dir() {
            plan = make_directories(directory, &Wanted::default(), plan)?;
            plan.changes.iter_mut().for_each(|change| change.diff = None);
        }
        let placement = Placement::new(&path, Content::Bytes(lossless::encode(&edited)), &self.attributes);
        placement.backup(self.backup.0 && path.exists()).plan(host, plan)
    }
}

/// The lines of a file while they are edited.
struct Edit<'m> {
    module: &'m IniFile,
    /// The section with its header, where it has one.
    section: Vec<String>,
    msg: &'static str,
}

impl IniFile {
    /// The edited text, and what was done.
    fn edited(&self, text: &str) -> (String, &'static str) {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.is_empty() {
            // As community.general: the first line of a new file is empty.
            lines.push(String::new());
        }
        let range = self.find(&lines);
        let is_found = range.is_some();
        let (from, to) = range.unwrap_or((0, 0));
        let section = lines.drain(from..to).collect();
        let mut edit = Edit { module: self, section, msg: "OK" };
        match (self.state, self.option.as_deref()) {
            (State::Present, Some(option)) if is_found => edit.set(option, from == 0 && self.section.is_none()),
            (State::Present, None) if is_found => {}
            (State::Present, _) => edit.add_section(),
            (State::Absent, _) if !is_found => {}
            (State::Absent, Some(option)) => edit.remove(option),
            (State::Absent, None) => {
                if !edit.section.is_empty() {
                    edit.msg = "section removed";
                }
                edit.section.clear();
            }
        }
        let msg = edit.msg;
        let at = if is_found { from } else { lines.len() };
        lines.splice(at..at, edit.section);
        let edited: String = lines.iter().map(|line| format!("{line}\n")).collect();
        // A file that stays empty is not written.
        if text.is_empty() && edited == "\n" { (String::new(), msg) } else { (edited, msg) }
    }

    /// The lines of the section, with its header; without a section, those before the first one.
    fn find(&self, lines: &[String]) -> Option<(usize, usize)> {
        let end = |from: usize| {
            lines.iter().skip(from).position(|line| line.starts_with('[')).map_or(lines.len(), |at| from + at)
        };
        let Some(name) = self.section.as_deref().filter(|name| !name.is_empty()) else {
            return Some((0, end(0)));
        };
        let is_header = |line: &str| {
            let named = line.strip_prefix('[').map(str::trim_start).and_then(|rest| rest.strip_prefix(name.trim()));
            named.is_some_and(|rest| rest.trim_start().starts_with(']'))
        };
        let headers = lines.iter().enumerate().filter(|(_, line)| is_header(line)).map(|(at, _)| at);
        headers.map(|at| (at, end(at + 1))).find(|(from, to)| self.has_all(lines.get(*from..*to).unwrap_or_default()))
    }

    fn has_all(&self, section: &[String]) -> bool {
        self.section_has_values.iter().flatten().all(|condition| {
            let values = condition.values();
            section
                .iter()
                .filter_map(|line| setting(line, &condition.option, true))
                .any(|found| values.is_empty() || values.contains(&found.value))
        })
    }

    /// The values, each once.
    fn values(&self) -> Vec<&str> {
        let mut values: Vec<&str> = Vec::new();
        for value in self.value.iter().chain(self.values.iter().flatten()) {
            if !values.contains(&value.as_str()) {
                values.push(value);
            }
        }
        values
    }

    fn line(&self, option: &str, value: Option<&str>) -> String {
        match (value, self.no_extra_spaces.0) {
            (None, _) => option.to_owned(),
            (Some(value), true) => format!("{option}={value}"),
            (Some(value), false) => format!("{option} = {value}"),
        }
    }
}

impl Edit<'_> {
    /// Sets an option: lines with a value that it should have stay where they are, those with other values take the
    /// missing ones, and what is missing then comes after the last option.
    fn set(&mut self, option: &str, is_top: bool) {
        let module = self.module;
        let (allows_none, inactive) = (module.allow_no_value.0, module.modify_inactive_option.0);
        let mut missing = module.values();
        let mut done = vec![false; self.section.len()];
        let mut stands_alone = false;
        for at in 0..self.section.len() {
            let Some(found) = self.section.get(at).and_then(|line| setting(line, option, inactive)) else { continue };
            let known = missing.iter().position(|value| *value == found.value);
            let line = match known {
                Some(known) => {
                    let value = missing.remove(known);
                    stands_alone |= value.is_empty() && allows_none;
                    module.line(option, Some(value).filter(|value| !(value.is_empty() && allows_none)))
                }
                None if missing.is_empty() && allows_none => {
                    stands_alone = true;
                    module.line(option, None)
                }
                None => continue,
            };
            self.write(at, option, line, &mut done);
            if known.is_none() {
                break;
            }
        }
        if module.exclusive.0 && !allows_none {
            // The header is no option, whatever it looks like.
            let first = usize::from(!is_top);
            for at in 0..self.section.len() {
                let is_option = self.section.get(at).is_some_and(|line| setting(line, option, inactive).is_some());
                if is_option && !missing.is_empty() && !done.get(at).copied().unwrap_or_default() {
                    let line = module.line(option, Some(missing.remove(0)));
                    self.write(at, option, line, &mut done);
                }
            }
            for at in (first..self.section.len()).rev() {
                let is_option = self.section.get(at).is_some_and(|line| setting(line, option, inactive).is_some());
                if is_option && !done.get(at).copied().unwrap_or_default() {
                    self.section.remove(at);
                    done.remove(at);
                    self.msg = "option changed";
                }
            }
        }
        let new: Vec<String> = match missing.as_slice() {
            [] if allows_none && !stands_alone => vec![module.line(option, None)],
            values => values.iter().map(|value| module.line(option, Some(value))).collect(),
        };
        if !new.is_empty() {
            self.msg = "option added";
            // Comments at the end may belong to the next section.
            let is_said = |line: &String| !line.trim_matches([' ', '\t']).is_empty() && !is_comment(line);
            let at = self.section.iter().rposition(is_said).map_or(0, |last| last + 1);
            self.section.splice(at..at, new);
        }
    }

    /// Replaces a line, unless it differs in spaces alone and those do not count.
    fn write(&mut self, at: usize, option: &str, line: String, done: &mut [bool]) {
        if let Some(done) = done.get_mut(at) {
            *done = true;
        }
        let Some(old) = self.section.get_mut(at) else { return };
        let is_same = match setting(old, option, true) {
            Some(found) if self.module.ignore_spaces.0 && !found.is_comment => {
                setting(&line, option, true).is_some_and(|new| new.value == found.value)
            }
            _ => *old == line,
        };
        if !is_same {
            *old = line;
            self.msg = "option changed";
        }
    }

    fn remove(&mut self, option: &str) {
        let values = self.module.values();
        let exclusive = self.module.exclusive.0;
        let before = self.section.len();
        self.section.retain(|line| {
            setting(line, option, false).is_none_or(|found| !exclusive && !values.contains(&found.value))
        });
        if self.section.len() != before {
            self.msg = "option changed";
        }
    }

    /// A new section, with what it must have and the option.
    fn add_section(&mut self) {
        let module = self.module;
        let allows_none = module.allow_no_value.0;
        let mut values = module.values();
        self.section.extend(module.section.iter().map(|name| format!("[{name}]")));
        for condition in module.section_has_values.iter().flatten() {
            let own = condition.values();
            if Some(&condition.option) != module.option.as_ref() {
                self.section.extend(own.iter().map(|value| module.line(&condition.option, Some(value))));
                if own.is_empty() && allows_none {
                    self.section.push(condition.option.clone());
                }
            } else if !module.exclusive.0 {
                for value in own {
                    if !values.contains(&value) {
                        values.push(value);
                    }
                }
            }
        }
        self.msg = "section and option added";
        match module.option.as_deref() {
            Some(option) if !values.is_empty() => {
                self.section.extend(values.iter().map(|value| module.line(option, Some(value))));
            }
            Some(option) if allows_none => self.section.push(option.to_owned()),
            _ => self.msg = "only section added",
        }
    }
}

/// A line that sets an option.
struct Setting<'l> {
    value: &'l str,
    is_comment: bool,
}

/// What a line says of an option, if it does; `inactive`: whether that may be commented out.
fn setting<'l>(line: &'l str, option: &str, inactive: bool) -> Option<Setting<'l>> {
    let spaces = [' ', '\t'];
    let of = |text: &'l str| {
        let rest = text.trim_start_matches(spaces).strip_prefix(option)?.trim_start_matches(spaces);
        match rest.strip_prefix('=') {
            Some(value) => Some(value.trim_start_matches(spaces)),
            None => rest.is_empty().then_some(rest),
        }
    };
    let active = of(line).map(|value| Setting { value, is_comment: false });
    let commented = || {
        let text = line.trim_start_matches(spaces).strip_prefix(['#', ';'])?;
        of(text).map(|value| Setting { value, is_comment: true })
    };
    active.or_else(|| inactive.then(commented).flatten())
}

fn is_comment(line: &str) -> bool {
    line.trim_start_matches([' ', '\t']).starts_with(['#', ';'])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rplay_wire::{Map, data};

    use super::*;
    use crate::{
        Args,
        runner::tests::{call, checked},
    };

    const TEXT: &str = "# head\n[one]\na = 1\n;b = 2\n\n[two]\na=3\na=4\nflag\n";

    fn edited(args: Map, text: &str) -> String {
        let mut all = data! { "path" => "/x" };
        all.extend(args);
        let module = IniFile::from_map(&all).unwrap();
        module.check().unwrap();
        let (once, msg) = module.edited(text);
        assert_eq!(once == text, msg == "OK", "{msg}");
        assert_eq!(module.edited(&once), (once.clone(), "OK"), "the second time changes nothing");
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
    fn a_new_file_gets_its_directories() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a/b/f.ini");
        let args = data! { "path" => path.to_str().unwrap(), "section" => "s", "option" => "o", "value" => "1" };
        assert!(checked("ini_file", args.clone()).changed && !base.path().join("a").exists());
        let made = call("ini_file", args);
        assert!(made.changed && made.diff.len() == 1, "{made:?}");
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("[s]\no = 1\n"));
    }

    #[test]
    fn other_lines_of_an_option_go_commented_ones_too() {
        let set = |text: &str, more: Map| {
            let mut all = data! { "section" => "s", "option" => "a", "value" => "1" };
            all.extend(more);
            edited(all, text)
        };
        assert_eq!(set("[s]\na = 1\n#a = 2\n", Map::new()), "[s]\na = 1\n");
        assert_eq!(set("[s]\n# a = 2\n", data! { "modify_inactive_option" => false }), "[s]\na = 1\n# a = 2\n");
        assert_eq!(set("[s]\na = 2\n", data! { "exclusive" => false }), "[s]\na = 2\na = 1\n");
        assert_eq!(set("[s]\na=1\n", data! { "ignore_spaces" => true }), "[s]\na=1\n");
    }

    #[test]
    fn of_several_sections_the_one_is_meant_that_has_what_it_must_have() {
        const PEERS: &str = "[P]\nip = 1\nkey = a\n[P]\nip = 2\nkey = b\n";
        let must = |ip: &str| vec![Value::from(data! { "option" => "ip", "value" => ip })];
        let set = |ip: &str| {
            edited(
                data! { "section" => "P", "section_has_values" => must(ip), "option" => "key", "value" => "c" },
                PEERS,
            )
        };
        assert_eq!(set("2"), PEERS.replace("key = b", "key = c"));
        assert_eq!(set("3"), format!("{PEERS}[P]\nip = 3\nkey = c\n"));
        let gone = data! { "section" => "P", "section_has_values" => must("1"), "state" => "absent" };
        assert_eq!(edited(gone, PEERS), "[P]\nip = 2\nkey = b\n");
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
