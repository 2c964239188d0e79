//! Users and groups of the host, from its own files. `getent` is used only if the host has other account sources (LDAP,
//! sssd). The C library's lookup functions are never used: the executable is statically linked and would load the
//! host's plugins.

use std::process::Command;

use rplay_wire::Failure;

use crate::{
    Host,
    system::{kept_text::KeptText, process, program::Program},
};

/// Maximum size in bytes of `getent`'s output for one account.
const LONGEST_OUTPUT: usize = 1 << 20;

/// One line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub gecos: String,
    pub home: String,
    pub shell: String,
}

/// One line of `/etc/group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub gid: u32,
    pub members: Vec<String>,
}

impl User {
    /// The user of that name.
    pub fn named(name: &str) -> Option<User> {
        find("passwd", name, User::read, |user| user.name == name)
    }

    /// The user with that ID.
    pub fn numbered(uid: u32) -> Option<User> {
        find("passwd", &uid.to_string(), User::read, |user| user.uid == uid)
    }

    /// Parses `name:password:uid:gid:gecos:home:shell`.
    pub fn read(line: &str) -> Option<User> {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let mut text = || fields.next().unwrap_or_default().to_owned();
        Some(User { name, uid, gid, gecos: text(), home: text(), shell: text() })
    }
}

impl Group {
    /// The group of that name.
    pub fn named(name: &str) -> Option<Group> {
        find("group", name, Group::read, |group| group.name == name)
    }

    /// The group with that ID.
    pub fn numbered(gid: u32) -> Option<Group> {
        find("group", &gid.to_string(), Group::read, |group| group.gid == gid)
    }

    /// Parses `name:password:gid:member,member`.
    pub fn read(line: &str) -> Option<Group> {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let gid = fields.nth(1)?.parse().ok()?;
        let members = fields.next().unwrap_or_default();
        let members = members.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect();
        Some(Group { name, gid, members })
    }
}

/// A program that changes accounts; with `local`, libuser's variant, whose name begins with an l.
///
/// # Errors
/// If the host does not have it.
pub fn editor(host: &Host, name: &str, local: bool) -> Result<Program, Failure> {
    if local { host.required_program(&format!("l{name}")) } else { host.required_program(name) }
}

/// How the failure begins if the host lacks the user that is to own a file ...
pub const NO_OWNER: &str = "chown failed: failed to look up user ";
/// ... or the group.
pub const NO_GROUP: &str = "chgrp failed: failed to look up group ";

/// The ID of a user given by name or ID.
///
/// # Errors
/// If the host has no such user.
pub fn uid_of(owner: &str) -> Result<u32, Failure> {
    if let Ok(uid) = owner.parse() {
        return Ok(uid);
    }
    User::named(owner).map(|user| user.uid).ok_or_else(|| Failure::new(format!("{NO_OWNER}{owner}")).arg("owner"))
}

/// The ID of a group given by name or ID.
///
/// # Errors
/// If the host has no such group.
pub fn gid_of(group: &str) -> Result<u32, Failure> {
    if let Ok(gid) = group.parse() {
        return Ok(gid);
    }
    Group::named(group).map(|group| group.gid).ok_or_else(|| Failure::new(format!("{NO_GROUP}{group}")).arg("group"))
}

/// The name of a user, or the ID if it has none.
pub fn user_name(uid: u32) -> String {
    User::numbered(uid).map_or_else(|| uid.to_string(), |user| user.name)
}

/// The name of a group, or the ID if it has none.
pub fn group_name(gid: u32) -> String {
    Group::numbered(gid).map_or_else(|| gid.to_string(), |group| group.name)
}

fn find<T>(database: &str, key: &str, read: fn(&str) -> Option<T>, is_it: impl Fn(&T) -> bool) -> Option<T> {
    static PASSWD: KeptText = KeptText::new();
    static GROUP: KeptText = KeptText::new();
    let text = match database {
        "passwd" => PASSWD.of("/etc/passwd"),
        _ => GROUP.of("/etc/group"),
    };
    text.lines().filter_map(read).find(&is_it).or_else(|| {
        if !is_kept_elsewhere(
            database,
            &crate::system::regular::read_to_string("/etc/nsswitch.conf").unwrap_or_default(),
        ) {
            return None;
        }
        let output = process::run(Command::new("getent").args(["--", database, key]), None, LONGEST_OUTPUT).ok()?;
        output.stdout.lines().filter_map(read).find(&is_it)
    })
}

/// Whether nsswitch.conf lists a source for the database other than files.
fn is_kept_elsewhere(database: &str, nsswitch: &str) -> bool {
    nsswitch
        .lines()
        .filter_map(|line| line.split('#').next().unwrap_or_default().split_once(':'))
        .filter(|(name, _)| name.trim() == database)
        .flat_map(|(_, sources)| sources.split_whitespace())
        .any(|source| !matches!(source, "files" | "compat") && !source.starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_files_are_read() {
        let user = User::read("www-data:x:33:33:www-data,,,:/var/www:/usr/sbin/nologin").unwrap();
        assert_eq!((user.uid, user.gid, user.home.as_str()), (33, 33, "/var/www"));
        assert_eq!(user.shell, "/usr/sbin/nologin");
        assert_eq!(User::read("+::::::"), None);
        assert_eq!(Group::read("adm:x:4:syslog,me").unwrap().members, ["syslog", "me"]);
        assert!(Group::read("root:x:0:").unwrap().members.is_empty());
    }

    #[test]
    fn root_is_found_both_ways_and_nobody_else_is_made_up() {
        assert_eq!(User::named("root").unwrap().uid, 0);
        assert_eq!(user_name(0), "root");
        assert_eq!(user_name(3_999_999_999), "3999999999");
        assert_eq!(uid_of("0").unwrap(), 0);
        assert_eq!(uid_of("no-such-user").unwrap_err().msg, "chown failed: failed to look up user no-such-user");
    }

    #[test]
    fn getent_is_asked_only_where_accounts_are_kept_elsewhere() {
        assert!(!is_kept_elsewhere("passwd", "passwd: files\ngroup: files sss # sss\n"));
        assert!(is_kept_elsewhere("group", "passwd: files\ngroup: files sss # sss\n"));
        assert!(!is_kept_elsewhere("passwd", "passwd: compat [NOTFOUND=return]"));
    }
}
