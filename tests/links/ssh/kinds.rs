//! Hosts get the lean agent first, and the full one when a call needs it.

use sha2::{Digest, Sha256};

use super::*;

/// An rplay with both agents embedded, and their digests: the lean one, then the full one. Here both are the same program.
fn with_agents(at: &Path) -> [String; 2] {
    let whole = fs::read(sshd::executable()).unwrap();
    let lean = [whole.as_slice(), b"lean"].concat();
    let pack = |content: &[u8]| {
        fs::write(at, content).unwrap();
        Command::new("gzip").args(["-1", "-c"]).arg(at).output().unwrap().stdout
    };
    let parts = [&whole, &lean].map(|content| (hex::encode(Sha256::digest(content)), content.len(), pack(content)));
    let words = parts.iter().map(|(sha256, size, packed)| format!(" {sha256} {size} 0 {}", packed.len()));
    let tail = format!("rplay-embedded-agents 3 {}{}", rplay_agent::BUILD, words.collect::<String>());
    let [(full, _, full_packed), (lean, _, lean_packed)] = parts;
    let content = [whole.as_slice(), &full_packed, &lean_packed, format!("{tail:<512}").as_bytes()].concat();
    fs::write(at, content).unwrap();
    [lean, full]
}

#[test]
fn a_host_gets_the_full_agent_when_a_call_needs_it() {
    let Some(sshd) = Sshd::start("") else { return };
    rplay_modules::registry::install();
    let executable = sshd.at("rplay");
    let [lean, full] = with_agents(&executable);
    let options = LinkOptions { executable: Some(executable), ..sshd.options() };
    let web1 = sshd.target("web1");
    let are_there = |wanted: &[&String]| {
        let found = fs::read_dir(sshd.at("cache/rplay")).unwrap();
        let mut names: Vec<_> = found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let mut wanted: Vec<_> = wanted.iter().map(|name| (*name).clone()).collect();
        wanted.sort();
        assert_eq!(names, wanted);
    };

    let links = Links::new(options.clone()).unwrap();
    ping(&links, &web1).unwrap();
    let file = sshd.at("text");
    fs::write(&file, "caf\u{e9}").unwrap();
    let replace = |encoding: &str| {
        let args = data! { "path" => file.to_str().unwrap(), "regexp" => "x", "encoding" => encoding };
        end(&send(&links, &web1, vec![call("replace", args)])).unwrap().remove(0)
    };
    assert!(replace("utf-8").failure.is_none() && replace("latin-1").failure.is_none());
    are_there(&[&lean]);

    // In the midst of the run, and again: both agents go on.
    let fetch = || {
        let (url, to) = (format!("file://{}", file.display()), sshd.at("fetched"));
        let args = data! { "url" => url, "dest" => to.to_str().unwrap() };
        end(&send(&links, &web1, vec![call("get_url", args)])).unwrap().remove(0)
    };
    assert!(fetch().failure.is_none());
    are_there(&[&lean, &full]);
    ping(&links, &web1).unwrap();
    assert!(fetch().failure.is_none());
    assert_eq!(sshd.logins(), 1);
    links.close();

    // An argument decides, too; and a run that needs it sends nothing else.
    fs::remove_dir_all(sshd.at("cache/rplay")).unwrap();
    let links = Links::new(options.clone()).unwrap();
    let args = data! { "path" => file.to_str().unwrap(), "regexp" => "x", "encoding" => "gbk" };
    end(&send(&links, &web1, vec![call("replace", args)])).unwrap();
    ping(&links, &web1).unwrap();
    are_there(&[&full]);
    links.close();
    fs::remove_dir_all(sshd.at("cache/rplay")).unwrap();
    let links = Links::new(LinkOptions { full: true, ..options }).unwrap();
    ping(&links, &web1).unwrap();
    are_there(&[&full]);
}
