//! The variables that a template sets, by block.

use minijinja::Value;
use parking_lot::Mutex;

/// Names set in one block. Macros see the enclosing frames, including later changes.
#[derive(Default)]
pub(crate) struct Frame(Mutex<Vec<(&'static str, Value)>>);

impl Frame {
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        let names = self.0.lock();
        names.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    pub(crate) fn set(&self, name: &'static str, value: Value) {
        let mut names = self.0.lock();
        match names.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => names.push((name, value)),
        }
    }

    /// All variables of the frame.
    pub(crate) fn all(&self) -> Vec<(&'static str, Value)> {
        self.0.lock().clone()
    }
}
