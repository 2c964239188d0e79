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
    executable::{Executable, Executables},
    greeting::wait_for,
    transport::Transport,
};

/// Printed by the script when it has no executable of that name.
const ABSENT: &[u8] = b"\n\0rplay-absent\0\n";

/// Bytes of the line after ABSENT.
const LONGEST_LINE: u64 = 256;

/// The script. It runs under any login shell, so it holds no quote ', no exclamation mark (csh), no double
/// backslash (fish) and no newline.
///
/// Cache folders, in this order: the user's own, then folders that are there on every Linux, should the
/// home be missing, full, or mounted noexec. Those others can write to, so what lies in them is trusted
/// only if folder and file belong to us: the folder has mode 0700 and /tmp's kin are sticky, so nobody can
/// have put something else there.
///
/// After ABSENT the controller sends `SHA SENT SIZE HOW`: the file's digest,
/// the bytes to come (0: only try), the bytes of the file, and whether they are packed.
const SCRIPT: &str = concat!(
    r#"c=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/rplay; "#,
    r#"own() { if [ -h "$1" ]; then false; else [ -d "$1" ] && [ -O "$1" ]; fi; }; "#,
    r#"dirs() { for d in "$c" "${TMPDIR:-/var/tmp}/rplay-$u" /dev/shm/rplay-$u /tmp/rplay-$u; do "$@" && return 0; done; return 1; }; "#,
    r#"start() { f="$d/$h"; if own "$d" && [ -O "$f" ] && [ -x "$f" ]; then [ -n "$m" ] && umask "$m"; exec "$f" agent; fi; return 1; }; "#,
    r#"usable() { mkdir -p "$d" 2>/dev/null; own "$d" && chmod 700 "$d" && t="$d/.new.$$" && : 2>/dev/null >"$t" && chmod 700 "$t" && "$t" 2>/dev/null && return 0; [ -n "$t" ] && rm -f "$t" 2>/dev/null; return 1; }; "#,
    r#"fail() { echo "$1" >&2; [ -n "$t" ] && rm -f "$t"; exit 1; }; "#,
    r#"m=; t=; h=@SHA@; d=$c; start; u=$(id -u); dirs start; m=$(umask); umask 077; "#,
    r#"while :; do z=raw; command -v gzip >/dev/null 2>&1 && z=gzip; "#,
    r#"printf "\n\000rplay-absent\000\n%s %s\n" "$(uname -m)" "$z"; "#,
    r#"read -r h n s z || exit 1; [ "$n" = 0 ] && { dirs start; continue; }; "#,
    r#"dirs usable || fail "no folder for the agent: the home folder, ${TMPDIR:-/var/tmp}, /dev/shm and /tmp are read-only, full, or mounted noexec"; "#,
    r#"if [ "$z" = gzip ]; then head -c "$n" | gzip -dc >"$t"; else head -c "$n" >"$t"; fi || fail "the agent cannot be written to $d"; "#,
    r#"[ "$(wc -c <"$t")" -eq "$s" ] || fail "the agent did not arrive whole in $d"; "#,
    r#"if command -v sha256sum >/dev/null 2>&1; then g=$(sha256sum <"$t"); [ "${g%% *}" = "$h" ] || fail "the agent arrived damaged in $d"; fi; "#,
    r#"mv -f "$t" "$d/$h" || fail "the agent cannot be put into $d"; "#,
    r#"find "$d" -type f -mtime +30 -exec rm -f {} + 2>/dev/null; start; "#,
    r#"fail "the agent in $d cannot be started"; done"#,
);

/// The command that starts, or asks for, that executable.
pub fn command(executable: &Executable) -> String {
    format!("exec /bin/sh -c '{}'", script(executable))
}

/// The same without the quotes around it, for whoever passes arguments and not a line.
pub fn script(executable: &Executable) -> String {
    SCRIPT.replace("@SHA@", &executable.sha256)
}

/// Waits for the agent's marker, and hands over the executable if it is asked for.
pub async fn arrive(
    transport: &mut Transport,
    executables: &Arc<Executables>,
    name: &str,
    patience: Duration,
) -> Result<(), Failure> {
    // A host of another processor is asked twice: for its file by name, then with the content.
    for tried in 0..3 {
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
            return Err(unreachable(format!("{name} does not say which processor it has")));
        };
        let (processor, gzip) = (processor.to_owned(), packing == "gzip");
        let only_try = tried == 0 && processor != std::env::consts::ARCH;
        let executables = executables.clone();
        let work = move || prepare(&executables, &processor, gzip, only_try);
        let (executable, line) =
            tokio::task::spawn_blocking(work).await.map_err(|error| Failure::new(error.to_string()))??;
        let content = if only_try { &[] } else { executable.content(gzip)? };
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
    Err(unreachable(format!("{name} asks for the agent again and again")))
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
