//! Starting the agent on another machine, where this executable may not be yet.
//!
//! The first command is a shell script of one line. It starts the executable from a cache folder if it is
//! there: then the agent's marker is the first thing we hear, and nothing was lost by asking. Otherwise it
//! says so and reads the executable from the very same stream.

use std::{sync::Arc, time::Duration};

use rplay_wire::{Failure, MARKER};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use super::{
    conversation::unreachable,
    executable::Executable,
    executables::Executables,
    greeting::{NoAgent, wait_for},
    transport::Transport,
};

/// Bytes in the line that follows it.
const LONGEST_LINE: u64 = 200;

/// Printed by the script when it has no executable of that name.
const ABSENT: &[u8] = b"\n\0rplay-absent\0\n";

/// Whether an executable that lies on the host is started at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Yes: the ordinary case, one round trip. The agent itself notices that its file was written to.
    Trusting,
    /// Only if it is whole and can be started; otherwise it is sent again. For when the trusted one did not answer.
    Checking,
}

/// The script. It runs under any login shell, so it holds no quote ', no exclamation mark (csh), no double
/// backslash (fish) and no newline.
///
/// Cache folders, in this order: the user's own, then folders that are there on every Linux, should the
/// home be missing, full, read-only, or mounted noexec. Those others can write to, so what lies in them is
/// trusted only if folder and file belong to us: the folder has mode 0700 and /tmp's kin are sticky, so nobody
/// can have put something else there.
///
/// After ABSENT the controller sends `SHA SENT SIZE HOW`: the file's digest,
/// the bytes to come (0: only try), the bytes of the file, and whether they are packed. A folder in which the
/// file cannot be written, or is not whole, or does not start, is not tried again, and ABSENT is said once more.
///
/// The file gets its name only when it is on the disk (`dd conv=fsync`, where there is none `sync`), so that a
/// crash leaves no half of it under that name.
const SCRIPT: &str = concat!(
    r#"c=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/rplay; "#,
    r#"own() { if [ -h "$1" ]; then false; else [ -d "$1" ] && [ -O "$1" ]; fi; }; "#,
    r#"dirs() { for d in "$c" "${TMPDIR:-/var/tmp}/rplay-$u" /dev/shm/rplay-$u /tmp/rplay-$u; do case "$x" in *":$d:"*) continue;; esac; "$@" && return 0; done; return 1; }; "#,
    r#"good() { a=whole; if command -v sha256sum >/dev/null 2>&1; then g=$(sha256sum <"$1"); [ "${g%% *}" = "$h" ] || return 1; a=probe; fi; [ "$("$1" agent $a "$h" 2>/dev/null </dev/null)" = "$h" ]; }; "#,
    r#"start() { f="$d/$h"; own "$d" && [ -f "$f" ] && [ -O "$f" ] && [ -x "$f" ] || return 1; if [ -n "$k" ]; then good "$f" || return 1; fi; [ -n "$m" ] && umask "$m"; exec "$f" agent @WORDS@ $w; }; "#,
    r#"usable() { t="$d/.new.$$"; mkdir -p "$d" 2>/dev/null; own "$d" && chmod 700 "$d" && rm -rf "$t" && true 2>/dev/null >"$t" && chmod 700 "$t" && "$t" 2>/dev/null && return 0; own "$d" && rm -f "$t" 2>/dev/null; t=; return 1; }; "#,
    r#"fill() { head -c "$n" | { if [ "$z" = gzip ]; then gzip -dc >"$t"; else cat >"$t"; fi || { cat >/dev/null; false; }; }; }; "#,
    r#"put() { e=$(fill 2>&1) || return 1; e="it did not arrive whole"; [ "$(wc -c <"$t")" -eq "$s" ] || return 1; e="it arrived damaged or does not start"; good "$t" || return 1; dd if=/dev/null of="$t" conv=notrunc,fsync 2>/dev/null || sync; if [ -d "$d/$h" ]; then rm -rf "$d/$h"; fi; e=$(mv -f "$t" "$d/$h" 2>&1) && [ -f "$d/$h" ]; }; "#,
    r#"fail() { echo "$1" >&2; exit 1; }; "#,
    r#"m=; x=; w=; e=; k=@CHECK@; h=@SHA@; d=$c; start; u=$(id -u); dirs start; m=$(umask); umask 077; "#,
    r#"while :; do z=raw; command -v gzip >/dev/null 2>&1 && z=gzip; "#,
    r#"printf "\n\000rplay-absent\000\n%s %s\n" "$(uname -m)" "$z"; "#,
    r#"read -r h n s z || exit 1; [ "$n" = 0 ] && { dirs start; continue; }; "#,
    r#"dirs usable || fail "no folder for the agent: the home folder, ${TMPDIR:-/var/tmp}, /dev/shm and /tmp are read-only, full, or mounted noexec${e:+ ($e)}"; "#,
    r#"if put; then find "$d" -type f -mtime +30 -exec rm -f {} + 2>/dev/null; k=; w=fresh; start; fi; "#,
    r#"rm -f "$t" 2>/dev/null; x="$x:$d:"; done"#,
);

/// How often a host may ask: for another processor's file by name, then with its content for each folder.
const MOST_ASKED: u32 = 6;

/// The command that starts, or asks for, that executable. `words` are for the agent: plain words without quotes.
pub fn command(executable: &Executable, how: Start, words: &str) -> String {
    format!("exec /bin/sh -c '{}'", script(executable, how, words))
}

/// The same without the quotes around it, for whoever passes arguments and not a line.
pub fn script(executable: &Executable, how: Start, words: &str) -> String {
    let check = if how == Start::Checking { "1" } else { "" };
    SCRIPT.replace("@SHA@", &executable.sha256).replace("@CHECK@", check).replace("@WORDS@", words)
}

/// Waits for the agent's marker, and hands over the executable if it is asked for.
pub async fn arrive(
    transport: &mut Transport,
    executables: &Arc<Executables>,
    name: &str,
    patience: Duration,
) -> Result<(), NoAgent> {
    for tried in 0..MOST_ASKED {
        // What we have written may still be on its way over a slow line.
        let patience = if tried == 0 { patience } else { patience * 5 };
        if wait_for(&[MARKER, ABSENT], transport, name, patience).await? == 0 {
            return Ok(());
        }
        let mut line = String::new();
        // What the host writes there is bounded like all that it says.
        let mut rest = (&mut transport.reader).take(LONGEST_LINE);
        let told = tokio::time::timeout(patience, rest.read_line(&mut line)).await;
        let (Ok(Ok(_)), Some((processor, packing))) = (told, line.trim().split_once(' ')) else {
            return Err(NoAgent::Way(unreachable(format!("{name} does not say which processor it has"))));
        };
        let (processor, gzip) = (processor.to_owned(), packing == "gzip");
        let only_try = tried == 0 && processor != std::env::consts::ARCH;
        let executables = executables.clone();
        let work = move || prepare(&executables, &processor, gzip, only_try);
        let prepared = tokio::task::spawn_blocking(work).await.map_err(|error| Failure::new(error.to_string()));
        let (executable, line) = prepared.and_then(|prepared| prepared).map_err(NoAgent::Way)?;
        let content = match only_try {
            true => &[],
            false => executable.content(gzip).map_err(|error| NoAgent::Way(error.into()))?,
        };
        let writer = &mut transport.writer;
        let sending = async {
            writer.write_all(line.as_bytes()).await?;
            for piece in content.chunks(1 << 16) {
                // A host that reads nothing is not written to for ever.
                tokio::time::timeout(patience, writer.write_all(piece)).await??;
            }
            writer.flush().await
        };
        // If it fails the script has said why, and `wait_for` finds it.
        let _ = sending.await;
    }
    Err(NoAgent::Way(unreachable(format!("{name} asks for the agent again and again"))))
}

/// The answer to ABSENT: a line, and the executable that comes after it.
fn prepare(
    executables: &Executables,
    processor: &str,
    gzip: bool,
    only_try: bool,
) -> Result<(Arc<Executable>, String), Failure> {
    let executable = executables.for_processor(processor)?;
    let sent = if only_try { 0 } else { executable.content(gzip)?.len() };
    let how = if gzip { "gzip" } else { "raw" };
    let line = format!("{} {sent} {} {how}\n", executable.sha256, executable.size);
    Ok((executable, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_holds_nothing_that_a_login_shell_could_take_for_its_own() {
        assert!(!SCRIPT.contains(['\'', '!', '\n']));
        assert!(!SCRIPT.contains("\\\\"));
    }
}
