//! Host names as written in inventories: with a port, and with ranges that stand for many hosts.

/// Maximum number of hosts in one line; more is certainly a typo.
const MOST: usize = 1_000_000;

/// The host names of an inventory entry, and its port if given.
///
/// `web[01:03].example:2222`, `[2001:db8::1]:22`, `2001:db8::1`, `db-[a:c]`, `n[0:10:5]`.
pub(super) fn expand(entry: &str) -> Result<(Vec<String>, Option<u16>), String> {
    let (name, port) = split_port(entry)?;
    if name.starts_with('-') {
        // ssh would treat it as an option.
        return Err(format!("host name `{name}` begins with a dash"));
    }
    if name.contains('=') {
        return Err(format!("`{name}` is a variable without a host; put group variables under [GROUP:vars]"));
    }
    if name.ends_with(':') {
        return Err(format!("host name `{name}` ends in a colon; a port must follow it"));
    }
    if !balanced(name) || name.is_empty() {
        return Err(format!("host name `{name}` has an unmatched bracket or is empty"));
    }
    let mut names = vec![String::new()];
    let mut rest = name;
    while let Some((head, range, tail)) = next_range(rest) {
        let steps = steps(range)?;
        if names.len().saturating_mul(steps.len()) > MOST {
            return Err(format!("host range `{name}` expands to more than {MOST} hosts"));
        }
        names = names.iter().flat_map(|before| steps.iter().map(move |step| format!("{before}{head}{step}"))).collect();
        rest = tail;
    }
    names.iter_mut().for_each(|name| name.push_str(rest));
    Ok((names, port))
}

fn split_port(entry: &str) -> Result<(&str, Option<u16>), String> {
    let port = |digits: &str| digits.parse().map(Some).map_err(|_| format!("port `{digits}` is out of range"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // An address in brackets, with or without a port.
    if let Some((inner, after)) = entry.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')) {
        match after.strip_prefix(':') {
            Some(digits) if all_digits(digits) && balanced(inner) => return Ok((inner, port(digits)?)),
            None if after.is_empty() && inner.parse::<std::net::Ipv6Addr>().is_ok() => return Ok((inner, None)),
            _ => {}
        }
    }
    match entry.rsplit_once(':') {
        Some((name, digits)) if all_digits(digits) && !outside_brackets(name).contains(':') && balanced(name) => {
            Ok((name, port(digits)?))
        }
        _ => Ok((entry, None)),
    }
}

/// Whether brackets are balanced and not nested.
fn balanced(text: &str) -> bool {
    let mut open = false;
    text.chars().all(|c| match c {
        '[' => !std::mem::replace(&mut open, true),
        ']' => std::mem::replace(&mut open, false),
        _ => true,
    }) && !open
}

fn outside_brackets(text: &str) -> String {
    let mut depth = 0_usize;
    text.chars()
        .filter(|c| {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        })
        .collect()
}

/// The text before the next `[a:b]`, inside it and after it.
fn next_range(text: &str) -> Option<(&str, &str, &str)> {
    let (head, after) = text.split_once('[')?;
    let (range, tail) = after.split_once(']')?;
    range.contains(':').then_some((head, range, tail))
}

fn steps(range: &str) -> Result<Vec<String>, String> {
    let bounds: Vec<&str> = range.split(':').collect();
    let (begin, end, step) = match bounds[..] {
        [begin, end] => (begin, end, "1"),
        [begin, end, step] => (begin, end, step),
        _ => return Err(format!("host range `[{range}]` must be [begin:end] or [begin:end:step]")),
    };
    let begin = if begin.is_empty() { "0" } else { begin };
    if end.is_empty() {
        return Err(format!("host range `[{range}]` must have an end"));
    }
    let step: usize = match step.parse() {
        Ok(step) if step > 0 => step,
        _ => return Err(format!("the step `{step}` of host range `[{range}]` must be a number above 0")),
    };
    if let (Some(first), Some(last)) = (letter(begin), letter(end)) {
        if first > last {
            return Err(format!("host range `[{range}]` starts after its end"));
        }
        return Ok((first..=last).step_by(step).map(|at| char::from(LETTERS[at]).to_string()).collect());
    }
    let padded = begin.len() > 1 && begin.starts_with('0');
    if padded && begin.len() != end.len() {
        return Err(format!("both ends of host range `[{range}]` must have the same number of digits"));
    }
    let width = if padded { begin.len() } else { 0 };
    let number = |text: &str| {
        text.parse::<usize>()
            .map_err(|_| format!("host range `[{range}]` must consist of numbers or of single letters"))
    };
    let (first, last) = (number(begin)?, number(end)?);
    if last.saturating_sub(first) / step > MOST {
        return Err(format!("host range `[{range}]` expands to more than {MOST} hosts"));
    }
    Ok((first..=last).step_by(step).map(|n| format!("{n:0width$}")).collect())
}

/// In this order, so that `[x:C]` continues from lower to upper case, as in Ansible.
const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn letter(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [one] => LETTERS.iter().position(|letter| letter == one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(entry: &str) -> (String, Option<u16>) {
        let (names, port) = expand(entry).unwrap();
        (names.join(" "), port)
    }

    #[test]
    fn ranges_and_ports_are_read() {
        for (entry, names, port) in [
            ("web", "web", None),
            ("web:22", "web", Some(22)),
            ("web[01:03].ex.com:2200", "web01.ex.com web02.ex.com web03.ex.com", Some(2200)),
            ("w-[a:c]", "w-a w-b w-c", None),
            ("db[0:10:5]-[x:y]", "db0-x db0-y db5-x db5-y db10-x db10-y", None),
            ("h[:2]", "h0 h1 h2", None),
            ("h[3:1]", "", None),
            ("[2001:db8::1]:2222", "2001:db8::1", Some(2222)),
            ("2001:db8::2", "2001:db8::2", None),
            ("[::1]", "::1", None),
            ("10.0.0.[1:2]:23", "10.0.0.1 10.0.0.2", Some(23)),
            ("user@host", "user@host", None),
        ] {
            assert_eq!(expanded(entry), (names.to_owned(), port), "{entry}");
        }
    }

    #[test]
    fn wrong_ranges_are_refused() {
        for (entry, part) in [
            ("h[1:]", "must have an end"),
            ("h[a:3]", "numbers or of single letters"),
            ("h[c:a]", "after its end"),
            ("h[01:100]", "same number of digits"),
            ("h[1:2:0]", "above 0"),
            ("h[1:2:3:4]", "must be [begin:end]"),
            ("h[0:9999999999]", "more than"),
            ("h[0:9999][0:9999]", "more than"),
            ("h:99999", "out of range"),
            ("-oProxyCommand=x", "dash"),
            ("h[1", "unmatched"),
            ("h]", "unmatched"),
            ("a=1", "variable without a host"),
            ("all:", "colon"),
        ] {
            let error = expand(entry).unwrap_err();
            assert!(error.contains(part), "{entry}: {error}");
        }
    }
}
