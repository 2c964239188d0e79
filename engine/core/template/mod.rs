//! Templates: Jinja as Ansible 2.19 speaks it. The parser is minijinja's; evaluation is done here, over its tree,
//! because values follow Python's rules (native types, `None` within text, methods that change a list), because
//! variables are rendered when they are read, and because every error must know its place.
//!
//! - [`render`] renders a value as written, [`condition`] decides `when` and its like, [`render_file`] renders a
//!   template file, [`lookup`] runs a lookup plugin.
//! - What templates can call: `filters`, `predicates` (tests), `functions`, `methods` (of values), `lookups`.

mod args;
#[cfg(test)]
mod compat;
mod condition;
mod crypt;
mod dates;
mod error;
mod fault;
mod file;
mod files;
mod filters;
mod frame;
mod functions;
mod lookups;
mod machine;
mod methods;
mod native;
mod nesting;
mod objects;
mod origin;
mod output;
mod page;
mod predicates;
mod printf;
mod python;
mod regexes;
mod render;
mod statements;
#[cfg(test)]
mod tests;
mod twister;
mod versions;
mod view;
mod yaml;

pub use condition::condition;
pub use error::{TemplateError, Via};
pub use file::{FileOptions, render_file};
pub(crate) use functions::exists as is_function;
pub use lookups::{lookup, names as lookup_names};
pub use native::drop_omitted;
pub use objects::Level;
pub use render::render;
pub use view::{expression, failed_value, render_terms, scope_value, text};
