//! The markup in documentation: `C(code)`, `O(option)`, `M(module)` and the like.

/// A text without markup, for a terminal.
pub fn plain(text: &str) -> String {
    // The documentation's own format of references.
    let text = &without_roles(text);
    let mut shown = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(|c: char| c.is_ascii_uppercase()) {
        let (before, from) = rest.split_at(at);
        shown.push_str(before);
        let is_start = !shown.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if is_start
            && let Some(after) =
                from.strip_prefix("HORIZONTALLINE").filter(|after| !after.starts_with(|c: char| c.is_alphanumeric()))
        {
            shown.push_str("\n-------------\n");
            rest = after;
            continue;
        }
        let name_end = from.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(from.len());
        let (name, after) = from.split_at(name_end);
        let inner = after.strip_prefix('(').filter(|_| is_start).and_then(|inner| marked(name, inner));
        match inner {
            Some((text, after)) => {
                shown.push_str(&text);
                rest = after;
            }
            None => {
                shown.push_str(name);
                rest = after;
            }
        }
    }
    shown.push_str(rest);
    shown
}

/// A text without the roles of reStructuredText: ``:term:`Task` `` is `` `Task` ``.
fn without_roles(text: &str) -> String {
    let mut parts = text.split(":`");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let word = shown.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().len();
        let before = shown.get(..shown.len() - word).filter(|before| word > 0 && before.ends_with(':'));
        match before.map(|before| before.len() - 1) {
            Some(end) => shown.truncate(end),
            None => shown.push(':'),
        }
        shown.push('`');
        shown.push_str(part);
    }
    shown
}

/// The text for a mark, and the text after it. `inner` begins after the opening parenthesis.
fn marked<'t>(name: &str, inner: &'t str) -> Option<(String, &'t str)> {
    if matches!(name, "O" | "V" | "E" | "RV" | "P") {
        let (value, rest) = escaped(inner)?;
        return Some((semantic(name, &value), rest));
    }
    let (value, rest) = inner.split_once(')')?;
    let (first, second) = value.split_once(',').map_or((value, None), |(first, second)| (first, Some(second.trim())));
    let text = match name {
        "I" => format!("`{value}`"),
        "B" => format!("*{value}*"),
        "C" => format!("`{value}'"),
        "M" => format!("[{value}]"),
        "U" => value.to_owned(),
        "L" => format!("{first} <{}>", second?),
        "R" => {
            second?;
            first.to_owned()
        }
        _ => return None,
    };
    Some((text, rest))
}

/// The text up to the next parenthesis that is not escaped, without the escapes.
fn escaped(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ')' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

fn semantic(name: &str, value: &str) -> String {
    if name == "P" {
        let plugin = value.split_once('#').map_or(value, |(plugin, _)| plugin);
        return format!("[[{plugin}]]");
    }
    if matches!(name, "V" | "E") {
        return format!("`{value}'");
    }
    // PLUGIN#TYPE:[ENTRY_POINT:]OPTION=VALUE, or `ignore:` for options of other plugins.
    let (front, assigned) = value.split_once('=').map_or((value, None), |(front, value)| (front, Some(value)));
    let (option, of) = match front.split_once('#').and_then(|(plugin, rest)| Some((plugin, rest.split_once(':')?))) {
        Some((plugin, ("role", rest))) => match rest.split_once(':') {
            Some((entry, option)) => (option, format!(" (of role {plugin}, {entry} entrypoint)")),
            None => (rest, format!(" (of role {plugin})")),
        },
        Some((plugin, ("module", option))) => (option, format!(" (of module {plugin})")),
        Some((plugin, (kind, option))) => (option, format!(" (of {kind} plugin {plugin})")),
        None => (front.strip_prefix("ignore:").unwrap_or(front), String::new()),
    };
    match assigned {
        Some(assigned) => format!("`{option}={assigned}'{of}"),
        None => format!("`{option}'{of}"),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn marks_become_text() {
        for (text, shown) in [
            ("Similar to C(stat), I(not) B(bold).", "Similar to `stat', `not` *bold*."),
            ("M(a.b.c) and U(https://x/) or L(here,https://y).", "[a.b.c] and https://x/ or here <https://y>."),
            ("R(a page, anchor) HTML(x) NaN(C(", "a page HTML(x) NaN(C("),
            ("O(sub.x=c:\\\\foo\\(1\\).txt) V(a\\)b) RV(ping) E(HOME)", "`sub.x=c:\\foo(1).txt' `a)b' `ping' `HOME'"),
            (
                "O(a.b.c#role:main:x=y) O(a.b.c#lookup:z) O(ignore:q=1)",
                "`x=y' (of role a.b.c, main entrypoint) `z' (of lookup plugin a.b.c) `q=1'",
            ),
            ("P(a.b.c#filter). HORIZONTALLINE Next", "[[a.b.c]]. \n-------------\n Next"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }
}
