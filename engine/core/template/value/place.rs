//! Adds places to errors, and messages to undefined values.

use minijinja::{Value, value::ValueKind};

use crate::{
    source::nearest,
    template::{
        error::TemplateError,
        origin::Origin,
        value::{
            error::{Cause, EvalError},
            show,
            undefined::{Undefined, UndefinedReason},
        },
    },
    vars::Scope,
};

/// The start of the message about text that no playbook wrote.
const UNTRUSTED: &str = "Encountered untrusted template";

impl EvalError {
    /// The error with its place in the file. `bare`: the text is an expression without delimiters.
    pub(crate) fn place(self, origin: &Origin, scope: &Scope, bare: bool) -> TemplateError {
        let kind = if bare { "expression" } else { "template" };
        let at = || origin.span(self.range.clone());
        match self.cause {
            Cause::Placed(error) => *error,
            Cause::Omitted => TemplateError::Omitted { at: at(), via: vec![] },
            Cause::Failed { message, help } => {
                // A message that already names its plugin, or needs no name, stays as it is.
                let complete =
                    ["The filter plugin", "The test plugin", "The lookup plugin", "recursive loop", UNTRUSTED];
                let message = match complete.iter().any(|start| message.starts_with(start)) {
                    true => message,
                    false => format!("Error rendering {kind}: {message}"),
                };
                TemplateError::Failed { message, at: at(), help, via: vec![] }
            }
            Cause::Syntax { message, help } => TemplateError::Syntax { kind, message, at: at(), help, via: vec![] },
            Cause::Undefined(value) => match value.downcast_object_ref::<Undefined>() {
                Some(absent) => absent.error(scope, at),
                None => TemplateError::Failed { message: "no value".into(), at: at(), help: None, via: vec![] },
            },
        }
    }
}

impl Undefined {
    pub(crate) fn message(&self) -> String {
        match &self.what {
            UndefinedReason::Variable(name) => format!("'{name}' is undefined"),
            // Ansible's message about an unknown host.
            UndefinedReason::Attribute { parent, key }
                if parent.as_object().is_some_and(|object| object.type_name().ends_with("::HostVars")) =>
            {
                format!("hostvars[{}]", show::repr(key))
            }
            // Jinja's words, which ansible-core replaces only for names that are true.
            UndefinedReason::Attribute { parent, key } if key.kind() == ValueKind::Number && !key.is_true() => {
                let of = match parent.is_none() {
                    true => "None".to_owned(),
                    false => format!("{} object", show::type_name(parent)),
                };
                format!("{of} has no element {}", show::repr(key))
            }
            UndefinedReason::Attribute { parent, key } => {
                let kind = match parent.as_object() {
                    Some(object) if object.type_name().ends_with("::View") => "HostVarsVars".to_owned(),
                    _ => show::type_name(parent),
                };
                format!("object of type '{kind}' has no attribute {}", show::repr(key))
            }
            UndefinedReason::Message(message) => message.clone(),
            UndefinedReason::Broken(error) => error.to_string(),
        }
    }

    fn error(&self, scope: &Scope, user: impl Fn() -> crate::source::Span) -> TemplateError {
        let at = match &*self.origin {
            Origin::Nowhere => user(),
            origin => origin.span(Some(self.range.clone())),
        };
        let (name, help) = match &self.what {
            UndefinedReason::Broken(error) => return error.clone(),
            UndefinedReason::Variable(name) => {
                let names = scope.names();
                let near = nearest(name, names.iter().map(|known| &**known));
                (name.to_string(), near.map(|near| format!("did you mean `{near}`?")))
            }
            UndefinedReason::Attribute { parent, key } => {
                let keys: Vec<Value> = match parent.kind() {
                    minijinja::value::ValueKind::Map => {
                        parent.try_iter().map(|keys| keys.collect()).unwrap_or_default()
                    }
                    _ => vec![],
                };
                let name = show::plain_text(key);
                let near = nearest(&name, keys.iter().filter_map(|known| known.as_str()));
                let help = near.map(|near| format!("did you mean `{near}`?"));
                (name, help)
            }
            UndefinedReason::Message(_) => (String::new(), None),
        };
        TemplateError::Undefined { name, message: self.message(), at, help, via: vec![] }
    }
}
