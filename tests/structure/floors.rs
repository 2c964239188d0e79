//! The engine's layers ("floors"): each uses only those before it. The order is read from the documentation in
//! `engine/core/lib.rs`, so that it stays up to date.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The crates, lowest first; the library's own layers are between the last two.
const CRATES: [&str; 7] =
    ["rplay_wire", "rplay_contract", "rplay_tencent", "rplay_modules", "rplay_agent", "rplay", "cli"];

/// Directories of the library whose `mod.rs` lists the order of their files, in a sentence that begins with "Order".
const ORDERED: [&str; 2] = ["run", "template"];

/// What a report may read: events, and the values in them.
const READ_BY_REPORT: [&str; 8] = ["event", "panics", "report", "secrets", "source", "template", "vars", "visible"];

#[test]
fn every_module_of_the_library_has_its_floor() {
    let text = fs::read_to_string(engine().join("core/lib.rs")).unwrap();
    let modules: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let floors: BTreeSet<String> = floors().into_iter().collect();
    assert_eq!(modules, floors.iter().map(String::as_str).collect());
}

/// The rooms of the modules, and their order: as in the library, but tests may use higher ones.
#[test]
fn no_room_of_the_modules_uses_one_above_its_own() {
    let source = engine().join("modules/src");
    let text = fs::read_to_string(source.join("lib.rs")).unwrap();
    let rooms = said_in_order(&text, " Rooms");
    let modules: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(modules, rooms.iter().map(String::as_str).collect());
    let place = |name: &str| rooms.iter().position(|room| room == name);
    let mut upward = Vec::new();
    for file in rust_files(&source).into_iter().filter(|file| !in_tests(file)) {
        let own = first_part(&file, &source);
        let Some(room) = place(&own) else { continue };
        let text = fs::read_to_string(&file).unwrap();
        let code: Vec<String> = before_tests(&text).into_iter().map(|(_, line)| line).collect();
        for (line, used) in uses(&code.join("\n"), "crate") {
            if place(&used).is_some_and(|other| other > room) {
                upward.push(format!("{}:{line}: `{own}` uses `{used}`", file.display()));
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

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

/// The engine gets what it must know about a module from the registry.
#[test]
fn nothing_asks_for_the_name_of_a_calls_module() {
    let mut found = Vec::new();
    for folder in ["agent", "core", "cli"] {
        for file in rust_files(&engine().join(folder)).into_iter().filter(|file| !in_tests(file)) {
            for (line, text) in before_tests(&fs::read_to_string(&file).unwrap()) {
                if ["module == \"", "module != \"", "module.as_str()"].iter().any(|ask| text.contains(ask)) {
                    found.push(format!("{}:{line}: {}", file.display(), text.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "say it in the module's line in the registry:\n{}", found.join("\n"));
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

/// A room describes in one sentence what belongs in it.
#[test]
fn every_room_of_the_modules_says_what_it_is_for() {
    for entry in fs::read_dir(engine().join("modules/src")).unwrap() {
        let room = entry.unwrap().path();
        if room.is_dir() {
            let text = fs::read_to_string(room.join("mod.rs")).unwrap();
            assert!(text.starts_with("//! "), "{} does not say what it is for", room.display());
        }
    }
}

#[test]
fn nothing_uses_a_floor_above_its_own() {
    let floors = floors();
    let place = |name: &str| floors.iter().position(|floor| floor == name);
    let mut upward = Vec::new();
    for file in rust_files(&engine().join("core")) {
        let own = own_floor(&file);
        let Some(floor) = place(&own) else { continue };
        for (line, used) in uses(&fs::read_to_string(&file).unwrap(), "crate") {
            let is_upward = place(&used).is_some_and(|other| other > floor);
            let is_unread = own == "report" && place(&used).is_some() && !READ_BY_REPORT.contains(&used.as_str());
            if is_upward || is_unread {
                upward.push(format!("{}:{line}: `{own}` uses `{used}`", file.display()));
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn no_file_of_a_room_uses_one_above_its_own() {
    let upward: Vec<String> = ORDERED.iter().flat_map(|room| Room::of(room).upward()).collect();
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn every_file_of_a_room_has_its_place_and_every_place_its_file() {
    for name in ORDERED {
        let room = Room::of(name);
        assert!(!room.order.is_empty(), "the page of `{name}` tells no order");
        for listed in &room.order {
            let path = room.folder.join(listed);
            assert!(path.is_dir() || path.with_extension("rs").is_file(), "`{name}` has no {listed}");
        }
        for file in rust_files(&room.folder).iter().filter(|file| !in_tests(file)) {
            let is_page = file.ends_with("mod.rs");
            assert!(is_page || room.place(&room.own_path(file)).is_some(), "{} has no place", file.display());
        }
    }
}

#[test]
fn no_crate_uses_one_above_its_own() {
    let folders = ["wire", "contract", "tencent", "modules", "agent", "core", "cli"];
    let mut upward = Vec::new();
    for (floor, folder) in folders.iter().enumerate() {
        for file in rust_files(&engine().join(folder)) {
            let text = without_comments(&fs::read_to_string(&file).unwrap());
            for above in CRATES.iter().skip(floor + 1) {
                if text.contains(&format!("{above}::")) && !in_tests(&file) {
                    upward.push(format!("{}: `{folder}` uses `{above}`", file.display()));
                }
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

/// The agent's last message goes to standard error, because there is no other receiver. A build script talks to cargo.
#[test]
fn only_the_command_line_prints_and_exits() {
    let mut found = Vec::new();
    for folder in ["wire", "contract", "tencent", "modules", "agent", "core"] {
        for file in rust_files(&engine().join(folder)) {
            let whole = fs::read_to_string(&file).unwrap();
            for (line, text) in before_tests(&whole) {
                let talks = ["println!", "print!(", "dbg!(", "process::exit("].iter().any(|word| text.contains(word));
                if talks && !in_tests(&file) && !file.ends_with("agent/src/lib.rs") && !file.ends_with("build.rs") {
                    found.push(format!("{}:{line}: {}", file.display(), text.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Code that existed several times with different behaviour and now exists once: the words that reveal a copy, where
/// the original is, and other files that may contain these words.
const WRITTEN_ONCE: [(&[&str], &str, &[&str]); 7] = [
    (&["02X}"], "wire/src/percent.rs", &[]),
    // A build script uses no crate of the workspace.
    (&["\"{byte:02x}\""], "wire/src/hex.rs", &["agent/build.rs"]),
    (&["Some('*')", "'*' => out"], "contract/src/system/glob.rs", &[]),
    // One compiles it for templates, with their cache; the finder of secrets handles no patterns of playbooks.
    (
        &["RegexBuilder::new(", "fancy_regex::Regex::new("],
        "contract/src/system/pattern.rs",
        &["core/template/regex.rs", "core/secrets/finder.rs"],
    ),
    // `~` in an inventory pattern is not a home directory: a regular expression follows.
    (
        &["strip_prefix('~')", "strip_prefix(\"~/\")", "find('$')"],
        "contract/src/system/expand.rs",
        &["core/inventory/pattern.rs"],
    ),
    (
        &["\"parameters are mutually exclusive"],
        "contract/src/args.rs",
        // They are not errors of arguments but results.
        &[
            "core/actions/pause.rs",
            "core/actions/debug.rs",
            "core/report/message.rs",
            "modules/src/commands/command.rs",
            // In the words of its action, which names them as a tuple.
            "modules/src/files/unarchive.rs",
        ],
    ),
    (&["\"2.19"], "core/collections/supported.rs", &[]),
];

#[test]
fn shared_code_exists_once() {
    let mut again = Vec::new();
    for folder in ["wire", "contract", "tencent", "modules", "agent", "core", "cli"] {
        for file in rust_files(&engine().join(folder)).into_iter().filter(|file| !in_tests(file)) {
            let below = file.strip_prefix(engine()).unwrap().to_string_lossy().into_owned();
            for (line, text) in before_tests(&fs::read_to_string(&file).unwrap()) {
                for (words, one, others) in WRITTEN_ONCE {
                    let is_there = words.iter().any(|word| text.contains(word));
                    if is_there && below != one && !others.contains(&below.as_str()) {
                        again.push(format!("{}:{line}: this is in engine/{one}: {}", file.display(), text.trim()));
                    }
                }
            }
        }
    }
    assert!(again.is_empty(), "{}", again.join("\n"));
    for (_, one, others) in WRITTEN_ONCE {
        assert!(engine().join(one).exists() && others.iter().all(|other| engine().join(other).exists()), "{one}");
    }
}

/// `state: present|absent` is `argtypes::{PresentAbsent, AbsentPresent}`.
#[test]
fn no_module_has_its_own_presence() {
    let mut own = Vec::new();
    for file in rust_files(&engine().join("modules/src")) {
        let text = without_comments(&fs::read_to_string(&file).unwrap());
        for block in text.split("choice! {").skip(1) {
            let block: String = block.split("\n}").next().unwrap().split_whitespace().collect();
            if ["{Present=\"present\",Absent=\"absent\"", "{Absent=\"absent\",Present=\"present\""]
                .iter()
                .any(|both| block.find(both).is_some_and(|at| block[at + both.len()..].trim_start_matches(',') == "}"))
            {
                own.push(file.display().to_string());
            }
        }
    }
    assert!(own.is_empty(), "{}", own.join("\n"));
}

#[test]
fn async_stays_in_the_links() {
    let mut found = Vec::new();
    for folder in ["wire", "contract", "tencent", "modules", "agent", "core", "cli"] {
        for file in rust_files(&engine().join(folder)) {
            if file.starts_with(engine().join("core/link")) {
                continue;
            }
            let text = without_comments(&fs::read_to_string(&file).unwrap());
            let waits = text.replace(".await_", "").replace(".awaited", "").contains(".await");
            if waits || ["async fn ", "async move ", "async {", "tokio::"].iter().any(|word| text.contains(word)) {
                found.push(file.display().to_string());
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The reader of `use` finds what the tests above rely on.
#[test]
fn uses_are_found_wherever_they_are() {
    let text = "use crate::{\n    event::{Counts, Event},\n    secrets,\n    source::Span,\n};\n// crate::run\nlet x = crate::vars::to_wire(y);";
    let found: Vec<(usize, String)> = uses(text, "crate");
    let wanted = [(1, "event"), (1, "secrets"), (1, "source"), (7, "vars")];
    assert_eq!(found, wanted.map(|(line, name)| (line, name.to_owned())));
}

/// The reader of paths and of methods finds what the order within a room relies on.
#[test]
fn paths_and_added_methods_are_found() {
    let code = "use super::{\n    b::{self, C},\n    d::E as F,\n    *,\n};\nuse crate::{event::Event, room::g::h};\n\
                impl Own {\n    fn one(&self) {\n        self::x();\n    }\n}\nimpl<'r> Other<'r> {\n    pub fn two() {}\n}\n\
                struct Own;\nstruct OtherOne;\nimpl Trait for Other {\n    fn three() {}\n}";
    let own = ["sub", "file"].map(str::to_owned);
    let mut found: Vec<String> = paths(code, "room", &own).iter().map(|(_, path)| path.join("/")).collect();
    found.sort();
    assert_eq!(found, ["g/h", "sub", "sub/b/C", "sub/b/self", "sub/d/E", "sub/file/x"]);
    assert_eq!(added_methods(code, code), ["two"]);
    let found = paths("use super::super::b::C;\n", "room", &own);
    assert_eq!(found, [(1, vec!["b".to_owned(), "C".to_owned()])]);
}

fn engine() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("engine")
}

/// The layers of the library, lowest first: the words in backticks of the sentence that begins with "Floors".
fn floors() -> Vec<String> {
    said_in_order(&fs::read_to_string(engine().join("core/lib.rs")).unwrap(), " Floors")
}

/// The words in backticks of the sentence of a crate's page that begins so.
fn said_in_order(text: &str, begin: &str) -> Vec<String> {
    let said: String = text
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .skip_while(|line| !line.starts_with(begin))
        .take_while(|line| !line.is_empty())
        .collect();
    said.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A directory of the library whose files have an order.
struct Room {
    folder: PathBuf,
    name: String,
    /// Files without their extension, and directories that count as one; lowest first.
    order: Vec<String>,
}

impl Room {
    fn of(name: &str) -> Self {
        let folder = engine().join("core").join(name);
        let order = said_in_order(&fs::read_to_string(folder.join("mod.rs")).unwrap(), " Order");
        Room { folder, name: name.to_owned(), order }
    }

    /// The module of a file, as a path below the room.
    fn own_path(&self, file: &Path) -> Vec<String> {
        let below = file.strip_prefix(&self.folder).unwrap().with_extension("");
        let mut parts: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        parts.pop_if(|last| last == "mod");
        parts
    }

    /// The position of the file or directory that contains something; `None` for the room's `mod.rs`, which is above
    /// all.
    fn place(&self, path: &[String]) -> Option<usize> {
        (1..=path.len()).rev().find_map(|parts| {
            let name = path[..parts].join("/");
            self.order.iter().position(|listed| *listed == name)
        })
    }

    /// What the files of the room use from those above them: by a path, or by calling a method that a higher file adds
    /// to a type of another file.
    fn upward(&self) -> Vec<String> {
        let files: Vec<(PathBuf, Vec<String>, String)> = rust_files(&self.folder)
            .into_iter()
            .filter(|file| !in_tests(file) && *file != self.folder.join("mod.rs"))
            .map(|file| {
                let code: Vec<String> =
                    before_tests(&fs::read_to_string(&file).unwrap()).into_iter().map(|(_, line)| line).collect();
                (file.clone(), self.own_path(&file), code.join("\n"))
            })
            .collect();
        // A type may have its methods in several files of its place.
        let at = |place: usize| -> String {
            files.iter().filter(|(_, own, _)| self.place(own) == Some(place)).map(|(.., code)| code.as_str()).collect()
        };
        let added: Vec<(usize, String)> = files
            .iter()
            .filter_map(|(_, own, code)| {
                let place = self.place(own)?;
                Some((place, added_methods(code, &at(place))))
            })
            .flat_map(|(place, names)| names.into_iter().map(move |name| (place, name)))
            .collect();
        let mut upward = Vec::new();
        for (file, own, code) in &files {
            let floor = self.place(own);
            let mut found = |line: usize, used: &str| {
                upward.push(format!("{}:{line}: `{}` uses `{used}`", file.display(), own.join("/")));
            };
            for (line, path) in paths(code, &self.name, own) {
                // The `mod.rs` of a directory may name what is in it.
                if self.place(&path).is_none_or(|used| floor.is_some_and(|floor| used > floor)) {
                    found(line, &path.join("::"));
                }
            }
            for (number, line) in code.lines().enumerate() {
                for (place, name) in &added {
                    if floor.is_some_and(|floor| *place > floor) && line.contains(&format!(".{name}(")) {
                        found(number + 1, &format!("{}, .{name}()", self.order[*place]));
                    }
                }
            }
        }
        upward
    }
}

/// The paths of a file that lead into its room, below the room: `own` is the file's module there.
fn paths(code: &str, room: &str, own: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(root) {
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || "_$:".contains(c)) {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let mut leaves = Vec::new();
            read_tree(&code[at..], &mut Vec::new(), &mut leaves);
            for leaf in leaves {
                found.extend(resolved(&leaf, room, own).map(|path| (line, path)));
            }
        }
    }
    found
}

/// A path relative to the room; `None` if it leads elsewhere.
fn resolved(path: &[String], room: &str, own: &[String]) -> Option<Vec<String>> {
    let mut parts = path.iter().map(String::as_str).peekable();
    let mut base: Vec<String> = [room].into_iter().map(str::to_owned).chain(own.iter().cloned()).collect();
    match parts.next()? {
        "crate" => base.clear(),
        "super" => {
            base.pop();
            while parts.next_if_eq(&"super").is_some() {
                base.pop()?;
            }
        }
        _ => {}
    }
    base.extend(parts.map(str::to_owned));
    (base.first()? == room).then(|| base.split_off(1))
}

/// Reads `a::b::{c, d::e}` into its leaves and gives back the rest of the text.
fn read_tree<'t>(text: &'t str, before: &mut Vec<String>, leaves: &mut Vec<Vec<String>>) -> &'t str {
    let mut rest = text.trim_start();
    let depth = before.len();
    loop {
        let word = first_word(rest);
        rest = &rest[word.len()..];
        if !word.is_empty() {
            before.push(word);
        }
        match rest.strip_prefix("::") {
            Some(after) if after.starts_with('{') => {
                rest = after[1..].trim_start();
                while !rest.starts_with('}') && !rest.is_empty() {
                    rest = read_tree(rest, before, leaves).trim_start();
                    rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
                }
                rest = rest.strip_prefix('}').unwrap_or(rest);
                break;
            }
            Some(after) if after.starts_with(|c: char| c.is_alphanumeric() || c == '_') => rest = after,
            _ => {
                leaves.push(before.clone());
                // Other signs, such as `*` and ` as name`, up to the next item.
                rest = rest.trim_start_matches(|c: char| !",}".contains(c) && (c != '\n'));
                break;
            }
        }
    }
    before.truncate(depth);
    rest
}

/// The methods that a file adds to types which the code of its place does not define.
fn added_methods(code: &str, of_place: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_added = false;
    for line in code.lines() {
        if let Some(head) = line.strip_prefix("impl") {
            let head = head.strip_prefix('<').map_or(head, |rest| rest.split_once("> ").map_or(rest, |(_, rest)| rest));
            let name = first_word(head);
            let defined = ["struct", "enum"].iter().any(|kind| {
                let word = format!("{kind} {name}");
                let defined = |at: usize| first_word(&of_place[at + word.len() - name.len()..]) == name;
                of_place.match_indices(&word).any(|(at, _)| defined(at))
            });
            is_added = !head.contains(" for ") && !defined;
        } else if line.starts_with('}') {
            is_added = false;
        } else if is_added
            && let Some(before) = line.strip_prefix("    ")
            && let Some(at) = before.find("fn ").filter(|_| !before.starts_with(' '))
        {
            names.push(first_word(&before[at + 3..]));
        }
    }
    names
}

/// The first part of a file's path below `engine/core`: the module of the library that it belongs to.
fn own_floor(file: &Path) -> String {
    first_part(file, &engine().join("core"))
}

fn first_part(file: &Path, root: &Path) -> String {
    let below = file.strip_prefix(root).unwrap();
    Path::new(below.iter().next().unwrap()).file_stem().unwrap().to_string_lossy().into_owned()
}

/// The source files in a directory and below it; some directories contain only fixtures.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "{} has no code", folder.display());
    files.sort();
    files
}

fn in_tests(file: &Path) -> bool {
    let name = file.file_stem().unwrap_or_default();
    file.iter().any(|part| part == "tests" || part == "examples") || name == "tests" || is_test_module(file)
}

/// Whether a file is a module that its parent builds for tests only.
fn is_test_module(file: &Path) -> bool {
    let name = file.file_stem().unwrap().to_string_lossy();
    let folder = file.parent().unwrap();
    let parents = [folder.join("mod.rs"), folder.join("lib.rs"), folder.with_extension("rs")];
    parents
        .iter()
        .filter_map(|parent| fs::read_to_string(parent).ok())
        .any(|text| text.contains(&format!("#[cfg(test)]\nmod {name};")))
}

/// The numbered lines of a file without comments, down to its tests.
fn before_tests(text: &str) -> Vec<(usize, String)> {
    let numbered = without_comments(text).lines().map(str::to_owned).enumerate().collect::<Vec<_>>();
    numbered
        .into_iter()
        .map(|(index, line)| (index + 1, line))
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .collect()
}

/// The lines of a text without what follows `//` at their beginning or after a space.
fn without_comments(text: &str) -> String {
    let code = |line: &str| match line.trim_start().starts_with("//") {
        true => String::new(),
        false => line.split(" // ").next().unwrap_or_default().to_owned(),
    };
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// The names that follow `root::`, one or several in braces, each with the line of the root.
fn uses(text: &str, root: &str) -> Vec<(usize, String)> {
    let text = without_comments(text);
    let path = format!("{root}::");
    let mut found = Vec::new();
    for (at, _) in text.match_indices(&path) {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || "_$".contains(c)) {
            continue;
        }
        let line = text[..at].matches('\n').count() + 1;
        let rest = &text[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(names_in_group(group).into_iter().map(|name| (line, name))),
            None => found.push((line, first_word(rest))),
        }
    }
    found
}

/// The first words of the items of a group, of which the opening brace is gone.
fn names_in_group(group: &str) -> Vec<String> {
    let (mut depth, mut item, mut names) = (0, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => names.push(first_word(&std::mem::take(&mut item))),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                item.push(c);
            }
        }
    }
    names.push(first_word(&item));
    names.retain(|name| !name.is_empty());
    names
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}
