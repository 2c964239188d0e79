//! The lines of a text without a copy of them: `stdout_lines` takes no memory besides `stdout`.

use std::sync::{Arc, OnceLock};

use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use rplay_contract::system::process::split_line;

/// A list of the lines of a text, split on access like Python's `splitlines`.
#[derive(Debug)]
pub struct Lines {
    text: Value,
    /// The start of each line, once a line is accessed by its index.
    starts: OnceLock<Vec<u32>>,
}

impl Lines {
    /// The lines of `text`, which must be a string. A few lines are copied immediately.
    pub fn of(text: Value) -> Value {
        match text.as_str() {
            Some(short) if short.len() < 1 << 12 => iter(short).map(Value::from).collect(),
            _ => Value::from_object(Lines { text, starts: OnceLock::new() }),
        }
    }

    fn str(&self) -> &str {
        self.text.as_str().unwrap_or_default()
    }

    fn starts(&self) -> &[u32] {
        let from = self.str().as_ptr() as usize;
        self.starts.get_or_init(|| iter(self.str()).map(|line| (line.as_ptr() as usize - from) as u32).collect())
    }
}

fn iter(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (line, after) = split_line(rest)?;
        rest = after;
        Some(line)
    })
}

impl Object for Lines {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let start = *self.starts().get(key.as_usize()?)?;
        let (line, _) = split_line(self.str().get(start as usize..)?)?;
        Some(Value::from(line))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.starts().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_long_text_are_those_of_a_short_one() {
        let short = "a\r\nb\n\n\u{85}ü\n";
        assert_eq!(Lines::of(Value::from(short)), Value::from(vec!["a", "b", "", "", "ü"]));
        let long = Value::from(short.repeat(2000));
        let lines = Lines::of(long.clone());
        assert!(lines.downcast_object_ref::<Lines>().is_some());
        let all: Value = iter(long.as_str().unwrap()).map(Value::from).collect();
        assert_eq!(lines.len(), Some(10_000));
        assert_eq!(lines, all);
        assert_eq!(lines.get_item(&Value::from(9_999)).unwrap(), Value::from("ü"));
        assert!(lines.get_item(&Value::from(10_000)).unwrap().is_undefined());
        assert_eq!(crate::vars::to_wire(&lines), crate::vars::to_wire(&all));
    }
}
