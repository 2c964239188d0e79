//! The lookup `ini`: values of INI files and of Java's properties.

use minijinja::Value;

use super::{Table, files};

use crate::template::{
    args::Args,
    eval::machine::Machine,
    regex,
    value::{
        containers,
        error::{EvalError, EvalResult},
        items, show,
    },
};

pub(super) const LOOKUPS: Table = &[("ini", ini)];

/// The section whose values all other sections have, too.
const DEFAULT: &str = "DEFAULT";
/// How far values may refer to each other.
const MOST_LEVELS: usize = 10;

fn ini(machine: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    let mut found = Vec::new();
    for term in terms {
        let (key, mut options) = files::term_options(&show::text(&term)?, &options);
        let name = options.text_or("file", "ansible.ini")?;
        let section = options.text_or("section", "global")?;
        let properties = options.text_or("type", "ini")? == "properties";
        let by_regex = options.flag("re", false)?;
        let case_sensitive = options.flag("case_sensitive", false)?;
        let interpolates = options.flag("interpolation", true)?;
        let default = options.optional("default")?.unwrap_or_else(|| Value::from(""));
        let allow_none = options.flag("allow_no_value", false)? || options.flag("allow_none", false)?;
        let encoding = files::named_encoding(&mut options)?;
        options.finish()?;
        let path = files::search(machine, "files", &name)
            .ok_or_else(|| EvalError::with_help("Invalid filename None.", format!("there is no file {name}")))?;
        let text = files::decoded(machine, &path, encoding)?;
        let (text, section) = match properties {
            // Java's properties have no sections.
            true => (format!("[java_properties]\n{text}"), "java_properties".to_owned()),
            false => (text, section),
        };
        let fold = |key: &str| if case_sensitive { key.to_owned() } else { key.to_lowercase() };
        let file = Sections::read(&text, allow_none, fold)?;
        let Some(values) = file.values(&section) else {
            let path = path.display();
            return Err(EvalError::new(format!("No section '{section}' in '{path}'.")));
        };
        let values = Values { section: &section, all: values, interpolates };
        if by_regex {
            let regex = regex::find(&key, false, false)?;
            for (known, _) in &values.all {
                let value = values.get(known)?;
                if regex.is_match(known).unwrap_or(false) {
                    found.extend(value.map(Value::from));
                }
            }
        } else if values.all.iter().any(|(known, _)| *known == fold(&key)) {
            // A key without a value has no result.
            found.extend(values.get(&fold(&key))?.map(Value::from));
        } else if containers::is_list(&default) {
            found.extend(items::items(&default)?);
        } else {
            found.push(default);
        }
    }
    Ok(found)
}

/// Keys and their values, `None` for a key without `=`.
type Pairs = Vec<(String, Option<String>)>;

/// The sections of a file.
struct Sections(Vec<(String, Pairs)>);

impl Sections {
    /// Reads a file as Python's `configparser` does.
    ///
    /// # Errors
    /// If a line comes before the first section or has no value; in configparser's words.
    fn read(text: &str, allow_none: bool, fold: impl Fn(&str) -> String) -> EvalResult<Self> {
        let mut sections: Vec<(String, Pairs)> = Vec::new();
        let mut wrong = Vec::new();
        // The indentation of the key whose value may continue.
        let mut key_indent = None;
        for (at, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            let pairs = sections.last_mut().map(|(_, pairs)| pairs);
            if let Some((_, Some(value))) = pairs.and_then(|pairs| pairs.last_mut())
                && key_indent.is_some_and(|of_key| indent > of_key)
            {
                value.push('\n');
                value.push_str(trimmed);
                continue;
            }
            if let Some((name, _)) = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                if !sections.iter().any(|(known, _)| known == name) {
                    sections.push((name.to_owned(), Vec::new()));
                }
                key_indent = None;
                continue;
            }
            let Some((_, pairs)) = sections.last_mut() else {
                return Err(EvalError::new(format!(
                    "File contains no section headers.\nfile: '<???>', line: {}\n{}",
                    at + 1,
                    show::repr(&Value::from(format!("{line}\n")))
                )));
            };
            key_indent = Some(indent);
            match trimmed.split_once(['=', ':']) {
                Some((key, value)) => pairs.push((fold(key.trim()), Some(value.trim().to_owned()))),
                None if allow_none => pairs.push((fold(trimmed), None)),
                None => {
                    let shown = show::repr(&Value::from(format!("{line}\n")));
                    wrong.push(format!("\n\t[line {:>2}]: {shown}", at + 1));
                }
            }
        }
        match wrong.is_empty() {
            true => Ok(Sections(sections)),
            false => Err(EvalError::new(format!("Source contains parsing errors: '<???>'{}", wrong.concat()))),
        }
    }

    /// The values of a section, with those of the default section that it does not set.
    fn values(&self, section: &str) -> Option<Pairs> {
        let of = |name: &str| self.0.iter().find(|(known, _)| known == name).map(|(_, pairs)| pairs.clone());
        let own = of(section).filter(|_| section != DEFAULT)?;
        let mut all = of(DEFAULT).unwrap_or_default();
        for (key, value) in own {
            match all.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => *known = value,
                None => all.push((key, value)),
            }
        }
        Some(all)
    }
}

/// The values of a section, as they are read.
struct Values<'v> {
    section: &'v str,
    all: Pairs,
    interpolates: bool,
}

impl Values<'_> {
    fn raw(&self, key: &str) -> Option<&String> {
        self.all.iter().find(|(known, _)| known == key).and_then(|(_, value)| value.as_ref())
    }

    /// The value of a key, with its references to others resolved.
    fn get(&self, key: &str) -> EvalResult<Option<String>> {
        match self.raw(key) {
            Some(raw) if self.interpolates => self.resolved(key, raw, raw, 1).map(Some),
            raw => Ok(raw.cloned()),
        }
    }

    /// Replaces `%(name)s` by the value of that name, and `%%` by `%`.
    fn resolved(&self, key: &str, part: &str, raw: &str, level: usize) -> EvalResult<String> {
        if level > MOST_LEVELS {
            return Err(EvalError::new(format!(
                "Recursion limit exceeded in value substitution: option '{key}' in section '{}' contains an \
                 interpolation key which cannot be substituted in {MOST_LEVELS} steps. Raw value: '{raw}'",
                self.section
            )));
        }
        let mut out = String::new();
        let mut rest = part;
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                out.push('%');
                rest = after;
                continue;
            }
            let Some(after_open) = after.strip_prefix('(') else {
                let message = format!("'%' must be followed by '%' or '(', found: '%{after}'");
                return Err(EvalError::new(message));
            };
            let Some((name, after)) = after_open.split_once(")s") else {
                return Err(EvalError::new(format!("bad interpolation variable reference '%{after}'")));
            };
            let name = name.to_lowercase();
            let Some(value) = self.raw(&name) else {
                return Err(EvalError::new(format!(
                    "Bad value substitution: option '{key}' in section '{}' contains an interpolation key '{name}' \
                     which is not a valid option name. Raw value: '{raw}'",
                    self.section
                )));
            };
            out.push_str(&match value.contains('%') {
                true => self.resolved(key, value, raw, level + 1)?,
                false => value.clone(),
            });
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, section: &str) -> Vec<(String, Option<String>)> {
        let file = Sections::read(text, true, str::to_lowercase).map_err(|error| error.cause).expect("it is read");
        let all = file.values(section).expect("the section is there");
        let values = Values { section, all, interpolates: true };
        let keys = values.all.iter().map(|(key, _)| key.clone());
        keys.map(|key| (key.clone(), values.get(&key).ok().flatten())).collect()
    }

    #[test]
    fn values_refer_to_others_and_to_the_default_section() {
        let text = "[DEFAULT]\nroot = /srv\n[s]\nA: %(root)s/a\nb = %(a)s/b 100%%\nc\n";
        let some = |text: &str| Some(text.to_owned());
        let wanted = [("root", some("/srv")), ("a", some("/srv/a")), ("b", some("/srv/a/b 100%")), ("c", None)];
        assert_eq!(values(text, "s"), wanted.map(|(key, value)| (key.to_owned(), value)));
    }

    #[test]
    fn a_value_goes_on_in_lines_with_more_white_space() {
        let lines = values("[s]\na = 1\n  2\n\n  3\nb = 4\n", "s");
        assert_eq!(lines[0].1.as_deref(), Some("1\n2\n3"));
        assert_eq!(lines.len(), 2);
    }
}
