//! How warnings are worded: their head, their place, and the help below it.

use rplay_contract::external::{DEPRECATED, is_deprecation};

use super::{look::Explain, task_error::TaskError};
use crate::source::Span;

/// Heads that a rendered diagnostic may have.
const HEADS: [&str; 2] = ["[WARNING]: ", "[DEPRECATION WARNING]: "];

/// A warning as it is shown. What follows the first blank line of its message is help, which stands below the place.
/// Without `explain`, the place is named in the same line.
pub fn worded(message: &str, place: Option<&Span>, explain: Option<&Explain>) -> String {
    let is_deprecation = is_deprecation(message);
    let message = message.strip_prefix(DEPRECATED).unwrap_or(message);
    let head = match (message.starts_with('['), is_deprecation) {
        (true, _) => "",
        (false, true) => HEADS[1],
        (false, false) => HEADS[0],
    };
    let Some(place) = place else {
        // As in ansible-core, a blank line ends what is more than a line.
        let is_long = message.contains("\n\n") || is_deprecation && message.contains('\n');
        let end = if is_long { "\n" } else { "" };
        return format!("{head}{}{end}", message.trim_end_matches('\n'));
    };
    let (message, help) = message.split_once("\n\n").map_or((message, None), |(message, help)| (message, Some(help)));
    match explain {
        Some(explain) => {
            let help = help.map(str::to_owned);
            let shown = explain(&TaskError { warns: true, help, ..TaskError::at(place, message.to_owned()) });
            format!("{head}{}", HEADS.iter().find_map(|head| shown.strip_prefix(head)).unwrap_or(&shown))
        }
        None => {
            let help = help.map(|help| format!("; {help}")).unwrap_or_default();
            format!("{head}{message} ({place}){help}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    #[test]
    fn help_stands_below_the_place() {
        let place = Span::new(&Source::inline("site.yml", "a: 1"), 0..1);
        let explain: Explain = Box::new(|diagnostic| {
            let help = diagnostic.help().map(|help| help.to_string()).unwrap_or_default();
            format!("[WARNING]: {diagnostic}\nOrigin\n{help}\n")
        });
        let old = "`a` is old. This feature will be removed from ansible-core version 2.23.\n\nUse `b`.";
        assert_eq!(
            worded(old, Some(&place), Some(&explain)),
            "[DEPRECATION WARNING]: `a` is old. This feature will be removed from ansible-core version 2.23.\nOrigin\nUse `b`.\n"
        );
        assert_eq!(worded("odd\n\nUse `b`.", Some(&place), None), format!("[WARNING]: odd ({place}); Use `b`."));
        assert_eq!(worded("odd", None, Some(&explain)), "[WARNING]: odd");
        let marked = format!("{DEPRECATED}old\nReason: x");
        assert_eq!(worded(&marked, None, None), "[DEPRECATION WARNING]: old\nReason: x\n");
    }
}
