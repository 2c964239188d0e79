//! The current user.

use rplay_wire::{Map, data};

use super::Source;
use crate::system::accounts::User;
use crate::system::machine::{getegid, geteuid, getgid, getuid};

pub(super) fn gather(_: &Source) -> Map {
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let mut facts = data! {
        "user_uid" => uid,
        "user_gid" => gid,
        "real_user_id" => uid,
        "effective_user_id" => geteuid().as_raw(),
        "real_group_id" => gid,
        "effective_group_id" => getegid().as_raw(),
    };
    if let Some(user) = User::numbered(uid) {
        facts.extend(data! {
            "user_id" => user.name,
            "user_gecos" => user.gecos,
            "user_dir" => user.home,
            "user_shell" => user.shell,
        });
    }
    facts
}
