//! Checks before any host is touched: whether the variables of all hosts can be read, and whether the plays are valid.

use std::{collections::HashSet, sync::Arc};

use crate::{
    actions::text_of,
    inventory::Pattern,
    plan::{self, Block, Field, Play, Step},
    run::{
        connection::variables::NOT_FOLLOWED,
        plays::serial::check_serial,
        state::{play::PlayRun, run::Run},
    },
    source::Problems,
    template,
    vars::Layer,
};

/// Why a run ends before its first play or between plays, with Ansible's exit code for it.
#[derive(Debug)]
pub struct RunError {
    pub problems: Problems,
    pub exit_code: u8,
}

impl From<Problems> for RunError {
    fn from(problems: Problems) -> Self {
        let exit_code = plan::exit_code(&problems);
        RunError { problems, exit_code }
    }
}

impl Run {
    /// Checks all plays before the first one starts: nothing runs on a partial inventory. A play with templates that
    /// cannot be
    /// rendered yet is checked when it starts.
    ///
    /// # Errors
    /// If a strategy is unknown, or the variables of one of its hosts cannot be read.
    pub(crate) fn preflight(self: &Arc<Self>, plays: &[&Arc<Play>]) -> Result<(), RunError> {
        let mut problems = Problems::default();
        for play in plays {
            let scope = self.scope_of_play(&Arc::new(PlayRun::of(play)));
            let checks = [self.strategy(play).map(drop), check_serial(play, &scope)];
            problems.0.extend(checks.into_iter().filter_map(Result::err).flat_map(|found| found.0));
        }
        problems.unless_any(()).map_err(|problems| RunError { problems, exit_code: 1 })?;
        let mut found = Found::default();
        found.look_at(&self.resolver.extra, "-e");
        for play in plays {
            self.check_hosts(play, &mut found);
        }
        found.problems.unless_any(()).map_err(|problems| RunError { problems, exit_code: 4 })?;
        for (name, host) in found.not_followed {
            self.warn(format!("the variable `{name}` ({host}) has no effect: it is not supported"), None);
        }
        Ok(())
    }

    fn check_hosts(self: &Arc<Self>, play: &Arc<Play>, found: &mut Found) {
        found.look_at(&play.vars, "in a play");
        each_layer(&play.steps, &mut |layer| found.look_at(layer, "in a task"));
        let Some(pattern) = self.pattern(play, &play.hosts) else { return };
        let inventory = self.inventory();
        let matched = Pattern::parse(&pattern).ok().and_then(|pattern| {
            // An invalid pattern is reported when the play starts.
            inventory.matching(&pattern, self.options.allowed.as_ref()).ok()
        });
        for host in matched.into_iter().flat_map(|matched| matched.hosts) {
            match inventory.layers(&host, Some(&play.folder)) {
                Ok(layers) => layers.iter().for_each(|layer| found.look_at(layer, &host)),
                Err(problems) => found.add(problems),
            }
        }
    }

    /// The hosts pattern of a play; `None` if it cannot be rendered yet.
    fn pattern(self: &Arc<Self>, play: &Arc<Play>, hosts: &Field) -> Option<String> {
        let scope = self.scope_of_play(&Arc::new(PlayRun::of(play)));
        let value = template::render(&hosts.value, &scope).ok()?;
        match value.as_str() {
            Some(text) => Some(text.to_owned()),
            None => Some(value.try_iter().ok()?.map(|item| text_of(&item)).collect::<Vec<_>>().join(",")),
        }
    }
}

/// The problems so far. Hosts share layers, so each layer is read once, and each problem reported once.
#[derive(Default)]
struct Found {
    problems: Problems,
    told: HashSet<String>,
    seen: HashSet<*const Layer>,
    not_followed: Vec<(&'static str, String)>,
}

impl Found {
    fn add(&mut self, problems: Problems) {
        for problem in problems.0 {
            if self.told.insert(crate::source::one_line(&*problem)) {
                self.problems.0.push(problem);
            }
        }
    }

    fn look_at(&mut self, layer: &Arc<Layer>, whose: &str) {
        if !self.seen.insert(Arc::as_ptr(layer)) {
            return;
        }
        for name in NOT_FOLLOWED {
            if layer.contains_key(*name) && !self.not_followed.iter().any(|(known, _)| known == name) {
                self.not_followed.push((name, whose.to_owned()));
            }
        }
    }
}

fn each_layer(steps: &[Step], look: &mut dyn FnMut(&Arc<Layer>)) {
    for step in steps {
        match step {
            Step::Task(task) => task.settings.vars.iter().for_each(&mut *look),
            Step::Block(block) => {
                let Block { body, rescue, always, .. } = &**block;
                [body, rescue, always].into_iter().for_each(|steps| each_layer(steps, look));
            }
            Step::Role(role) => {
                look(&role.role.vars);
                look(&role.role.defaults);
                each_layer(&role.steps, look);
            }
            Step::Flush => {}
        }
    }
}
