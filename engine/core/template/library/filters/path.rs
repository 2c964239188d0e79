//! POSIX and Windows paths, and URLs.

use std::{
    env,
    path::{Path, PathBuf},
};

use minijinja::{Value, value::Tuple};
use rplay_wire::percent;

use super::{Eval, Pure, Table};

use crate::{
    template::{
        args::Args,
        eval::machine::Machine,
        library::paths,
        value::{
            containers,
            error::{EvalError, EvalResult},
            items, show,
            undefined::present,
        },
    },
    vars::Outside,
};

pub(super) const FILTERS: Table = &[
    ("basename", Pure(|value, args| plain(&value, &args, |path| basename(path).to_owned()))),
    ("dirname", Pure(|value, args| plain(&value, &args, |path| dirname(path).to_owned()))),
    ("normpath", Pure(|value, args| plain(&value, &args, paths::normpath))),
    ("expanduser", Pure(|value, args| plain(&value, &args, paths::expanduser))),
    ("expandvars", Pure(|value, args| plain(&value, &args, paths::expandvars))),
    (
        "realpath",
        Eval(|machine, value, args| {
            machine.look_outside(Outside::Files)?;
            plain(&value, &args, realpath)
        }),
    ),
    ("relpath", Pure(relpath)),
    ("path_join", Pure(path_join)),
    ("commonpath", Pure(commonpath)),
    ("splitext", Pure(splitext)),
    ("fileglob", Eval(fileglob)),
    ("win_basename", Pure(|value, args| plain(&value, &args, |path| windows(path).1.to_owned()))),
    ("win_dirname", Pure(|value, args| plain(&value, &args, |path| windows(path).0.to_owned()))),
    ("win_splitdrive", Pure(win_splitdrive)),
    ("urlsplit", Pure(urlsplit)),
    ("urlencode", Pure(urlencode)),
    ("urldecode", Pure(urldecode)),
];

fn plain(value: &Value, args: &Args, change: impl Fn(&str) -> String) -> EvalResult {
    args.finish()?;
    match value.as_str() {
        Some(path) => Ok(Value::from(change(path))),
        None => {
            let kind = show::type_name(value);
            Err(EvalError::new(format!("expected str, bytes or os.PathLike object, not {kind}")))
        }
    }
}

fn basename(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn dirname(path: &str) -> &str {
    let Some((head, _)) = path.rsplit_once('/') else { return "" };
    let head = &path[..head.len() + 1];
    match head.trim_end_matches('/') {
        "" => head,
        trimmed => trimmed,
    }
}

fn absolute(path: &str) -> PathBuf {
    let path = Path::new(path);
    match path.is_absolute() {
        true => path.to_owned(),
        false => env::current_dir().unwrap_or_default().join(path),
    }
}

/// The path with links resolved, as far as it exists.
fn realpath(path: &str) -> String {
    let whole = absolute(path);
    let mut missing = Vec::new();
    let mut known = whole.as_path();
    loop {
        if let Ok(found) = known.canonicalize() {
            let joined = missing.iter().rev().fold(found, |path: PathBuf, part| path.join(part));
            return paths::normpath(&joined.display().to_string());
        }
        match (known.file_name(), known.parent()) {
            (Some(name), Some(parent)) => {
                missing.push(name.to_owned());
                known = parent;
            }
            _ => return paths::normpath(&whole.display().to_string()),
        }
    }
}

fn relpath(value: Value, mut args: Args) -> EvalResult {
    let start = args.text_or("start", ".")?;
    args.finish()?;
    let parts = |path: &str| -> Vec<String> {
        let whole = paths::normpath(&absolute(path).display().to_string());
        whole.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (from, to) = (parts(&start), parts(&show::text(&value)?));
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), from.len() - common);
    let path = up.chain(to.into_iter().skip(common)).collect::<Vec<_>>().join("/");
    Ok(Value::from(if path.is_empty() { ".".to_owned() } else { path }))
}

fn path_join(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    let parts = match value.as_str() {
        Some(part) => vec![part.to_owned()],
        None if containers::is_list(&value) => {
            let part = |part: &Value| {
                part.as_str().map(str::to_owned).ok_or_else(|| {
                    let kind = show::type_name(part);
                    let message = format!("join() argument must be str, bytes, or os.PathLike object, not '{kind}'");
                    EvalError::new(message)
                })
            };
            items::items(&value)?.into_iter().map(|item| part(&present(item)?)).collect::<EvalResult<_>>()?
        }
        None => {
            let kind = show::type_name(&value);
            return Err(EvalError::new(format!(
                "|path_join expects string or sequence, got <class '{kind}'> instead."
            )));
        }
    };
    let mut path = String::new();
    for part in parts {
        if part.starts_with('/') {
            path = part;
        } else {
            if !path.is_empty() && !path.ends_with('/') {
                path.push('/');
            }
            path.push_str(&part);
        }
    }
    Ok(Value::from(path))
}

fn commonpath(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    if !containers::is_list(&value) {
        let kind = show::type_name(&value);
        return Err(EvalError::new(format!("|commonpath expects sequence, got <class '{kind}'> instead.")));
    }
    let paths = items::items(&value)?.iter().map(show::text).collect::<EvalResult<Vec<_>>>()?;
    let Some(first) = paths.first() else { return Err(EvalError::new("commonpath() arg is an empty sequence")) };
    let root = first.starts_with('/');
    if paths.iter().any(|path| path.starts_with('/') != root) {
        return Err(EvalError::new("Can't mix absolute and relative paths"));
    }
    let split = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let mut common = split(first);
    for path in &paths {
        let parts = split(path);
        let same = common.iter().zip(&parts).take_while(|(a, b)| a == b).count();
        common.truncate(same);
    }
    Ok(Value::from(format!("{}{}", if root { "/" } else { "" }, common.join("/"))))
}

fn pair(first: &str, second: &str) -> Value {
    Value::from(Tuple::from(vec![Value::from(first), Value::from(second)]))
}

fn splitext(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    let path = show::text(&value)?;
    let name = basename(&path);
    let begin = name.len() - name.trim_start_matches('.').len();
    Ok(match name[begin..].rfind('.') {
        Some(dot) => {
            let at = path.len() - name.len() + begin + dot;
            pair(&path[..at], &path[at..])
        }
        None => pair(&path, ""),
    })
}

fn fileglob(machine: &mut Machine<'_>, value: Value, args: Args) -> EvalResult {
    args.finish()?;
    machine.look_outside(Outside::Files)?;
    let pattern = show::text(&value)?;
    let found = paths::glob(Path::new(&pattern));
    Ok(Value::from(found.into_iter().map(|path| Value::from(path.display().to_string())).collect::<Vec<_>>()))
}

/// Directory and name of a Windows path.
fn windows(path: &str) -> (&str, &str) {
    let (drive, rest) = splitdrive(path);
    let at = rest.rfind(['\\', '/']).map_or(0, |at| at + 1);
    let (head, name) = rest.split_at(at);
    let trimmed = match head.trim_end_matches(['\\', '/']) {
        "" => head,
        trimmed => trimmed,
    };
    (&path[..drive.len() + trimmed.len()], name)
}

fn splitdrive(path: &str) -> (&str, &str) {
    let bytes = path.as_bytes();
    if bytes.get(1) == Some(&b':') {
        return path.split_at_checked(2).unwrap_or(("", path));
    }
    let separator = |c: char| c == '\\' || c == '/';
    if path.starts_with("\\\\") || path.starts_with("//") {
        let mut marks = path.char_indices().skip(2).filter(|(_, c)| separator(*c));
        if let (Some(_), Some((end, _))) = (marks.next(), marks.next()) {
            return path.split_at(end);
        }
    }
    ("", path)
}

fn win_splitdrive(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    let path = show::text(&value)?;
    let (drive, rest) = splitdrive(&path);
    Ok(pair(drive, rest))
}

fn urlsplit(value: Value, mut args: Args) -> EvalResult {
    let query = args.text_or("query", "")?;
    args.finish()?;
    let url = show::text(&value)?;
    let (rest, fragment) = url.split_once('#').unwrap_or((&url, ""));
    let (rest, search) = rest.split_once('?').unwrap_or((rest, ""));
    let scheme_end = rest.find(':').filter(|end| {
        rest.starts_with(|c: char| c.is_ascii_alphabetic())
            && rest[..*end].chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    let (scheme, rest) = scheme_end.map_or(("", rest), |end| (&rest[..end], &rest[end + 1..]));
    let (netloc, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let (user, host) = match netloc.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, netloc),
    };
    let (name, password) = match user.map(|user| user.split_once(':').map_or((user, None), |(a, b)| (a, Some(b)))) {
        Some((name, password)) => (Some(name), password),
        None => (None, None),
    };
    let (host, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let port = match port.filter(|port| !port.is_empty()) {
        Some(port) => Value::from(
            port.parse::<u16>()
                .map_err(|_| EvalError::new(format!("Port could not be cast to integer value as '{port}'")))?,
        ),
        None => Value::from(()),
    };
    let optional = |text: Option<&str>| text.map_or_else(|| Value::from(()), Value::from);
    let parts = [
        ("fragment", Value::from(fragment)),
        ("hostname", optional(Some(&*host.to_lowercase()).filter(|host| !host.is_empty()))),
        ("netloc", Value::from(netloc)),
        ("password", optional(password)),
        ("path", Value::from(path)),
        ("port", port),
        ("query", Value::from(search)),
        ("scheme", Value::from(scheme.to_lowercase())),
        ("username", optional(name)),
    ];
    if query.is_empty() {
        return Ok(containers::map(parts.map(|(name, value)| (Value::from(name), value))));
    }
    let found = parts.into_iter().find(|(name, _)| *name == query);
    found.map(|(_, value)| value).ok_or_else(|| EvalError::new(format!("urlsplit: unknown URL component: {query}")))
}

fn urlencode(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    if value.as_str().is_some() || !(containers::is_map(&value) || containers::is_list(&value)) {
        return Ok(Value::from(percent::encode(&show::text(&value)?, "/")));
    }
    let pairs = match containers::is_map(&value) {
        true => containers::pairs(&value),
        false => {
            let mut pairs = Vec::new();
            for pair in items::items(&value)? {
                match items::items(&pair)?.as_slice() {
                    [key, value] => pairs.push((key.clone(), value.clone())),
                    _ => return Err(EvalError::new("requires a mapping or a list of pairs")),
                }
            }
            pairs
        }
    };
    let quote =
        |value: &Value| -> EvalResult<String> { Ok(percent::encode(&show::text(value)?, "").replace("%20", "+")) };
    let mut parts = Vec::new();
    for (key, value) in &pairs {
        parts.push(format!("{}={}", quote(key)?, quote(value)?));
    }
    Ok(Value::from(parts.join("&")))
}

fn urldecode(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    let text = show::text(&value)?.replace('+', " ");
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *byte == b'%') {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    Ok(Value::from(String::from_utf8_lossy(&out).into_owned()))
}
