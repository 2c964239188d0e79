//! `synchronize`: makes two directory trees equal with rsync, which the machine that runs the task starts.

use rplay_wire::{Failure, Map, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    choice,
    system::{paths, program::Output},
};

/// rsync writes this mark before each item that differs; other output does not have it.
const MARK: &str = "<<CHANGED>>";

choice! {
    /// Which way files go.
    pub enum Direction {
        /// From the host.
        Pull = "pull",
        /// From the machine that runs the task.
        Push = "push",
    }
}

args! {
    /// Makes a directory on the host like one on the controller, or the other way round, with rsync. The controller
    /// runs it and connects to the host, with `delegate_to` another host does; both need rsync. The host must accept a
    /// key: no password is passed on. Another user on the host (`become`) is reached by sudo without a password.
    pub struct Synchronize {
        /// What to copy; on the controller, or, with `mode: pull`, on the host. With a `/` at its end, the content of
        /// the directory. `HOST:PATH` and `rsync://HOST/PATH` name other machines.
        src: PathArg,
        /// Where to copy it to.
        dest: PathArg,
        /// Whether files go to the host or come from it.
        mode: Direction = Direction::Push,
        /// Copy directories with all they contain, links, permissions, times, owners, groups, devices and special
        /// files.
        archive: Flag = Flag(true),
        /// Compare contents instead of times and sizes.
        checksum: Flag = Flag(false),
        /// Compress what is sent.
        compress: Flag = Flag(true),
        /// Change only files that exist.
        existing_only: Flag = Flag(false),
        /// Remove what the source does not have. Requires `recursive`.
        delete: Flag = Flag(false),
        /// Copy directories without their content.
        dirs: Flag = Flag(false),
        /// Copy directories with all they contain; by default as `archive`.
        recursive: Option<Flag>,
        /// Copy symbolic links as links; by default as `archive`.
        links: Option<Flag>,
        /// Copy what symbolic links point to.
        copy_links: Flag = Flag(false),
        /// Keep permissions; by default as `archive`.
        perms: Option<Flag>,
        /// Keep times; by default as `archive`.
        times: Option<Flag>,
        /// Keep owners, if the receiving user is root; by default as `archive`.
        owner: Option<Flag>,
        /// Keep groups; by default as `archive`.
        group: Option<Flag>,
        /// Keep files of which only a part arrived.
        partial: Flag = Flag(false),
        /// Put all changed files in place at the end, so that there is never a mixture for long. Also reads
        /// `.rsync-filter` files.
        delay_updates: Flag = Flag(true),
        /// Directories with files to make hard links to, where these are the same.
        link_dest: Option<Vec<PathArg>>,
        /// How long rsync waits for data, in seconds; 0 is forever.
        rsync_timeout: i64 = 0,
        /// More options for rsync(1).
        rsync_opts: Vec<Text> = Vec::new(),
        /// The command that starts rsync on the host. The variable `ansible_rsync_path` names rsync on the other side.
        rsync_path: Option<Text>,
        /// The port of ssh on the host; by default that of the connection.
        dest_port: Option<i64>,
        /// The key of ssh; by default that of the connection.
        private_key: Option<PathArg>,
        /// Log in as the user of the connection; otherwise ssh's own settings name it.
        set_remote_user: Flag = Flag(true),
        /// Refuse a host whose key is not known.
        verify_host: Flag = Flag(false),
        /// Pass the arguments of the connection on to ssh (`ansible_ssh_common_args` and the like).
        use_ssh_args: Flag = Flag(false),
        /// Let ssh use an open connection, as its own settings say.
        ssh_connection_multiplexing: Flag = Flag(false),
        /// The program here.
        _local_rsync_path: Text = "rsync".to_owned(),
        /// The arguments of the connection.
        _ssh_args: Option<Text>,
        /// The command that starts a program in the container.
        _enter: Option<Vec<Text>>,
    }
}

impl Module for Synchronize {
    fn check(&self) -> Result<(), ArgError> {
        match self.rsync_timeout < 0 {
            true => Err(ArgError::new("rsync_timeout", "must not be negative")),
            false => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let named = &self._local_rsync_path;
        let program = match named.contains('/') {
            true => named.clone(),
            false => match host.find_program(named) {
                Some(path) => paths::text(path),
                None if host.rehearses() => {
                    let plan = Plan::unchanged().assumption(format!("the program {named}"));
                    return Ok(plan.change(Change::new("synchronize".to_owned(), |_, _| Ok(()))));
                }
                None => return Err(host.missing_program(named)),
            },
        };
        let (command, links) = (self.command(host, &program)?, self.link_dest.is_some());
        let what = format!("synchronize {} with {}", self.src.0, self.dest.0);
        if host.check {
            let mut plan = Plan::unchanged();
            return match told(host, &command, links, &mut plan.data)? {
                true => Ok(plan.change(Change::new(what, |_, _| Ok(())))),
                false => Ok(plan),
            };
        }
        Ok(Plan::unchanged().change(Change::maybe(what, move |host, data| told(host, &command, links, data))))
    }
}

impl Synchronize {
    /// The command line, quoted for a shell.
    fn command(&self, host: &Host, program: &str) -> Result<String, Failure> {
        let mut words = vec![quoted(program)];
        let mut add = |wanted: bool, word: &str| {
            if wanted {
                words.push(word.to_owned());
            }
        };
        add(self.delay_updates.0, "--delay-updates");
        add(self.delay_updates.0, "-F");
        add(self.compress.0, "--compress");
        add(self.rsync_timeout > 0, &format!("--timeout={}", self.rsync_timeout));
        add(host.check, "--dry-run");
        add(self.delete.0, "--delete-after");
        add(self.existing_only.0, "--existing");
        add(self.checksum.0, "--checksum");
        add(self.copy_links.0, "--copy-links");
        add(self.archive.0, "--archive");
        for (name, flag) in [
            ("recursive", self.recursive),
            ("links", self.links),
            ("perms", self.perms),
            ("times", self.times),
            ("owner", self.owner),
            ("group", self.group),
        ] {
            match flag {
                Some(Flag(true)) => add(!self.archive.0, &format!("--{name}")),
                Some(Flag(false)) => add(self.archive.0, &format!("--no-{name}")),
                None => {}
            }
        }
        add(self.dirs.0, "--dirs");
        let (src, dest) = (end(&self.src, host), end(&self.dest, host));
        let is_daemon = [&src, &dest].iter().any(|end| end.starts_with("rsync://"));
        if let Some(enter) = &self._enter {
            let enter = enter.iter().enumerate().map(|(at, word)| match (at, host.find_program(word)) {
                (0, Some(path)) => paths::text(path),
                _ => word.clone(),
            });
            add(true, "--blocking-io");
            add(true, &format!("--rsh={}", quoted(&enter.collect::<Vec<_>>().join(" "))));
        } else if !is_daemon && [&src, &dest].iter().any(|end| is_elsewhere(end)) {
            add(true, &format!("--rsh={}", quoted(&self.ssh(host)?)));
        }
        if let Some(path) = &self.rsync_path {
            add(true, &format!("--rsync-path={}", quoted(path)));
        }
        self.rsync_opts.iter().for_each(|option| add(true, option));
        add(self.partial.0, "--partial");
        if let Some(directories) = &self.link_dest {
            add(true, "-H");
            add(true, "-vv");
            directories.iter().for_each(|directory| {
                let directory = paths::text(directory.on(host));
                add(true, &quoted(&format!("--link-dest={}", directory.trim_end_matches('/'))));
            });
        }
        add(true, &format!("--out-format='{MARK}%i %n%L'"));
        add(true, &quoted(&src));
        add(true, &quoted(&dest));
        Ok(words.join(" "))
    }

    /// The command line of ssh.
    fn ssh(&self, host: &Host) -> Result<String, Failure> {
        let ssh = host.find_program("ssh").ok_or_else(|| host.missing_program("ssh"))?;
        let mut words = vec![paths::text(ssh)];
        if !self.ssh_connection_multiplexing.0 {
            words.push("-S none".to_owned());
        }
        if let Some(key) = &self.private_key {
            words.push(format!("-i {}", quoted(&paths::text(key.on(host)))));
        }
        if let Some(port) = self.dest_port {
            words.push(format!("-o Port={port}"));
        }
        if !self.verify_host.0 {
            words.push("-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null".to_owned());
        }
        words.extend(self._ssh_args.clone().filter(|args| !args.is_empty()));
        Ok(words.join(" "))
    }
}

/// One end of the transfer, as rsync takes it. A path of this machine is expanded; a `/` at its end stays.
fn end(path: &PathArg, host: &Host) -> String {
    if is_elsewhere(&path.0) {
        return path.0.clone();
    }
    let expanded = paths::text(path.on(host));
    match path.0.ends_with('/') && !expanded.ends_with('/') {
        true => expanded + "/",
        false => expanded,
    }
}

/// Whether that is `HOST:PATH` or an address.
fn is_elsewhere(path: &str) -> bool {
    let until = path.find('/').unwrap_or(path.len());
    path[..until].contains(':')
}

/// Quoted as Python's shlex does, whose commands Ansible shows.
fn quoted(text: &str) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    match text.is_empty() || !text.chars().all(is_safe) {
        true => format!("'{}'", text.replace('\'', "'\"'\"'")),
        false => text.to_owned(),
    }
}

/// Runs the command and puts what it tells into the result. Returns whether anything changed.
fn told(host: &Host, command: &str, links: bool, data: &mut Map) -> Result<bool, Failure> {
    let words = shell_words::split(command)
        .map_err(|error| Failure::new(format!("the options cannot be split into words: {error}")).arg("rsync_opts"))?;
    let (program, args) = words.split_first().ok_or_else(|| Failure::new("no command"))?;
    let done: Output = host.program(program).args(args).run()?;
    if done.rc != 0 {
        let msg = if done.stderr.is_empty() { &done.stdout } else { &done.stderr };
        return Err(Failure::new(msg.clone()).data(data! { "cmd" => command, "rc" => done.rc }));
    }
    // With links, rsync lists everything: only a new directory tells that something was made.
    let is_changed = done.stdout.contains(if links { "created directory" } else { MARK });
    let msg = done.stdout.replace(MARK, "");
    let lines: Vec<String> = msg.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if host.diff {
        data.insert("diff".to_owned(), data! { "prepared" => msg.as_str() }.into());
    }
    data.extend(data! { "cmd" => command, "msg" => msg, "rc" => done.rc, "stdout_lines" => lines });
    Ok(is_changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_before_the_first_slash_names_a_machine() {
        for elsewhere in ["h:", "me@h:/x", "[fe80::1]:/x", "rsync://h/x"] {
            assert!(is_elsewhere(elsewhere), "{elsewhere}");
        }
        for here in ["/a:b", "./a:b", "a/b:c", "a"] {
            assert!(!is_elsewhere(here), "{here}");
        }
    }
}
