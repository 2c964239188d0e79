//! An agent that does not behave as one: it speaks the protocol well enough to be listened to, and then does what
//! its scene says.

use std::{
    fs::File,
    io::{BufReader, Write},
    os::fd::AsFd,
    thread,
    time::Duration,
};

use rplay_wire::{
    Batch, Call, Failure, MARKER, Map, Outcome, Reply, Request, Value, data, encode, outcome_frames, read_frame,
    write_frame,
};

/// A digest that nobody has offered.
const NEVER_OFFERED: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Plays a scene over the standard streams until the controller hangs up.
pub(crate) fn play(scene: &str) {
    let mut agent = Agent {
        reader: BufReader::new(File::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap())),
        writer: File::from(std::io::stdout().as_fd().try_clone_to_owned().unwrap()),
    };
    // Whoever is hung up on has nothing more to do.
    let _ = agent.play(scene);
}

struct Agent {
    reader: BufReader<File>,
    writer: File,
}

type Played = Result<(), Box<dyn std::error::Error>>;

impl Agent {
    fn play(&mut self, scene: &str) -> Played {
        match scene {
            "endless-banner" => loop {
                self.writer.write_all(b"Welcome! ")?;
            },
            "endless-line" => {
                self.writer.write_all(b"\n\0rplay-absent\0\n")?;
                loop {
                    self.writer.write_all(&[b'x'; 1 << 16])?;
                }
            }
            "takes-no-executable" => {
                self.writer.write_all(b"\n\0rplay-absent\0\nx86_64 raw\n")?;
                return self.hang();
            }
            _ => {}
        }
        self.writer.write_all(MARKER)?;
        match scene {
            "no-hello" => self.say(&Reply::Stopped { batch: 1 })?,
            "mute" => return self.hang(),
            "cut-hello" => {
                self.writer.write_all(&[40, 0, 0, 0, 0])?;
                return self.hang();
            }
            _ => {}
        }
        self.hello()?;
        if scene == "endless-stderr" {
            thread::spawn(|| while std::io::stderr().write_all(&[b'e'; 1 << 16]).is_ok() {});
        }
        if scene == "unasked" {
            // Before anything was asked.
            self.say(&Reply::Outcome { batch: 1, index: 0, outcome: Outcome::default() })?;
        }
        loop {
            let batch = self.batch()?;
            self.answer(scene, &batch)?;
        }
    }

    fn hello(&mut self) -> Played {
        self.say(&Reply::Hello { user: "root".into(), uid: 0, pid: 1 })
    }

    fn say(&mut self, reply: &Reply) -> Played {
        Ok(write_frame(&mut self.writer, reply)?)
    }

    /// A frame of these bytes, behind a length that may be another.
    fn frame(&mut self, length: u32, body: &[u8]) -> Played {
        self.writer.write_all(&length.to_le_bytes())?;
        Ok(self.writer.write_all(body)?)
    }

    fn batch(&mut self) -> Result<Batch, Box<dyn std::error::Error>> {
        loop {
            match read_frame(&mut self.reader)? {
                Some(Request::Batch(batch)) => return Ok(batch),
                Some(_) => {}
                None => std::process::exit(0),
            }
        }
    }

    /// Says nothing more and reads nothing more, and stays.
    fn hang(&self) -> Played {
        thread::sleep(Duration::from_secs(120));
        Ok(())
    }

    fn answer(&mut self, scene: &str, batch: &Batch) -> Played {
        let id = batch.id;
        let plain = |index| Reply::Outcome { batch: id, index, outcome: Outcome::default() };
        match scene {
            "lying-length" => self.frame(u32::MAX, b"")?,
            "cut-length" => {
                self.writer.write_all(&[9])?;
                self.hang()?;
            }
            "cut-frame" => {
                self.frame(1000, b"ten bytes.")?;
                self.hang()?;
            }
            "trickle" => {
                self.frame(100_000, b"")?;
                loop {
                    self.writer.write_all(b"x")?;
                    thread::sleep(Duration::from_millis(50));
                }
            }
            "huge-trickle" => {
                self.frame(1 << 20, &[0; 1 << 19])?;
                self.hang()?;
            }
            "garbled" => self.frame(6, b"random")?,
            "trailing" => {
                let mut reply = encode(&plain(0))?.split_off(4);
                reply.extend([0; 10]);
                self.frame(reply.len() as u32, &reply)?;
            }
            "noise" => {
                let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
                loop {
                    let mut piece = [0u8; 512];
                    for byte in &mut piece {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        *byte = (seed >> 33) as u8;
                    }
                    self.writer.write_all(&piece)?;
                }
            }
            "deep" => {
                // An outcome whose data nests lists 5,000 levels, two bytes each.
                let mut body = vec![1, id as u8, 0, 0, 0, 0, 0, 0, 1, 1, b'x'];
                body.extend([7u8, 1].repeat(5000));
                body.extend([0; 5]);
                self.frame(body.len() as u32, &body)?;
            }
            "wide" => {
                // Thirty million nulls: a byte each here, eighty in memory.
                let mut body = vec![0, 0, 0, 0, 0, 1, 1, b'x', 7, 0x80, 0x87, 0xa7, 0x0e];
                body.resize(body.len() + 30_000_000, 0);
                for piece in body.chunks(1 << 19) {
                    let part = Reply::Part {
                        batch: id,
                        index: 0,
                        piece: piece.into(),
                        last: false,
                        failed: false,
                        holds_up: false,
                    };
                    self.say(&part)?;
                }
                self.say(&Reply::Part {
                    batch: id,
                    index: 0,
                    piece: vec![0; 3],
                    last: true,
                    failed: false,
                    holds_up: false,
                })?;
            }
            "endless-parts" => loop {
                let piece = vec![0; 1 << 19];
                self.say(&Reply::Part { batch: id, index: 0, piece, last: false, failed: false, holds_up: false })?;
            },
            "unasked-content" => {
                self.say(&Reply::Content { batch: id + 7, index: 0, piece: b"PWNED".to_vec(), left: 0 })?;
            }
            "never-answers" => self.hang()?,
            "reads-nothing" => {
                for sha256 in batch.stages.iter().flat_map(|stage| &stage.calls).filter_map(offered) {
                    self.say(&Reply::Want { sha256 })?;
                }
                self.hang()?;
            }
            "hang-up" => std::process::exit(3),
            "second-hello" => self.hello()?,
            "unknown-batch" => self.say(&Reply::Outcome { batch: id + 7, index: 0, outcome: Outcome::default() })?,
            "wrong-index" => self.say(&plain(4_000_000_000))?,
            "twice" => {
                self.say(&plain(0))?;
                self.say(&plain(0))?;
            }
            "stopped-unknown" => self.say(&Reply::Stopped { batch: 0 })?,
            "never-offered" => self.say(&Reply::Want { sha256: NEVER_OFFERED.into() })?,
            "wants-a-path" => self.say(&Reply::Want { sha256: "../../../etc/shadow".into() })?,
            "wants-too-much" => {
                let Some(sha256) = batch.stages.iter().flat_map(|stage| &stage.calls).find_map(offered) else {
                    return self.honest(scene, batch);
                };
                for _ in 0..5000 {
                    self.say(&Reply::Want { sha256: sha256.clone() })?;
                }
                self.hang()?;
            }
            _ => self.honest(scene, batch)?,
        }
        Ok(())
    }

    /// An answer to each call, in order; what it holds is up to the scene.
    fn honest(&mut self, scene: &str, batch: &Batch) -> Played {
        let calls: Vec<&Call> = batch.stages.iter().flat_map(|stage| &stage.calls).collect();
        for (index, call) in calls.into_iter().enumerate() {
            let outcome = outcome(scene, call);
            if scene == "elsewhere" && call.module == "fetch" {
                let piece = b"PWNED".to_vec();
                self.say(&Reply::Content { batch: batch.id, index: index as u32, piece, left: 0 })?;
            }
            let send = |frame: Vec<u8>| Ok(self.writer.write_all(&frame)?);
            outcome_frames(batch.id, index as u32, outcome, send)?;
        }
        Ok(())
    }
}

fn offered(call: &Call) -> Option<String> {
    call.args.values().find_map(|value| match value {
        Value::Blob(blob) => Some(blob.sha256.clone()),
        _ => None,
    })
}

/// What a hostile host says as outcome of a call that it does not carry out.
fn outcome(scene: &str, call: &Call) -> Outcome {
    let mut outcome = Outcome { data: data! { "rc" => 0, "stdout" => "", "stderr" => "" }, ..Outcome::default() };
    match scene {
        // Facts that would take the controller over, from any module.
        "names" => outcome.facts = steering(),
        "floods" => {
            outcome.warnings = (0..100_000).map(|n| format!("warning {n}\nok: [innocent]")).collect();
            outcome.changes = (0..100_000).map(|n| format!("change {n}")).collect();
            outcome.changed = true;
        }
        "escapes" => {
            outcome.changed = true;
            outcome.data = data! { "rc" => 0, "stdout" => EVIL, "stderr" => EVIL, "msg" => EVIL, EVIL => EVIL };
            outcome.warnings = vec![EVIL.into()];
            outcome.changes = vec![EVIL.into()];
            outcome.diff = vec![rplay_wire::Diff::text(EVIL, EVIL, "else")];
        }
        "escapes-in-failure" => {
            outcome = Outcome::failed(Failure { help: Some(EVIL.into()), ..Failure::new(EVIL) });
        }
        "elsewhere" if call.module == "fetch" => {
            outcome.data = data! {
                "source" => "/../../../escaped", "dest" => "/tmp/escaped", "file" => "../escaped",
                "path" => "../escaped", "remote_checksum" => "1a86ff7923c40c9ccd806ee5036d363c068ccc4d",
            };
        }
        _ => {}
    }
    outcome
}

/// Sets a title, clears the screen, forges a line, turns the direction of writing.
pub(crate) const EVIL: &str = "\x1b]0;owned\x07\x1b[2J\r\u{9b}2J\u{202e}evil\u{2066}\x7f";

fn steering() -> Map {
    let touch = format!("-o ProxyCommand=\"touch {}\"", std::env::var("HOSTILE_MARK").unwrap_or_default());
    data! {
        "ansible_connection" => "local",
        "connection" => "local",
        "ansible_host" => "localhost",
        "host" => "localhost",
        "ansible_ssh_common_args" => touch.as_str(),
        "ansible_ssh_executable" => "/bin/false",
        "ansible_become" => true,
        "ansible_become_exe" => "/bin/false",
        "ansible_python_interpreter" => "/bin/false",
        "ansible_delegated_vars" => "x",
        "inventory_hostname" => "innocent",
        "role_path" => "/etc",
        "groups" => "x",
        "vars" => "x",
        "lookup" => "x",
        "ansible_distribution" => "Hostile",
        "ansible_ssh_host_key_rsa_public" => "AAAA",
        "plain" => "{{ lookup('pipe', 'touch ' ~ mark) }}",
    }
}
