//! Ansible's own names: called by one of them, the command behaves as that tool.

use std::{ffi::OsString, path::Path};

/// The names under which rplay is one of Ansible's tools.
pub const TOOLS: [&str; 6] =
    ["ansible", "ansible-config", "ansible-galaxy", "ansible-inventory", "ansible-playbook", "ansible-vault"];

/// The command line as `rplay` has it, whatever name it was called by. The error says which of Ansible's
/// tools has no counterpart.
pub fn words(mut words: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let name = words.first().map(Path::new).and_then(Path::file_name).and_then(|name| name.to_str());
    let command = match name {
        Some("ansible") => "adhoc",
        Some("ansible-inventory") => "inventory",
        Some("ansible-vault") => "vault",
        Some("ansible-galaxy") => "galaxy",
        Some("ansible-config") => "config",
        Some(name @ ("ansible-doc" | "ansible-pull" | "ansible-console")) => {
            return Err(format!("ERROR: rplay has no counterpart of {name}"));
        }
        _ => return Ok(words),
    };
    // The version is rplay's own, whatever it is called.
    if words.get(1).is_none_or(|first| first != "--version") {
        words.insert(1, command.into());
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(line: &str) -> Result<String, String> {
        let words = words(line.split(' ').map(OsString::from).collect())?;
        Ok(words.into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_name_chooses_the_tool() {
        assert_eq!(called("/bin/ansible-playbook a.yml").unwrap(), "/bin/ansible-playbook a.yml");
        assert_eq!(called("rplay a.yml").unwrap(), "rplay a.yml");
        assert_eq!(called("ansible all -m ping").unwrap(), "ansible adhoc all -m ping");
        assert_eq!(called("/x/ansible-vault view f").unwrap(), "/x/ansible-vault vault view f");
        assert_eq!(called("ansible-galaxy install x").unwrap(), "ansible-galaxy galaxy install x");
        assert!(called("ansible-pull x").unwrap_err().contains("ansible-pull"));
    }
}
