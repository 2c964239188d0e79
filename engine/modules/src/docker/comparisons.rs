//! The argument `comparisons` of docker_container: which differences count.

use super::{container_args::DockerContainer, difference::Difference};
use crate::ArgError;

/// `comparisons`: how to compare, by argument.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparisons {
    pub ignored: Vec<String>,
    pub more_allowed: Vec<String>,
    /// Whether `*` is `ignore`.
    pub ignore_rest: bool,
    pub strict_rest: bool,
    pub strict: Vec<String>,
}

impl Comparisons {
    /// Whether the argument is not compared.
    pub(crate) fn ignores(&self, arg: &str) -> bool {
        let said = |list: &[String]| list.iter().any(|name| name == arg);
        // Matters only when a container is stopped, and is then sent with the request.
        let by_itself = arg == "stop_timeout" && !said(&self.strict);
        by_itself || said(&self.ignored) || (self.ignore_rest && !said(&self.strict) && !said(&self.more_allowed))
    }

    /// Whether additional values are a difference, for an argument where they are not by default.
    pub(crate) fn is_strict(&self, arg: &str) -> bool {
        let said = |list: &[String]| list.iter().any(|name| name == arg);
        said(&self.strict) || (self.strict_rest && !said(&self.ignored) && !said(&self.more_allowed))
    }

    pub(super) fn lets_be(&self, difference: &Difference) -> bool {
        let arg = difference.field.split('.').next().unwrap_or(&difference.field);
        self.ignores(arg) || (difference.removed && self.more_allowed.iter().any(|name| name == arg))
    }
}

impl DockerContainer {
    /// Parses `comparisons`.
    pub(crate) fn rules(&self) -> Result<Comparisons, ArgError> {
        let mut rules = Comparisons::default();
        for (name, how) in self.comparisons.iter().flatten() {
            let how = how.as_str().unwrap_or_default();
            let args = <DockerContainer as crate::Args>::args();
            let arg = match name.as_str() {
                "*" => "*",
                name => args.iter().find(|arg| arg.is_called(name)).map(|arg| arg.name).ok_or_else(|| {
                    ArgError::new("comparisons", format!("contains `{name}`, which is not an argument"))
                })?,
            };
            // Both belong to the same field of the Engine.
            let arg = if arg == "log_options" { "log_driver" } else { arg }.to_owned();
            match (arg.as_str(), how) {
                ("*", "ignore") => rules.ignore_rest = true,
                ("*", "strict") => rules.strict_rest = true,
                ("*", _) => {
                    return Err(
                        ArgError::new("comparisons", format!("cannot be `{how}` for `*`")).help("use strict or ignore")
                    );
                }
                (_, "ignore") => rules.ignored.push(arg),
                (_, "strict") => rules.strict.push(arg),
                (_, "allow_more_present") => rules.more_allowed.push(arg),
                _ => {
                    return Err(ArgError::new("comparisons", format!("has the invalid value `{how}` for {arg}"))
                        .help("use strict, ignore or allow_more_present"));
                }
            }
        }
        Ok(rules)
    }
}
