//! Turns ssh's error output into a failure with advice.

use rplay_wire::Failure;

use super::SshOptions;

/// Whether a retry is worthwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// sshd dropped the connection before the login: too many at a time.
    Busy,
    /// The host answered; a retry would give the same result.
    Refused,
    Other,
}

/// Messages that mean that the host, or one behind a jump host, is unreachable.
const DEAD: [&str; 6] = [
    "Connection refused",
    "Connection timed out",
    "Operation timed out",
    "timed out during banner exchange",
    "No route to host",
    "Network is unreachable",
];

/// Messages that mean that sshd, or a jump host's, hung up before the key exchange.
const DROPPED: [&str; 4] = [
    "kex_exchange_identification",
    "ssh_exchange_identification",
    "Connection reset by",
    "open failed: resource shortage",
];

/// The failure that ssh's standard error tells of, in Ansible's words and ssh's own, for which scripts search; with
/// advice where possible.
pub(super) fn explain(ssh: &SshOptions, said: &str) -> (Cause, Failure) {
    let says = |words: &str| said.contains(words);
    let host = &ssh.host;
    let at = ssh.port.map(|port| format!("-p {port} ")).unwrap_or_default();
    let (cause, help) = if says("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        let help = format!(
            "if the host was reinstalled, remove its old key: ssh-keygen -R {}; otherwise, the connection may be intercepted",
            known_as(ssh)
        );
        (Cause::Refused, Some(help))
    } else if says("Host key verification failed") {
        let help = format!(
            "verify its host key with `ssh-keyscan {at}{host} | ssh-keygen -lf -`, and accept it by logging in once: ssh \
             {at}{host}"
        );
        (Cause::Refused, Some(help))
    } else if says("Permission denied") {
        let help = match ssh.password {
            Some(_) => "check ansible_user and ansible_password",
            None => "check ansible_user and ansible_ssh_private_key_file, or use -k for a password",
        };
        (Cause::Refused, Some(help.to_owned()))
    } else if says("Could not resolve hostname") {
        (Cause::Other, Some("set ansible_host to its address".to_owned()))
    } else if says("Too many authentication failures") {
        let help = "select the key with ansible_ssh_private_key_file and add `-o IdentitiesOnly=yes`";
        (Cause::Refused, Some(help.to_owned()))
    } else if DEAD.iter().any(|words| says(words)) {
        (Cause::Other, None)
    } else if DROPPED.iter().any(|words| says(words)) && !says("open failed: connect failed") {
        (Cause::Busy, None)
    } else {
        (Cause::Other, None)
    };
    let changed = "REMOTE HOST IDENTIFICATION HAS CHANGED";
    let words = last_words(said).map(|words| match says(changed) {
        true => format!("{changed}; {words}"),
        false => words,
    });
    let what = words.as_deref().unwrap_or("ssh exited without a message");
    let mut failure = Failure::unreachable(format!("Failed to connect to the host via ssh: {what}"));
    failure.help = help;
    if let Some(words) = words {
        failure.data.insert("stderr".to_owned(), words.into());
    }
    (cause, failure)
}

/// The name as ssh writes it in known_hosts.
fn known_as(ssh: &SshOptions) -> String {
    match ssh.port {
        Some(port) if port != 22 => format!("'[{}]:{port}'", ssh.host),
        _ => ssh.host.clone(),
    }
}

/// The last lines that come from ssh itself, without a banner.
fn last_words(said: &str) -> Option<String> {
    const OWN: [&str; 12] = [
        "ssh:",
        "ssh_",
        "kex_",
        "Host key",
        "Permission denied",
        "Connection ",
        "Received disconnect",
        "Disconnected",
        "command-line",
        "Bad ",
        "no such identity",
        "Load key",
    ];
    let lines = || said.lines().map(|line| line.trim().trim_end_matches('.')).filter(|line| !line.is_empty());
    // ssh puts `user@host: ` before this one.
    let is_own = |line: &&str| OWN.iter().any(|own| line.starts_with(own)) || line.contains(": Permission denied");
    let own: Vec<_> = lines().filter(is_own).collect();
    let lines = if own.is_empty() { lines().collect() } else { own };
    let last = lines.get(lines.len().saturating_sub(2)..).unwrap_or_default().join("; ");
    (!last.is_empty()).then(|| last.chars().filter(|c| !c.is_control()).take(400).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(said: &str) -> (Cause, String) {
        let ssh = SshOptions { port: Some(2222), ..SshOptions::new("10.0.0.9") };
        let (cause, failure) = explain(&ssh, said);
        assert!(failure.unreachable);
        (cause, failure.msg)
    }

    #[test]
    fn each_of_ssh_s_endings_has_its_own_sentence() {
        let cases = [
            (
                "ssh: connect to host 10.0.0.9 port 2222: Connection refused\r\n",
                "ssh: connect to host 10.0.0.9 port 2222: Connection refused",
            ),
            (
                "****\nWelcome!\n****\nops@10.0.0.9: Permission denied (publickey,password).\r\n",
                "ops@10.0.0.9: Permission denied (publickey,password)",
            ),
            (
                "No ED25519 host key is known for [10.0.0.9]:2222 and you have requested strict checking.\r\nHost key verification failed.\r\n",
                "Host key verification failed",
            ),
            (
                "@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@\nHost key verification failed.",
                "REMOTE HOST IDENTIFICATION HAS CHANGED; Host key verification failed",
            ),
            (
                "ssh: Could not resolve hostname 10.0.0.9: Name or service not known",
                "ssh: Could not resolve hostname 10.0.0.9: Name or service not known",
            ),
            (
                "command-line: line 0: Bad configuration option: nonsense\r\n",
                "command-line: line 0: Bad configuration option: nonsense",
            ),
            ("", "ssh exited without a message"),
        ];
        for (said, expected) in cases {
            let (cause, msg) = sentence(said);
            assert_eq!(msg, format!("Failed to connect to the host via ssh: {expected}"));
            assert_ne!(cause, Cause::Busy);
        }
    }

    #[test]
    fn a_dropped_connection_is_worth_another_try_and_a_dead_host_is_not() {
        let cases = [
            (
                "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 10.0.0.9 port 2222",
                Cause::Busy,
            ),
            ("kex_exchange_identification: read: Connection reset by peer\r\n", Cause::Busy),
            ("Connection reset by 10.0.0.9 port 2222\r\n", Cause::Busy),
            ("ssh_exchange_identification: Connection closed by remote host\r\n", Cause::Busy),
            (
                "channel 0: open failed: connect failed: Connection refused\r\nstdio forwarding failed\r\n\
                 kex_exchange_identification: Connection closed by remote host\r\n",
                Cause::Other,
            ),
            (
                "channel 0: open failed: connect failed: Name or service not known\r\nstdio forwarding failed\r\n\
                 kex_exchange_identification: Connection closed by remote host\r\n",
                Cause::Other,
            ),
            (
                "Received disconnect from 10.0.0.9 port 22:2: Too many authentication failures\r\n\
                 Disconnected from 10.0.0.9 port 22",
                Cause::Refused,
            ),
            ("Connection closed by 10.0.0.9 port 2222\r\n", Cause::Other),
        ];
        for (said, expected) in cases {
            assert_eq!(sentence(said).0, expected, "{said}");
        }
    }

    #[test]
    fn a_banner_is_left_out() {
        let said = "*** Authorised use only ***\nssh: connect to host x port 22: Something new\n";
        assert_eq!(last_words(said).unwrap(), "ssh: connect to host x port 22: Something new");
    }
}
