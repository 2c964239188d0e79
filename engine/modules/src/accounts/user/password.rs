//! The password of a user, and how long it is valid.

use rplay_wire::Failure;

use super::{User, run};
use crate::{Change, Host, Plan, system::shadow::Shadow};

impl User {
    /// Passes the hash on chpasswd's standard input, since all users of the host can read arguments.
    pub(super) fn set_password(&self, host: &Host, hash: &str, locked: bool) -> Result<Change, Failure> {
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

    /// Plans the days after which the password expires.
    pub(super) fn ageing(&self, host: &Host, shadow: &Shadow, plan: Plan) -> Result<Plan, Failure> {
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
}

/// Whether it may be a password as crypt(5) encrypts it, or one of those that lock an account. A hash has a number, a
/// salt and, of the length that its kind has, the digest.
pub(super) fn is_hash_like(hash: &str) -> bool {
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
pub(super) fn locks_a_password(hash: &str) -> bool {
    hash.strip_prefix('!').is_some_and(|rest| !matches!(rest, "" | "!" | "*"))
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;
    use crate::runner::tests::checked;

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
    fn only_a_password_that_was_locked_stays_locked() {
        assert!(locks_a_password("!$6$salt$hash"));
        for open in ["", "!", "!!", "!*", "*", "$6$salt$hash"] {
            assert!(!locks_a_password(open), "{open}");
        }
    }
}
