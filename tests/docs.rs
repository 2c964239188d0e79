//! The documentation names files that exist, and the site's pages can be written from it.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use regex::Regex;

/// Pages of the project: those at the top, and all of docs.
fn pages() -> Vec<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directories = [root.to_owned(), root.join("docs"), root.join("tests/lab")];
    let files =
        directories.iter().flat_map(|directory| fs::read_dir(directory).unwrap()).map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect()
}

#[test]
fn links_lead_to_files() {
    let link = Regex::new(r"\]\(([^)#]+)(?:#[^)]*)?\)").unwrap();
    let mut missing = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for found in link.captures_iter(&text).map(|found| found.get(1).unwrap().as_str()) {
            if !found.contains("://") && !page.with_file_name(found).exists() {
                missing.push(format!("{}: {found}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn paths_are_those_of_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // `engine/core/run`, `tests/plays.rs::name`, `tests/lab/deploy.sh PART`; patterns and placeholders are not checked.
    let path = Regex::new(r"`((?:engine|tests|playbooks|roles|inventory|docs|\.ci)/[A-Za-z0-9_./-]+)").unwrap();
    let mut missing = BTreeSet::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for found in path.captures_iter(&text) {
            let after = text.as_bytes()[found.get(0).unwrap().end()];
            let named = found[1].trim_end_matches(['.', '/']);
            let is_pattern = matches!(after, b'*' | b'{' | b'<' | b'$');
            // `tests/plays/NAME.yml`: only the directory must exist.
            let is_placeholder = |word: &&str| {
                word.split('.').next().is_some_and(|stem| {
                    stem.len() > 1 && stem != "README" && stem.bytes().all(|byte| byte.is_ascii_uppercase())
                })
            };
            let named = named.split('/').take_while(|word| !is_placeholder(word)).collect::<Vec<_>>().join("/");
            if !is_pattern && !root.join(&named).exists() {
                missing.insert(format!("{}: {named}", page.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn contributing_names_every_file_of_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let directories = ["tests", "engine/core/tests", "engine/modules/tests", "engine/agent/tests"];
    let missing: Vec<String> = directories
        .iter()
        .flat_map(|directory| fs::read_dir(root.join(directory)).unwrap().map(move |entry| (directory, entry.unwrap())))
        .map(|(directory, entry)| format!("{directory}/{}", entry.file_name().to_str().unwrap()))
        .filter(|path| {
            path.ends_with(".rs") || ["mod.rs", "main.rs"].iter().any(|page| root.join(path).join(page).is_file())
        })
        .filter(|path| {
            ![path.as_str(), path.trim_end_matches(".rs")].iter().any(|name| page.contains(&format!("`{name}`")))
        })
        .collect();
    assert!(missing.is_empty(), "CONTRIBUTING.md does not say what these test: {missing:?}");
}

/// All pages of the site are written and listed in its contents, and their links lead to pages. `tests/run site` also
/// builds it.
#[test]
fn the_site_has_no_broken_links() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/site/build");
    let target = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command.arg(script).arg("--check");
    command.env("RPLAY", env!("CARGO_BIN_EXE_rplay")).env("CARGO_TARGET_DIR", target.path());
    let Ok(output) = command.output() else {
        println!("skipped: there is no python3");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(target.path().join("site/book/src/modules/copy.md").exists(), "{said}");
}
