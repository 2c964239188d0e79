//! script: sends a script, which the host runs.

use rplay_contract::Wording;

use super::{
    After, Ask, Context, Rendered, Result, TaskResult,
    local_file::{content_of, find, name_of},
    text_arg, wire_args,
};

/// In messages about wrong arguments.
pub(super) const WORDING: Wording =
    Wording { internal: &["_raw_params"], removed: &["decrypt"], like_module: true, ..Wording::USUAL };

pub(super) fn script(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    let line = text_arg(&args, "_raw_params").or_else(|| text_arg(&args, "cmd")).unwrap_or_default();
    let line = line.trim();
    let (name, rest) = first_word(line);
    if name.is_empty() {
        return Err(Box::new(TaskResult::failed("one of the following is required: _raw_params, cmd")));
    }
    if let Some(directory) = text_arg(&args, "chdir").filter(|directory| !directory.starts_with(['/', '~', '$'])) {
        let msg = format!("chdir {directory} must be an absolute path for a Unix-aware remote node");
        let place = Some(context.span("chdir"));
        return Err(Box::new(TaskResult { place, ..TaskResult::failed(msg) }));
    }
    let path = find(context, "files", name, "")?;
    let own = ["_raw_params", "cmd", "decrypt"];
    let content = content_of(&path, &args, context)?;
    let mut sent = wire_args(args.into_iter().filter(|(name, _)| !own.contains(&&**name)));
    sent.insert("_content".into(), content);
    sent.insert("_arguments".into(), rest.into());
    sent.insert("_original_basename".into(), name_of(&path));
    Ok(Ask { module: "script", args: sent, after: After::Nothing })
}

/// The first word of a command, which may be quoted, and the rest.
fn first_word(line: &str) -> (&str, &str) {
    let quoted = line.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let split = match quoted {
        Some(quote) => line[1..].split_once(quote),
        None => line.split_once(char::is_whitespace),
    };
    split.map_or((line, ""), |(word, rest)| (word, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_may_stand_in_quotes() {
        assert_eq!(first_word("run.sh a 'b c'"), ("run.sh", "a 'b c'"));
        assert_eq!(first_word("'with space.sh' --x"), ("with space.sh", "--x"));
        assert_eq!(first_word("\"q.sh\""), ("q.sh", ""));
        assert_eq!(first_word("plain"), ("plain", ""));
    }
}
