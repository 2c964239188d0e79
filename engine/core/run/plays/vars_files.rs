//! `vars_files`, for each host.

use std::sync::Arc;

use crate::{
    actions::text_of,
    plan::Field,
    run::{
        facts::{Facts, with_facts},
        plays::keywords::PlayError,
        state::{host::HostState, play::PlayRun, run::Run},
    },
    source::Problems,
    template,
    vars::Layer,
};

impl Run {
    pub(crate) fn read_vars_files(
        self: &Arc<Self>,
        facts: &dyn Facts,
        play: &Arc<PlayRun>,
        hosts: &[Arc<HostState>],
    ) -> Result<(), Problems> {
        if play.play.vars_files.is_empty() {
            return Ok(());
        }
        for host in hosts {
            let mut layers: Vec<Arc<Layer>> = Vec::new();
            for candidates in &play.play.vars_files {
                let layer = self.vars_file(facts, play, host, candidates)?;
                layers.insert(0, layer);
                // Later files may be named by what earlier ones say.
                let mut files = play.files.write();
                files.insert(host.name.clone(), layers.clone());
            }
        }
        Ok(())
    }

    fn vars_file(
        self: &Arc<Self>,
        facts: &dyn Facts,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        candidates: &[Field],
    ) -> Result<Arc<Layer>, Problems> {
        let mut named = None;
        for candidate in candidates {
            let name = with_facts(facts, host, || {
                template::render(&candidate.value, &self.scope(play, host, None, None, self.options.check))
            });
            let name = text_of(&name.map_err(Problems::from)?);
            named.get_or_insert_with(|| candidate.span.clone());
            if let Some(found) = crate::plan::vars_file(&play.play.folder, &name) {
                return self.resolver.project.vars(&found, Some(&candidate.span));
            }
        }
        match named {
            Some(at) => Err(PlayError::VarsFiles { at }.into()),
            None => Ok(Arc::default()),
        }
    }
}
