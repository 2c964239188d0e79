//! `acl`: one entry of a file's access control list, through setfacl(1) and getfacl(1), or their NFSv4 kin.

use std::path::{Path, PathBuf};

use rplay_wire::Failure;

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    choice,
    system::program::Program,
};

choice! {
    /// Whether the entry should be there; `query` only tells the list.
    pub enum State {
        Absent = "absent",
        Present = "present",
        Query = "query",
    }
}

choice! {
    /// Whom an entry is for.
    pub enum Kind {
        Group = "group",
        Mask = "mask",
        Other = "other",
        User = "user",
    }
}

choice! {
    /// What happens to the mask, which limits the permissions of named users and groups.
    pub enum Recalculation {
        Default = "default",
        Always = "mask",
        Never = "no_mask",
    }
}

args! {
    /// Sets, removes and tells entries of a file's access control list.
    pub struct Acl {
        /// The file or directory.
        path: PathArg | "name",
        /// `query` only returns the list.
        state: State = State::Query,
        /// The user or group that the entry is for.
        entity: Text = String::new(),
        /// Whom the entry is for.
        etype: Option<Kind>,
        /// The permissions: `rw`; `X` is execute for directories and for what somebody may execute already.
        permissions: Option<Text>,
        /// The entry as setfacl(1) writes it, `user:joe:rw`, instead of `etype`, `entity` and `permissions`. Deprecated.
        entry: Option<Text>,
        /// Whether it is the entry that new files of a directory get.
        default: Flag = Flag(false),
        /// Follow a symbolic link.
        follow: Flag = Flag(true),
        /// Also for everything below a directory.
        recursive: Flag | "recurse" = Flag(false),
        /// Whether setfacl(1) computes the mask again: as it does by itself, always, or never.
        recalculate_mask: Recalculation = Recalculation::Default,
        /// Use `nfs4_setfacl` and `nfs4_getfacl`.
        use_nfsv4_acls: Flag = Flag(false),
    }
}

impl Module for Acl {
    fn check(&self) -> Result<(), ArgError> {
        let wrong = |arg: &str, msg: String| Err(ArgError::new(arg, msg));
        let state = self.state.word();
        let is_query = self.state == State::Query;
        if self.use_nfsv4_acls.0 && self.state == State::Absent {
            return wrong("state", "cannot be `absent` with `use_nfsv4_acls`, as in Ansible".to_owned());
        }
        if self.use_nfsv4_acls.0 && self.entry.is_some() {
            return wrong("entry", "cannot be combined with `use_nfsv4_acls`, as in Ansible".to_owned());
        }
        if self.recursive.0 && is_query {
            return wrong("recursive", "'recursive' MUST NOT be set when 'state=query'.".to_owned());
        }
        if self.recalculate_mask != Recalculation::Default && is_query {
            let msg = "'recalculate_mask' MUST NOT be set to 'mask' or 'no_mask' when 'state=query'.";
            return wrong("recalculate_mask", msg.to_owned());
        }
        let Some(entry) = &self.entry else {
            let is_absent = self.state == State::Absent;
            return match self.etype {
                _ if is_absent && self.permissions.is_some() => {
                    wrong("permissions", "'permissions' MUST NOT be set when 'state=absent'.".to_owned())
                }
                _ if is_absent && self.entity.is_empty() => {
                    wrong("entity", "'entity' MUST be set when 'state=absent'.".to_owned())
                }
                None if !is_query => wrong("etype", format!("'etype' MUST be set when 'state={state}'.")),
                _ => Ok(()),
            };
        };
        if self.etype.is_some() || !self.entity.is_empty() || self.permissions.is_some() {
            let msg = "'entry' MUST NOT be set when 'entity', 'etype' or 'permissions' are set.";
            return wrong("entry", msg.to_owned());
        }
        let sections = entry.split(':').count();
        match self.state {
            State::Present if !(3..=4).contains(&sections) => {
                wrong("entry", "'entry' MUST have 3 or 4 sections divided by ':' when 'state=present'.".to_owned())
            }
            State::Absent if !(2..=3).contains(&sections) => {
                wrong("entry", "'entry' MUST have 2 or 3 sections divided by ':' when 'state=absent'.".to_owned())
            }
            State::Query => wrong("entry", "'entry' MUST NOT be set when 'state=query'.".to_owned()),
            _ => match self.written() {
                Some(_) => Ok(()),
                None => Err(ArgError::new("entry", format!("`{entry}` is no entry of an access control list"))
                    .help("write `user:joe:rw`, or `default:user:joe:rw`")),
            },
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = self.path.on(host);
        if !path.exists() {
            let missing = || Failure::new("Path not found or not accessible.").arg("path");
            let plan = Plan::unchanged().assumes(host, format!("the file {}", path.display()), missing)?;
            return Ok(match self.state {
                State::Query => plan,
                _ => plan.change(Change::new(format!("set the ACL of {}", path.display()), |_, _| Ok(()))),
            });
        }
        let entry = self.wanted();
        let (nfs4, default) = (self.use_nfsv4_acls.0, entry.is_default);
        let reader = Reader { path: path.clone(), nfs4, default, follow: self.follow.0, recursive: self.recursive.0 };
        let mut plan = Plan::unchanged();
        let msg = match self.state {
            State::Query => "current acl".to_owned(),
            State::Present => format!("{} is present", entry.text),
            State::Absent => format!("{} is absent", entry.text),
        };
        if self.state != State::Query {
            let differs = match nfs4 {
                true => {
                    let said = self.setfacl(host, &entry, true, &path)?.succeed()?.stdout;
                    entries(&said) != reader.lines(host)?
                }
                false => differs(&self.setfacl(host, &entry, true, &path)?.succeed()?.stdout),
            };
            if differs {
                let what = match self.state {
                    State::Absent => format!("remove {} from the ACL of {}", entry.text, path.display()),
                    _ => format!("set {} in the ACL of {}", entry.text, path.display()),
                };
                plan = plan.change(Change::new(what, move |host, _| {
                    self.setfacl(host, &entry, false, &path)?.succeed().map(|_| ())
                }));
            }
        }
        Ok(plan.set("msg", msg).finish(move |host, data| {
            data.insert("acl".to_owned(), reader.lines(host)?.into());
            Ok(())
        }))
    }
}

/// An entry as the programs take it.
struct Wanted {
    text: String,
    is_default: bool,
}

impl Acl {
    /// `entry` in parts: whether it is a default, the kind, the entity and the permissions. `None` if it is no entry.
    fn written(&self) -> Option<(bool, Kind, &str, Option<&str>)> {
        let mut parts: Vec<&str> = self.entry.as_deref()?.split(':').collect();
        let is_default = parts.first().is_some_and(|first| first.starts_with('d'));
        if is_default {
            parts.remove(0);
        }
        let kind = match parts.first()?.chars().next()? {
            'u' => Kind::User,
            'g' => Kind::Group,
            'm' => Kind::Mask,
            'o' => Kind::Other,
            _ => return None,
        };
        match (parts.as_slice(), self.state) {
            ([_, entity, permissions], State::Present) => Some((is_default, kind, *entity, Some(*permissions))),
            // Permissions do not matter to what is removed.
            ([_, entity] | [_, entity, _], State::Absent) => Some((is_default, kind, *entity, None)),
            _ => None,
        }
    }

    /// The entry that the arguments describe: `user:joe:rw`.
    fn wanted(&self) -> Wanted {
        let (is_default, kind, entity, permissions) = match self.written() {
            Some((is_default, kind, entity, permissions)) => (is_default, Some(kind), entity, permissions),
            None => (self.default.0, self.etype, self.entity.as_str(), self.permissions.as_deref()),
        };
        let text = match self.use_nfsv4_acls.0 {
            // An entry that allows; the last three permissions are those to read attributes and the list itself.
            true => {
                let group = if kind == Some(Kind::Group) { "g" } else { "" };
                format!("A:{group}:{entity}:{}tcy", permissions.unwrap_or_default())
            }
            false => {
                let kind = kind.map(Kind::word).unwrap_or_default();
                [kind, entity].into_iter().chain(permissions).collect::<Vec<_>>().join(":")
            }
        };
        Wanted { text, is_default }
    }

    /// The program that sets or removes the entry. `test` only tells what would come of it.
    fn setfacl(&self, host: &Host, entry: &Wanted, test: bool, path: &Path) -> Result<Program, Failure> {
        let nfs4 = self.use_nfsv4_acls.0;
        let program = host.required_program(if nfs4 { "nfs4_setfacl" } else { "setfacl" })?;
        let program = program.arg_if(test, "--test").arg_if(entry.is_default, "-d");
        let add = if nfs4 { "-a" } else { "-m" };
        let program = program.arg(if self.state == State::Absent { "-x" } else { add }).arg(&entry.text);
        let program = program.arg_if(self.recursive.0 && !nfs4, "--recursive");
        let program = match self.recalculate_mask {
            Recalculation::Default => program,
            Recalculation::Always => program.arg("--mask"),
            Recalculation::Never => program.arg("--no-mask"),
        };
        Ok(program.arg_if(!self.follow.0 && !nfs4, "--physical").arg(path))
    }
}

/// Whether the output of `setfacl --test` tells of a change. It says `*,*` where both lists stay as they are, and nothing
/// of a link that is not followed.
fn differs(said: &str) -> bool {
    said.is_empty() || said.lines().any(|line| !line.ends_with("*,*"))
}

/// How a list is read.
struct Reader {
    path: PathBuf,
    nfs4: bool,
    default: bool,
    follow: bool,
    recursive: bool,
}

impl Reader {
    /// The entries of the list.
    fn lines(&self, host: &Host) -> Result<Vec<String>, Failure> {
        let program = host.required_program(if self.nfs4 { "nfs4_getfacl" } else { "getfacl" })?;
        let program = program.arg_if(self.default, "-d").arg("--omit-header").arg_if(!self.nfs4, "--absolute-names");
        let program = program.arg_if(self.recursive && !self.nfs4, "--recursive");
        let program = program.arg_if(!self.follow && !self.nfs4, "--physical");
        Ok(entries(&program.arg(&self.path).succeed()?.stdout))
    }
}

/// The entries in the output of a program, without its remarks.
fn entries(said: &str) -> Vec<String> {
    let lines = said.trim_end().lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.trim().to_owned()).collect()
}
