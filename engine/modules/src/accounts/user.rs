//! user: users on the host.

mod account;
mod password;
mod ssh_key;

use std::path::{Path, PathBuf};

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    ArgError, Change, Host, Module, Plan,
    accounts::home,
    args,
    argtypes::{AbsentPresent as State, Flag, PathArg, Secret, Text},
    choice,
    system::{
        accounts::{User as Entry, editor},
        paths,
        process::lines,
        program::Program,
    },
};
use password::is_hash_like;
use ssh_key::public;

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
        if self.expires.is_some_and(|expires| expires.abs() >= i64::MAX as f64) {
            let msg = "Invalid value for 'expires' None: timestamp out of range for platform time_t";
            return Err(ArgError::new("expires", msg));
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

impl User {
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
    fn what_another_system_has_is_warned_of() {
        let outcome = checked("user", data! { "name" => "root", "role" => "r", "hidden" => true });
        assert_eq!(outcome.warnings, ["`role` has no effect on Linux", "`hidden` has no effect on Linux"]);
        assert!(outcome.failure.is_none() && !outcome.changed);
    }

    #[test]
    fn errors_are_named() {
        for (args, arg) in [
            (data! { "name" => "x", "umask" => "077", "local" => true }, "umask"),
            (data! { "name" => "x", "uid_min" => 5, "local" => true }, "uid_min"),
            (data! { "name" => "-x" }, "name"),
        ] {
            assert_eq!(checked("user", args).failure.unwrap().arg.as_deref(), Some(arg));
        }
    }
}
