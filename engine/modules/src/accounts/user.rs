//! user: users on the host.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use rplay_wire::{Failure, Map, Value, data};

use crate::system::fs;
use crate::system::machine;
use crate::{
    ArgError, Change, Host, Module, Plan,
    accounts::home,
    args,
    argtypes::{AbsentPresent as State, Flag, PathArg, Secret, Text},
    choice,
    io_failure::io_failure,
    system::{
        accounts::{Group, User as Entry, editor, group_name},
        attributes::Wanted,
        folders::make_folders,
        mode::Mode,
        paths,
        process::lines,
        program::Program,
        shadow::Shadow,
    },
};

choice! {
    /// When the password is set.
    pub enum UpdatePassword {
        Always = "always",
        OnCreate = "on_create",
    }
}

args! {
    /// Creates, changes or removes a user with home directory, groups and password.
    pub struct User {
        /// The name of the user.
        name: Text | "user",
        /// Whether the user should exist.
        state: State = State::Present,
        /// The user ID.
        uid: Option<u64>,
        /// Whether the user ID may be in use by another user.
        non_unique: Flag = Flag(false),
        /// The primary group, by name or ID.
        group: Option<Text>,
        /// The supplementary groups. An empty list removes the user from all of them.
        groups: Option<Vec<Text>>,
        /// Whether the user keeps groups that are not in the list.
        append: Flag = Flag(false),
        /// The home directory.
        home: Option<PathArg>,
        /// Whether to create a home directory for a new user.
        create_home: Flag | "createhome" = Flag(true),
        /// Whether to move the content of the old home directory to the new one.
        move_home: Flag = Flag(false),
        /// The skeleton directory for new home directories.
        skeleton: Option<PathArg>,
        /// The umask for creating a new home directory.
        umask: Option<Text>,
        /// The login shell.
        shell: Option<PathArg>,
        /// The user's full name or description (GECOS).
        comment: Option<Text>,
        /// The encrypted password (crypt(5)).
        password: Option<Secret>,
        /// Whether to change the password of an existing user.
        update_password: UpdatePassword = UpdatePassword::Always,
        /// Whether password login is locked.
        password_lock: Option<Flag>,
        /// Days after which the password must be changed.
        password_expire_max: Option<i64>,
        /// Days before the password may be changed again.
        password_expire_min: Option<i64>,
        /// Days of warning before the password expires.
        password_expire_warn: Option<i64>,
        /// Days after which the account is disabled once the password has expired.
        password_expire_account_disable: Option<i64>,
        /// When the account expires, in seconds since 1970; negative for never.
        expires: Option<f64>,
        /// Whether a new user gets a system user ID.
        system: Flag = Flag(false),
        /// With `absent`: remove the user even if it has running processes. With `generate_ssh_key`: replace an existing key.
        force: Flag = Flag(false),
        /// With `absent`: also remove the home directory and mail.
        remove: Flag = Flag(false),
        /// Only change local accounts, with the tools made for that, even if the host also uses other account sources.
        local: Flag = Flag(false),
        /// The SELinux user.
        seuser: Option<Text>,
        /// The lowest ID for a new user.
        uid_min: Option<u64>,
        /// The highest ID for a new user.
        uid_max: Option<u64>,
        /// Generate an SSH key for the user, unless there is one.
        generate_ssh_key: Flag = Flag(false),
        /// The length of the key in bits.
        ssh_key_bits: Option<u64>,
        /// The key's type: rsa, ed25519 ...
        ssh_key_type: Text = "rsa".to_owned(),
        /// The file of the key, relative to the home directory; by default `.ssh/id_` and the type.
        ssh_key_file: Option<PathArg>,
        /// The key's comment.
        ssh_key_comment: Option<Text>,
        /// The passphrase of the key; none by default.
        ssh_key_passphrase: Option<Secret>,
        /// Only for BSD; has no effect on Linux.
        login_class: Option<Text>,
        /// Only for Solaris; has no effect on Linux.
        profile: Option<Text>,
        /// Only for Solaris; has no effect on Linux.
        authorization: Option<Text>,
        /// Only for Solaris; has no effect on Linux.
        role: Option<Text>,
        /// Only for macOS; has no effect on Linux.
        hidden: Option<Flag>,
    }
}

impl Module for User {
    fn check(&self) -> Result<(), ArgError> {
        if self.name.starts_with('-') || self.name.contains('\n') {
            return Err(ArgError::new("name", "is not a valid user name"));
        }
        // libuser's programs have no such options.
        let options =
            [("uid_min", self.uid_min.is_some()), ("uid_max", self.uid_max.is_some()), ("umask", self.umask.is_some())];
        if let Some((name, _)) = options.into_iter().find(|(_, is_set)| self.local.0 && *is_set) {
            return Err(ArgError::new(name, format!("'{name}' can not be used with 'local'")));
        }
        match &self.password {
            Some(Secret(hash)) if hash.contains([':', '\n']) => {
                Err(ArgError::new("password", "must be an encrypted password, without `:`")
                    .help("encrypt it with the filter password_hash"))
            }
            _ => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let present = Entry::named(&self.name);
        let mut plan = match (self.state, &present) {
            (State::Absent, None) => Plan::unchanged(),
            (State::Absent, Some(_)) => {
                let mut tool = editor(host, "userdel", self.local.0)?;
                tool = tool.arg_if(self.force.0 && !self.local.0, "-f").arg_if(self.remove.0, "-r").arg(&self.name);
                Plan::unchanged().change(run(tool, &self.name))
            }
            (State::Present, None) => self.create(host)?,
            (State::Present, Some(user)) => self.modify(host, user)?,
        };
        if let Some(user) = present.as_ref().filter(|_| self.state == State::Present && self.create_home.0) {
            let home = self.home.as_ref().map_or_else(|| PathBuf::from(&user.home), |home| home.on(host));
            // usermod moves the old one there.
            let is_moved = self.move_home.0 && home != Path::new(&user.home) && Path::new(&user.home).is_dir();
            if !home.exists() && !is_moved {
                let skeleton = self.skeleton.as_ref().map(|skeleton| skeleton.on(host));
                plan = plan.change(home::create(&self.name, home, skeleton, self.umask.clone()));
            }
        }
        for (name, is_set) in [
            ("login_class", self.login_class.is_some()),
            ("profile", self.profile.is_some()),
            ("authorization", self.authorization.is_some()),
            ("role", self.role.is_some()),
            ("hidden", self.hidden.is_some()),
        ] {
            if is_set {
                plan = plan.warn(format!("`{name}` has no effect on Linux"));
            }
        }
        if self.state == State::Present && self.generate_ssh_key.0 {
            plan = self.ssh_key(host, present.as_ref(), plan)?;
        }
        if self.password.as_ref().is_some_and(|Secret(hash)| !is_hash_like(hash)) {
            plan = plan.warn(
                "The input password appears not to have been hashed. The 'password' argument must be encrypted for \
                 this module to work properly.",
            );
        }
        if self.append.0 && self.groups.is_none() {
            plan = plan.warn(
                "'append' is set, but no 'groups' are specified. Use 'groups' for appending new groups.\
                 This will change to an error in Ansible 2.14.",
            );
        }
        let was_there = present.is_some();
        if host.check && (self.state == State::Absent && was_there || self.state == State::Present && !was_there) {
            // As in ansible-core, check mode does not report what it would be like.
            return Ok(plan);
        }
        Ok(plan.finish(move |host, data| {
            data.extend(self.result(host, was_there));
            Ok(())
        }))
    }
}

/// A change that runs a tool.
fn run(tool: Program, name: &str) -> Change {
    let name = name.to_owned();
    Change::new(tool.to_string(), move |_, data: &mut Map| {
        let output = tool.run()?;
        if output.rc != 0 {
            let said = if output.stderr.is_empty() { output.stdout } else { output.stderr };
            return Err(Failure::new(said).data(data! { "name" => name, "rc" => output.rc }));
        }
        // The output of the programs is reported only if there is any.
        for (key, said) in [("stdout", output.stdout), ("stderr", output.stderr)] {
            if !said.is_empty() {
                let before = data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                data.insert(key.to_owned(), (before + &said).into());
            }
        }
        Ok(())
    })
}

/// A date in usermod's format; empty for never.
fn date(seconds: f64) -> String {
    let timestamp = jiff::Timestamp::from_second(seconds as i64).unwrap_or_default();
    if seconds < 0.0 { String::new() } else { timestamp.strftime("%Y-%m-%d").to_string() }
}

impl User {
    /// The requested groups; all must exist.
    fn groups(&self) -> Result<Option<BTreeSet<String>>, Failure> {
        let Some(groups) = &self.groups else { return Ok(None) };
        let mut names = BTreeSet::new();
        for group in groups.iter().filter(|group| !group.is_empty()) {
            names.insert(named(group, "groups")?.name);
        }
        Ok(Some(names))
    }

    fn create(&self, host: &Host) -> Result<Plan, Failure> {
        let mut tool = editor(host, "useradd", self.local.0)?;
        tool = tool
            .option("-u", self.uid)
            .arg_if(self.non_unique.0 && self.uid.is_some(), "-o")
            .option("-Z", self.seuser.as_deref());
        match &self.group {
            Some(group) => {
                tool = tool.option("-g", Some(named(group, "group")?.name));
            }
            // The group of a new user has the user's name and already exists.
            None if Group::named(&self.name).is_some() => {
                tool = tool.arg(if self.local.0 { "-n" } else { "-N" });
            }
            None => {}
        }
        let groups = self.groups()?.unwrap_or_default();
        if !groups.is_empty() && !self.local.0 {
            tool = tool.option("-G", Some(Vec::from_iter(groups.clone()).join(",")));
        }
        tool = tool.option("-c", self.comment.as_deref());
        let home = self.home.as_ref().map(|home| home.on(host));
        tool = tool.option("-d", home.as_ref().map(paths::text));
        tool = tool.option("-s", self.shell.as_ref().map(|shell| paths::text(shell.on(host))));
        if let Some(expires) = self.expires.filter(|expires| *expires >= 0.0 && !self.local.0) {
            tool = tool.option("-e", Some(date(expires)));
        }
        if self.create_home.0 {
            tool = tool.arg_if(!self.local.0, "-m");
            tool = tool.option("-k", self.skeleton.as_ref().map(|skeleton| paths::text(skeleton.on(host))));
            tool = tool.option("-K", self.umask.as_ref().map(|umask| format!("UMASK={umask}")));
        } else {
            tool = tool.arg("-M");
        }
        tool = tool.arg_if(self.system.0, "-r");
        for (key, limit) in [("UID_MIN", self.uid_min), ("UID_MAX", self.uid_max)] {
            tool = tool.option("-K", limit.map(|limit| format!("{key}={limit}")));
        }
        tool = tool.arg(&self.name);
        let mut plan = Plan::unchanged();
        // useradd creates the home directory, but not its parents.
        if let Some(folder) =
            home.as_deref().and_then(Path::parent).filter(|folder| self.create_home.0 && !folder.exists())
        {
            plan = make_folders(folder, &Wanted::default(), plan)?;
        }
        plan = plan.change(run(tool, &self.name));
        if self.local.0 {
            for group in &groups {
                let mut tool = host.required_program("lgroupmod")?;
                tool = tool.option("-M", Some(&self.name)).arg(group);
                plan = plan.change(run(tool, &self.name));
            }
        }
        if let Some(expires) = self.expires.filter(|_| self.local.0) {
            plan = plan.change(self.local_expiry(host, expires)?);
        }
        if let Some(Secret(hash)) = &self.password {
            plan = plan.change(self.set_password(host, hash, self.password_lock == Some(Flag(true)))?);
        } else if self.password_lock == Some(Flag(true)) {
            let mut tool = host.required_program("usermod")?;
            tool = tool.arg("-L").arg(&self.name);
            plan = plan.change(run(tool, &self.name));
        }
        self.ageing(host, &Shadow::default(), plan)
    }

    fn modify(&self, host: &Host, user: &Entry) -> Result<Plan, Failure> {
        let mut tool = editor(host, "usermod", self.local.0)?;
        // With `local`, the groups to join and to leave, since lusermod does not know of them.
        let mut members: Vec<(&str, String)> = Vec::new();
        if let Some(uid) = self.uid.filter(|uid| *uid != u64::from(user.uid)) {
            tool = tool.option("-u", Some(uid)).arg_if(self.non_unique.0, "-o");
        }
        if let Some(group) = &self.group {
            let group = named(group, "group")?;
            if group.gid != user.gid {
                tool = tool.option("-g", Some(group.gid));
            }
        }
        if let Some(wanted) = self.groups()? {
            let first = group_name(user.gid);
            let present: BTreeSet<String> = memberships(&self.name).into_iter().filter(|name| *name != first).collect();
            let wanted: BTreeSet<String> = wanted.into_iter().filter(|name| *name != first).collect();
            let is_enough = if self.append.0 { wanted.is_subset(&present) } else { wanted == present };
            if !is_enough && self.local.0 {
                let none = BTreeSet::new();
                let left = if self.append.0 { &none } else { &present };
                members.extend(wanted.difference(&present).map(|group| ("-M", group.clone())));
                members.extend(left.difference(&wanted).map(|group| ("-m", group.clone())));
            } else if !is_enough {
                tool = tool.arg_if(self.append.0, "-a").option("-G", Some(Vec::from_iter(wanted).join(",")));
            }
        }
        if let Some(comment) = self.comment.as_ref().filter(|comment| **comment != user.gecos) {
            tool = tool.option("-c", Some(comment));
        }
        if let Some(home) = self.home.as_ref().map(|home| paths::text(home.on(host))).filter(|home| *home != user.home)
        {
            tool = tool.option("-d", Some(home)).arg_if(self.move_home.0, "-m");
        }
        if let Some(shell) = self.shell.as_ref().map(|shell| paths::text(shell.on(host))).filter(|s| *s != user.shell) {
            tool = tool.option("-s", Some(shell));
        }
        let mut expiry = None;
        let entry = Shadow::of(&self.name);
        let has_entry = entry.is_some();
        let shadow = entry.unwrap_or_default();
        if let Some(expires) = self.expires {
            let day = (expires >= 0.0).then_some((expires / 86_400.0) as i64);
            // usermod adds the entry that an account lacks.
            if day != shadow.expires || !has_entry {
                match self.local.0 {
                    true => expiry = Some(self.local_expiry(host, expires)?),
                    false => tool = tool.option("-e", Some(date(expires))),
                }
            }
        }
        let is_locked = shadow.hash.starts_with('!');
        match self.password_lock {
            Some(Flag(true)) if !is_locked => {
                tool = tool.arg("-L");
            }
            // Unlocking a user without a password would allow login without one; usermod refuses it too.
            Some(Flag(false)) if is_locked && self.password.is_none() => {
                tool = tool.arg("-U");
            }
            _ => {}
        }
        if crate::system::selinux::is_enabled() {
            tool = tool.option("-Z", self.seuser.as_deref());
        }
        let mut plan = Plan::unchanged();
        if !tool.is_bare() {
            tool = tool.arg(&self.name);
            plan = plan.change(run(tool, &self.name));
        }
        for (option, group) in members {
            let tool = host.required_program("lgroupmod")?.option(option, Some(&self.name)).arg(&group);
            plan = plan.change(run(tool, &self.name));
        }
        plan.changes.extend(expiry);
        if let Some(Secret(hash)) = &self.password {
            let same = shadow.hash.trim_start_matches('!') == hash.trim_start_matches('!')
                && !(self.password_lock == Some(Flag(false)) && is_locked);
            if self.update_password == UpdatePassword::Always && !same {
                // Without `password_lock`, a locked account stays locked.
                let locked = self.password_lock.map_or(locks_a_password(&shadow.hash), |Flag(lock)| lock);
                plan = plan.change(self.set_password(host, hash, locked)?);
            }
        }
        self.ageing(host, &shadow, plan)
    }

    /// Changes the expiry date of a local account, for which libuser has a separate program.
    fn local_expiry(&self, host: &Host, expires: f64) -> Result<Change, Failure> {
        let day = if expires < 0.0 { -1 } else { (expires / 86_400.0) as i64 };
        let tool = host.required_program("lchage")?.option("-E", Some(day)).arg(&self.name);
        Ok(run(tool, &self.name))
    }

    /// Passes the hash on chpasswd's standard input, since all users of the host can read arguments.
    fn set_password(&self, host: &Host, hash: &str, locked: bool) -> Result<Change, Failure> {
        let lock = if locked && !hash.starts_with('!') { "!" } else { "" };
        if hash.is_empty() && lock.is_empty() {
            let mut tool = host.required_program("passwd")?;
            tool = tool.arg("-d").arg(&self.name);
            return Ok(run(tool, &self.name));
        }
        let mut tool = host.required_program("chpasswd")?;
        tool = tool.arg("-e").stdin(format!("{}:{lock}{hash}\n", self.name));
        Ok(run(tool, &self.name))
    }

    fn ageing(&self, host: &Host, shadow: &Shadow, plan: Plan) -> Result<Plan, Failure> {
        let wanted = [
            ("-m", self.password_expire_min, shadow.min),
            ("-M", self.password_expire_max, shadow.max),
            ("-W", self.password_expire_warn, shadow.warn),
            ("-I", self.password_expire_account_disable, shadow.inactive),
        ];
        if wanted.iter().all(|(_, wanted, present)| wanted.is_none() || wanted == present) {
            return Ok(plan);
        }
        let mut tool = host.required_program("chage")?;
        for (option, days, _) in wanted.iter().filter(|(_, wanted, present)| wanted != present) {
            tool = tool.option(option, *days);
        }
        tool = tool.arg(&self.name);
        Ok(plan.change(run(tool, &self.name)))
    }

    fn key_file(&self, home: &Path) -> PathBuf {
        let default = format!(".ssh/id_{}", self.ssh_key_type);
        home.join(self.ssh_key_file.as_ref().map_or(default, |file| file.0.clone()))
    }

    fn ssh_key(&self, host: &Host, present: Option<&Entry>, plan: Plan) -> Result<Plan, Failure> {
        let home = self.home.as_ref().map(|home| home.on(host)).or(present.map(|user| PathBuf::from(&user.home)));
        if let Some(file) = home.map(|home| self.key_file(&home)).filter(|file| file.exists() && !self.force.0) {
            crate::system::regular::refuse_special_target(&file)
                .map_err(|error| io_failure("read", &file, &error).arg("ssh_key_file"))?;
            let file = file.display();
            return Ok(plan.warn(format!(
                "Found existing ssh key private file \"{file}\", no force, so skipping ssh-keygen generation"
            )));
        }
        let keygen = host.required_program("ssh-keygen")?;
        let module = self.clone();
        Ok(plan.change(Change::new(format!("generate an SSH key for {}", self.name), move |host, _| {
            let gone = || Failure::new(format!("user {} does not exist", module.name));
            let user = Entry::named(&module.name).ok_or_else(gone)?;
            let file = module.key_file(Path::new(&user.home));
            // Neither a key nor what a link of its name leads to is overwritten, but with `force`.
            for (path, kind) in [(file.clone(), "private"), (public(&file), "public")] {
                if path.symlink_metadata().is_err() {
                    continue;
                }
                if !module.force.0 {
                    host.warn(format!(
                        "Found existing ssh key {kind} file \"{}\", no force, so skipping ssh-keygen generation",
                        path.display()
                    ));
                    return Ok(());
                }
                fs::remove_file(&path).map_err(|error| io_failure("remove", &path, &error))?;
            }
            let owned = |mode| Wanted { uid: Some(user.uid), gid: Some(user.gid), mode, ..Wanted::default() };
            let folder = paths::folder(&file);
            if !folder.exists() {
                fs::create_dir(folder).map_err(|error| io_failure("create", folder, &error))?;
                owned(Some(Mode::Bits(0o700))).apply(folder, false)?;
            }
            let mut tool = keygen;
            tool = tool.arg("-q").option("-t", Some(&module.ssh_key_type)).option("-b", module.ssh_key_bits);
            let comment = module.ssh_key_comment.clone().unwrap_or_else(|| {
                let name = machine::gethostname().unwrap_or_default();
                format!("ansible-generated on {}", name.to_string_lossy())
            });
            tool = tool.option("-C", Some(comment)).option("-f", Some(paths::text(&file)));
            let (rc, said) = match &module.ssh_key_passphrase {
                // It is typed on a terminal, since all users of the host can read arguments.
                Some(Secret(passphrase)) => {
                    let prompt = "(?i)enter (same )?passphrase[^:]*: ?";
                    crate::system::dialogue::converse(host, tool.words(), &[(prompt, passphrase)])?
                }
                None => {
                    let output = tool.option("-N", Some("")).run()?;
                    (Some(output.rc), if output.stderr.is_empty() { output.stdout } else { output.stderr })
                }
            };
            if rc != Some(0) {
                let rc = rc.map_or(Value::Null, Value::from);
                return Err(Failure::new(said).data(data! { "name" => module.name.as_str(), "rc" => rc }));
            }
            owned(None).apply(&file, false)?;
            owned(None).apply(&public(&file), false).map(|_| ())
        })))
    }

    fn result(&self, host: &Host, was_there: bool) -> Map {
        let mut data = data! { "name" => self.name.as_str(), "state" => self.state.word() };
        if self.state == State::Absent {
            if was_there {
                data.extend(data! { "force" => self.force.0, "remove" => self.remove.0 });
            }
            return data;
        }
        data.extend(match was_there {
            true => data! { "append" => self.append.0, "move_home" => self.move_home.0 },
            false => data! { "create_home" => self.create_home.0, "system" => self.system.0 },
        });
        if self.password.is_some() {
            data.insert("password".to_owned(), "NOT_LOGGING_PASSWORD".into());
        }
        if let Some(groups) = &self.groups {
            data.insert("groups".to_owned(), groups.join(",").into());
        }
        let Some(user) = Entry::named(&self.name) else { return data };
        data.extend(data! {
            "uid" => user.uid,
            "group" => user.gid,
            "comment" => user.gecos,
            "home" => user.home.as_str(),
            "shell" => user.shell,
        });
        let file = self.key_file(Path::new(&user.home));
        if self.generate_ssh_key.0 && file.is_file() {
            data.insert("ssh_key_file".to_owned(), paths::text(&file).into());
            if let Ok(key) = crate::system::regular::read_to_string(public(&file)) {
                data.insert("ssh_public_key".to_owned(), key.trim().into());
            }
            let print = host
                .required_program("ssh-keygen")
                .and_then(|tool| tool.arg("-l").option("-f", Some(paths::text(&file))).run());
            if let Some(print) = print.ok().filter(|print| print.rc == 0) {
                let first = lines(&print.stdout).as_list().and_then(|lines| lines.first().cloned());
                data.insert("ssh_fingerprint".to_owned(), first.unwrap_or(Value::Null));
            }
        }
        data
    }
}

/// Whether it may be a password as crypt(5) encrypts it, or one of those that lock an account. A hash has a number, a
/// salt and, of the length that its kind has, the digest.
fn is_hash_like(hash: &str) -> bool {
    if matches!(hash, "" | "*" | "!" | "*************") {
        return true;
    }
    let fields: Vec<&str> = hash.split('$').collect();
    let (Some(kind), Some(digest)) = (fields.get(1), fields.last()) else { return false };
    let length = match *kind {
        "1" => Some(22),
        "5" | "y" => Some(43),
        "6" => Some(86),
        _ => None,
    };
    fields.len() >= 3
        && !hash.contains([':', '*', '!'])
        && digest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '='))
        && length.is_none_or(|length| digest.len() == length)
}

/// Whether the hash is a locked password; an account that never had one has only `!`.
fn locks_a_password(hash: &str) -> bool {
    hash.strip_prefix('!').is_some_and(|rest| !matches!(rest, "" | "!" | "*"))
}

fn public(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}.pub", file.display()))
}

/// A group by name or ID.
fn named(group: &str, arg: &str) -> Result<Group, Failure> {
    let numbered = || group.parse().ok().and_then(Group::numbered);
    let missing = || Failure::new(format!("Group {group} does not exist")).arg(arg);
    Group::named(group).or_else(numbered).ok_or_else(missing)
}

/// The groups that list a user as a member.
fn memberships(user: &str) -> BTreeSet<String> {
    let text = crate::system::regular::read_to_string("/etc/group").unwrap_or_default();
    let groups = text.lines().filter_map(Group::read);
    groups.filter(|group| group.members.iter().any(|member| member == user)).map(|group| group.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::tests::checked;

    #[test]
    fn what_is_there_is_no_change_and_what_is_not_is_one() {
        let root = Entry::named("root").unwrap();
        let outcome = checked("user", data! { "name" => "root", "uid" => 0, "home" => "/root", "group" => "root" });
        assert!(!outcome.changed && outcome.failure.is_none(), "{outcome:?}");
        assert_eq!((&outcome.data["uid"], &outcome.data["home"]), (&0.into(), &root.home.into()));
        assert!(checked("user", data! { "name" => "root", "shell" => "/bin/none" }).changed);
        assert!(checked("user", data! { "name" => "root", "groups" => "daemon", "append" => true }).changed);
        assert!(checked("user", data! { "name" => "root", "state" => "absent" }).changed);
        assert!(!checked("user", data! { "name" => "no-such", "state" => "absent" }).changed);
        let new = checked("user", data! { "name" => "no-such", "password" => "$6$secret" });
        assert!(new.changed && new.data.is_empty());
    }

    #[test]
    fn a_password_is_never_an_argument() {
        let args = data! { "name" => "no-such", "password" => "$6$salt$hash" };
        let user: User = args::Args::from_map(&args).unwrap();
        let host = Host::new(Vec::new(), std::sync::Arc::new(crate::NoBlobs));
        let plan = user.plan(&host).unwrap();
        assert_eq!(plan.changes.len(), 2);
        assert!(plan.changes.iter().all(|change| !change.what.contains("salt")));
        assert!(plan.changes[1].what.contains("chpasswd -e"));
    }

    #[test]
    fn a_password_that_is_no_hash_is_warned_of() {
        let long = |digest: &str, length: usize| digest.repeat(length);
        for hash in [
            format!("$6$rounds=656000$salt${}", long("a", 86)),
            format!("$5$salt${}", long("/", 43)),
            format!("$y$jCT$salt${}", long(".", 43)),
            format!("$1$salt${}", long("a", 22)),
            "$2b$12$salt".to_owned(),
            "!".to_owned(),
            "*".to_owned(),
            "*************".to_owned(),
        ] {
            assert!(is_hash_like(&hash), "{hash}");
        }
        for text in [
            "plain".to_owned(),
            "abcdefghijklm".to_owned(),
            "$6".to_owned(),
            format!("$6$salt${}", long("+", 86)),
            format!("$6$salt${}", long("a", 85)),
            format!("!$1$salt${}", long("a", 22)),
            "$1$salt$aaa".to_owned(),
        ] {
            assert!(!is_hash_like(&text), "{text}");
        }
        let outcome = checked("user", data! { "name" => "root", "password" => "plain" });
        assert!(outcome.warnings[0].starts_with("The input password appears not to have been hashed."), "{outcome:?}");
    }

    #[test]
    fn what_another_system_has_is_warned_of() {
        let outcome = checked("user", data! { "name" => "root", "role" => "r", "hidden" => true });
        assert_eq!(outcome.warnings, ["`role` has no effect on Linux", "`hidden` has no effect on Linux"]);
        assert!(outcome.failure.is_none() && !outcome.changed);
    }

    #[test]
    fn only_a_password_that_was_locked_stays_locked() {
        assert!(locks_a_password("!$6$salt$hash"));
        for open in ["", "!", "!!", "!*", "*", "$6$salt$hash"] {
            assert!(!locks_a_password(open), "{open}");
        }
    }

    #[test]
    fn dates_are_written_for_usermod() {
        assert_eq!(date(86_400.0 * 20_000.0), "2024-10-04");
        assert_eq!(date(-1.0), "");
    }

    #[test]
    fn errors_are_named() {
        for (args, arg) in [
            (data! { "name" => "x", "group" => "no-such-group" }, "group"),
            (data! { "name" => "x", "groups" => "no-such-group" }, "groups"),
            (data! { "name" => "x", "umask" => "077", "local" => true }, "umask"),
            (data! { "name" => "x", "uid_min" => 5, "local" => true }, "uid_min"),
            (data! { "name" => "-x" }, "name"),
        ] {
            assert_eq!(checked("user", args).failure.unwrap().arg.as_deref(), Some(arg));
        }
    }
}
