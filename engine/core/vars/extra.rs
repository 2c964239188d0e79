//! Extra variables (`-e`).

use std::{ops::Range, path::Path, sync::Arc};

use miette::Diagnostic;
use thiserror::Error;

use super::{Definition, Layer, Lazy};
use crate::{
    source::{Problems, Source, Span},
    syntax::{self, Kind, Node, Style, Text, Word, unescaped},
    vault::Vault,
};

/// An error in an `-e` argument.
#[derive(Debug, Error, Diagnostic)]
pub enum ExtraVarsError {
    #[error("Please prepend extra_vars filename '{path}' with '@'")]
    BarePath {
        path: String,
        #[source_code]
        #[label]
        place: Span,
    },

    #[error("Invalid extra vars data supplied. '{given}' could not be made into a dictionary")]
    #[diagnostic(help("write -e 'key=value other=\"two words\"', -e '{{\"key\": [1, 2]}}' or -e @file.yml"))]
    NoMapping {
        given: String,
        #[source_code]
        #[label]
        place: Span,
    },

    #[error("unclosed quote")]
    OpenQuote {
        #[source_code]
        #[label]
        place: Span,
    },
}

impl ExtraVarsError {
    /// Whether the first of these problems is that an argument is of the wrong kind, rather than unreadable.
    pub fn is_misuse(problems: &Problems) -> bool {
        matches!(problems.first_as(), Some(ExtraVarsError::BarePath { .. } | ExtraVarsError::NoMapping { .. }))
    }
}

/// Reads all `-e` arguments; later ones win. Values of `key=value` pairs are text, those of YAML and JSON have types;
/// all may contain templates.
///
/// # Errors
/// All arguments that cannot be read.
pub fn extra_vars(args: &[String], vault: &Vault) -> Result<Layer, Problems> {
    extra_vars_and_names(args, vault).map(|(layer, _)| layer)
}

/// The same, with all names and their places.
///
/// # Errors
/// Those of [`extra_vars`].
pub fn extra_vars_and_names(args: &[String], vault: &Vault) -> Result<(Layer, Vec<Word>), Problems> {
    let mut layer = Layer::new();
    let mut names = Vec::new();
    let mut problems = Problems::default();
    for arg in args {
        match read(arg, vault) {
            Ok(vars) => {
                for (name, value, place) in vars {
                    // Words of the command line have no line.
                    let span = match place.source.path {
                        Some(_) => place,
                        None => Span::new(&Source::inline("<CLI option '-e'>", &*name), 0..name.len()),
                    };
                    names.push(Word { value: name.clone(), span });
                    layer.insert(name, value);
                }
            }
            Err(found) => problems.0.extend(found.0),
        }
    }
    problems.unless_any((layer, names))
}

/// The `-e` arguments that set a variable, the strongest (the last) first.
///
/// # Errors
/// Those of [`extra_vars`].
pub fn extra_definitions(args: &[String], vault: &Vault, name: &str) -> Result<Vec<Definition>, Problems> {
    let mut found = Vec::new();
    for arg in args {
        let vars = read(arg, vault)?.into_iter().filter(|(key, ..)| &**key == name);
        found.extend(vars.map(|(_, value, place)| {
            let origin = "extra variables (-e)".to_owned();
            // Words of the command line have no line.
            Definition { origin, value, place: Some(place).filter(|place| place.source.path.is_some()) }
        }));
    }
    found.reverse();
    Ok(found)
}

/// The variable in which Ansible puts words that are not `key=value`.
const FREE: &str = "_raw_params";

/// A variable, its value, and the place of its name or value.
type Found = (Arc<str>, Lazy, Span);

fn read(arg: &str, vault: &Vault) -> Result<Vec<Found>, Problems> {
    if let Some(path) = arg.strip_prefix('@') {
        return mapping(&vault.read(Path::new(path))?, arg);
    }
    let source = Source::inline("-e", arg);
    // As in ansible-core, a space before it makes it `key=value` pairs.
    if arg.starts_with(['{', '[']) {
        return mapping(&source, arg);
    }
    if arg.starts_with(['/', '.']) {
        return Err(ExtraVarsError::BarePath { path: arg.to_owned(), place: Span::new(&source, 0..arg.len()) }.into());
    }
    let mut found = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    for range in cut(arg).map_err(|open| ExtraVarsError::OpenQuote { place: Span::new(&source, open..arg.len()) })? {
        let word = arg.get(range.clone()).unwrap_or_default();
        let Some((key, value)) = word.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            words.push(word);
            continue;
        };
        let bare = unquoted(value);
        let start = range.start + key.len() + 1 + usize::from(bare.len() < value.len());
        let mut text = unescaped(bare);
        if bare.len() == value.len() {
            // Spaces at the ends only count inside quotes.
            text = text.trim().to_owned();
        }
        let text = Text { value: text.into(), style: Style::Plain, vault: false, no_template: false };
        let span = Span::new(&source, start..start + bare.len());
        found.push((key.into(), Lazy::from_node(&Node { span: span.clone(), kind: Kind::Str(text) }), span));
    }
    // As in ansible-core, words without `=` become a variable of this name.
    if !words.is_empty() {
        found.push((FREE.into(), Lazy::Data(words.join(" ").into()), Span::new(&source, 0..arg.len())));
    }
    Ok(found)
}

/// `arg` is the argument that names the source, or its text.
fn mapping(source: &Arc<Source>, arg: &str) -> Result<Vec<Found>, Problems> {
    let node = syntax::yaml::load(source)?.node;
    match &node.kind {
        Kind::Map(entries) => Ok(entries
            .iter()
            .map(|(key, value)| {
                (key.as_str().unwrap_or(key.span.text()).into(), Lazy::from_node(value), key.span.clone())
            })
            .collect()),
        _ => Err(ExtraVarsError::NoMapping { given: arg.to_owned(), place: node.span.clone() }.into()),
    }
}

/// Splits at spaces outside of quotes and template braces. Returns the position of an unclosed quote as an error.
fn cut(text: &str) -> Result<Vec<Range<usize>>, usize> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote: Option<(char, usize)> = None;
    let mut depth = 0_usize;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match (quote, before, c) {
            (_, '\\', _) => {}
            (Some((open, _)), _, c) => quote = quote.filter(|_| c != open),
            (None, '{', '{' | '%') => depth += 1,
            (None, '}' | '%', '}') => depth = depth.saturating_sub(1),
            (None, _, '\'' | '"') if depth == 0 => quote = Some((c, at)),
            _ => {}
        }
        if c.is_whitespace() && quote.is_none() && depth == 0 {
            words.extend(start.take().map(|start| start..at));
        } else {
            start.get_or_insert(at);
        }
        // A second backslash is itself escaped.
        before = if before == '\\' && c == '\\' { ' ' } else { c };
    }
    words.extend(start.map(|start| start..text.len()));
    match quote {
        Some((_, at)) => Err(at),
        None => Ok(words),
    }
}

fn unquoted(value: &str) -> &str {
    ['\'', '"']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote).filter(|inner| !inner.ends_with('\\')))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(args: &[&str]) -> String {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let show = |(name, value): (&Arc<str>, &Lazy)| match value {
            Lazy::Template(template) => format!("{name}=template<{}>", template.span.text()),
            Lazy::Data(value) => match value.as_str() {
                Some(text) => format!("{name}={text:?}"),
                None => format!("{name}={value}"),
            },
            other => format!("{name}={other:?}"),
        };
        match extra_vars(&args, &Vault::default()) {
            Ok(layer) => layer.iter().map(show).collect::<Vec<_>>().join(" "),
            Err(problems) => problems.messages(),
        }
    }

    #[test]
    fn pairs_are_text() {
        for (arg, expected) in [
            ("a=1 b=yes", r#"a="1" b="yes""#),
            ("a='x y' b=\"z\"", r#"a="x y" b="z""#),
            ("a={{ b + ' c' }} d=1", r#"a=template<{{ b + ' c' }}> d="1""#),
            ("a=\"{{ b }}\"", "a=template<{{ b }}>"),
            ("a=", r#"a="""#),
            ("a=b=c", r#"a="b=c""#),
            (r"a=x\ny\q", r#"a="x\ny\\q""#),
            (r#"a="x\ty" b=\n c='\n'"#, r#"a="x\ty" b="" c="\n""#),
            (r#"a="say \"hi\"" b='it\'s'"#, r#"a="say \"hi\"" b="it's""#),
            (r#"a=b'c d'e b="c d"e"#, r#"a="b'c d'e" b="\"c d\"e""#),
            (r"a=\x41\u00e9 b=x\\y", r#"a="Aé" b="x\\y""#),
            ("a=it's", "unclosed quote"),
            ("word a=1 b", r#"a="1" _raw_params="word b""#),
            ("=1 b", r#"_raw_params="=1 b""#),
            ("./vars.yml", "Please prepend extra_vars filename './vars.yml' with '@'"),
            ("", ""),
        ] {
            assert_eq!(vars(&[arg]), expected, "{arg}");
        }
    }

    #[test]
    fn yaml_and_files_have_types_and_later_ones_win() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "a: 3\nb: no\n").unwrap();
        let at_file = format!("@{}", file.path().display());
        assert_eq!(vars(&["{\"a\": 1, \"c\": \"{{ d }}\"}", "{e: 014}"]), "a=1 c=template<\"{{ d }}\"> e=12");
        assert_eq!(vars(&["a=1", &at_file]), "a=3 b=False");
        assert_eq!(vars(&["[1, 2]"]), "Invalid extra vars data supplied. '[1, 2]' could not be made into a dictionary");
        assert!(vars(&["@/no/such"]).contains("cannot read"));
    }

    #[test]
    fn names_have_the_option_as_their_place() {
        let args = ["a=1 b=2".to_owned()];
        let (_, names) = extra_vars_and_names(&args, &Vault::default()).unwrap_or_default();
        let places: Vec<_> = names.iter().map(|name| (&*name.span.source.name, name.span.text())).collect();
        assert_eq!(places, [("<CLI option '-e'>", "a"), ("<CLI option '-e'>", "b")]);
    }
}
