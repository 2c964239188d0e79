//! blockinfile: maintains a block of lines between two marker lines in a file.

use rplay_wire::Failure;

use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, Text},
    files::edited::{Edited, Encoding},
    system::{
        pattern::{self, Pattern},
        text,
    },
};

args! {
    /// Maintains a block of lines between two marker lines in a file.
    pub struct BlockInFile {
        ..file: Edited,
        /// Whether the block should exist.
        state: State = State::Present,
        /// The lines. An empty block is removed together with its markers.
        block: Text | "content" = String::new(),
        /// The marker lines; `{mark}` is replaced by `marker_begin` and `marker_end`.
        marker: Text = "# {mark} ANSIBLE MANAGED BLOCK".to_owned(),
        /// The value of `{mark}` before the block.
        marker_begin: Text = "BEGIN".to_owned(),
        /// The value of `{mark}` after the block.
        marker_end: Text = "END".to_owned(),
        /// Insert a new block after the last line that matches this regular expression; `EOF` is the end.
        insertafter: Option<Text>,
        /// Insert a new block before the last line that matches this regular expression; `BOF` is the start.
        insertbefore: Option<Text>,
        /// Create the file if it does not exist.
        create: Flag = Flag(false),
        /// Whether to append an empty line to the block, unless it ends the file.
        append_newline: Flag = Flag(false),
        /// Whether to prepend an empty line to the block, unless it starts the file.
        prepend_newline: Flag = Flag(false),
        /// The encoding of the file, by Python's name. With `utf-8`, invalid bytes are kept.
        encoding: Encoding = Encoding::utf_8(),
    }
}

impl Module for BlockInFile {
    fn check(&self) -> Result<(), ArgError> {
        self.file.check()?;
        if self.insertafter.is_some() && self.insertbefore.is_some() {
            return Err(ArgError::exclusive("insertafter", &["insertbefore", "insertafter"]));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let file = self.file.read(host, &self.encoding)?;
        let is_wanted = self.state == State::Present && !self.block.is_empty();
        if file.before.is_none() && !self.create.0 {
            return Err(file.missing("Path").help("set `create: true` to create it"));
        }
        if file.before.is_none() && self.state == State::Absent {
            return Ok(Plan::unchanged().set("msg", format!("File {} not present", file.path.display())));
        }
        let before = file.before.clone().unwrap_or_default();
        let after = self.edit(&before, is_wanted)?;
        let msg = match &file.before {
            Some(before) if *before == after => "",
            None => "File created",
            Some(_) if is_wanted => "Block inserted",
            Some(_) => "Block removed",
        };
        let plan = self.file.plan(file, host, &after, msg.to_owned())?;
        Ok(match self.marker.trim_end_matches('\n').contains('\n') {
            true => plan.warn("a multi-line marker is never found again, so the block is inserted each time"),
            false => plan,
        })
    }
}

impl BlockInFile {
    fn edit(&self, before: &str, is_wanted: bool) -> Result<String, Failure> {
        let marker = |mark: &str| self.marker.trim_end_matches('\n').replace("{mark}", mark);
        let (begin, end) = (marker(&self.marker_begin), marker(&self.marker_end));
        let mut lines = text::lines(before);
        let last = |marker: &str| lines.iter().rposition(|line| line.strip_suffix('\n').unwrap_or(line) == marker);
        let at = match (last(&begin), last(&end)) {
            (Some(from), Some(to)) => {
                let (from, to) = (from.min(to), from.max(to));
                lines.drain(from..=to);
                from
            }
            _ => self.place(before, &lines)?,
        };
        // As in ansible-core, the line above gets its end even if there is no block to remove.
        if let Some(line) = at.checked_sub(1).and_then(|above| lines.get_mut(above))
            && !line.ends_with('\n')
        {
            line.push('\n');
        }
        if !is_wanted {
            return Ok(lines.concat());
        }
        let ended = if self.block.ends_with('\n') { "" } else { "\n" };
        let mut block = format!("{begin}\n{}{ended}{end}\n", self.block);
        if self.prepend_newline.0 && at > 0 && lines[at - 1] != "\n" {
            block.insert(0, '\n');
        }
        if self.append_newline.0 && lines.get(at).is_some_and(|below| below != "\n") {
            block.push('\n');
        }
        lines.insert(at, block);
        Ok(lines.concat())
    }

    /// The index of the line before which a new block is inserted.
    fn place(&self, text: &str, lines: &[String]) -> Result<usize, Failure> {
        let (written, arg, below) = match (self.insertafter.as_deref(), self.insertbefore.as_deref()) {
            (_, Some("BOF")) => return Ok(0),
            (_, Some(before)) => (before, "insertbefore", 0),
            (Some(after), _) if after != "EOF" => (after, "insertafter", 1),
            _ => return Ok(lines.len()),
        };
        let pattern = Pattern::new(written, pattern::Flags::default(), arg)?;
        let line = if pattern::is_multi_line(written) {
            // Such a pattern may span several lines of the file.
            pattern.find(text).and_then(|found| found.get(0)).map(|whole| {
                let reach = if below == 1 { whole.end() } else { whole.start() };
                text[..reach].matches('\n').count()
            })
        } else {
            lines.iter().rposition(|line| pattern.is_in(line))
        };
        Ok(line.map_or(lines.len(), |line| (line + below).min(lines.len())))
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::{Map, data};

    use crate::{files::edited::tests::edited as edit, runner::tests::call};

    const OPEN: &str = "# BEGIN ANSIBLE MANAGED BLOCK\n";
    const CLOSE: &str = "# END ANSIBLE MANAGED BLOCK\n";

    fn edited(before: &str, args: Map) -> (String, String) {
        edit("blockinfile", before, args, true)
    }

    #[test]
    fn a_new_block_goes_where_it_belongs() {
        let block = format!("{OPEN}x\n{CLOSE}");
        for (args, after) in [
            (data! {}, format!("a\nb\nc\n{block}")),
            (data! { "insertafter" => "^a" }, format!("a\n{block}b\nc\n")),
            (data! { "insertbefore" => "^b" }, format!("a\n{block}b\nc\n")),
            (data! { "insertbefore" => "BOF" }, format!("{block}a\nb\nc\n")),
            (data! { "insertbefore" => "nope" }, format!("a\nb\nc\n{block}")),
            (data! { "insertafter" => "(?m)a\nb" }, format!("a\nb\n{block}c\n")),
            (data! { "insertbefore" => "(?m)b\nc" }, format!("a\n{block}b\nc\n")),
            (
                data! { "insertafter" => "^a", "append_newline" => true, "prepend_newline" => true },
                format!("a\n\n{block}\nb\nc\n"),
            ),
        ] {
            let mut args = args;
            args.insert("block".into(), "x".into());
            assert_eq!(edited("a\nb\nc\n", args.clone()), (after, "Block inserted".to_owned()), "{args:?}");
        }
    }

    #[test]
    fn a_block_is_replaced_in_its_place_and_removed_with_its_markers() {
        let before = format!("a\n{OPEN}x\n{CLOSE}b\n");
        assert_eq!(edited(&before, data! { "block" => "y\nz\n" }).0, format!("a\n{OPEN}y\nz\n{CLOSE}b\n"));
        assert_eq!(edited(&before, data! { "block" => "x" }), (before.clone(), String::new()));
        assert_eq!(edited(&before, data! { "block" => "" }), ("a\nb\n".to_owned(), "Block removed".to_owned()));
        assert_eq!(edited(&before, data! { "state" => "absent" }).0, "a\nb\n");
        assert_eq!(edited("a", data! { "state" => "absent" }), ("a\n".to_owned(), "Block removed".to_owned()));
        assert_eq!(edited("a", data! { "state" => "absent", "insertbefore" => "BOF" }).0, "a");
        assert_eq!(edited(&format!("{before}c"), data! { "block" => "x" }).1, "");
        let custom = data! { "block" => "x", "marker" => "<!-- {mark} -->", "marker_begin" => "B" };
        assert_eq!(edited("", custom).0, "<!-- B -->\nx\n<!-- END -->\n");
    }

    #[test]
    fn a_missing_file_is_made_only_if_asked() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("f");
        let args = |more: Map| {
            let mut args = data! { "path" => path.to_str().unwrap(), "block" => "x" };
            args.extend(more);
            args
        };
        assert_eq!(call("blockinfile", args(data! {})).data["rc"], 257.into());
        assert_eq!(call("blockinfile", args(data! { "state" => "absent" })).data["rc"], 257.into());
        let absent = call("blockinfile", args(data! { "state" => "absent", "create" => true }));
        assert_eq!(
            (&absent.data["msg"], absent.changed),
            (&format!("File {} not present", path.display()).into(), false)
        );
        let made = call("blockinfile", args(data! { "create" => true, "mode" => "0600" }));
        let said = "File created and ownership, perms or SE linux context changed";
        assert_eq!((&made.data["msg"], made.changed), (&said.into(), true));
        assert_eq!(crate::system::attributes::describe(&path)["mode"], "0600".into());
    }
}
