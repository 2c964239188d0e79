//! Asking for passwords.

use std::{
    fs::OpenOptions,
    io::{self, BufRead, BufReader, Write},
};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

/// Asks on the terminal, and reads a line without showing it. Without a terminal a line is read from
/// standard input.
pub fn password(question: &str) -> io::Result<String> {
    let Ok(mut terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        return line(&mut io::stdin().lock());
    };
    write!(terminal, "{question}: ")?;
    terminal.flush()?;
    let before = tcgetattr(&terminal)?;
    let mut hidden = before.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&terminal, SetArg::TCSAFLUSH, &hidden)?;
    let typed = line(&mut BufReader::new(&terminal));
    tcsetattr(&terminal, SetArg::TCSAFLUSH, &before)?;
    writeln!(terminal)?;
    typed
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut typed = String::new();
    if from.read_line(&mut typed)? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "nothing was typed"));
    }
    Ok(typed.trim_end_matches(['\r', '\n']).to_owned())
}
