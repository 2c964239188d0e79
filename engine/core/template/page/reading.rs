//! How the text of a template is parsed.

use std::borrow::Cow;

use minijinja::syntax::SyntaxConfig;

/// How a text is parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reading {
    /// Without delimiters, as in `when`.
    pub bare: bool,
    /// Whether ` ` in a string means a newline. Inside `{{ }}` of a YAML scalar backslashes are literal; in bare
    /// expressions and in template files strings have Python's escapes.
    pub escapes: bool,
    /// Whether string literals that contain templates are rendered, as in conditions with ansible-core's
    /// ALLOW_EMBEDDED_TEMPLATES.
    pub embedded: bool,
    pub trim_blocks: bool,
    pub lstrip_blocks: bool,
    /// Start and end of expressions, blocks and comments.
    pub delimiters: [Cow<'static, str>; 6],
}

impl Reading {
    /// A template in a YAML scalar.
    pub(crate) const SCALAR: Reading = Reading {
        bare: false,
        escapes: false,
        embedded: false,
        // A newline after a block is dropped in scalars and files alike.
        trim_blocks: true,
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
    /// A bare expression of any type, as in `debug: var=`.
    pub(crate) const BARE: Reading = Reading { bare: true, escapes: true, ..Reading::SCALAR };
    /// A condition: `when`, `until`, `that` ...
    pub(crate) const CONDITION: Reading = Reading { embedded: true, ..Reading::BARE };
}

impl Reading {
    pub(crate) fn syntax(&self) -> Result<SyntaxConfig, minijinja::Error> {
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
