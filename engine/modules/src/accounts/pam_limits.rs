//! `pam_limits`: a line of limits.conf(5).

use rplay_wire::{Diff, Failure};

use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    choice,
    system::{
        lossless, paths,
        place::{Content, Placement},
        text,
    },
};

choice! {
    /// Whether the user may raise the limit.
    pub enum Kind {
        Hard = "hard",
        Soft = "soft",
        /// Both limits.
        Both = "-",
    }
}

choice! {
    /// What is limited.
    pub enum Item {
        Core = "core",
        Data = "data",
        Fsize = "fsize",
        Memlock = "memlock",
        Nofile = "nofile",
        Rss = "rss",
        Stack = "stack",
        Cpu = "cpu",
        Nproc = "nproc",
        As = "as",
        Maxlogins = "maxlogins",
        Maxsyslogins = "maxsyslogins",
        Priority = "priority",
        Locks = "locks",
        Sigpending = "sigpending",
        Msgqueue = "msgqueue",
        Nice = "nice",
        Rtprio = "rtprio",
        Chroot = "chroot",
    }
}

args! {
    /// Limits the resources of users at their login.
    pub struct PamLimits {
        /// A user, `@group`, `*`, or a range of IDs.
        domain: Text,
        /// Whether the user may raise the limit; `-` sets both.
        limit_type: Kind,
        /// What is limited.
        limit_item: Item,
        /// The limit: a number, or `unlimited`, `infinity` or `-1` for none.
        value: Text,
        /// Keep a copy of the previous file.
        backup: Flag = Flag(false),
        /// Keep a lower limit that is there.
        use_min: Flag = Flag(false),
        /// Keep a higher limit that is there.
        use_max: Flag = Flag(false),
        /// The file.
        dest: PathArg = PathArg("/etc/security/limits.conf".to_owned()),
        /// A comment for a line that changes.
        comment: Text = String::new(),
    }
}

/// A limit: a number, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Limit {
    Number(i128),
    Unlimited,
}

impl Limit {
    /// Reads a limit of that item; `None` if it is none.
    fn read(text: &str, item: Item) -> Option<Limit> {
        let number: Option<i128> = text.parse().ok();
        if matches!(item, Item::Nice | Item::Priority) {
            return number.filter(|number| (-20..=19).contains(number)).map(Limit::Number);
        }
        match (text, number) {
            ("unlimited" | "infinity" | "-1", _) => Some(Limit::Unlimited),
            (_, Some(number)) if number >= 0 => Some(Limit::Number(number)),
            _ => None,
        }
    }
}

impl Module for PamLimits {
    fn check(&self) -> Result<(), ArgError> {
        if self.use_min.0 && self.use_max.0 {
            return Err(ArgError::new("use_max", "Cannot use use_min and use_max at the same time."));
        }
        if let Some(found) =
            [("domain", &self.domain), ("comment", &self.comment)].iter().find(|(_, text)| text.contains('\n'))
        {
            return Err(ArgError::new(found.0, "must be one line"));
        }
        if Limit::read(&self.value, self.limit_item).is_none() {
            return Err(ArgError::new("value", self.refused(&self.value)));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = self.dest.on(host);
        let directory = paths::directory(&path);
        if !path.exists() && !directory.is_dir() {
            let told =
                format!("directory {} is not writable (check presence, access rights, use sudo)", directory.display());
            let plan = Plan::unchanged();
            let missing = format!("the directory {}", directory.display());
            return plan
                .assumes(host, missing, || Failure::new(told).arg("dest"))
                .map(|plan| plan.change(crate::Change::new(format!("create {}", path.display()), |_, _| Ok(()))));
        }
        let before = text::read(&path).map_err(|failure| failure.arg("dest"))?;
        let old = before.clone().unwrap_or_default();
        let (after, line) = self.edited(&old)?;
        let mut plan = Plan::unchanged().set("msg", line);
        plan = plan.set("diff", rplay_wire::data! { "before" => old.as_str(), "after" => after.as_str() });
        if after == old && before.is_some() {
            return Ok(plan);
        }
        let content = Content::Bytes(lossless::encode(&after));
        let placement = Placement::plain(paths::real(&path), content).backup(self.backup.0);
        plan = placement.plan(host, plan)?;
        let path = paths::text(&path);
        if let Some(change) = plan.changes.first_mut() {
            change.diff = Some(Diff { before_header: path.clone(), after_header: path, before: old, after });
        }
        Ok(plan)
    }
}

impl PamLimits {
    fn refused(&self, value: &str) -> String {
        let item = self.limit_item.word();
        let rule = match self.limit_item {
            Item::Nice | Item::Priority => "Value must be a number in the range -20 to 19 inclusive.",
            _ => {
                "Value must either be 'unlimited', 'infinity' or -1, all of which indicate no limit, or a limit of 0 or \
                 larger."
            }
        };
        let more = "Refer to the limits.conf(5) manual pages for more details.";
        format!(" Value of '{value}' for item '{item}' is invalid. {rule} {more}")
    }

    /// The edited text, and the line that is in it now. Further lines for the same are removed.
    fn edited(&self, text: &str) -> Result<(String, String), Failure> {
        let mut told = None;
        let mut lines = Vec::new();
        for line in text.split_inclusive('\n') {
            let (bare, comment) = match line.trim_end().split_once('#') {
                Some((bare, comment)) => (bare, Some(comment)),
                None => (line, None),
            };
            let words: Vec<&str> = bare.split_whitespace().collect();
            let [domain, kind, item, value] = words[..] else {
                lines.push(line.to_owned());
                continue;
            };
            if (domain, kind, item) != (self.domain.as_str(), self.limit_type.word(), self.limit_item.word()) {
                lines.push(line.to_owned());
                continue;
            }
            if told.is_some() {
                continue;
            }
            let present =
                Limit::read(value, self.limit_item).ok_or_else(|| Failure::new(self.refused(value)).arg("dest"))?;
            let wanted = Limit::read(&self.value, self.limit_item).unwrap_or(present);
            let stays = present == wanted || self.use_min.0 && present < wanted || self.use_max.0 && present > wanted;
            let kept = if stays { value } else { &self.value };
            let comment = match stays || self.comment.is_empty() {
                true => comment,
                false => Some(self.comment.as_str()),
            };
            let new = if stays { line.to_owned() } else { self.line(kept, comment) };
            lines.push(new.clone());
            told = Some(new);
        }
        let told = told.unwrap_or_else(|| {
            if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
                last.push('\n');
            }
            let new = self.line(&self.value, Some(self.comment.as_str()).filter(|comment| !comment.is_empty()));
            lines.push(new.clone());
            new
        });
        Ok((lines.concat(), told))
    }

    fn line(&self, value: &str, comment: Option<&str>) -> String {
        let comment = comment.map(|comment| format!("\t#{comment}")).unwrap_or_default();
        format!("{}\t{}\t{}\t{value}{comment}\n", self.domain, self.limit_type.word(), self.limit_item.word())
    }
}
