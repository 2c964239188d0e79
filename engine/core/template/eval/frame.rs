//! The variables a template sets itself, by block.

use minijinja::Value;
use parking_lot::Mutex;

/// Names set in one block. Macros see the frames round them even when these change later.
#[derive(Default)]
pub(crate) struct Frame(Mutex<Vec<(&'static str, Value)>>);

impl Frame {
    pub fn get(&self, name: &str) -> Option<Value> {
        let names = self.0.lock();
        names.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    pub fn set(&self, name: &'static str, value: Value) {
        let mut names = self.0.lock();
        match names.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => names.push((name, value)),
        }
    }

    /// Everything that is set.
    pub fn all(&self) -> Vec<(&'static str, Value)> {
        self.0.lock().clone()
    }
}
