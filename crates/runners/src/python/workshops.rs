//! The pools of workers, one for each set of demands.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use msp_core::ModuleSpec;
use tokio::sync::OnceCell;

use super::{Demands, Generation, Interpreter, Listed, Pool, PythonConfig, PythonRunner};
use crate::isolation::Isolation;
use crate::tasks::Tasks;

/// All workers: functions with the same demands share a pool of them.
#[derive(Debug)]
pub(crate) struct Workshops {
    python: PathBuf,
    folders: Vec<PathBuf>,
    workers: usize,
    isolation: Arc<Isolation>,
    interpreter: Arc<OnceCell<Interpreter>>,
    tasks: Arc<Tasks>,
    /// Never removed, only emptied: there are as many as modules.ini has known sets of demands.
    pools: BTreeMap<Demands, Workshop>,
}

/// One pool, and what it runs.
#[derive(Debug)]
struct Workshop {
    config: Arc<PythonConfig>,
    pool: Pool,
    listed: Vec<Listed>,
    generation: Arc<Generation>,
}

impl Workshops {
    /// None yet; each will have so many workers.
    pub(crate) fn new(
        python: PathBuf,
        folders: Vec<PathBuf>,
        workers: usize,
        interpreter: &Arc<OnceCell<Interpreter>>,
        isolation: &Arc<Isolation>,
        tasks: &Arc<Tasks>,
    ) -> Self {
        let (interpreter, isolation, tasks) = (interpreter.clone(), isolation.clone(), tasks.clone());
        Self { python, folders, workers, isolation, interpreter, tasks, pools: BTreeMap::new() }
    }

    /// Where the function's module was found, when it is in use.
    pub(crate) fn listed(&self, spec: &ModuleSpec) -> Option<Listed> {
        self.pools.get(&Demands::of(spec))?.generation.listed(&spec.module)
    }

    /// What runs the function, when its module has loaded.
    pub(crate) fn runner(&self, spec: &ModuleSpec) -> Option<PythonRunner> {
        let workshop = self.pools.get(&Demands::of(spec))?;
        let loaded = workshop.generation.has(&spec.module);
        loaded.then(|| PythonRunner::new(spec.module.as_str().into(), workshop.pool.clone()))
    }

    /// Lets each pool take up what it is to run; `changed` says that a file has changed.
    pub(crate) async fn load(&mut self, mut wanted: BTreeMap<Demands, Vec<Listed>>, changed: bool) {
        for demands in wanted.keys() {
            if !self.pools.contains_key(demands) {
                self.pools.insert(demands.clone(), self.open(demands.clone()));
            }
        }
        for (demands, workshop) in &mut self.pools {
            workshop.load(wanted.remove(demands).unwrap_or_default(), changed).await;
        }
    }

    fn open(&self, demands: Demands) -> Workshop {
        let config = Arc::new(PythonConfig {
            python: self.python.clone(),
            folders: self.folders.clone(),
            workers: self.workers,
            isolation: self.isolation.clone(),
            demands,
            interpreter: self.interpreter.clone(),
        });
        let pool = Pool::start(config.clone(), &self.tasks);
        Workshop { config, pool, listed: Vec::new(), generation: Arc::default() }
    }
}

impl Workshop {
    async fn load(&mut self, listed: Vec<Listed>, changed: bool) {
        let incomplete = listed.iter().any(|module| !self.generation.has(&module.name));
        let stale = changed && !listed.is_empty();
        if !stale && !incomplete && listed == self.listed {
            return;
        }
        self.listed.clone_from(&listed);
        if let Some((generation, first)) = self.generation.next(&self.config, listed).await {
            self.generation = Arc::new(generation);
            self.pool.switch(self.generation.clone(), first);
        }
    }
}
