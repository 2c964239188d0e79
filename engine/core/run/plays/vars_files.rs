//! `vars_files`, for each host.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    plan::Field,
    run::{
        facts::{Facts, with_facts},
        play_keywords::PlayError,
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
                // The names of later files may depend on earlier files.
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
        for candidate in candidates {
            let at = || candidate.span.clone();
            let name =
                with_facts(facts, host, || template::render(&candidate.value, &self.scope(play, host, None, None)));
            let name = match name {
                Ok(name) => name,
                Err(error) if error.undefined().is_some() => {
                    // If facts are already there, the name will not become known later.
                    if host.gathered() || !play.never_gather.load(Ordering::Acquire) {
                        return Err(PlayError::VarsFiles { reason: error.to_string(), at: at() }.into());
                    }
                    self.warn_once("skipping vars_files item due to an undefined variable", &candidate.span);
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            let Some(name) = name.as_str() else {
                let kind = template::type_name(&name).to_owned();
                return Err(PlayError::VarsFileType { kind, at: at() }.into());
            };
            if let Some(found) = crate::plan::vars_file(&play.play.directory, name) {
                return self.resolver.project.play_vars(&found, Some(&candidate.span));
            }
        }
        // As in Ansible, a missing file is ignored.
        Ok(Arc::default())
    }
}
