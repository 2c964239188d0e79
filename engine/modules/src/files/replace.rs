//! replace: replaces all matches of a regular expression in a file.

use rplay_wire::Failure;

use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::Text,
    files::edited::{Edited, Encoding},
    system::pattern::{Flags, Pattern, Template},
};

args! {
    /// Replaces all matches of a regular expression in a file.
    pub struct Replace {
        ..file: Edited,
        /// The regular expression, in Python's syntax; `^` and `$` also match at line ends.
        regexp: Text,
        /// The replacement; `\1` and `\g<name>` refer to groups. Empty by default.
        replace: Text = String::new(),
        /// Only replace after a match of this regular expression.
        after: Option<Text>,
        /// Only replace before a match of this regular expression.
        before: Option<Text>,
        /// The encoding of the file, by Python's name. With `utf-8`, invalid bytes are kept.
        encoding: Encoding = Encoding::utf_8(),
    }
}

impl Module for Replace {
    fn check(&self) -> Result<(), ArgError> {
        self.file.check()
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let file = self.file.read(host, &self.encoding)?;
        let Some(before) = file.before.clone() else { return Err(file.missing("Path")) };
        let pattern = Pattern::new(&self.regexp, Flags { multi_line: true, dot_all: false }, "regexp")?;
        let template = Template::new(&self.replace, &pattern, "replace").map_err(|mut failure| {
            // Python's error about an unknown name is another one, which Ansible's module does not expect.
            if let Some(told) = failure.msg.strip_prefix("Task failed: Module failed: ")
                && !told.starts_with("unknown group name")
            {
                failure.msg = format!("Unable to process replace due to error: {told}");
            }
            failure
        })?;
        let Some((start, end)) = self.section(&before)? else {
            let section = section_pattern(&self.after, &self.before);
            let msg = format!("Pattern for before/after params did not match the given file: {section}");
            return Ok(Plan::unchanged().set("msg", msg).set("rc", 0));
        };
        let (middle, count) = pattern.replace_all(&before[start..end], &template)?;
        let after = format!("{}{middle}{}", &before[..start], &before[end..]);
        let msg = if count > 0 && after != before { format!("{count} replacements made") } else { String::new() };
        let plan = self.file.plan(file, host, &after, msg)?;
        let mut plan = plan.set("rc", 0);
        // One difference, of the text, and only where it is shown.
        plan.data.shift_remove("diff");
        plan.changes.retain_mut(|change| {
            if change.diff.as_ref().is_some_and(|diff| diff.after_header.is_empty()) {
                change.diff = None;
            }
            true
        });
        Ok(plan)
    }
}

fn section_pattern(after: &Option<String>, before: &Option<String>) -> String {
    match (after, before) {
        (Some(after), Some(before)) => format!("{after}(?P<subsection>.*?){before}"),
        (Some(after), None) => format!("{after}(?P<subsection>.*)"),
        (None, Some(before)) => format!("(?P<subsection>.*){before}"),
        (None, None) => "(?P<subsection>.*)".to_owned(),
    }
}

impl Replace {
    /// The byte range in which matches are replaced; `None` if `after` and `before` do not match.
    fn section(&self, text: &str) -> Result<Option<(usize, usize)>, Failure> {
        if self.after.is_none() && self.before.is_none() {
            return Ok(Some((0, text.len())));
        }
        let arg = if self.after.is_some() { "after" } else { "before" };
        let pattern = section_pattern(&self.after, &self.before);
        let pattern = Pattern::new(&pattern, Flags { multi_line: false, dot_all: true }, arg)?;
        let found = pattern.find(text);
        Ok(found.and_then(|found| found.name("subsection").map(|section| (section.start(), section.end()))))
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::{Map, data};

    use crate::{files::edited::tests::edited as edit, runner::tests::call};

    fn edited(before: &str, args: Map) -> (String, String) {
        edit("replace", before, args, false)
    }

    #[test]
    fn every_place_is_replaced_and_counted() {
        let args = data! { "regexp" => r"^(\w+)=(.*)$", "replace" => r"\g<2>=\1" };
        assert_eq!(edited("a=1\nb=2\n", args), ("1=a\n2=b\n".to_owned(), "2 replacements made".to_owned()));
        assert_eq!(edited("a\n", data! { "regexp" => "x" }), ("a\n".to_owned(), String::new()));
        assert_eq!(edited("a\n", data! { "regexp" => "a", "replace" => "a" }).1, "");
        assert_eq!(edited("a\nb\n", data! { "regexp" => "^a\n" }).0, "b\n");
    }

    #[test]
    fn only_the_section_is_touched() {
        let text = "x\n[one]\nx\n[two]\nx\n";
        let replaced = |args: Map| {
            let mut args = args;
            args.extend(data! { "regexp" => "^x$", "replace" => "y" });
            edited(text, args).0
        };
        assert_eq!(replaced(data! { "after" => r"\[one\]", "before" => r"\[two\]" }), "x\n[one]\ny\n[two]\nx\n");
        assert_eq!(replaced(data! { "after" => r"\[two\]" }), "x\n[one]\nx\n[two]\ny\n");
        assert_eq!(replaced(data! { "before" => r"\[one\]" }), "y\n[one]\nx\n[two]\nx\n");
        let (after, msg) = edited(text, data! { "regexp" => "x", "after" => "nope" });
        assert!(after == text && msg.starts_with("Pattern for before/after"));
    }

    #[test]
    fn errors_are_named() {
        assert_eq!(call("replace", data! { "path" => "/no/such", "regexp" => "a" }).data["rc"], 257.into());
        assert_eq!(call("replace", data! { "path" => "/etc", "regexp" => "a" }).data["rc"], 256.into());
        let failure = call("replace", data! { "path" => "/etc/passwd", "regexp" => "(" }).failure.unwrap();
        assert_eq!(failure.arg.as_deref(), Some("regexp"));
        let failure =
            call("replace", data! { "path" => "/x", "regexp" => "a", "encoding" => "nonono" }).failure.unwrap();
        assert_eq!(failure.arg.as_deref(), Some("encoding"));
    }
}
