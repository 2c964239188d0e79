//! How the text of a template is to be read.

use std::borrow::Cow;

use minijinja::syntax::SyntaxConfig;

/// How a text is to be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reading {
    /// Without delimiters, as in `when`.
    pub bare: bool,
    /// Whether `\n` in a string means a newline. Within `{{ }}` of a YAML scalar backslashes stand for
    /// themselves; in bare expressions and in template files strings have Python's escapes.
    pub escapes: bool,
    /// Whether string literals that hold templates are rendered: conditions, by ansible-core's
    /// ALLOW_EMBEDDED_TEMPLATES.
    pub embedded: bool,
    pub trim_blocks: bool,
    pub lstrip_blocks: bool,
    /// Start and end of variables, of blocks and of comments.
    pub delimiters: [Cow<'static, str>; 6],
}

impl Reading {
    /// A template in a YAML scalar.
    pub const SCALAR: Reading = Reading {
        bare: false,
        escapes: false,
        embedded: false,
        trim_blocks: false,
        lstrip_blocks: false,
        delimiters: [
            Cow::Borrowed("{{"),
            Cow::Borrowed("}}"),
            Cow::Borrowed("{%"),
            Cow::Borrowed("%}"),
            Cow::Borrowed("{#"),
            Cow::Borrowed("#}"),
        ],
    };
    /// An expression of any type without delimiters, as in `debug: var=`.
    pub const BARE: Reading = Reading { bare: true, escapes: true, ..Reading::SCALAR };
    /// An expression that decides: `when`, `until`, `that` ...
    pub const CONDITION: Reading = Reading { embedded: true, ..Reading::BARE };
}

impl Reading {
    pub fn syntax(&self) -> Result<SyntaxConfig, minijinja::Error> {
        let [variable, variable_end, block, block_end, comment, comment_end] = self.delimiters.clone();
        SyntaxConfig::builder()
            .variable_delimiters(variable, variable_end)
            .block_delimiters(block, block_end)
            .comment_delimiters(comment, comment_end)
            .trim_blocks(self.trim_blocks)
            .lstrip_blocks(self.lstrip_blocks)
            .build()
    }
}

pub(super) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len().max(1)).position(|window| window == what)
}

/// The first word of a block.
pub(super) fn tag_name(block: &[u8]) -> &[u8] {
    let block = block.trim_ascii_start();
    let block = block.strip_prefix(b"-").or_else(|| block.strip_prefix(b"+")).unwrap_or(block).trim_ascii_start();
    let len = block.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    block.get(..len).unwrap_or_default()
}
