//! Templates: Jinja as in ansible-core 2.19. The parser is minijinja's. Evaluation is done here, on its tree, because
//! values follow Python's rules (native types, `None` in text, methods that modify a list), because variables are
//! rendered when they are read, and because every error must have a place.
//!
//! - [`render`] renders a value as written, [`condition`] evaluates `when` and the like, [`render_file`] renders a
//!   template file, [`lookup`] runs a lookup plugin.
//! - Callables are in `library`. The evaluator gets them by name from a `Library`.
//!
//! Order, each using only those before it: `extensions`, `error`, `origin`, `value/error`, `value/undefined`,
//! `value/size`, `value/number`, `value/big`, `value/containers`, `value/time`, `value/show`, `value/place`,
//! `value/items`, `value/integer_set`, `value/depth`, `value/text`, `value/format`, `value/ops`, `value/sort`,
//! `value/freeze`, `value/exchange`, `args`, `page/reading`, `page/nesting`, `page/parsed_template`, `output`, `yaml`,
//! `regex`, `eval`, `library/mersenne_twister`, `library/versions`, `library/paths`, `library/methods`,
//! `library/filters`, `library/tests`, `library/lookups`, `library/functions`, `library`, `render`, `condition`, `view`.

mod args;
#[cfg(test)]
mod compat;
mod condition;
mod error;
mod eval;
mod extensions;
mod library;
mod origin;
mod output;
mod page;
mod regex;
mod render;
#[cfg(test)]
mod tests;
mod value;
mod view;
mod yaml;

pub use condition::condition;
pub use error::{TemplateError, Via};
pub use eval::{lazy::Level, template_file::FileOptions};
pub use extensions::enable_extensions;
pub(crate) use library::functions::exists as is_function;
pub use library::{built_in_names, lookups::names as lookup_names};
pub use render::{render, render_file};
pub(crate) use value::number::float_repr;
pub use value::{exchange::Exchange, freeze::drop_omitted};
pub use view::{
    expression, failed_value, lookup, names_in, noted, render_terms, repr, scope_value, shown, shown_text, text,
    type_name, variable,
};
pub(crate) use yaml::block_yaml;
