//! Template files, as the module `template` reads them.

use std::{borrow::Cow, path::Path, sync::Arc};

use minijinja::Value;

use crate::{
    source::Source,
    template::{
        error::TemplateError,
        eval::{library::Library, render},
        origin::Origin,
        output::Output,
        page::{parsed_template::ParsedTemplate, reading::Reading},
        value::error::{EvalError, EvalResult},
    },
    vars::Scope,
};

/// Options for reading a template file, named like the arguments of the module `template`.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// Remove the newline after a block.
    pub trim_blocks: bool,
    /// Remove white space before a block.
    pub lstrip_blocks: bool,
    /// Replacement for newlines in the result.
    pub newline_sequence: String,
    /// Keep the newline at the end of the file.
    pub keep_trailing_newline: bool,
    pub variable_start_string: String,
    pub variable_end_string: String,
    pub block_start_string: String,
    pub block_end_string: String,
    pub comment_start_string: String,
    pub comment_end_string: String,
    /// The prefix of lines that are statements.
    pub line_statement_prefix: Option<String>,
    /// The prefix of comments that end with their line.
    pub line_comment_prefix: Option<String>,
}

impl Default for FileOptions {
    fn default() -> Self {
        FileOptions {
            trim_blocks: true,
            lstrip_blocks: false,
            newline_sequence: "\n".into(),
            keep_trailing_newline: true,
            variable_start_string: "{{".into(),
            variable_end_string: "}}".into(),
            block_start_string: "{%".into(),
            block_end_string: "%}".into(),
            comment_start_string: "{#".into(),
            comment_end_string: "#}".into(),
            line_statement_prefix: None,
            line_comment_prefix: None,
        }
    }
}

/// The value of a template file; a file with just one `{{ }}` keeps its type.
pub(crate) fn file_value(
    source: &Arc<Source>,
    scope: &Arc<Scope>,
    options: &FileOptions,
    library: &'static Library,
) -> Result<Value, TemplateError> {
    // As in Ansible, an empty file is an empty text, but one with only comments and statements is null.
    if source.text.trim().is_empty() {
        return Ok(Value::from(source.text.as_str()));
    }
    let mut options = options.clone();
    let begin = options.header(&source.text).map_err(|error| {
        let origin = Origin::File(source.clone(), 0);
        error.at(0..source.text.lines().next().map_or(0, str::len)).place(&origin, scope, false)
    })?;
    let text = options.without_line_syntax(source.text.get(begin..).unwrap_or_default());
    let text = &*text;
    let origin = Arc::new(Origin::File(source.clone(), begin));
    let page = ParsedTemplate::of(text, &options.reading()).map_err(|error| error.place(&origin, scope, false))?;
    let directory = source.path.as_deref().and_then(Path::parent).map(Path::to_owned);
    let output: Output = render::render_page(page, origin.clone(), directory, scope, library)?;
    let newlines = if options.keep_trailing_newline { text } else { "" };
    render::finish(output, newlines, false).map_err(|error| error.place(&origin, scope, false))
}

impl FileOptions {
    fn reading(&self) -> Reading {
        let delimiters = [
            &self.variable_start_string,
            &self.variable_end_string,
            &self.block_start_string,
            &self.block_end_string,
            &self.comment_start_string,
            &self.comment_end_string,
        ];
        Reading {
            bare: false,
            escapes: true,
            embedded: false,
            trim_blocks: self.trim_blocks,
            lstrip_blocks: self.lstrip_blocks,
            delimiters: delimiters.map(|delimiter| Cow::Owned(delimiter.clone())),
        }
    }

    /// The text with line statements and line comments rewritten with delimiters.
    fn without_line_syntax<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let prefix = |prefix: &Option<String>| prefix.clone().filter(|prefix| !prefix.is_empty());
        let (statement, comment) = (prefix(&self.line_statement_prefix), prefix(&self.line_comment_prefix));
        if statement.is_none() && comment.is_none() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
            let line = match comment.as_deref().and_then(|comment| line.find(comment)) {
                Some(at) => line[..at].trim_end(),
                None => line,
            };
            match statement.as_deref().and_then(|statement| line.trim_start().strip_prefix(statement)) {
                Some(code) => {
                    let code = code.trim_start_matches(['-', '+']).trim();
                    let code = code.strip_suffix(':').unwrap_or(code);
                    // The line leaves no newline behind and takes none from the next line.
                    out.extend([&self.block_start_string, "+ ", code, " +", &self.block_end_string]);
                }
                None => out.extend([line, end]),
            }
        }
        Cow::Owned(out)
    }

    /// Parses the header, if there is one, and returns where the template begins.
    fn header(&mut self, text: &str) -> EvalResult<usize> {
        let Some(rest) = text.strip_prefix("#jinja2:") else { return Ok(0) };
        let (line, begin) = match rest.find('\n') {
            Some(at) => (&rest[..at], "#jinja2:".len() + at + 1),
            None => (rest, text.len()),
        };
        for pair in line.split(',') {
            let Some((key, value)) = pair.split_once(':') else {
                return Err(EvalError::syntax(
                    format!("Missing key-value separator `:` in '#jinja2:' override pair '{pair}'."),
                    Some("write `#jinja2: trim_blocks:False, lstrip_blocks:True`".into()),
                ));
            };
            self.set(key.trim(), value.trim())?;
        }
        Ok(begin)
    }

    fn set(&mut self, key: &str, value: &str) -> EvalResult<()> {
        let text = || {
            let quoted = |quote| value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
            quoted('"').or_else(|| quoted('\'')).unwrap_or(value).replace("\\n", "\n").replace("\\r", "\r")
        };
        let flag = || match value {
            "True" | "true" => Ok(true),
            "False" | "false" => Ok(false),
            _ => Err(EvalError::syntax(format!("`{key}` must be True or False, not `{value}`"), None)),
        };
        match key {
            "trim_blocks" => self.trim_blocks = flag()?,
            "lstrip_blocks" => self.lstrip_blocks = flag()?,
            "keep_trailing_newline" => self.keep_trailing_newline = flag()?,
            "newline_sequence" => self.newline_sequence = text(),
            "variable_start_string" => self.variable_start_string = text(),
            "variable_end_string" => self.variable_end_string = text(),
            "block_start_string" => self.block_start_string = text(),
            "block_end_string" => self.block_end_string = text(),
            "comment_start_string" => self.comment_start_string = text(),
            "comment_end_string" => self.comment_end_string = text(),
            "line_statement_prefix" => self.line_statement_prefix = Some(text()),
            "line_comment_prefix" => self.line_comment_prefix = Some(text()),
            _ => return Err(EvalError::syntax(format!("Invalid '#jinja2:' override key '{key}'."), None)),
        }
        Ok(())
    }
}
