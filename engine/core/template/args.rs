//! The arguments of a filter, test, function or method, taken one by one by parameter name.

use minijinja::Value;

use crate::template::value::{
    error::{EvalError, EvalResult},
    items,
    number::Number,
    show,
    undefined::present,
};

/// The arguments that have not been taken yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Args {
    pub positional: Vec<Value>,
    pub named: Vec<(String, Value)>,
    taken: usize,
    /// Whether unknown names are accepted, as lookups do: they read the options that they know.
    lenient: bool,
}

impl Args {
    pub(super) fn new(positional: Vec<Value>, named: Vec<(String, Value)>) -> Self {
        Args { positional, named, taken: 0, lenient: false }
    }

    /// The same arguments, but unknown names are not an error.
    pub(super) fn lenient(self) -> Self {
        Args { lenient: true, ..self }
    }

    /// The next argument, by position or by this name. May be undefined.
    pub(super) fn raw(&mut self, name: &str) -> Option<Value> {
        if let Some(value) = self.positional.get(self.taken) {
            self.taken += 1;
            return Some(value.clone());
        }
        let at = self.named.iter().position(|(known, _)| known == name)?;
        Some(self.named.remove(at).1)
    }

    /// The argument, if it is given.
    pub(super) fn optional(&mut self, name: &str) -> EvalResult<Option<Value>> {
        self.raw(name).map(present).transpose()
    }

    /// A keyword-only argument.
    pub(super) fn keyword(&mut self, name: &str) -> EvalResult<Option<Value>> {
        match self.named.iter().position(|(known, _)| known == name) {
            Some(at) => present(self.named.remove(at).1).map(Some),
            None => Ok(None),
        }
    }

    /// A required argument.
    pub(super) fn required(&mut self, name: &str) -> EvalResult {
        self.optional(name)?.ok_or_else(|| EvalError::new(format!("missing 1 required argument: '{name}'")))
    }

    /// A text argument; other values are converted.
    pub(super) fn text(&mut self, name: &str) -> EvalResult<Option<String>> {
        match self.optional(name)? {
            Some(value) if value.is_none() => Ok(None),
            Some(value) => show::text(&value).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn text_or(&mut self, name: &str, default: &str) -> EvalResult<String> {
        Ok(self.text(name)?.unwrap_or_else(|| default.to_owned()))
    }

    pub(super) fn flag(&mut self, name: &str, default: bool) -> EvalResult<bool> {
        Ok(self.optional(name)?.map_or(default, |value| items::truth(&value)))
    }

    /// An integer argument; `none` counts as not given.
    pub(super) fn int(&mut self, name: &str) -> EvalResult<Option<i128>> {
        match self.optional(name)? {
            None => Ok(None),
            Some(value) if value.is_none() => Ok(None),
            Some(value) => match Number::of(&value) {
                Some(Number::Int(i)) => Ok(Some(i)),
                Some(Number::Float(f)) if f.fract() == 0.0 => Ok(Some(f as i128)),
                _ => {
                    let text = value.as_str().and_then(|text| text.trim().parse().ok());
                    text.map(Some).ok_or_else(|| {
                        let kind = show::type_name(&value);
                        EvalError::new(format!("argument '{name}' must be an integer, not '{kind}'"))
                    })
                }
            },
        }
    }

    pub(super) fn int_or(&mut self, name: &str, default: i128) -> EvalResult<i128> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    /// All remaining positional arguments.
    pub(super) fn rest(&mut self) -> EvalResult<Vec<Value>> {
        let rest = self.positional.get(self.taken..).unwrap_or_default().to_vec();
        self.taken = self.positional.len();
        rest.into_iter().map(present).collect()
    }

    /// All remaining positional arguments; any of them may be undefined.
    pub(super) fn raw_rest(&mut self) -> Vec<Value> {
        let rest = self.positional.get(self.taken..).unwrap_or_default().to_vec();
        self.taken = self.positional.len();
        rest
    }

    /// Fails if an argument has not been taken.
    pub(super) fn finish(&self) -> EvalResult<()> {
        if let Some((name, _)) = self.named.first().filter(|_| !self.lenient) {
            return Err(EvalError::new(format!("got an unexpected keyword argument '{name}'")));
        }
        match self.positional.len() - self.taken {
            0 => Ok(()),
            extra => {
                Err(EvalError::new(format!("got {extra} unexpected argument{}", if extra == 1 { "" } else { "s" })))
            }
        }
    }
}
