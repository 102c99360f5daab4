//! The pools of workers, one for each set of demands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use msp_core::ModuleSpec;

use super::config::{Demands, PythonConfig};
use super::generation::Generation;
use super::loading::Listed;
use super::pool::Pool;
use super::runner::PythonRunner;
use crate::isolation::Isolation;
use crate::python::interpreter::Python;
use crate::tasks::Tasks;

/// All workers: functions with the same demands share a pool of them.
#[derive(Debug)]
pub(crate) struct WorkerPools {
    python: Arc<Python>,
    workers: usize,
    isolation: Arc<Isolation>,
    tasks: Arc<Tasks>,
    /// Never removed, only emptied: there are as many as modules.ini has known sets of demands.
    pools: Mutex<BTreeMap<Demands, Arc<WorkerPool>>>,
}

/// One pool, and what it runs.
#[derive(Debug)]
pub(crate) struct WorkerPool {
    config: Arc<PythonConfig>,
    pool: Pool,
    wanted: Mutex<WantedModules>,
    /// What was loaded last; held while something loads.
    loaded: tokio::sync::Mutex<Vec<Listed>>,
    current: ArcSwap<Current>,
}

/// What a pool is to run.
#[derive(Debug, Default)]
struct WantedModules {
    listed: Vec<Listed>,
    /// Whether a file has changed since it loaded last.
    changed: bool,
}

/// What a pool runs, and why it does not run more.
#[derive(Debug, Default)]
struct Current {
    generation: Arc<Generation>,
    failures: BTreeMap<String, Arc<str>>,
}

/// One pool that is to take up what is wanted of it.
pub(crate) struct PendingLoad(Arc<WorkerPool>);

impl WorkerPools {
    /// None yet; each will have so many workers.
    pub(crate) fn new(
        python: &Arc<Python>,
        workers: usize,
        isolation: &Arc<Isolation>,
        tasks: &Arc<Tasks>,
    ) -> Self {
        let (python, isolation, tasks) = (python.clone(), isolation.clone(), tasks.clone());
        Self { python, workers, isolation, tasks, pools: Mutex::default() }
    }

    /// What runs the functions with these demands.
    fn current(&self, spec: &ModuleSpec) -> Option<(Arc<WorkerPool>, Arc<Current>)> {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pools.get(&Demands::of(spec))?.clone();
        let current = pool.current.load_full();
        Some((pool, current))
    }

    /// Where the function's module was found, when it is in use.
    pub(crate) fn listed(&self, spec: &ModuleSpec) -> Option<Listed> {
        self.current(spec)?.1.generation.listed(&spec.module)
    }

    /// What runs the function, when its module has loaded, and what the module says of itself.
    pub(crate) fn runner(&self, spec: &ModuleSpec) -> Option<(PythonRunner, String)> {
        let (pool, current) = self.current(spec)?;
        let runner = || PythonRunner::new(spec.module.as_str().into(), pool.pool.clone());
        current.generation.has(&spec.module).then(|| (runner(), current.generation.description(&spec.module)))
    }

    /// Why the function's module does not load from its file.
    pub(crate) fn failure(&self, spec: &ModuleSpec) -> Option<Arc<str>> {
        self.current(spec)?.1.failures.get(&spec.module).cloned()
    }

    /// Tells each pool what it is to run; `changed` says that a file has changed. Each has to carry that out.
    pub(crate) fn set_modules(
        &self,
        mut wanted: BTreeMap<Demands, Vec<Listed>>,
        changed: bool,
    ) -> Vec<PendingLoad> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        for demands in wanted.keys() {
            if !pools.contains_key(demands) {
                pools.insert(demands.clone(), Arc::new(self.create(demands.clone())));
            }
        }
        let pending = |(demands, pool): (&Demands, &Arc<WorkerPool>)| {
            let mut now = pool.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            now.listed = wanted.remove(demands).unwrap_or_default();
            now.changed |= changed;
            PendingLoad(pool.clone())
        };
        pools.iter().map(pending).collect()
    }

    fn create(&self, demands: Demands) -> WorkerPool {
        let config = Arc::new(PythonConfig {
            python: self.python.clone(),
            workers: self.workers,
            isolation: self.isolation.clone(),
            demands,
        });
        let pool = Pool::start(config.clone(), &self.tasks);
        let (wanted, loaded) = (Mutex::default(), tokio::sync::Mutex::default());
        WorkerPool { config, pool, wanted, loaded, current: ArcSwap::default() }
    }
}

impl PendingLoad {
    /// Does it: loads what is wanted now, which may be newer than when it was ordered.
    pub(crate) async fn run(self) {
        let Self(pool) = self;
        let mut before = pool.loaded.lock().await;
        let (listed, changed) = {
            let mut wanted = pool.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            (wanted.listed.clone(), std::mem::take(&mut wanted.changed))
        };
        let generation = pool.current.load().generation.clone();
        let incomplete = listed.iter().any(|module| !generation.has(&module.name));
        let stale = changed && !listed.is_empty();
        if !stale && !incomplete && listed == *before {
            return;
        }
        before.clone_from(&listed);
        let next = generation.next(&pool.config, listed).await;
        let failures = next.failures.into_iter().map(|(module, why)| (module, why.into())).collect();
        let generation = match next.generation {
            Some((generation, first)) => {
                let generation = Arc::new(generation);
                pool.pool.switch(generation.clone(), first);
                generation
            }
            None => generation,
        };
        pool.current.store(Arc::new(Current { generation, failures }));
    }
}
