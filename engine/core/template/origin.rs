//! The origin of a template's text.

use std::{ops::Range, sync::Arc};

use crate::{
    source::{Source, Span},
    syntax::locate,
    vars::Template,
};

/// Where a template is, to convert byte offsets of its text to a place in a file.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// A YAML scalar.
    Scalar(Arc<Template>),
    /// A template file whose text begins at this byte (after a `#jinja2:` header).
    File(Arc<Source>, usize),
    /// A generated value.
    Nowhere,
}

impl Origin {
    /// The place of a byte range of the template, or of the whole template if it is unknown.
    pub(crate) fn span(&self, range: Option<Range<usize>>) -> Span {
        match self {
            Origin::Scalar(template) => match range {
                Some(range) => locate(&template.text, &template.span, template.style, range),
                None => template.span.clone(),
            },
            Origin::File(source, begin) => match range {
                Some(range) => Span::new(source, range.start + begin..range.end + begin),
                None => Span::new(source, 0..source.text.lines().next().map_or(0, str::len)),
            },
            Origin::Nowhere => Span::new(&Source::inline("<generated>", ""), 0..0),
        }
    }
}
