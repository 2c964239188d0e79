//! Ansible's command names: called by one of them, rplay behaves like that tool.

use std::{ffi::OsString, path::Path};

/// Ansible's tools and the commands that implement them.
const TOOLS: &[(&str, &str)] = &[
    ("ansible", "adhoc"),
    ("ansible-config", "config"),
    ("ansible-console", "console"),
    ("ansible-doc", "doc"),
    ("ansible-galaxy", "galaxy"),
    ("ansible-inventory", "inventory"),
    ("ansible-playbook", ""),
    ("ansible-pull", "pull"),
    ("ansible-vault", "vault"),
];

/// The names under which rplay is one of Ansible's tools.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TOOLS.iter().map(|(tool, _)| *tool)
}

/// The command line in the form of `rplay`, whatever name it was called by.
pub(crate) struct Called {
    /// The name of Ansible's tool by which it was called, if any.
    pub tool: Option<&'static str>,
    pub words: Vec<OsString>,
}

impl Called {
    /// From the process's arguments, the program's name first.
    pub(crate) fn of(mut words: Vec<OsString>) -> Self {
        let name = words.first().map(Path::new).and_then(Path::file_name).and_then(|name| name.to_str());
        let Some((tool, command)) = TOOLS.iter().find(|(tool, _)| Some(*tool) == name).copied() else {
            return Called { tool: None, words };
        };
        if !command.is_empty() {
            words.insert(1, command.into());
        }
        Called { tool: Some(tool), words }
    }

    /// Text from clap, with the tool's name in place of the command of `rplay`.
    pub(crate) fn named(&self, text: &str) -> String {
        match TOOLS.iter().find(|(tool, command)| Some(*tool) == self.tool && !command.is_empty()) {
            Some((tool, command)) => text.replace(&format!("{tool} {command}"), tool),
            None => text.to_owned(),
        }
    }

    /// Whether `--version` was requested, in the format of Ansible's tools.
    pub(crate) fn wants_version(&self) -> bool {
        // As for argparse, no option takes it as its value.
        self.tool.is_some() && self.words.iter().take_while(|word| *word != "--").any(|word| word == "--version")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(line: &str) -> String {
        let called = Called::of(line.split(' ').map(OsString::from).collect());
        called.words.into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_name_chooses_the_tool() {
        assert_eq!(called("/bin/ansible-playbook a.yml"), "/bin/ansible-playbook a.yml");
        assert_eq!(called("rplay a.yml"), "rplay a.yml");
        assert_eq!(called("ansible all -m ping"), "ansible adhoc all -m ping");
        assert_eq!(called("/x/ansible-vault view f"), "/x/ansible-vault vault view f");
        assert_eq!(called("ansible-galaxy install x"), "ansible-galaxy galaxy install x");
        assert_eq!(called("ansible-pull -U x"), "ansible-pull pull -U x");
    }
}
