//! Python modules in long-lived worker processes.
//!
//! A *generation* is a set of module sources that loaded together. Each worker of it loads all of them,
//! answers calls over a socket, and is replaced by another with the same sources when it dies: a file that
//! was broken meanwhile cannot reach it. Changed files make a new generation, which takes over once it has
//! loaded.

mod frame;
mod generation;
mod pool;
mod serving;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;

use msp_core::{BoxFuture, Job, RunError, Runner};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

pub(crate) use generation::{Generation, Listed};
pub(crate) use pool::Pool;

use crate::tasks::stopped;

/// What all workers have in common.
#[derive(Debug)]
pub(crate) struct PythonConfig {
    /// The interpreter.
    pub(crate) python: PathBuf,
    /// The search path, as it is put on `sys.path`.
    pub(crate) folders: Vec<PathBuf>,
    /// How many workers run at once.
    pub(crate) workers: usize,
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
    fn run(&self, job: Job) -> BoxFuture<'_, Result<Value, RunError>> {
        Box::pin(async {
            let result = self.pool.submit(&self.module, job)?;
            result.await.unwrap_or_else(|_| Err(stopped()))
        })
    }
}

/// One call on its way through the pool.
#[derive(Debug)]
struct Call {
    module: Arc<str>,
    job: Job,
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
