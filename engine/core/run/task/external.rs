//! Calls of modules that rplay does not implement: their bundle and their interpreter.

use std::{path::Path, sync::Arc};

use rplay_contract::{
    external::{Order, Style},
    wire::{Map, data},
};

use crate::{
    actions::{self, TaskResult, text_of},
    external::{ExternalModule, Payload},
    link::{Connection, Target},
    run::{connection::variables, state::run::Run, steering},
    template::{self, TemplateError},
    vars::Scope,
};

/// Names of Python interpreters to try on hosts without a configured one, in Ansible's order.
const CANDIDATES: [&str; 11] = [
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.9",
    "python3.8",
    "/usr/bin/python3",
    "python3",
    "/usr/libexec/platform-python",
    "python",
];

/// Which task calls, and where.
pub(crate) struct Caller<'a> {
    pub module: &'static ExternalModule,
    pub target: &'a Target,
    /// The variables of the host that runs it.
    pub variables: &'a Arc<Scope>,
    pub no_log: bool,
    /// Whether what is registered contains the arguments.
    pub keeps_invocation: bool,
}

impl Run {
    /// The arguments of a call that makes a host run the module.
    pub(crate) fn order(&self, caller: &Caller<'_>, args: Map) -> actions::Result<Map> {
        let Caller { module, variables, .. } = *caller;
        let finder = self.resolver.project.finder();
        let style = module.style.ok_or_else(|| {
            let msg = format!("the module {} is written in PowerShell, which is not supported", module.full_name);
            Box::new(TaskResult::failed(msg))
        })?;
        if module.lacks_interpreter {
            let msg = format!("Task failed: module ({}) is missing interpreter line", module.name);
            return Err(Box::new(TaskResult::failed(msg)));
        }
        let payload =
            finder.payload(module).map_err(|error| Box::new(TaskResult::failed(error.msg).with_help(error.help)))?;
        let unreadable = |path: &Path, error: std::io::Error| {
            Box::new(TaskResult::failed(format!("cannot read {}: {error}", path.display())))
        };
        let (content, base) = match &payload {
            Payload::File(path) => (self.blobs.file(path).map_err(|error| unreadable(path, error))?, None),
            Payload::Bundles { base: (base, base_path), own: (own, own_path) } => {
                let offer =
                    |sha256, path: &Path| self.blobs.lasting(sha256, path).map_err(|error| unreadable(path, error));
                (offer(own, own_path)?, Some(offer(base, base_path)?))
            }
        };
        let of_error = |error: TemplateError| Box::new(TaskResult::of_error(&error));
        let settings = data! {
            "no_log" => caller.no_log,
            "debug" => false,
            "verbosity" => i64::from(self.options.verbosity),
            "version" => finder.version(),
            "syslog_facility" => "LOG_USER",
            "shell_executable" => "/bin/sh",
            "tracebacks_for" => finder.settings.tracebacks.clone(),
        };
        let remote_tmp = variables::word(steering::REMOTE_TMP, variables).map_err(of_error)?;
        let order = Order {
            name: match module.collection() {
                Some(_) => module.full_name.clone(),
                None => module.name.clone(),
            },
            style,
            content,
            base,
            package: module.package(),
            interpreter: self.interpreter(caller).map_err(of_error)?,
            candidates: CANDIDATES.map(str::to_owned).to_vec(),
            args,
            settings,
            shows_invocation: self.options.invocations || caller.keeps_invocation,
            remote_tmp: remote_tmp.or_else(|| finder.settings.remote_tmp.clone()),
        };
        Ok(order.into_args())
    }

    /// The interpreter, if variables or settings name one.
    fn interpreter(&self, caller: &Caller<'_>) -> Result<Option<String>, TemplateError> {
        let language = match caller.module.style {
            Some(Style::Python) => "python",
            _ => match caller.module.shebang.as_deref().and_then(language) {
                Some(language) => language,
                None => return Ok(None),
            },
        };
        let is_path =
            |named: &String| !matches!(named.as_str(), "auto" | "auto_silent" | "auto_legacy" | "auto_legacy_silent");
        if !language.starts_with("python") {
            let name = format!("ansible_{language}_interpreter");
            let Some(lazy) = caller.variables.find(&name) else { return Ok(None) };
            return Ok(
                Some(text_of(&template::render(&lazy, caller.variables)?)).filter(|named| !named.trim().is_empty())
            );
        }
        if let Some(named) = variables::word(steering::PYTHON, caller.variables)? {
            return Ok(Some(named).filter(is_path));
        }
        let finder = self.resolver.project.finder();
        // For an implicit localhost: as in Ansible, the Python that has ansible-core, whatever the settings say.
        let implicit = matches!(caller.target.connection, Connection::Local(_))
            && self.inventory().host(&caller.target.name).is_none_or(|host| host.implicit)
            && caller.module.style == Some(Style::Python);
        if let Some(path) = implicit.then(|| finder.python()).flatten() {
            return Ok(Some(path.display().to_string()));
        }
        Ok(finder.settings.interpreter.clone().filter(is_path))
    }
}

/// The interpreter named by a shebang line, also behind `env`.
fn language(shebang: &str) -> Option<&str> {
    let mut words = shebang.split_whitespace();
    match words.next()?.rsplit('/').next()? {
        "env" => words.find(|word| !word.starts_with('-') && !word.contains('=')),
        name => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_name_of_the_program() {
        for (line, name) in [("/usr/bin/ruby -w", "ruby"), ("/usr/bin/env -S node --x", "node"), ("/bin/sh", "sh")] {
            assert_eq!(language(line), Some(name));
        }
    }
}
