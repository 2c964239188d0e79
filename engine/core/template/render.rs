//! The engine's interface for rendering values and template files.

use std::sync::Arc;

use minijinja::Value;

use crate::{
    source::Source,
    template::{
        error::TemplateError,
        eval::{
            render,
            template_file::{self, FileOptions},
        },
        library::built_in,
        value::show,
    },
    vars::{Lazy, Scope},
};

/// Renders a value completely. A single `{{ }}` keeps its type. `omit` is kept as the whole value of an entry; see
/// [`super::drop_omitted`].
///
/// # Errors
/// If a template is invalid, or something that it needs is undefined.
pub fn render(lazy: &Lazy, scope: &Arc<Scope>) -> Result<Value, TemplateError> {
    render::render(lazy, scope, built_in())
}

/// Renders a template file. Its first line may be a `#jinja2:` header that overrides the options. Other templates are
/// searched next to it, then in the scope's directories.
///
/// # Errors
/// If the template is invalid, or an expression in it fails; the error has its place.
pub fn render_file(source: &Arc<Source>, scope: &Arc<Scope>, options: &FileOptions) -> Result<String, TemplateError> {
    let value = template_file::file_value(source, scope, options, built_in())?;
    let text = match value.is_none() {
        true => String::new(),
        false => show::plain_text(&value),
    };
    Ok(match options.newline_sequence.as_str() {
        "\n" => text,
        other => text.replace('\n', other),
    })
}
