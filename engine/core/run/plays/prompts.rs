//! `vars_prompt`.

use std::sync::Arc;

use crate::{
    actions::text_of,
    plan::Play,
    run::{plays::keywords::rendered, shorthand::data, state::run::Run},
    source::Problems,
    template,
    vars::{Layer, Scope, Value},
};

impl Run {
    pub(crate) fn prompted(&self, play: &Play, scope: &Arc<Scope>) -> Result<Arc<Layer>, Problems> {
        let mut layer = Layer::new();
        for entry in &play.vars_prompt {
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
                Some(default) if !entry.private => format!("{text} [{default}]: "),
                _ => format!("{text}: "),
            };
            let answer = loop {
                let first = self.prompt.ask(&text, !entry.private);
                if !entry.confirm
                    || first.is_none()
                    || first == self.prompt.ask(&format!("confirm {text}"), !entry.private)
                {
                    break first;
                }
            };
            let answer = answer.filter(|answer| !answer.is_empty());
            // Input that was not echoed must not be shown later.
            if let Some(typed) = answer.as_ref().filter(|_| entry.private) {
                scope.magic.conceal(typed);
            }
            let value = answer.or(default).unwrap_or_default();
            let value = match &entry.encrypt {
                Some(scheme) => {
                    let given =
                        Layer::from_iter([("answer".into(), data(value)), ("scheme".into(), data(scheme.clone()))]);
                    let scope = Scope::new(vec![Arc::new(given)], scope.magic.clone(), scope.folders.clone());
                    template::expression("answer | password_hash(scheme)", entry.span.clone(), &Arc::new(scope))
                        .map_err(Problems::from)?
                }
                None => Value::from(value),
            };
            layer.insert(entry.name.clone(), data(value));
        }
        Ok(Arc::new(layer))
    }
}
