//! The strategy of a play.

use std::sync::Arc;

use crate::{
    actions::text_of,
    plan::Play,
    run::{
        play_keywords::{NO_PLUGINS, PlayError, rendered},
        state::{play::PlayRun, run::Run},
    },
    source::{Problems, nearest},
    syntax::builtin_name,
    vars::is_omit,
};

/// Strategies by their names in playbooks.
const STRATEGIES: [&str; 4] = ["linear", "free", "host_pinned", "debug"];

/// What ansible-core says of them.
const FOREIGN: &str = "Use of strategy plugins not included in ansible.builtin are deprecated and do not carry any \
    backwards compatibility guarantees. No alternative for third party strategy plugins is currently planned. This \
    feature will be removed from ansible-core version in a future release.";

impl Run {
    /// The short name of a play's strategy; unknown if it depends on facts or prompts that are not there yet.
    pub(crate) fn strategy(self: &Arc<Self>, play: &Arc<Play>) -> Result<&'static str, Problems> {
        let known = |name: &str| {
            if name.contains('.') && !name.starts_with("ansible.builtin.") && self.options.deprecation_warnings {
                self.warn(FOREIGN, None);
            }
            STRATEGIES.into_iter().find(|known| *known == builtin_name(name))
        };
        let Some(field) = &play.strategy else {
            let name = &self.options.strategy;
            return known(name).ok_or_else(|| PlayError::StrategySetting { name: name.clone() }.into());
        };
        let base = PlayRun::of(play);
        let value = rendered(field, &self.scope_of_play(&Arc::new(base)), "strategy")?;
        let name = if is_omit(&value) { self.options.strategy.clone() } else { text_of(&value) };
        known(&name).ok_or_else(|| {
            let help = nearest(&name, STRATEGIES).map(|meant| format!("did you mean `{meant}`?"));
            let help = help.or_else(|| Some(NO_PLUGINS.to_owned()));
            PlayError::Strategy { name, at: field.span.clone(), help }.into()
        })
    }
}
