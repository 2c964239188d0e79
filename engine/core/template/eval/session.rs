//! The state that a rendering shares with the renderings of the variables it reads.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use minijinja::Value;

use crate::{
    template::{
        error::TemplateError,
        eval::{frame::Frame, library::Library, render},
    },
    vars::{Lazy, Scope},
};

/// State shared by one rendering and the renderings of the variables it reads.
pub(crate) struct Session {
    pub scope: Arc<Scope>,
    /// The callables.
    pub library: &'static Library,
    /// Rendered values of variables that are templates.
    rendered: RefCell<HashMap<Arc<str>, Value>>,
    /// Frames that macros still need.
    pub keep: RefCell<Vec<Arc<Frame>>>,
}

impl Session {
    pub(crate) fn new(scope: &Arc<Scope>, library: &'static Library) -> Self {
        Session { scope: scope.clone(), library, rendered: RefCell::default(), keep: RefCell::default() }
    }

    /// A variable, rendered as far as its own text goes; its parts are lazy.
    pub(super) fn variable(&self, name: &str) -> Option<Result<Value, TemplateError>> {
        if let Some(value) = self.rendered.borrow().get(name) {
            return Some(Ok(value.clone()));
        }
        let lazy = self.scope.find_any(name)?;
        if let Lazy::Data(value) = lazy {
            return Some(Ok(value));
        }
        let value = match render::render_lazily(&lazy, &self.scope, Some(name), self.library) {
            Ok(value) => value,
            Err(error) => return Some(Err(error)),
        };
        self.rendered.borrow_mut().insert(name.into(), value.clone());
        Some(Ok(value))
    }
}
