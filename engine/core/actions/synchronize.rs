//! synchronize: finds the paths of both ends, and says how the machine that runs rsync reaches the host.

use rplay_contract::{
    Wording,
    args::ArgType,
    argtypes::Flag,
    wire::{Map, Value as Wire},
};

use super::{
    After, Ask, Context, Rendered, Result, TaskResult,
    ends::{Delegate, Ends, Runner},
    list_arg, text_arg, text_of, wire_args,
};
use crate::{files, link::Connection, template};

/// The names under which a host is this machine, unless a port leads elsewhere.
const HERE: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// In messages about wrong arguments.
pub(super) const WORDING: Wording = Wording {
    module: Some("ansible.posix.synchronize"),
    missing: Some(REQUIRED),
    internal: &["_local_rsync_password", "_local_rsync_path", "_ssh_args", "_substitute_controller"],
    like_module: true,
    ..Wording::USUAL
};
const REQUIRED: &str = "synchronize requires both src and dest parameters are set";

pub(super) fn synchronize(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    let mut own = Map::new();
    for name in ["src", "dest"] {
        let Some(path) = text_arg(&args, name) else {
            return Err(Box::new(TaskResult::failed(REQUIRED)));
        };
        // What it is on the controller; `connect` decides where it is.
        own.insert(format!("_{name}_here"), found(context, &path).into());
    }
    // rsync itself would take them from the destination.
    let directories = list_arg(&args, "link_dest").unwrap_or_default();
    let directories: Vec<String> = directories.iter().map(|directory| found(context, directory)).collect();
    if !directories.is_empty() {
        own.insert("_link_dest_here".into(), directories.into());
    }
    if let Some(lazy) = context.scope.find("ansible_rsync_path") {
        let path = template::render(&lazy, context.scope).map_err(|error| Box::new(TaskResult::of_error(&error)))?;
        own.insert("_local_rsync_path".into(), text_of(&path).into());
    }
    let mut sent = wire_args(args);
    sent.extend(own);
    Ok(Ask { module: "synchronize", args: sent, after: After::Nothing })
}

/// A path of the controller: in a directory `files`, or from the directory of the playbook. A `/` at its end stays.
fn found(context: &Context<'_>, written: &str) -> String {
    if names_machine(written) {
        return written.to_owned();
    }
    let name = files::named(written);
    let path = context.path("files", written).unwrap_or_else(|| match context.scope.directories.last() {
        Some(directory) => directory.join(&name),
        None => name,
    });
    let path = std::path::absolute(&path).unwrap_or(path).to_string_lossy().trim_end_matches('/').to_owned();
    match written.ends_with('/') || path.is_empty() {
        true => path + "/",
        false => path,
    }
}

/// Completes the arguments once both ends are known.
pub(super) fn connect(args: &mut Map, ends: &Ends<'_>) -> Runner {
    let here = ["src", "dest", "link_dest"].map(|name| (name, args.shift_remove(&format!("_{name}_here"))));
    let is_here = |connection: &Connection| match connection {
        Connection::Local(_) => true,
        Connection::Ssh(ssh) => ssh.port.is_none() && HERE.contains(&&*ssh.host) && !args.contains_key("dest_port"),
        _ => false,
    };
    let runs_here = match ends.delegate {
        Delegate::None => true,
        Delegate::Itself => is_here(&ends.host.connection),
        Delegate::Other(other) => is_here(&other.connection),
    };
    let is_one_machine = matches!(ends.delegate, Delegate::Itself) || runs_here && is_here(&ends.host.connection);
    let pulls = matches!(args.get("mode"), Some(Wire::Str(mode)) if mode == "pull");
    let far = if pulls { "src" } else { "dest" };
    for (name, path) in here {
        if let Some(path) = path.filter(|_| runs_here && (is_one_machine || name != far)) {
            args.insert(name.to_owned(), path);
        }
    }
    if is_one_machine {
        return Runner { is_here: runs_here, becomes: true, warning: None };
    }
    let flag =
        |name: &str, default| args.get(name).and_then(|value| Flag::parse(value).ok()).map_or(default, |flag| flag.0);
    let (with_user, with_args) = (flag("set_remote_user", true), flag("use_ssh_args", false));
    let mut warning = None;
    let mut add = |name: &str, value: Option<Wire>| {
        if let Some(value) = value.filter(|_| !matches!(args.get(name), Some(given) if *given != Wire::Null)) {
            args.insert(name.to_owned(), value);
        }
    };
    let (user, name) = match &ends.host.connection {
        Connection::Ssh(ssh) => {
            add("dest_port", ssh.port.map(|port| i64::from(port).into()));
            let key = ssh.private_key_file.as_ref().filter(|_| runs_here);
            add("private_key", key.map(|key| key.to_string_lossy().into_owned().into()));
            add("_ssh_args", with_args.then(|| shell_words::join(&ssh.args).into()));
            (ssh.user.clone().filter(|_| with_user), ssh.host.clone())
        }
        Connection::Container(container) => {
            let user = ends.becomes.map(|becomes| &becomes.user).or(container.user.as_ref());
            let user = user.into_iter().flat_map(|user| ["-u", user]);
            let words = [container.engine.as_str(), "exec"].into_iter().chain(user).chain(["-i"]);
            add("_enter", Some(words.map(str::to_owned).collect::<Vec<_>>().into()));
            (None, container.name.clone())
        }
        Connection::Local(_) | Connection::Plugin(_) => (None, ends.host.name.clone()),
    };
    match (ends.becomes, &ends.host.connection) {
        (None, _) | (_, Connection::Container(_)) => {}
        (Some(becomes), _) if becomes.method == "sudo" => {
            add("rsync_path", Some(format!("sudo -u {} rsync", becomes.user).into()));
        }
        (Some(_), _) if args.get("rsync_path").is_some() => {}
        (Some(becomes), _) => {
            let method = &becomes.method;
            warning = Some(format!("rsync cannot become another user by {method}; name the command in `rsync_path`"));
        }
    }
    if let Some(Wire::Str(path)) = args.get_mut(far)
        && !names_machine(path)
    {
        let name = if name.contains(':') { format!("[{name}]") } else { name };
        let at = user.map(|user| format!("{user}@")).unwrap_or_default();
        *path = format!("{at}{name}:{path}");
    }
    Runner { is_here: runs_here && matches!(ends.delegate, Delegate::None), becomes: false, warning }
}

/// Whether it is `HOST:PATH` or an address.
fn names_machine(path: &str) -> bool {
    path.find(['/', ':']).is_some_and(|at| path[at..].starts_with(':'))
}

#[cfg(test)]
mod tests {
    use rplay_contract::wire::{Become, data};

    use super::*;
    use crate::link::{Container, SshOptions, Target};

    fn target(name: &str, connection: Connection) -> Target {
        Target { name: name.to_owned(), connection }
    }

    fn ssh(host: &str) -> Target {
        target("h", Connection::Ssh(SshOptions::new(host)))
    }

    fn local() -> Target {
        target("l", Connection::Local("/play".into()))
    }

    /// The arguments and the runner, for `/a` here, found as `/found/a`, and `b` there.
    fn connected(more: Map, ends: &Ends<'_>) -> (Map, Runner) {
        let mut args = data! { "src" => "a", "dest" => "b", "_src_here" => "/found/a", "_dest_here" => "/found/b" };
        args.extend(more);
        let runner = connect(&mut args, ends);
        (args, runner)
    }

    #[test]
    fn the_controller_reaches_the_host_as_its_connection_does() {
        let mut host = ssh("10.0.0.1");
        if let Connection::Ssh(ssh) = &mut host.connection {
            ssh.port = Some(2222);
            ssh.user = Some("bob".into());
            ssh.private_key_file = Some("/key".into());
            ssh.args = vec!["-J".into(), "a b".into()];
        }
        let ends = Ends { host: &host, delegate: Delegate::None, becomes: None };
        let (args, runner) = connected(data! {}, &ends);
        let wanted =
            data! { "src" => "/found/a", "dest" => "bob@10.0.0.1:b", "dest_port" => 2222, "private_key" => "/key" };
        assert_eq!((args, runner), (wanted, Runner { is_here: true, becomes: false, warning: None }));
        let (args, _) =
            connected(data! { "mode" => "pull", "set_remote_user" => false, "use_ssh_args" => true }, &ends);
        assert_eq!(args.get("src"), Some(&"10.0.0.1:a".into()));
        assert_eq!(args.get("dest"), Some(&"/found/b".into()));
        assert_eq!(args.get("_ssh_args"), Some(&"-J 'a b'".into()));
        let (args, _) = connected(data! { "dest" => "rsync://h/x" }, &ends);
        assert_eq!(args.get("dest"), Some(&"rsync://h/x".into()));
    }

    #[test]
    fn another_user_on_the_host_is_reached_by_sudo() {
        let host = ssh("fe80::1");
        let sudo = Become::new("sudo", "joe");
        let ends = Ends { host: &host, delegate: Delegate::None, becomes: Some(&sudo) };
        let (args, _) = connected(data! {}, &ends);
        assert_eq!(args.get("rsync_path"), Some(&"sudo -u joe rsync".into()));
        assert_eq!(args.get("dest"), Some(&"[fe80::1]:b".into()));
        let (args, _) = connected(data! { "rsync_path" => "own" }, &ends);
        assert_eq!(args.get("rsync_path"), Some(&"own".into()));
        let (_, runner) = connected(data! {}, &Ends { becomes: Some(&Become::new("su", "joe")), ..ends });
        assert!(runner.warning.is_some());
    }

    #[test]
    fn a_container_is_entered() {
        let container = Container { engine: "docker".into(), name: "c".into(), user: Some("u".into()) };
        let host = target("h", Connection::Container(container));
        let (args, _) = connected(data! {}, &Ends { host: &host, delegate: Delegate::None, becomes: None });
        let enter = ["docker", "exec", "-u", "u", "-i"].map(str::to_owned).to_vec();
        assert_eq!(args.get("_enter"), Some(&enter.into()));
        assert_eq!(args.get("dest"), Some(&"c:b".into()));
    }

    #[test]
    fn on_one_machine_nothing_is_connected_to() {
        let (here, far, near) = (local(), ssh("10.0.0.1"), ssh("127.0.0.1"));
        let on_one = |host, delegate| {
            let (args, runner) = connected(data! {}, &Ends { host, delegate, becomes: None });
            assert!(runner.becomes);
            (args, runner.is_here)
        };
        let found = data! { "src" => "/found/a", "dest" => "/found/b" };
        assert_eq!(on_one(&here, Delegate::None), (found.clone(), true));
        assert_eq!(on_one(&here, Delegate::Other(&here)), (found.clone(), true));
        assert_eq!(on_one(&near, Delegate::None), (found, true));
        assert_eq!(on_one(&far, Delegate::Itself), (data! { "src" => "a", "dest" => "b" }, false));
    }

    #[test]
    fn another_host_takes_its_own_paths() {
        let (one, other) = (ssh("10.0.0.1"), ssh("10.0.0.2"));
        let ends = Ends { host: &one, delegate: Delegate::Other(&other), becomes: None };
        let (args, runner) = connected(data! {}, &ends);
        assert_eq!(args, data! { "src" => "a", "dest" => "10.0.0.1:b" });
        assert_eq!(runner, Runner { is_here: false, becomes: false, warning: None });
    }
}
