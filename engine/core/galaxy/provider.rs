//! The versions among which the solver chooses.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    future::{Future, ready},
};

use resolvo::{
    Candidates, Condition, ConditionId, Dependencies, DependencyProvider, Interner, KnownDependencies, NameId,
    SolvableId, SolverCache, StringId, VersionSetId, VersionSetUnionId,
    utils::{Pool, VersionSet},
};

use super::{
    Galaxy, GalaxyError, Result,
    api::{Api, Detail},
    question::{Chosen, From, Question},
    version::{Range, Version},
};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Installed,
    Local(usize),
    Server(usize),
}

/// A version as a candidate for the solver.
#[derive(Clone, Debug)]
pub struct Candidate {
    version: Version,
    source: Source,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.version.fmt(f)
    }
}

impl VersionSet for Range {
    type V = Candidate;
}

/// Answers the solver: which versions exist, and what they depend on.
pub(super) struct Provider<'p> {
    pub galaxy: &'p Galaxy,
    pub apis: &'p [Api<'p>],
    pub question: &'p Question<'p>,
    pub pool: Pool<Range, String>,
    pub details: RefCell<HashMap<SolvableId, Detail>>,
    /// The requirements: name, range, and the requiring collection.
    pub edges: RefCell<Vec<(String, Range, Option<String>)>>,
    pub known: RefCell<BTreeMap<String, Vec<Version>>>,
    /// Why a server could not be queried.
    pub failed: RefCell<Option<GalaxyError>>,
}

impl<'p> Provider<'p> {
    pub(super) fn name(&self, id: SolvableId) -> &String {
        self.pool.resolve_package_name(self.pool.resolve_solvable(id).name)
    }

    fn candidate(&self, id: SolvableId) -> &Candidate {
        &self.pool.resolve_solvable(id).record
    }

    /// The versions of a name, from all allowed sources.
    fn all(&self, name: &str) -> Result<Vec<Candidate>> {
        let mut found: Vec<Candidate> = Vec::new();
        for (at, about) in self.question.local.iter().enumerate().filter(|(_, about)| about.full_name() == name) {
            found.push(Candidate { version: Version::parse(&about.version)?, source: Source::Local(at) });
        }
        if !found.is_empty() {
            return Ok(found);
        }
        if !self.question.forces_all && !self.question.forced.contains(name) {
            // The first place takes precedence.
            let version = self
                .question
                .installed
                .iter()
                .find(|one| one.name == name)
                .and_then(|one| super::requirement::version_or_none(one.version()));
            found.extend(version.map(|version| Candidate { version, source: Source::Installed }));
        }
        let insisted =
            self.question.roots.iter().find(|(root, ..)| root == name).and_then(|(.., server)| server.as_ref());
        let mut last = None;
        let mut answered = false;
        for (at, api) in self.apis.iter().enumerate() {
            if insisted.is_some_and(|wanted| {
                *wanted != api.server.name && wanted.trim_end_matches('/') != api.server.url.trim_end_matches('/')
            }) {
                continue;
            }
            match api.versions(name) {
                Ok(versions) => {
                    answered = true;
                    for version in versions {
                        if !found.iter().any(|known| known.version == version) {
                            found.push(Candidate { version, source: Source::Server(at) });
                        }
                    }
                }
                Err(error) => {
                    self.galaxy.warn(format!(
                        "Skipping Galaxy server {}. Got an unexpected error when getting available versions of collection {name}: {error}",
                        api.server.url
                    ));
                    last = Some(error);
                }
            }
        }
        match last {
            Some(error) if !answered && found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    fn candidates(&self, id: NameId) -> Option<Candidates> {
        let name = self.pool.resolve_package_name(id);
        let found = match self.all(name) {
            Ok(found) => found,
            Err(error) => {
                self.failed.borrow_mut().get_or_insert(error);
                return None;
            }
        };
        let versions = found.iter().map(|candidate| candidate.version.clone()).collect();
        self.known.borrow_mut().insert(name.clone(), versions);
        let mut candidates: Candidates = Candidates::default();
        for candidate in found {
            let installed = candidate.source == Source::Installed;
            let solvable = self.pool.intern_solvable(id, candidate);
            candidates.candidates.push(solvable);
            if installed && !self.question.upgrade {
                candidates.favored = Some(solvable);
            }
        }
        Some(candidates)
    }

    fn takes(&self, id: SolvableId, set: VersionSetId) -> bool {
        let candidate = self.candidate(id);
        let range = self.pool.resolve_version_set(set);
        let is_free = self.question.prereleases
            || !candidate.version.is_prerelease()
            || !matches!(candidate.source, Source::Server(_))
            || self.has_only_prereleases(self.name(id));
        range.takes(&candidate.version) && (is_free || range.pinned() == Some(&candidate.version))
    }

    /// Whether nothing else was ever released: then Ansible takes a pre-release, too.
    fn has_only_prereleases(&self, name: &str) -> bool {
        self.known.borrow().get(name).is_some_and(|versions| versions.iter().all(Version::is_prerelease))
    }

    fn needs(&self, id: SolvableId) -> Result<Vec<(String, String)>> {
        let candidate = self.candidate(id);
        let name = self.name(id);
        match candidate.source {
            Source::Local(at) => Ok(self.question.local[at].dependencies.clone()),
            Source::Installed => {
                let one = self.question.installed.iter().find(|one| one.name == *name);
                Ok(one.and_then(|one| one.about.as_ref()).map(|about| about.dependencies.clone()).unwrap_or_default())
            }
            Source::Server(at) => {
                let detail = self.apis[at].detail(name, &candidate.version)?;
                let needs = detail.dependencies.clone();
                self.details.borrow_mut().insert(id, detail);
                Ok(needs)
            }
        }
    }

    fn dependencies(&self, id: SolvableId) -> Dependencies {
        let mut known = KnownDependencies::default();
        let needs = match self.needs(id) {
            Ok(needs) => needs,
            Err(error) => {
                let reason = self.pool.intern_string(error.0.clone());
                self.failed.borrow_mut().get_or_insert(error);
                return Dependencies::Unknown(reason);
            }
        };
        if !self.question.with_dependencies {
            return Dependencies::Known(known);
        }
        let own = format!("{}:{}", self.name(id), self.candidate(id).version);
        for (name, range) in needs {
            match (crate::collections::is_collection_name(&name), Range::parse(&range)) {
                (true, Ok(range)) => {
                    let package = self.pool.intern_package_name(name.clone());
                    known.requirements.push(self.pool.intern_version_set(package, range.clone()).into());
                    self.edges.borrow_mut().push((name, range, Some(own.clone())));
                }
                (true, Err(error)) => {
                    return Dependencies::Unknown(self.pool.intern_string(format!("{own} needs {name}: {error}")));
                }
                (false, _) => {
                    let reason = format!("{own} needs `{name}`, which is not a collection name; install it first");
                    return Dependencies::Unknown(self.pool.intern_string(reason));
                }
            }
        }
        Dependencies::Known(known)
    }

    pub(super) fn after_dependencies(
        &self,
        name: &str,
        found: &BTreeMap<String, SolvableId>,
        seen: &mut HashSet<String>,
        ordered: &mut Vec<Chosen>,
    ) {
        let Some(id) = found.get(name).copied().filter(|_| seen.insert(name.to_owned())) else { return };
        let version = self.candidate(id).version.clone();
        let own = Some(format!("{name}:{version}"));
        let needs: Vec<String> =
            self.edges.borrow().iter().filter(|(.., from)| *from == own).map(|(name, ..)| name.clone()).collect();
        for need in needs {
            self.after_dependencies(&need, found, seen, ordered);
        }
        let from = match &self.candidate(id).source {
            Source::Installed => From::Installed,
            Source::Local(at) => From::Local(*at),
            Source::Server(at) => match self.details.borrow().get(&id) {
                Some(detail) => From::Server(*at, Box::new(detail.clone())),
                None => return,
            },
        };
        ordered.push(Chosen { name: name.to_owned(), version, from });
    }
}

impl Interner for Provider<'_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl fmt::Display + '_ {
        format!("{}:{}", self.name(solvable), self.candidate(solvable))
    }

    fn display_name(&self, name: NameId) -> impl fmt::Display + '_ {
        self.pool.resolve_package_name(name)
    }

    fn display_version_set(&self, set: VersionSetId) -> impl fmt::Display + '_ {
        self.pool.resolve_version_set(set)
    }

    fn display_string(&self, id: StringId) -> impl fmt::Display + '_ {
        self.pool.resolve_string(id)
    }

    fn version_set_name(&self, set: VersionSetId) -> NameId {
        self.pool.resolve_version_set_package_name(set)
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        self.pool.resolve_solvable(solvable).name
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.pool.resolve_version_set_union(union)
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        self.pool.resolve_condition(condition).clone()
    }
}

/// All results are immediate, since requests block.
impl DependencyProvider for Provider<'_> {
    fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        set: VersionSetId,
        inverse: bool,
    ) -> impl Future<Output = Vec<SolvableId>> {
        ready(candidates.iter().copied().filter(|id| self.takes(*id, set) != inverse).collect())
    }

    fn get_candidates(&self, name: NameId) -> impl Future<Output = Option<Candidates>> {
        ready(self.candidates(name))
    }

    fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) -> impl Future<Output = ()> {
        solvables.sort_by(|left, right| self.candidate(*right).version.cmp(&self.candidate(*left).version));
        ready(())
    }

    fn get_dependencies(&self, solvable: SolvableId) -> impl Future<Output = Dependencies> {
        ready(self.dependencies(solvable))
    }
}
