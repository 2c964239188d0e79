//! Modules access their host only through the contract.

use std::fs;

use crate::source::{before_tests, engine, first_part, in_tests, rust_files};

/// A module accesses its host only through `Host` and `system`, so that one place decides how files are opened,
/// programs started and the clock read, and tests can replace them. Queries by a path's own methods (`is_dir`) change
/// nothing and never block, so they are allowed. `external` is not a module: it runs those of others.
#[test]
fn modules_access_their_host_only_through_the_contract() {
    let source = engine().join("modules/src");
    let mut past = Vec::new();
    for file in rust_files(&source).into_iter().filter(|file| !in_tests(file)) {
        if ["external", "runner"].contains(&first_part(&file, &source).as_str()) {
            continue;
        }
        let code = before_tests(&fs::read_to_string(&file).unwrap());
        let lines: Vec<String> = code.into_iter().map(|(_, line)| line).collect();
        past.extend(past_the_door(&lines.join("\n"), file.ends_with("commands/expect.rs")).into_iter().map(
            |(line, what)| {
                format!("{}:{line}: `{what}` is for `Host` and `system` (fs, machine, regular ...)", file.display())
            },
        ));
    }
    assert!(past.is_empty(), "{}", past.join("\n"));
}

#[test]
fn direct_host_access_is_found_wherever_it_is() {
    let found = |code: &str| past_the_door(code, false).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
    for past in [
        "std::fs::read(x)",
        "use std::{fs, io};",
        "use std::{\n    io,\n    fs::File,\n};",
        "use std::os::unix::fs::symlink;",
        "Command::new(\"id\")",
        "std::env::var(\"HOME\")",
        "use std::{env, io};",
        "std::process::id()",
        "use std::net::TcpStream;",
        "use std::{io, net::{IpAddr, UdpSocket}};",
        "SystemTime::now()",
        "jiff::Timestamp::now()",
        "nix::unistd::geteuid()",
        "rustix::fs::statx(x)",
        "libc::getuid()",
        "tempfile::tempdir()",
    ] {
        assert_eq!(found(past).len(), 1, "{past}");
    }
    for free in [
        "use crate::system::{fs, machine};",
        "fs::metadata(&path)",
        "use std::os::unix::fs::{MetadataExt, PermissionsExt};",
        "use std::{io, net::{IpAddr, SocketAddr}, process::Stdio};",
        "std::env::consts::ARCH",
        "nix::errno::Errno::from_raw(1)",
        "custom_flags(nix::libc::O_NOFOLLOW)",
        "crate::files::tempfile::Tempfile",
        "crate::system::scratch::Builder::new()",
    ] {
        assert!(found(free).is_empty(), "{free}");
    }
}

/// Where code accesses the host through the standard library, crates for system calls or tempfile: lines and paths.
/// `owns_terminal`: the module controls a terminal and a process that it created itself, with `nix`.
fn past_the_door(code: &str, owns_terminal: bool) -> Vec<(usize, String)> {
    /// What is only a type, a trait or a constant.
    const HARMLESS: [&str; 19] = [
        "std::env::consts",
        "std::net::IpAddr",
        "std::net::Ipv4Addr",
        "std::net::Ipv6Addr",
        "std::net::SocketAddr",
        "std::os::unix::fs::DirBuilderExt",
        "std::os::unix::fs::FileTypeExt",
        "std::os::unix::fs::MetadataExt",
        "std::os::unix::fs::OpenOptionsExt",
        "std::os::unix::fs::PermissionsExt",
        "std::process::Child",
        "std::process::Command",
        "std::process::ExitStatus",
        "std::process::Stdio",
        "nix::errno",
        "nix::libc::O_",
        "nix::net",
        "nix::sys::socket::SockaddrStorage",
        "tempfile::Tempfile",
    ];
    const HOST: [&str; 9] = [
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "std::os::unix::fs",
        "std::os::unix::net",
        "nix",
        "rustix",
        "tempfile",
    ];
    let mut found = Vec::new();
    for root in ["std", "nix", "rustix", "tempfile"] {
        for (line, path) in whole_paths(code, root) {
            let begins = |with: &str| {
                path.strip_prefix(with).is_some_and(|rest| with.ends_with('_') || !rest.starts_with(is_of_name))
            };
            let reaches = HOST.iter().any(|host| begins(host)) && !HARMLESS.iter().any(|harmless| begins(harmless));
            if reaches && !(owns_terminal && root == "nix") {
                found.push((line, path));
            }
        }
    }
    for call in ["Command::new(", "SystemTime::now(", "Timestamp::now(", "Zoned::now(", " libc::", "UdpSocket::bind("] {
        for (index, line) in code.lines().enumerate() {
            if format!(" {line}").contains(call) {
                found.push((index + 1, call.trim().trim_end_matches('(').to_owned()));
            }
        }
    }
    found
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The paths that begin with `root::`, those of a group each by itself, with the line of the root.
fn whole_paths(code: &str, root: &str) -> Vec<(usize, String)> {
    let start = format!("{root}::");
    let mut found = Vec::new();
    for (at, _) in code.match_indices(&start) {
        if code[..at].ends_with(|c| is_of_name(c) || c == ':') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let mut paths = Vec::new();
        expand(&code[at..], &mut String::new(), &mut paths);
        found.extend(paths.into_iter().map(|path| (line, path)));
    }
    found
}

/// Reads one path with its groups from the beginning of `text`; what follows it is returned.
fn expand<'t>(text: &'t str, before: &mut String, paths: &mut Vec<String>) -> &'t str {
    let length = before.len();
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
        before.push_str(&rest[..end]);
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(after) => {
                before.push_str("::");
                rest = after;
            }
            None if rest.starts_with('{') && before.ends_with("::") => {
                rest = &rest[1..];
                while !rest.trim_start().starts_with('}') && !rest.trim_start().is_empty() {
                    let left = expand(rest, before, paths).trim_start();
                    let next = left.strip_prefix(',').unwrap_or(left);
                    // Neither an item nor a comma: no group after all.
                    if next.len() == rest.len() {
                        break;
                    }
                    rest = next;
                }
                rest = rest.trim_start().strip_prefix('}').unwrap_or(rest);
                break;
            }
            None => {
                paths.push(before.trim_end_matches("::self").to_owned());
                break;
            }
        }
    }
    before.truncate(length);
    rest
}
