//! One module as a function.

use std::sync::Arc;

use msp_core::{BoxFuture, Job, Output, RunError, Runner};

use super::pool::Pool;
use crate::reply::received;

/// One module's `entry_call`.
#[derive(Debug)]
pub(crate) struct PythonRunner {
    module: Arc<str>,
    pool: Pool,
}

impl PythonRunner {
    /// Runs this module in the pool's workers.
    pub(super) const fn new(module: Arc<str>, pool: Pool) -> Self {
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
            let frame = serde_json::to_vec(&parts).unwrap_or_default();
            let outcome = self.pool.submit(&self.module, job, Arc::new(frame))?;
            received(outcome).await.map(Output::Value)
        })
    }
}
