//! Sources that loaded together.

use std::collections::BTreeMap;
#[cfg(test)]
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::config::PythonConfig;
use super::loading::{Candidate, Helper, Listed, LoadReport, LoadedModule};
use super::worker::start;
use crate::python::process::Process;
use crate::python::source::read;

/// One module as it has loaded.
#[derive(Debug)]
pub(crate) struct Module {
    listed: Listed,
    source: Arc<str>,
    /// True when its `entry_call` is an `async def`.
    pub(super) asynchronous: bool,
    /// The first line of its docstring.
    description: String,
    /// The moving average of what its calls take, in microseconds.
    usual_us: AtomicU32,
}

/// Calls that usually take longer are slow: waiting for one costs more than going to another worker.
const SLOW_FROM_US: u32 = 2000;

/// Modules that loaded together, with everything of the search path they imported.
#[derive(Debug, Default)]
pub(crate) struct Generation {
    modules: BTreeMap<String, Module>,
    helpers: Vec<Helper>,
}

impl Generation {
    /// The module of this name.
    pub(super) fn module(&self, name: &str) -> Option<&Module> {
        self.modules.get(name)
    }

    /// Notes how long a call of this module took.
    pub(super) fn record_duration(&self, name: &str, time: Duration) {
        let Some(module) = self.modules.get(name) else { return };
        let (time, usual) = (time.as_micros(), module.usual_us.load(Ordering::Relaxed));
        let time = u32::try_from(time).unwrap_or(u32::MAX);
        // An eighth of each call, so that one hiccup does not count as a habit.
        module.usual_us.store(usual - usual / 8 + time / 8, Ordering::Relaxed);
    }

    /// True when calls of this module usually take long.
    pub(super) fn is_slow(&self, name: &str) -> bool {
        self.modules.get(name).is_some_and(|module| module.usual_us.load(Ordering::Relaxed) > SLOW_FROM_US)
    }

    /// True when this module can be called.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.modules.contains_key(name)
    }

    /// Where the module of this name was found.
    pub(crate) fn listed(&self, name: &str) -> Option<Listed> {
        self.modules.get(name).map(|module| module.listed.clone())
    }

    /// What the module of this name says of itself.
    pub(crate) fn description(&self, name: &str) -> String {
        self.modules.get(name).map(|module| module.description.clone()).unwrap_or_default()
    }

    /// True when there is nothing to run.
    pub(super) fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// Starts another worker with these sources.
    ///
    /// # Errors
    /// The reason, for the log, when there is no worker.
    pub(super) async fn start_worker(&self, config: &PythonConfig) -> Result<Process, String> {
        let candidates = self
            .modules
            .values()
            .map(|module| Candidate::new(&module.listed, vec![module.source.clone()]))
            .collect();
        let (worker, report) = start(config, candidates, &self.helpers).await?;
        for (module, error) in report.first_failures() {
            tracing::warn!(
                "Python module {module} does not load in a new worker, the others run it: {error}"
            );
        }
        Ok(worker)
    }

    /// Loads the listed modules from their files into a first worker. A module that does not load keeps the
    /// source it has in this generation; when even that does not load any more, this generation stays as a
    /// whole.
    pub(crate) async fn next(&self, config: &PythonConfig, listed: Vec<Listed>) -> Next {
        let (mut candidates, mut failures) = (Vec::new(), BTreeMap::new());
        for module in &listed {
            let mut sources = Vec::new();
            match read(&module.path) {
                Ok(source) => sources.push(source),
                Err(error) => {
                    let error = format!("{}: {error}", module.path.display());
                    self.warn(&module.name, &error);
                    failures.insert(module.name.clone(), error);
                }
            }
            let kept = self.module(&module.name).map(|module| module.source.clone());
            sources.extend(kept.filter(|kept| sources.first() != Some(kept)));
            if !sources.is_empty() {
                candidates.push(Candidate::new(module, sources));
            }
        }
        if candidates.is_empty() {
            return Next { generation: Some((Self::default(), None)), failures };
        }
        let generation = match start(config, candidates, &[]).await {
            Ok((worker, report)) => {
                for (module, error) in report.first_failures() {
                    self.warn(module, error);
                    failures.insert(module.to_owned(), error.to_owned());
                }
                self.accept(&listed, report).map(|next| (next, Some(worker)))
            }
            Err(error) => {
                tracing::error!("no Python function can be loaded: {error}");
                failures.extend(listed.iter().map(|module| (module.name.clone(), error.clone())));
                None
            }
        };
        if generation.is_none() {
            for module in listed.iter().filter(|module| !self.has(&module.name)) {
                let others = || "another module that is in use would be lost with it".to_owned();
                failures.entry(module.name.clone()).or_insert_with(others);
            }
        }
        Next { generation, failures }
    }

    /// The next generation, unless it lacks what this one has.
    fn accept(&self, listed: &[Listed], mut report: LoadReport) -> Option<Self> {
        let lost =
            listed.iter().find(|module| self.has(&module.name) && !report.loaded.contains_key(&module.name));
        if let Some(module) = lost {
            tracing::warn!("all Python modules stay as they were, because {} would be lost", module.name);
            return None;
        }
        let mut modules = BTreeMap::new();
        for listed in listed {
            if let Some(LoadedModule { source, asynchronous, description }) =
                report.loaded.remove(&listed.name)
            {
                let (listed, usual_us) = (listed.clone(), AtomicU32::new(0));
                let module = Module { listed, source, asynchronous, description, usual_us };
                modules.insert(module.listed.name.clone(), module);
            }
        }
        Some(Self { modules, helpers: report.helpers })
    }

    fn warn(&self, module: &str, error: &str) {
        let then = if self.has(module) { "what loaded before stays in use" } else { "skipped" };
        tracing::warn!("Python module {module} does not load, {then}: {error}");
    }
}

/// What came of loading listed modules.
pub(crate) struct Next {
    /// What takes over, with its first worker; none when what there is has to stay.
    pub(crate) generation: Option<(Generation, Option<Process>)>,
    /// Why modules do not load from their files, by their names.
    pub(crate) failures: BTreeMap<String, String>,
}

#[cfg(test)]
impl Generation {
    /// Modules by name, and whether they are asynchronous; without sources.
    pub(super) fn of(modules: &[(&str, bool)]) -> Self {
        let module = |(name, asynchronous): &(&str, bool)| {
            let listed = Listed { name: (*name).to_owned(), path: PathBuf::new(), package: false };
            (
                (*name).to_owned(),
                Module {
                    listed,
                    source: "".into(),
                    asynchronous: *asynchronous,
                    description: String::new(),
                    usual_us: AtomicU32::new(0),
                },
            )
        };
        Self { modules: modules.iter().map(module).collect(), helpers: Vec::new() }
    }
}
