//! The image of the tests: this very program, as `docker save` would write it.

use std::fs;

use serde_json::json;
use sha2::{Digest, Sha256};

/// What runs inside the containers: this program, with this "test".
pub(crate) const COMMAND: [&str; 4] = ["inside_a_container", "--exact", "--ignored", "--nocapture"];

/// One file of a tar archive.
fn tar(archive: &mut Vec<u8>, name: &str, mode: u32, content: &[u8]) {
    let mut head = [0u8; 512];
    let mut put = |at: usize, text: &str| head[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", content.len()));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    archive.extend_from_slice(&head);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

/// What `docker save` would write for an image with this program in it.
pub(crate) fn archive(name: &str, note: &str) -> Vec<u8> {
    let mut layer = Vec::new();
    tar(&mut layer, "app", 0o755, &fs::read(std::env::current_exe().unwrap()).unwrap());
    layer.extend_from_slice(&[0; 1024]);
    let sum = rplay_wire::hex::encode(Sha256::digest(&layer));
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": arch, "os": "linux",
        "config": {"Entrypoint": ["/app"], "Cmd": COMMAND, "Labels": {"note": note}},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{sum}")]},
    });
    let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
    let mut all = Vec::new();
    tar(&mut all, "layer.tar", 0o644, &layer);
    tar(&mut all, "config.json", 0o644, config.to_string().as_bytes());
    tar(&mut all, "manifest.json", 0o644, manifest.to_string().as_bytes());
    all.extend_from_slice(&[0; 1024]);
    all
}
