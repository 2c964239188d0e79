//! Starts the agent on another machine, to which the executable may have to be copied first.
//!
//! The first command is a one-line shell script. If a cache directory on the host holds the executable, the script
//! starts it: then the first output is the agent's marker, and no round trip is lost. Otherwise the script reports that
//! it is absent and reads the executable from the same stream.

use std::{sync::Arc, time::Duration};

use rplay_wire::{Failure, MARKER};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tracing::debug;

use super::{
    executable::{AgentKind, Executable, Packing},
    executables::Executables,
    greeting::{NoAgent, wait_for},
    transport::Transport,
};

/// Length limit in bytes of the line that follows it.
const LONGEST_LINE: u64 = 200;

/// Printed by the script when it has no executable of that name.
const ABSENT: &[u8] = b"\n\0rplay-absent\0\n";

/// Whether an executable that is already on the host is started without verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Yes: the usual case, one round trip. The agent itself detects that its file was modified.
    Trusting,
    /// Only if it is complete and can be started; otherwise it is sent again. Used after a trusted one did not answer.
    Checking,
}

/// The script. It must work under any login shell, so it contains no single quote, no exclamation mark (csh), no double
/// backslash (fish) and no newline.
///
/// It tries these cache directories in order: the user's own, then directories that exist on every Linux system, in
/// case the home is missing, full, read-only or mounted noexec. Because other users can write to the latter, their
/// content is trusted only if directory and file belong to the login user: the directory has mode 0700, and /tmp and
/// the like are sticky, so nobody else can have put a file there.
///
/// After ABSENT the controller sends `SHA SENT SIZE HOW`: the file's digest, the number of bytes to come (0: only try
/// to start it), the size of the file, and the program that unpacks it (or `raw`). If the file cannot be written to a directory, or
/// is incomplete there, or does not start, that directory is not tried again, and the script reports ABSENT once more.
/// gzip and xz check what they unpack by its CRC, so only a file that was sent as it is is hashed.
///
/// The file gets its name only after it was written to disk (`dd conv=fsync`, or `sync`), so that a crash leaves no
/// partial file under that name.
const SCRIPT: &str = concat!(
    r#"c=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/rplay; "#,
    r#"own() { if [ -h "$1" ]; then false; else [ -d "$1" ] && [ -O "$1" ]; fi; }; "#,
    r#"dirs() { for d in "$c" "${TMPDIR:-/var/tmp}/rplay-$u" /dev/shm/rplay-$u /tmp/rplay-$u; do case "$x" in *":$d:"*) continue;; esac; "$@" && return 0; done; return 1; }; "#,
    r#"runs() { [ "$("$1" agent "$2" "$h" 2>/dev/null </dev/null)" = "$h" ]; }; "#,
    r#"good() { if command -v sha256sum >/dev/null 2>&1; then g=$(sha256sum <"$1"); [ "${g%% *}" = "$h" ] && runs "$1" probe; else runs "$1" whole; fi; }; "#,
    r#"start() { f="$d/$h"; own "$d" && [ -f "$f" ] && [ -O "$f" ] && [ -x "$f" ] || return 1; if [ -n "$k" ]; then good "$f" || return 1; fi; [ -n "$m" ] && umask "$m"; exec "$f" agent @WORDS@ $w; }; "#,
    r#"usable() { t="$d/.new.$$"; if [ -d "$d" ]; then own "$d" && chmod 700 "$d"; else mkdir -p -m 700 "$d" 2>/dev/null && own "$d"; fi && if [ -e "$t" ] || [ -h "$t" ]; then rm -rf "$t"; fi && true 2>/dev/null >"$t" && chmod 700 "$t" && "$t" 2>/dev/null && return 0; own "$d" && rm -f "$t" 2>/dev/null; t=; return 1; }; "#,
    r#"fill() { head -c "$n" | { if [ "$z" = raw ]; then cat >"$t"; else "$z" -dc >"$t"; fi || { cat >/dev/null; false; }; }; }; "#,
    r#"put() { e=$(fill 2>&1) || return 1; e="it arrived incomplete"; [ "$(wc -c <"$t")" -eq "$s" ] || return 1; e="it arrived damaged or does not start"; if [ "$z" = raw ]; then good "$t"; else runs "$t" probe; fi || return 1; dd if=/dev/null of="$t" conv=notrunc,fsync 2>/dev/null || sync; if [ -d "$d/$h" ]; then rm -rf "$d/$h"; fi; e=$(mv -f "$t" "$d/$h" 2>&1) && [ -f "$d/$h" ]; }; "#,
    r#"fail() { echo "$1" >&2; exit 1; }; "#,
    r#"m=; x=; w=; e=; k=@CHECK@; h=@SHA@; d=$c; start; u=$(id -u); dirs start; m=$(umask); umask 077; "#,
    r#"while :; do z=raw; for p in gzip xz; do command -v $p >/dev/null 2>&1 && z=$z+$p; done; "#,
    r#"printf "\n\000rplay-absent\000\n%s %s\n" "$(uname -m)" "$z"; "#,
    r#"read -r h n s z || exit 1; [ "$n" = 0 ] && { dirs start; continue; }; "#,
    r#"dirs usable || fail "no directory for the agent: the home directory, ${TMPDIR:-/var/tmp}, /dev/shm and /tmp are read-only, full, or mounted noexec${e:+ ($e)}"; "#,
    r#"if put; then set -- "$d"/*; [ $# -eq 1 ] || find "$d" -type f -mtime +30 -exec rm -f {} + 2>/dev/null; k=; w=fresh; start; fi; "#,
    r#"rm -f "$t" 2>/dev/null; x="$x:$d:"; done"#,
);

/// How often a host may ask: for another architecture's executable by name, then for its content for each directory.
const MOST_ASKED: u32 = 6;

/// The command that starts the executable or asks for it. `words` are the agent's arguments, without quotes.
pub(super) fn command(executable: &Executable, how: Start, words: &str) -> String {
    format!("exec /bin/sh -c '{}'", script(executable, how, words))
}

/// Like [`command`], but unquoted, for callers that pass an argument list instead of a command line.
pub(super) fn script(executable: &Executable, how: Start, words: &str) -> String {
    let check = if how == Start::Checking { "1" } else { "" };
    SCRIPT.replace("@SHA@", &executable.sha256).replace("@CHECK@", check).replace("@WORDS@", words)
}

/// Waits for the agent's marker, and sends the executable if the host asks for it. `kind` is the agent that is wanted;
/// `transport.kind` becomes that of the agent that is sent.
pub(super) async fn arrive(
    transport: &mut Transport,
    executables: &Arc<Executables>,
    name: &str,
    kind: AgentKind,
    patience: Duration,
) -> Result<(), NoAgent> {
    for tried in 0..MOST_ASKED {
        // The data sent may still be in transit over a slow link.
        let patience = if tried == 0 { patience } else { patience * 5 };
        if wait_for(&[MARKER, ABSENT], transport, name, patience).await? == 0 {
            match tried {
                0 => debug!(host = name, "found the agent on the host"),
                _ => debug!(host = name, "the agent that was sent has started"),
            }
            return Ok(());
        }
        let mut line = String::new();
        // Limited, like everything that the host sends.
        let mut rest = (&mut transport.reader).take(LONGEST_LINE);
        let told = tokio::time::timeout(patience, rest.read_line(&mut line)).await;
        let (Ok(Ok(_)), Some((processor, unpackers))) = (told, line.trim().split_once(' ')) else {
            return Err(NoAgent::Way(Failure::unreachable(format!(
                "{name} did not report its processor architecture"
            ))));
        };
        let (processor, unpackers) = (processor.to_owned(), unpackers.to_owned());
        let only_try = tried == 0 && processor != std::env::consts::ARCH;
        let asked = executables.clone();
        let wanted = processor.clone();
        let work = move || prepare(&asked, &wanted, kind, &unpackers, only_try);
        let prepared = tokio::task::spawn_blocking(work).await.map_err(|error| Failure::new(error.to_string()));
        let (executable, packing, line) = prepared.and_then(|prepared| prepared).map_err(NoAgent::Way)?;
        transport.kind = executable.kind;
        let content = match only_try {
            true => &[],
            false => executable.content(packing).map_err(|error| NoAgent::Way(error.into()))?,
        };
        match only_try {
            true => debug!(host = name, processor, "asking for the agent of another processor"),
            false => debug!(
                host = name,
                processor,
                bytes = content.len(),
                packing = packing.word(),
                "the host has no agent: sending it"
            ),
        }
        let writer = &mut transport.writer;
        let deliveries = executables.deliveries.clone();
        let mut delivery = (!content.is_empty()).then(|| deliveries.begin(content.len()));
        let sending = async {
            writer.write_all(line.as_bytes()).await?;
            for piece in content.chunks(1 << 16) {
                // Limits the wait for a host that does not read.
                tokio::time::timeout(patience, writer.write_all(piece)).await??;
                if let Some(delivery) = &mut delivery {
                    delivery.add(piece.len());
                }
            }
            writer.flush().await
        };
        // If sending fails, the script reports why, and `wait_for` finds its message.
        let _ = sending.await;
    }
    Err(NoAgent::Way(Failure::unreachable(format!("{name} keeps asking for the agent"))))
}

/// The answer to ABSENT: a line, followed by the executable in that packing.
fn prepare(
    executables: &Executables,
    processor: &str,
    kind: AgentKind,
    unpackers: &str,
    only_try: bool,
) -> Result<(Arc<Executable>, Packing, String), Failure> {
    let executable = executables.for_processor(processor, kind)?;
    let packing = executable.packing(unpackers);
    let sent = if only_try { 0 } else { executable.content(packing)?.len() };
    let line = format!("{} {sent} {} {}\n", executable.sha256, executable.size, packing.word());
    Ok((executable, packing, line))
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
