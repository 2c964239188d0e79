//! Errors in YAML files.

use std::fmt;

use miette::{Diagnostic, LabeledSpan, SourceCode};
use thiserror::Error;

use crate::source::Span;

/// An error in a YAML file, with its place.
#[derive(Debug, Diagnostic, Error)]
pub enum YamlError {
    /// The parser's message, in ansible-core's words, and what was probably meant.
    #[error("YAML parsing failed: {said}")]
    #[diagnostic(forward(meant))]
    Parsing {
        said: String,
        /// The same in PyYAML's words.
        told: String,
        meant: Meant,
    },
    #[error("Found duplicate mapping key '{key}'.")]
    #[diagnostic(help("remove one of the two, or set `duplicate_dict_key = warn`"))]
    DuplicateKey {
        key: String,
        #[source_code]
        #[label("and again here")]
        again: Span,
        #[label("first here")]
        first: Span,
    },
    #[error("a tab where YAML expects spaces")]
    #[diagnostic(help("YAML is indented with spaces; this is a tab"))]
    Tab {
        #[source_code]
        #[label("tab")]
        at: Span,
    },
    #[error("a template that is a whole value, or begins one, needs quotes")]
    UnquotedTemplate {
        #[source_code]
        #[label("without quotes, YAML reads this brace as the start of a mapping")]
        at: Span,
        #[help]
        help: String,
    },
    #[error("a mapping or list cannot be a key")]
    CollectionAsKey {
        #[source_code]
        #[label("used as a key")]
        at: Span,
    },
    #[error("`{c}` cannot begin a value without quotes")]
    ReservedCharacter {
        #[source_code]
        #[label("reserved in YAML")]
        at: Span,
        c: char,
        #[help]
        help: String,
    },
    #[error("a second `: ` in one value")]
    ColonInValue {
        #[source_code]
        #[label("YAML reads this colon as the end of a key")]
        at: Span,
        #[help]
        help: String,
    },
    #[error("wrong indentation")]
    Indentation {
        #[source_code]
        #[label("{label}")]
        at: Span,
        label: String,
        #[help]
        help: String,
    },
    #[error("a key without a colon")]
    MissingColon {
        #[source_code]
        #[label("missing `: ` after the key")]
        at: Span,
        #[help]
        help: String,
    },
    #[error("a list cannot begin on the line of its key")]
    ListBesideKey {
        #[source_code]
        #[label("the list begins here")]
        at: Span,
        #[help]
        help: String,
    },
    #[error("unclosed quote")]
    UnclosedQuote {
        #[source_code]
        #[label("opened here")]
        at: Span,
        #[help]
        help: String,
    },
    #[error("text after a closing quote")]
    TextAfterQuote {
        #[source_code]
        #[label("the value ended before this")]
        at: Span,
        #[help]
        help: String,
    },
    #[error("unclosed bracket")]
    UnclosedBracket {
        #[source_code]
        #[label("opened here")]
        at: Span,
        #[help]
        help: String,
    },
    #[error("`{escape}` is not a valid escape in double quotes")]
    UnknownEscape {
        #[source_code]
        #[label("unknown escape")]
        at: Span,
        escape: String,
        #[help]
        help: String,
    },
    #[error("a character that YAML does not allow")]
    #[diagnostic(help("in double quotes it can be written as an escape such as `\\x1b`"))]
    ControlCharacter {
        #[source_code]
        #[label("control character")]
        at: Span,
    },
    #[error("YAML parsing failed: Expected a single document in the stream but found another document.")]
    #[diagnostic(help("a file must be a single document: remove the `---` and put all plays or tasks into one list"))]
    SecondDocument {
        #[source_code]
        #[label("second document")]
        at: Span,
    },
    #[error("collections nested more than {most} deep")]
    TooDeep {
        #[source_code]
        #[label("too deep")]
        at: Span,
        most: usize,
    },
    #[error("aliases add more than {most} values")]
    TooManyAliased {
        #[source_code]
        #[label("limit exceeded here")]
        at: Span,
        most: usize,
    },
    #[error("YAML parsing failed: Found undefined alias.")]
    UnknownAlias {
        #[source_code]
        #[label("unknown anchor `{name}`")]
        at: Span,
        name: String,
        #[help]
        help: String,
    },
    #[error("`*{name}` is inside the value that it refers to")]
    AliasWithin {
        #[source_code]
        #[label("refers to a value that contains it")]
        at: Span,
        name: String,
    },
    #[error("only mappings can be merged with `<<`")]
    MergeOfOther {
        #[source_code]
        #[label("not a mapping")]
        at: Span,
    },
    #[error("YAML parsing failed: Could not determine a constructor for the tag '{tag}'.")]
    #[diagnostic(help(
        "supported are `!vault`, `!unsafe`, and YAML's own `!!str`, `!!int`, `!!float`, `!!bool` and `!!null`"
    ))]
    UnknownTag {
        #[source_code]
        #[label("unknown tag")]
        at: Span,
        tag: String,
    },
    #[error("this value does not match its tag `{tag}`")]
    TagMismatch {
        #[source_code]
        #[label("no {tag}")]
        at: Span,
        tag: String,
    },
    #[error("`!vault` without an encrypted value")]
    #[diagnostic(help("an encrypted value begins with `$ANSIBLE_VAULT;`"))]
    NoVaultEnvelope {
        #[source_code]
        #[label("not encrypted")]
        at: Span,
    },
    #[error("a whole number with too many digits")]
    #[diagnostic(help("quote it to make it text: '{value}'"))]
    BigInt {
        #[source_code]
        #[label("too large")]
        at: Span,
        value: String,
    },
    #[error("`{value}` is not a valid date")]
    #[diagnostic(help("quote it to make it text: '{value}'"))]
    NoSuchDate {
        #[source_code]
        #[label("YAML reads this as a date")]
        at: Span,
        value: String,
    },
    #[error("`{value}` has a special meaning in YAML")]
    #[diagnostic(help("quote it to make it text: '{value}'"))]
    Indicator {
        #[source_code]
        #[label("not allowed as a value")]
        at: Span,
        value: String,
    },
    #[error("{problem}")]
    Other {
        #[source_code]
        #[label("here")]
        at: Span,
        problem: String,
        #[help]
        help: Option<String>,
    },
}

/// Readable, but probably a mistake.
#[derive(Debug, Diagnostic, Error)]
#[diagnostic(severity(Warning))]
pub enum YamlWarning {
    #[error("Found duplicate mapping key '{key}'.")]
    #[diagnostic(help("Using last defined value only."))]
    DuplicateKey {
        key: String,
        #[source_code]
        #[label("and again here")]
        again: Span,
        #[label("first here")]
        first: Span,
    },
}

/// The explanation of a parser's error. Its help also says what is wrong.
#[derive(Debug)]
pub struct Meant(pub Box<YamlError>);

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Meant {}

impl Diagnostic for Meant {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(match self.0.help() {
            Some(help) => Box::new(format!("{}: {help}", self.0)),
            None => Box::new(self.0.to_string()),
        })
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.0.labels()
    }
}
