//! The log file of the day, shared by every replica that mounts the same directory: each line is one write to a file
//! opened for appending, so lines of different replicas never mix.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use crate::date;

pub struct Journal {
    directory: PathBuf,
    hostname: String,
    open: Mutex<Option<(String, File)>>,
}

impl Journal {
    pub fn new(directory: &str, hostname: &str) -> Journal {
        // Without the directory the service still works, as the real one does.
        if let Err(why) = std::fs::create_dir_all(directory) {
            eprintln!("todo: {directory}: {why}");
        }
        Journal { directory: directory.into(), hostname: hostname.into(), open: Mutex::new(None) }
    }

    pub fn write(&self, level: &str, message: &str) {
        let now = date::now();
        let line = line(now, level, &self.hostname, message);
        let day = date::day(now);
        let Ok(mut open) = self.open.lock() else {
            return;
        };
        if open.as_ref().is_none_or(|(of, _)| *of != day) {
            let path = self.directory.join(format!("{day}.log"));
            *open = OpenOptions::new().append(true).create(true).open(path).ok().map(|file| (day, file));
        }
        if let Some((_, file)) = open.as_mut() {
            let _ = file.write_all(line.as_bytes());
        }
    }
}

fn line(now: i64, level: &str, hostname: &str, message: &str) -> String {
    // A newline inside would make two lines of it, the second without a head.
    let message = message.replace(['\n', '\r'], " ");
    format!("{} {level} {hostname} {message}\n", date::stamp(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_share_a_file_line_by_line() {
        let directory = std::env::temp_dir().join(format!("todo-journal-{}", std::process::id()));
        let name = directory.to_str().unwrap().to_string();
        std::thread::scope(|scope| {
            for replica in ["one", "two", "three"] {
                let journal = Journal::new(&name, replica);
                scope.spawn(move || (0..200).for_each(|n| journal.write("info", &format!("line\n{n}"))));
            }
        });
        let file = std::fs::read_dir(&directory).unwrap().next().unwrap().unwrap().path();
        let text = std::fs::read_to_string(file).unwrap();
        assert_eq!(text.lines().count(), 600);
        assert!(text.lines().all(|line| line.contains(" info ") && line.contains(" line ")));
        std::fs::remove_dir_all(directory).unwrap();
    }
}
