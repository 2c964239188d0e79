//! `vars_prompt`.

use std::sync::Arc;

use crate::{
    actions::text_of,
    event::Event,
    plan::{Field, PlanError, Play, VarsPrompt},
    run::{play_keywords::rendered, shorthand::data, state::run::Run},
    secrets,
    source::{Problems, Source, Span, Spanned},
    template,
    vars::{Layer, Lazy, Scope, Value},
};

impl Run {
    pub(crate) fn prompted(&self, play: &Play, scope: &Arc<Scope>) -> Result<Arc<Layer>, Problems> {
        let mut layer = Layer::new();
        for entry in &play.vars_prompt {
            self.warn_of_reserved([(&*entry.name, &entry.span)]);
            if self.resolver.extra.contains_key(&entry.name) {
                continue;
            }
            let default = match &entry.default {
                Some(field) => Some(text_of(&rendered(field, scope, "vars_prompt")?)),
                None => None,
            };
            let text = match &entry.prompt {
                Some(field) => text_of(&rendered(field, scope, "vars_prompt")?),
                None => entry.name.to_string(),
            };
            let text = match &default {
                Some(default) => format!("{text} [{default}]: "),
                None => format!("{text}: "),
            };
            let answer = loop {
                let first = self.prompt.ask(&text, !entry.private);
                if !entry.confirm
                    || first.is_none()
                    || first == self.prompt.ask(&format!("confirm {text}"), !entry.private)
                {
                    break first;
                }
                self.send(Event::Message { text: "***** VALUES ENTERED DO NOT MATCH ****".into() });
            };
            if answer.is_none() && self.prompt.is_attended() {
                return Err(PlanError::Interrupted.into());
            }
            // As in Ansible, an unattended run gets this text where there is no default.
            let unattended = answer.is_none().then(|| "None".to_owned());
            if unattended.is_some() {
                self.warn("Not prompting as we are not in interactive mode", None);
            }
            let answer = answer.filter(|answer| !answer.is_empty());
            // As in Ansible, what was typed unseen may be shown later: every prompt is private unless it says
            // otherwise, also one for the name of a host. A password is not.
            let is_secret = entry.encrypt.is_some() || entry.private && secrets::names_a_secret(&entry.name);
            if let Some(typed) = answer.as_ref().filter(|_| is_secret) {
                scope.magic.conceal(typed);
            }
            let value = answer.or(default).or(unattended).unwrap_or_default();
            let value = match &entry.encrypt {
                Some(scheme) => data(encrypted(&value, scheme, entry, scope)?),
                None if entry.unsafe_ => data(value),
                // As in Ansible, an answer may contain a template.
                None => {
                    let source = Source::inline("vars_prompt", value.clone());
                    Lazy::from_text(&Spanned { span: Span::new(&source, 0..value.len()), value: value.into() })
                }
            };
            layer.insert(entry.name.clone(), value);
        }
        Ok(Arc::new(layer))
    }
}

/// The answer as a password's hash.
fn encrypted(answer: &str, scheme: &Arc<str>, entry: &VarsPrompt, scope: &Arc<Scope>) -> Result<Value, Problems> {
    let of = |field: &Option<Field>| match field {
        Some(field) => rendered(field, scope, "vars_prompt"),
        None => Ok(Value::from(())),
    };
    let given = Layer::from_iter([
        ("answer".into(), data(answer)),
        ("scheme".into(), data(scheme.clone())),
        ("given".into(), data(of(&entry.salt)?)),
        ("size".into(), data(of(&entry.salt_size)?)),
    ]);
    let scope = Scope::new(vec![Arc::new(given)], scope.magic.clone(), scope.directories.clone());
    let hash = "answer | password_hash(scheme, salt=given, salt_size=size)";
    template::expression(hash, entry.span.clone(), &Arc::new(scope)).map_err(Problems::from)
}
