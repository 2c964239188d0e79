//! lineinfile: ensures that a file contains a line, or does not.

use rplay_wire::Failure;

use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, Text},
    files::edited::{Edited, Encoding},
    system::{
        pattern::{Flags, Pattern, Template},
        text::{self, TextFile},
    },
};

args! {
    /// Ensures that a line is in a file, or that matching lines are not.
    pub struct LineInFile {
        ..file: Edited,
        /// Whether the line should exist.
        state: State = State::Present,
        /// The line.
        line: Option<Text> | "value",
        /// A regular expression; the last matching line is replaced, or all of them are removed.
        regexp: Option<Text> | "regex",
        /// A text; the last line that contains it is replaced, or all of them are removed.
        search_string: Option<Text>,
        /// Whether `\1` and the like in the line refer to groups of `regexp`. Without a match, the file is not changed.
        backrefs: Flag = Flag(false),
        /// Insert a new line after the last line that matches this regular expression; `EOF` is the end.
        insertafter: Option<Text>,
        /// Insert a new line before the last line that matches this regular expression; `BOF` is the start.
        insertbefore: Option<Text>,
        /// Whether to use the first match instead of the last.
        firstmatch: Flag = Flag(false),
        /// Create the file if it does not exist.
        create: Flag = Flag(false),
    }
}

impl Module for LineInFile {
    fn check(&self) -> Result<(), ArgError> {
        self.file.check()?;
        let exclusive = |arg: &str, other: &str| Err(ArgError::exclusive(arg, &[other, arg]));
        if self.insertafter.is_some() && self.insertbefore.is_some() {
            return exclusive("insertafter", "insertbefore");
        }
        if self.regexp.is_some() && self.search_string.is_some() {
            return exclusive("search_string", "regexp");
        }
        if self.backrefs.0 && self.search_string.is_some() {
            return exclusive("search_string", "backrefs");
        }
        match self.state {
            State::Present if self.backrefs.0 && self.regexp.is_none() => {
                Err(ArgError::new("backrefs", "regexp is required with backrefs=true"))
            }
            State::Present if self.line.is_none() => Err(ArgError::new("line", "line is required with state=present")),
            State::Absent if self.line.is_none() && self.regexp.is_none() && self.search_string.is_none() => {
                let msg = "one of line, search_string, or regexp is required with state=absent";
                Err(ArgError::new("state", msg))
            }
            _ => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let file = self.file.read(host, &Encoding::utf_8())?;
        // Whether there is a file to edit is told before the pattern is looked at.
        match (&file.before, self.state) {
            (None, State::Absent) => return Ok(Plan::unchanged().set("msg", "file not present")),
            (None, State::Present) if !self.create.0 => {
                return Err(file.missing("Destination").help("set `create: true` to create it"));
            }
            _ => {}
        }
        let regexp = self.regexp.as_deref().map(|regexp| Pattern::new(regexp, Flags::default(), "regexp"));
        let search = match (regexp.transpose()?, self.search_string.clone()) {
            (Some(pattern), _) => Search::Pattern(pattern),
            (None, Some(text)) => Search::Text(text),
            (None, None) => Search::Line,
        };
        let warning = match (self.regexp.as_deref(), self.search_string.as_deref()) {
            (Some(""), _) => Some(format!("The regular expression is an empty string, {MATCHES_ALL} {ANY_LINE}")),
            (_, Some("")) => Some(format!("The search string is an empty string, {MATCHES_ALL}")),
            _ => None,
        };
        let mut plan = match self.state {
            State::Present => self.present(host, file, search),
            State::Absent => self.absent(host, file, search),
        }?;
        plan.warnings.extend(warning);
        Ok(plan)
    }
}

/// What an empty pattern does, and how to ask for it; playbooks look for these words of ansible-core.
const MATCHES_ALL: &str = "which will match every line in the file. This may have unintended consequences, such as \
    replacing the last line in the file rather than appending.";
const ANY_LINE: &str = "If this is desired, use '^' to match every line in the file and avoid this warning.";

enum Search {
    Pattern(Pattern),
    Text(String),
    /// The line itself.
    Line,
}

impl Search {
    fn finds(&self, present: &str, line: Option<&str>) -> bool {
        match self {
            Search::Pattern(pattern) => pattern.is_in(present),
            Search::Text(text) => present.contains(text),
            Search::Line => line == Some(bare(present)),
        }
    }
}

/// A line without its line break.
fn bare(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

impl LineInFile {
    fn absent(self, host: &Host, file: TextFile, search: Search) -> Result<Plan, Failure> {
        let lines = text::lines(file.before.as_deref().unwrap_or_default());
        let kept: Vec<_> = lines.iter().filter(|line| !search.finds(line, self.line.as_deref())).collect();
        let found = lines.len() - kept.len();
        let after: String = kept.into_iter().map(String::as_str).collect();
        let msg = if found > 0 { format!("{found} line(s) removed") } else { String::new() };
        let plan = self.file.plan(file, host, &after, msg)?;
        Ok(plan.set("found", found).finish(|_, data| {
            text::as_backup(data);
            Ok(())
        }))
    }

    fn present(self, host: &Host, file: TextFile, search: Search) -> Result<Plan, Failure> {
        let mut lines = text::lines(file.before.as_deref().unwrap_or_default());
        let msg = self.edit(&mut lines, &search)?;
        let plan = self.file.plan(file, host, &lines.concat(), msg.to_owned())?;
        Ok(plan.finish(|_, data| {
            text::as_backup(data);
            Ok(())
        }))
    }

    /// Edits `lines` and returns a message; empty if the line is already there.
    fn edit(&self, lines: &mut Vec<String>, search: &Search) -> Result<&'static str, Failure> {
        let line = self.line.as_deref().unwrap_or_default();
        let (matched, anchor) = self.places(lines, search, line)?;
        if let Some(at) = matched {
            let mut new = match search {
                Search::Pattern(pattern) if self.backrefs.0 => {
                    let template = Template::new(line, pattern, "line")?;
                    pattern.find(&lines[at]).map_or_else(|| line.to_owned(), |found| template.expand(&found))
                }
                _ => line.to_owned(),
            };
            if !new.ends_with('\n') {
                new.push('\n');
            }
            if lines[at] == new {
                return Ok("");
            }
            lines[at] = new;
            return Ok("line replaced");
        }
        // Without a match, the references have no value.
        if self.backrefs.0 {
            return Ok("");
        }
        let is_start = [&self.insertbefore, &self.insertafter].iter().any(|place| place.as_deref() == Some("BOF"));
        let at = match anchor {
            _ if is_start => 0,
            Some(at) if self.insertbefore.is_some() => at,
            Some(at) => at + 1,
            None => lines.len(),
        };
        if at == lines.len()
            && let Some(last) = lines.last_mut()
            && !last.ends_with(['\n', '\r'])
        {
            last.push('\n');
        }
        lines.insert(at, format!("{line}\n"));
        Ok("line added")
    }

    /// The line to replace, or otherwise the one to insert at.
    fn places(&self, lines: &[String], search: &Search, line: &str) -> Result<(Option<usize>, Option<usize>), Failure> {
        let pick = |is_it: &dyn Fn(&str) -> bool| {
            let mut all = (0..lines.len()).filter(|at| is_it(&lines[*at]));
            if self.firstmatch.0 { all.next() } else { all.next_back() }
        };
        if !matches!(search, Search::Line)
            && let Some(at) = pick(&|present| search.finds(present, None))
        {
            return Ok((Some(at), None));
        }
        if self.backrefs.0 {
            return Ok((None, None));
        }
        let place = match (&self.insertafter, &self.insertbefore) {
            (Some(after), _) if after != "EOF" && after != "BOF" => Some((after, "insertafter")),
            (_, Some(before)) if before != "BOF" => Some((before, "insertbefore")),
            _ => None,
        };
        let anchor = match place {
            Some((pattern, arg)) => {
                let pattern = Pattern::new(pattern, Flags::default(), arg)?;
                pick(&|present| pattern.is_in(present))
            }
            None => None,
        };
        // As in ansible-core, the search for the line ends at the first anchor, and looks where the line would be put.
        let seen = match anchor {
            Some(at) if self.firstmatch.0 => at + 1 + usize::from(self.insertbefore.is_none()),
            _ => lines.len(),
        };
        let exact = (0..seen.min(lines.len())).rev().find(|at| bare(&lines[*at]) == line);
        Ok((exact, anchor))
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::{Map, Value, data};

    use crate::{files::edited::tests::edited as edit, runner::tests::call};

    fn edited(before: &str, args: Map) -> (String, String) {
        let settles = args.get("backrefs") != Some(&Value::Bool(true));
        edit("lineinfile", before, args, settles)
    }

    #[test]
    fn lines_are_added_where_they_belong() {
        for (before, args, after) in [
            ("a\nb", data! { "line" => "c" }, "a\nb\nc\n"),
            ("", data! { "line" => "c" }, "c\n"),
            ("a\n", data! { "line" => "c", "insertbefore" => "BOF" }, "c\na\n"),
            ("a\nb\na\n", data! { "line" => "c", "insertafter" => "^a" }, "a\nb\na\nc\n"),
            ("a\nb\na\n", data! { "line" => "c", "insertafter" => "^a", "firstmatch" => true }, "a\nc\nb\na\n"),
            ("a\nb\na\n", data! { "line" => "c", "insertbefore" => "^a" }, "a\nb\nc\na\n"),
            // What is further on does not count.
            ("a\nb\nc\n", data! { "line" => "c", "insertafter" => "^a", "firstmatch" => true }, "a\nc\nb\nc\n"),
            ("a\nb\nc\n", data! { "line" => "c", "insertbefore" => "^b", "firstmatch" => true }, "a\nc\nb\nc\n"),
            ("a\n", data! { "line" => "c", "insertafter" => "^nope" }, "a\nc\n"),
            ("a\n", data! { "line" => "c", "insertafter" => "EOF" }, "a\nc\n"),
            ("a\n", data! { "line" => "c", "insertbefore" => "^nope" }, "a\nc\n"),
            ("x=1\n", data! { "line" => "x=2", "regexp" => "^y=", "insertbefore" => "^x" }, "x=2\nx=1\n"),
        ] {
            assert_eq!(edited(before, args.clone()), (after.to_owned(), "line added".to_owned()), "{args:?}");
        }
    }

    #[test]
    fn the_matching_line_is_replaced() {
        for (before, args, after) in [
            ("x=1\nx=2\nz\n", data! { "line" => "x=3", "regexp" => "^x=" }, "x=1\nx=3\nz\n"),
            ("x=1\nx=2\nz\n", data! { "line" => "x=3", "regexp" => "^x=", "firstmatch" => true }, "x=3\nx=2\nz\n"),
            ("#x=1\n", data! { "line" => r"x=\1", "regexp" => r"^#x=(\d)$", "backrefs" => true }, "x=1\n"),
            ("a.b\n", data! { "line" => "new", "search_string" => "a.b" }, "new\n"),
            ("a", data! { "line" => "a" }, "a\n"),
        ] {
            assert_eq!(edited(before, args.clone()), (after.to_owned(), "line replaced".to_owned()), "{args:?}");
        }
        let none = data! { "line" => r"x=\1", "regexp" => "^y(.)", "backrefs" => true };
        assert_eq!(edited("a\n", none), ("a\n".to_owned(), String::new()));
        let there = data! { "line" => "b", "regexp" => "^nope" };
        assert_eq!(edited("b\na\n", there), ("b\na\n".to_owned(), String::new()));
    }

    #[test]
    fn lines_are_removed() {
        let args = data! { "regexp" => "^x", "state" => "absent" };
        assert_eq!(edited("x1\na\nx2\n", args), ("a\n".to_owned(), "2 line(s) removed".to_owned()));
        let args = data! { "line" => "x", "state" => "absent" };
        assert_eq!(edited("xx\nx\r\n", args), ("xx\n".to_owned(), "1 line(s) removed".to_owned()));
    }

    #[test]
    fn a_missing_file_is_made_only_if_asked() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("d/f");
        let args = |create: bool| data! { "path" => path.to_str().unwrap(), "line" => "a", "create" => create };
        let outcome = call("lineinfile", args(false));
        assert_eq!(outcome.data["rc"], 257.into());
        assert!(outcome.failure.unwrap().msg.ends_with("does not exist !"));
        assert!(call("lineinfile", args(true)).changed);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n");
    }

    #[test]
    fn bytes_that_are_no_text_stay_and_links_stay_links() {
        let base = tempfile::tempdir().unwrap();
        let (file, link) = (base.path().join("f"), base.path().join("l"));
        std::fs::write(&file, b"\xff\xfe\nx\n").unwrap();
        std::os::unix::fs::symlink("f", &link).unwrap();
        call(
            "lineinfile",
            data! { "path" => link.to_str().unwrap(), "line" => "y", "regexp" => "x", "backup" => true },
        );
        assert_eq!(std::fs::read(&file).unwrap(), b"\xff\xfe\ny\n");
        assert!(link.is_symlink());
    }

    #[test]
    fn an_empty_pattern_is_warned_of() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("f");
        for (name, state, said) in [
            ("regexp", "present", "avoid this warning."),
            ("regexp", "absent", "avoid this warning."),
            ("search_string", "present", "rather than appending."),
            ("search_string", "absent", "rather than appending."),
        ] {
            std::fs::write(&file, "a\n").unwrap();
            let mut args = data! { "path" => file.to_str().unwrap(), "line" => "b", "state" => state };
            assert!(call("lineinfile", args.clone()).warnings.is_empty());
            args.insert(name.to_owned(), "".into());
            let outcome = call("lineinfile", args);
            assert!(matches!(outcome.warnings.as_slice(), [one] if one.ends_with(said)), "{outcome:?}");
        }
    }

    #[test]
    fn arguments_that_do_not_go_together_are_refused() {
        for args in [
            data! { "path" => "/x" },
            data! { "path" => "/x", "state" => "absent" },
            data! { "path" => "/x", "line" => "a", "backrefs" => true },
            data! { "path" => "/x", "line" => "a", "insertbefore" => "a", "insertafter" => "b" },
            data! { "path" => "/x", "line" => "a", "mode" => "preserve" },
        ] {
            assert!(call("lineinfile", args.clone()).failure.unwrap().arg.is_some(), "{args:?}");
        }
    }
}
