//! What is mutated: the project's own playbooks, roles, inventories, templates and test cases.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longer files are cut: mutations are felt more in short inputs.
const LONGEST: usize = 4 << 10;

/// Files by what reads them.
#[derive(Default)]
pub(crate) struct Seeds {
    pub yaml: Vec<Vec<u8>>,
    pub templates: Vec<Vec<u8>>,
    pub expressions: Vec<Vec<u8>>,
}

impl Seeds {
    /// Reads the seeds of a checkout, in the order of their paths.
    pub(crate) fn below(root: &Path) -> Self {
        let mut seeds = Seeds::default();
        let mut files = Vec::new();
        for directory in
            ["playbooks", "roles", "inventory", "tests/plays", "tests/errors", "tests/syntax", "tests/compat"]
        {
            collect(&root.join(directory), &mut files);
        }
        for file in files {
            let Ok(mut content) = fs::read(&file) else { continue };
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("yml" | "yaml") => {
                    content.truncate(LONGEST);
                    seeds.yaml.push(content);
                }
                Some("j2") => {
                    content.truncate(LONGEST);
                    seeds.templates.push(content);
                }
                Some("csv") => {
                    let text = String::from_utf8_lossy(&content);
                    // The first columns hold templates; what else is there is as good.
                    seeds.expressions.extend(text.lines().filter(|line| line.contains("{{")).map(|line| line.into()));
                }
                _ => {}
            }
        }
        seeds.templates.extend(seeds.expressions.iter().step_by(7).cloned().collect::<Vec<_>>());
        seeds
    }
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}
