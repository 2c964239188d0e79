//! The output of a template. A single value keeps its type; several become text.

use std::ops::Range;

use minijinja::Value;

use crate::{
    template::value::{
        containers,
        error::{EvalError, EvalResult},
        items, show, size,
        undefined::present,
    },
    vars::is_omit,
};

/// The output so far.
#[derive(Debug, Default)]
pub(crate) enum Output {
    #[default]
    Nothing,
    One(Value, Range<usize>),
    Text(String),
}

impl Output {
    /// Writes literal text of the template.
    pub(super) fn text(&mut self, text: &str) -> EvalResult<()> {
        if !text.is_empty() {
            append(self.buffer()?, text)?;
        }
        Ok(())
    }

    /// Writes a value, which must be defined.
    pub(super) fn value(&mut self, value: Value, range: Range<usize>) -> EvalResult<()> {
        let value = match value.is_undefined() {
            true => value,
            false => present(value).map_err(|error| error.at(range.clone()))?,
        };
        // `none` among other output writes nothing, and a single other value still keeps its type.
        let nothing = |value: &Value| value.is_none() || value.is_undefined();
        match self {
            Output::Nothing => *self = Output::One(as_it_is(value), range),
            Output::One(first, _) if nothing(first) => *self = Output::One(as_it_is(value), range),
            _ if nothing(&value) => {}
            _ => {
                let text = written(&value).map_err(|error| error.at(range.clone()))?;
                append(self.buffer()?, &text).map_err(|error| error.at(range))?;
            }
        }
        Ok(())
    }

    fn buffer(&mut self) -> EvalResult<&mut String> {
        let text = match std::mem::take(self) {
            Output::Text(text) => text,
            Output::Nothing => String::new(),
            Output::One(value, range) => written(&value).map_err(|error| error.at(range))?,
        };
        *self = Output::Text(text);
        match self {
            Output::Text(text) => Ok(text),
            _ => Err(EvalError::new("no text")),
        }
    }

    /// The whole output as text.
    pub(super) fn into_text(mut self) -> EvalResult<String> {
        self.buffer().map(std::mem::take)
    }

    /// The value of a macro or of `{% set %}...{% endset %}`.
    pub(super) fn captured(self) -> EvalResult {
        Ok(match self {
            Output::Nothing => Value::from(()),
            Output::One(value, _) => value,
            Output::Text(text) => Value::from(text),
        })
    }
}

/// A list or mapping that the template may still change, as it is now.
fn as_it_is(value: Value) -> Value {
    match containers::changeable(&value) {
        true if containers::is_map(&value) => containers::map(containers::pairs(&value)),
        true => items::items(&value).map_or(value, Value::from),
        false => value,
    }
}

fn append(buffer: &mut String, text: &str) -> EvalResult<()> {
    size::fits(buffer.len() + text.len())?;
    buffer.push_str(text);
    Ok(())
}

/// A value inside text: empty for `none` and `omit`.
fn written(value: &Value) -> EvalResult<String> {
    match value.is_none() || value.is_undefined() || is_omit(value) {
        true => Ok(String::new()),
        false => show::text(value),
    }
}
