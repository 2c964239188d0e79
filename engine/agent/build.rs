//! Computes the identity of this build of the agent from all that determines its behaviour: the sources of its crates,
//! and the versions of what they depend on.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// Directories of `engine` that are not part of the agent.
const OTHERS: [&str; 2] = ["core", "cli"];

fn main() -> io::Result<()> {
    let agent = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let engine = agent.join("..");
    let mut sources = vec![engine.join("../Cargo.lock")];
    for directory in fs::read_dir(&engine)? {
        let directory = directory?;
        if !OTHERS.iter().any(|other| directory.file_name() == *other) {
            collect(&directory.path(), &mut sources)?;
        }
    }
    sources.sort();
    let mut hasher = Sha256::new();
    for source in &sources {
        println!("cargo::rerun-if-changed={}", source.display());
        // Without a Cargo.lock, as in a package, the sources alone tell builds apart.
        let Ok(content) = fs::read(source) else { continue };
        hasher.update(source.strip_prefix(&engine).unwrap_or(source).to_string_lossy().as_bytes());
        hasher.update([0]);
        hasher.update(Sha256::digest(&content));
    }
    let name: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    // A lean agent must not pass for a full one, in whatever directory it lies.
    let kind = if env::var_os("CARGO_FEATURE_LEAN").is_some() { "lean-agent" } else { "agent" };
    println!("cargo::rustc-env=RPLAY_AGENT_BUILD=rplay-{kind}-build:{name}");
    Ok(())
}

/// Adds all files of a crate's `src`, and its manifest.
fn collect(directory: &Path, sources: &mut Vec<PathBuf>) -> io::Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    let mut directories = vec![directory.join("src")];
    sources.push(directory.join("Cargo.toml"));
    while let Some(directory) = directories.pop() {
        println!("cargo::rerun-if-changed={}", directory.display());
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => directories.push(entry.path()),
                false => sources.push(entry.path()),
            }
        }
    }
    Ok(())
}
