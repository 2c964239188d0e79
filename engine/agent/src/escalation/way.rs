//! The command that starts an agent as another user, and how it asks for a password.

use std::{path::Path, process::Command};

use rplay_wire::{AGENT_PATH, Become, BecomePlugin, Failure};

/// The command to start, and how it asks for a password.
pub(super) struct Way {
    pub command: Command,
    pub program: String,
    pub prompt: Prompt,
}

/// How a program asks for a password.
pub(super) enum Prompt {
    /// Exactly this prompt, which rplay chose itself.
    Words(String),
    /// su's prompt, in any language: a last line that ends in a colon.
    AnyColon,
    /// One of these words before a colon.
    OneOf(Vec<String>),
    /// It was told not to ask.
    Never,
}

impl Prompt {
    /// Whether `text` holds more than `answered` prompts.
    pub(super) fn asked(&self, text: &str, answered: usize) -> bool {
        match self {
            Prompt::Words(words) => text.matches(words.as_str()).count() > answered,
            Prompt::AnyColon => answered == 0 && ends_in_prompt(text),
            Prompt::OneOf(prompts) => answered == 0 && ends_in_one_of(text, prompts),
            Prompt::Never => false,
        }
    }
}

fn ends_in_prompt(text: &str) -> bool {
    let line = text.rsplit('\n').next().unwrap_or_default().trim();
    // The program's name before a message may arrive on its own.
    line.ends_with([':', '：']) && line != "su:"
}

fn ends_in_one_of(text: &str, prompts: &[String]) -> bool {
    let last = text.rsplit('\n').next().unwrap_or_default().trim();
    let words = last.trim_end_matches([':', '：', ' ']).to_lowercase();
    words.len() < last.len() && prompts.iter().any(|prompt| words.ends_with(&prompt.to_lowercase()))
}

/// The command of a become plugin. Only the plugin knows how it quotes the path, so the path must not need quotes.
fn way_of_plugin(plugin: &BecomePlugin, executable: &Path) -> Result<Way, Failure> {
    let path = executable.to_string_lossy();
    if !path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@:,".contains(c)) {
        let msg = format!("a become plugin cannot start the agent, since its path `{path}` has special characters");
        return Err(Failure::new(msg).help("use `sudo` or `su`, or a home directory with a plain name"));
    }
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &plugin.command.replace(AGENT_PATH, &path)]).current_dir("/");
    let prompt = match &plugin.prompt {
        Some(words) if !words.trim().is_empty() => Prompt::Words(words.trim().to_owned()),
        _ => Prompt::Never,
    };
    Ok(Way { command, program: "/bin/sh".to_owned(), prompt })
}

/// The command that starts `executable` as the other user.
pub(super) fn way(wanted: &Become, executable: &Path) -> Result<Way, Failure> {
    if let Some(plugin) = &wanted.plugin {
        return way_of_plugin(plugin, executable);
    }
    let program = wanted.exe.clone().unwrap_or_else(|| wanted.method.clone());
    let mut command = Command::new(&program);
    let mut flags = flags(wanted)?;
    let mut prompt = Prompt::Never;
    match wanted.method.as_str() {
        "sudo" => {
            let quiet = |flag: &String| flag == "-n" || flag == "--non-interactive";
            if wanted.password.is_some() {
                let words = format!("[rplay {:x}] password:", std::process::id());
                flags.retain(|flag| !quiet(flag));
                if !flags.iter().any(|flag| flag == "-S") {
                    flags.push("-S".to_owned());
                }
                flags.extend(["-p".to_owned(), words.clone()]);
                prompt = Prompt::Words(words);
            } else if !flags.iter().any(quiet) {
                flags.push("-n".to_owned());
            }
            command.args(flags).args(["-u", &wanted.user, "--"]).arg(executable).arg("agent");
        }
        "su" => {
            if wanted.user.starts_with('-') {
                return Err(Failure::new(format!("`{}` is not a valid user name", wanted.user)));
            }
            prompt = match wanted.prompts.is_empty() {
                true => Prompt::AnyColon,
                false => Prompt::OneOf(wanted.prompts.clone()),
            };
            let start = format!("exec {} agent", shell_words::quote(&executable.to_string_lossy()));
            command.args(flags).args([wanted.user.as_str(), "-c", &start]);
        }
        "doas" if wanted.password.is_some() => {
            return Err(Failure::new("doas reads passwords only from a terminal, so rplay cannot supply one")
                .help("use `permit nopass` in doas.conf, or `become_method: sudo`"));
        }
        "doas" => {
            command.args(flags).args(["-n", "-u", &wanted.user, "--"]).arg(executable).arg("agent");
        }
        other => {
            return Err(Failure::new(format!("the become method `{other}` is not supported"))
                .help("use `sudo`, `su` or `doas`"));
        }
    }
    // The other user may not be allowed to enter the current directory, but everybody can enter the root.
    let directory = wanted.chdir.as_deref().unwrap_or("/");
    if wanted.chdir.is_some()
        && let Err(error) = enterable(Path::new(directory))
    {
        return Err(Failure::new(format!("cannot cd to {directory}: {error}")));
    }
    command.current_dir(directory);
    Ok(Way { command, program, prompt })
}

/// Whether a process may start in that directory: it may be entered, even if it cannot be listed.
fn enterable(directory: &Path) -> std::io::Result<()> {
    if !std::fs::metadata(directory)?.is_dir() {
        return Err(std::io::ErrorKind::NotADirectory.into());
    }
    nix::unistd::access(directory, nix::unistd::AccessFlags::X_OK)?;
    Ok(())
}

/// The flags as words.
fn flags(wanted: &Become) -> Result<Vec<String>, Failure> {
    let flags = wanted.flags();
    shell_words::split(flags).map_err(|_| Failure::new(format!("the become flags `{flags}` have an unmatched quote")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::escalation) fn wanted(method: &str) -> Become {
        Become::new(method, "deploy")
    }

    fn words(wanted: &Become) -> Vec<String> {
        let command = way(wanted, Path::new("/x y/rplay")).ok().map(|way| way.command).unwrap();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_password_never_becomes_an_argument() {
        for method in ["sudo", "su"] {
            let with = Become { password: Some("s3cret".into()), ..wanted(method) };
            assert!(!words(&with).concat().contains("s3cret"));
        }
    }

    #[test]
    fn a_directory_to_start_in_must_be_there() {
        let there = Become { chdir: Some("/usr".into()), ..wanted("sudo") };
        assert_eq!(
            way(&there, Path::new("/x")).unwrap_or_else(|_| panic!("refused")).command.get_current_dir(),
            Some(Path::new("/usr"))
        );
        let missing = Become { chdir: Some("/no/such/directory".into()), ..wanted("sudo") };
        let refused = way(&missing, Path::new("/x")).err().unwrap_or_else(|| panic!("accepted"));
        assert!(refused.msg.starts_with("cannot cd to /no/such/directory: "), "{}", refused.msg);
    }

    #[test]
    fn a_directory_to_start_in_is_entered_and_not_listed() {
        use std::os::unix::fs::PermissionsExt;
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("f");
        std::fs::write(&file, "").unwrap();
        assert_eq!(enterable(&file).unwrap_err().kind(), std::io::ErrorKind::NotADirectory);
        std::fs::set_permissions(base.path(), std::fs::Permissions::from_mode(0o100)).unwrap();
        assert!(enterable(base.path()).is_ok());
    }

    #[test]
    fn sudo_without_a_password_never_asks_for_one() {
        assert_eq!(words(&wanted("sudo")), ["sudo", "-H", "-S", "-n", "-u", "deploy", "--", "/x y/rplay", "agent"]);
        assert_eq!(wanted("sudo").told(), "sudo -H -S -n -u deploy -- rplay agent");
        let flags = Become { flags: Some("-E -n".into()), ..wanted("sudo") };
        assert_eq!(words(&flags)[1..4], ["-E", "-n", "-u"]);
        let asked = Become { flags: Some("-H -n".into()), password: Some("x".into()), ..wanted("sudo") };
        assert_eq!(words(&asked)[1..4], ["-H", "-S", "-p"]);
    }

    #[test]
    fn su_quotes_the_path_for_the_shell_it_starts() {
        assert_eq!(words(&wanted("su")), ["su", "deploy", "-c", "exec '/x y/rplay' agent"]);
        assert!(way(&Become { user: "-c".into(), ..wanted("su") }, Path::new("/x")).is_err());
    }

    #[test]
    fn what_is_not_supported_is_refused_with_advice() {
        let failure = way(&wanted("pbrun"), Path::new("/x")).err().unwrap();
        assert_eq!(failure.msg, "the become method `pbrun` is not supported");
        let doas = Become { password: Some("x".into()), ..wanted("doas") };
        assert!(way(&doas, Path::new("/x")).err().unwrap().help.unwrap().contains("nopass"));
    }

    #[test]
    fn a_prompt_is_a_last_line_that_ends_in_a_colon() {
        assert!(ends_in_prompt("lecture:\nPassword: "));
        assert!(ends_in_prompt("Passwort:"));
        assert!(!ends_in_prompt("su: "));
        assert!(!ends_in_prompt("what follows:\n"));
        let words = ["Пароль".to_owned()];
        assert!(ends_in_one_of("lecture\nroot's пароль: ", &words) && ends_in_one_of("Пароль：", &words));
        assert!(!ends_in_one_of("Password: ", &words) && !ends_in_one_of("Пароль", &words));
    }
}
