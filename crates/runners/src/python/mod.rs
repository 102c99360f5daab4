//! Python modules in long-lived worker processes.
//!
//! A *generation* is a set of module sources that loaded together. Each worker of it loads all of them,
//! answers calls over a socket, and is replaced by another with the same sources when it dies: a file that
//! was broken meanwhile cannot reach it. Changed files make a new generation, which takes over once it has
//! loaded.
//!
//! Functions with the same [`Demands`] share a pool of workers; each other set has a pool of its own.

mod attending;
mod frame;
pub mod fuzzing;
mod generation;
mod interpreter;
mod loading;
mod outbox;
mod plugin;
mod pool;
mod serving;
mod worker;
mod worker_pools;

use std::sync::Arc;
use std::time::Duration;

use msp_core::{BoxFuture, ConfinementSpec, FunctionLimits, Job, ModuleSpec, Output, RunError, Runner};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

pub(crate) use generation::{Generation, Listed};
pub(crate) use interpreter::{Interpreter, Python};
pub(crate) use plugin::{Changed, Hosting, Plugins, Stopping};
pub(crate) use pool::Pool;
pub(crate) use worker_pools::WorkerPools;

use crate::isolation::{Confinement, Isolation};
use crate::tasks::stopped;

/// What the workers of a pool may take and reach; functions that agree in it share them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Demands {
    /// Memory of one worker, in bytes.
    memory: u64,
    confinement: ConfinementSpec,
    /// How long each module may take to load: a slow one keeps no others waiting than those that say the same.
    load_timeout: Duration,
}

impl Demands {
    /// Those of one function.
    pub(crate) fn of(spec: &ModuleSpec) -> Self {
        let FunctionLimits { memory, load_timeout, .. } = spec.limits;
        Self { memory: memory.unwrap_or(MEMORY), confinement: spec.confinement.clone(), load_timeout }
    }
}

#[cfg(test)]
impl Default for Demands {
    fn default() -> Self {
        let load_timeout = FunctionLimits::default().load_timeout;
        Self { memory: MEMORY, confinement: ConfinementSpec::default(), load_timeout }
    }
}

/// Memory of one worker, in bytes, when its functions set none.
const MEMORY: u64 = 1024 * 1024 * 1024;

/// What all workers of a pool have in common.
#[derive(Debug, Clone)]
pub(crate) struct PythonConfig {
    /// The interpreter.
    pub(crate) python: Arc<Python>,
    /// How many workers run at once.
    pub(crate) workers: usize,
    /// What keeps them to themselves.
    pub(crate) isolation: Arc<Isolation>,
    /// What they may take and reach.
    pub(crate) demands: Demands,
}

impl PythonConfig {
    /// The interpreter, and what holds for a worker.
    async fn confined(&self) -> Result<(Arc<Interpreter>, Confinement), String> {
        let interpreter = self.python.interpreter().await?;
        let Demands { memory, confinement, .. } = &self.demands;
        let confinement = self.isolation.confinement(*memory, confinement, &interpreter.roots);
        Ok((interpreter, confinement.map_err(|exposed| exposed.to_string())?.adopting()))
    }
}

/// One module's `entry_call`.
#[derive(Debug)]
pub(crate) struct PythonRunner {
    module: Arc<str>,
    pool: Pool,
}

impl PythonRunner {
    /// Runs this module in the pool's workers.
    pub(crate) const fn new(module: Arc<str>, pool: Pool) -> Self {
        Self { module, pool }
    }
}

impl Runner for PythonRunner {
    fn run(&self, mut job: Job) -> BoxFuture<'_, Result<Output, RunError>> {
        Box::pin(async move {
            let limits = job.limits;
            // Here and not where the worker is served: it may take long, and others are behind it.
            let args = std::mem::take(&mut job.input).into_args();
            let parts = (&*self.module, limits.max_output, limits.timeout.as_secs_f64(), args);
            // A value of ours cannot fail to become JSON; if it did, the worker would end and the call with it.
            let question = serde_json::to_vec(&parts).unwrap_or_default();
            let result = self.pool.submit(&self.module, job, Arc::new(question))?;
            result.await.unwrap_or_else(|_| Err(stopped())).map(Output::Value)
        })
    }
}

/// One call on its way through the pool.
#[derive(Debug)]
struct Call {
    module: Arc<str>,
    job: Job,
    /// What its worker is sent.
    question: Arc<Vec<u8>>,
    answer: oneshot::Sender<Result<Value, RunError>>,
    /// Its place among the calls that wait, until a worker has it.
    place: Option<OwnedSemaphorePermit>,
    /// When it has waited too long for a worker.
    patience: Option<Instant>,
    /// How many workers died before it could start.
    lost: u8,
    /// True when its function is known to take long, so that nothing should wait behind it.
    slow: bool,
}

impl Call {
    /// Answers the call. The slot is free before the caller knows, so that it can call again at once.
    fn finish(self, outcome: Result<Value, RunError>) {
        drop(self.job);
        let _caller_gone = self.answer.send(outcome);
    }
}
