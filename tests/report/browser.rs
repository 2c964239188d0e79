//! A real browser without a window: Chromium, driven by its own protocol over two pipes.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use serde_json::{Value as Json, json};

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A page that is shown.
pub(crate) struct Browser {
    process: Child,
    requests: File,
    replies: Receiver<Json>,
    session: Option<String>,
    sent: u64,
    /// Messages of the console, and scripts that were refused or threw.
    pub(crate) complaints: Vec<String>,
    directory: tempfile::TempDir,
}

/// The browser of this machine; `RPLAY_BROWSER` names another.
pub(crate) fn installed() -> Option<PathBuf> {
    let named = std::env::var_os("RPLAY_BROWSER").map(PathBuf::from);
    let directories: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    named.or_else(|| {
        names
            .iter()
            .flat_map(|name| directories.iter().map(move |directory| directory.join(name)))
            .find(|path| path.exists())
    })
}

impl Browser {
    /// Shows a file at this width and height.
    pub(crate) fn show(program: &Path, page: &Path, (width, height): (u32, u32)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["requests", "replies"] {
            assert!(Command::new("mkfifo").arg(at(name)).status().unwrap().success());
        }
        // The browser reads requests at descriptor 3 and writes replies to 4. No network: a page must not need one.
        let process = Command::new("sh")
            .args(["-c", r#"exec 3<"$0/requests" 4>"$0/replies"; exec "$@""#])
            .arg(directory.path())
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--remote-debugging-pipe", "--proxy-server=127.0.0.1:9", "--hide-scrollbars"])
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--user-data-dir={}", at("profile").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let requests = File::options().write(true).open(at("requests")).unwrap();
        let mut source = BufReader::new(File::open(at("replies")).unwrap());
        let (sender, replies) = channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while source.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let Ok(read) = serde_json::from_slice(&message) else { break };
                if sender.send(read).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let (session, complaints) = (None, Vec::new());
        let mut browser = Browser { process, requests, replies, session, sent: 0, complaints, directory };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.ask("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            browser.ask(domain, json!({}));
        }
        browser.ask("Page.navigate", json!({"url": format!("file://{}", page.display())}));
        while browser.value("document.readyState === 'complete' && location.protocol === 'file:'") != true {
            thread::sleep(Duration::from_millis(20));
        }
        browser
    }

    /// What an expression of JavaScript gives.
    pub(crate) fn value(&mut self, expression: &str) -> Json {
        let answer = self.ask("Runtime.evaluate", json!({"expression": expression, "returnByValue": true}));
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// A key is pressed where the focus is.
    pub(crate) fn press(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.ask("Input.dispatchKeyEvent", json!({"type": kind, "key": key, "code": key}));
        }
    }

    /// A picture of what is shown, as a PNG file.
    pub(crate) fn picture(&mut self, to: &Path) {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let picture = self.ask("Page.captureScreenshot", json!({"format": "png"}));
        fs::write(to, BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()).unwrap();
    }

    fn ask(&mut self, method: &str, params: Json) -> Json {
        self.sent += 1;
        let mut request = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            request["sessionId"] = session.as_str().into();
        }
        self.requests.write_all(format!("{request}\0").as_bytes()).unwrap();
        loop {
            let message = self.replies.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {method}"));
            match message["method"].as_str() {
                Some("Runtime.exceptionThrown" | "Log.entryAdded" | "Runtime.consoleAPICalled") => {
                    self.complaints.push(message["params"].to_string());
                }
                Some(_) => {}
                None if message["id"] == self.sent => {
                    assert!(message.get("error").is_none(), "{method}: {message}");
                    return message["result"].clone();
                }
                None => {}
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.requests.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        // It waits for its own processes, so that none writes to the directory that goes away.
        for _ in 0..100 {
            if self.process.try_wait().is_ok_and(|ended| ended.is_some()) {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(self.directory.path().join("profile"));
    }
}
