//! Creates and changes the account of a user, with useradd(8), usermod(8) and libuser's programs.

use std::{collections::BTreeSet, path::Path};

use rplay_wire::Failure;

use super::{UpdatePassword, User, password::locks_a_password, run};
use crate::{
    Change, Host, Plan,
    argtypes::{Flag, Secret},
    system::{
        accounts::{Group, User as Entry, editor, group_name},
        attributes::Wanted,
        directories::make_directories,
        paths,
        shadow::Shadow,
    },
};

impl User {
    /// The requested groups; all must exist, be it by an earlier task.
    fn groups(&self, host: &Host, plan: &mut Plan) -> Result<Option<BTreeSet<String>>, Failure> {
        let Some(groups) = &self.groups else { return Ok(None) };
        let mut names = BTreeSet::new();
        for group in groups.iter().map(|group| group.trim()).filter(|group| !group.is_empty()) {
            names.insert(named(group, "groups", host, plan)?.map_or_else(|| group.to_owned(), |group| group.name));
        }
        Ok(Some(names))
    }

    /// The plan that creates the user.
    pub(super) fn create(&self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        if self.local.0 {
            // ansible-core wants them whether they are needed or not, and tells of the first.
            host.required_program("lgroupmod")?;
            host.required_program("lchage")?;
        }
        let mut tool = editor(host, "useradd", self.local.0)?;
        tool = tool
            .option("-u", self.uid)
            .arg_if(self.non_unique.0 && self.uid.is_some(), "-o")
            .option("-Z", self.seuser.as_deref());
        match &self.group {
            Some(group) => {
                let found = named(group, "group", host, &mut plan)?;
                tool = tool.option("-g", Some(found.map_or_else(|| group.clone(), |group| group.name)));
            }
            // The group of a new user has the user's name and already exists.
            None if Group::named(&self.name).is_some() => {
                tool = tool.arg(if self.local.0 { "-n" } else { "-N" });
            }
            None => {}
        }
        let groups = self.groups(host, &mut plan)?.unwrap_or_default();
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
        // useradd creates the home directory, but not its parents.
        if let Some(directory) =
            home.as_deref().and_then(Path::parent).filter(|directory| self.create_home.0 && !directory.exists())
        {
            plan = make_directories(directory, &Wanted::default(), plan)?;
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

    /// The plan that makes an existing user what the task says.
    pub(super) fn modify(&self, host: &Host, user: &Entry) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        let mut tool = editor(host, "usermod", self.local.0)?;
        // With `local`, the groups to join and to leave, since lusermod does not know of them.
        let mut members: Vec<(&str, String)> = Vec::new();
        if let Some(uid) = self.uid.filter(|uid| *uid != u64::from(user.uid)) {
            tool = tool.option("-u", Some(uid)).arg_if(self.non_unique.0, "-o");
        }
        if let Some(group) = &self.group {
            // A group that is still to be made is not the user's yet.
            match named(group, "group", host, &mut plan)? {
                Some(group) if group.gid == user.gid => {}
                Some(group) => tool = tool.option("-g", Some(group.gid)),
                None => tool = tool.option("-g", Some(group)),
            }
        }
        if let Some(wanted) = self.groups(host, &mut plan)? {
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
}

/// A date in usermod's format; empty for never.
fn date(seconds: f64) -> String {
    let timestamp = jiff::Timestamp::from_second(seconds as i64).unwrap_or_default();
    if seconds < 0.0 { String::new() } else { timestamp.strftime("%Y-%m-%d").to_string() }
}

/// A group by name or ID; `None` in check mode if an earlier task may be about to make it.
fn named(group: &str, arg: &str, host: &Host, plan: &mut Plan) -> Result<Option<Group>, Failure> {
    let numbered = || group.parse().ok().and_then(Group::numbered);
    let found = Group::named(group).or_else(numbered);
    if found.is_none() {
        let missing = || Failure::new(format!("Group {group} does not exist")).arg(arg);
        plan.assume(host, format!("the group {group}"), missing)?;
    }
    Ok(found)
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

    #[test]
    fn dates_are_written_for_usermod() {
        assert_eq!(date(86_400.0 * 20_000.0), "2024-10-04");
        assert_eq!(date(-1.0), "");
    }
}
