//! What the workers of a pool have in common.

use std::sync::Arc;
use std::time::Duration;

use msp_core::{ConfinementSpec, FunctionLimits, ModuleSpec};

use crate::isolation::{Confinement, Isolation};
use crate::python::interpreter::{Interpreter, Python};

/// Memory of one worker, in bytes, when its functions set none.
const MEMORY: u64 = 1024 * 1024 * 1024;

/// What the workers of a pool may take and reach; functions that agree in it share them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Demands {
    /// Memory of one worker, in bytes.
    memory: u64,
    confinement: ConfinementSpec,
    /// How long each module may take to load: a slow one keeps no others waiting than those that say the same.
    pub(super) load_timeout: Duration,
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

/// What all workers of a pool are started with.
#[derive(Debug, Clone)]
pub(super) struct PythonConfig {
    /// The interpreter.
    pub(super) python: Arc<Python>,
    /// How many workers run at once.
    pub(super) workers: usize,
    /// What confines them.
    pub(super) isolation: Arc<Isolation>,
    /// What they may take and reach.
    pub(super) demands: Demands,
}

impl PythonConfig {
    /// The interpreter, and what holds for a worker.
    ///
    /// # Errors
    /// Why there is no worker, for the log.
    pub(super) async fn confined(&self) -> Result<(Arc<Interpreter>, Confinement), String> {
        let interpreter = self.python.interpreter().await?;
        let Demands { memory, confinement, .. } = &self.demands;
        let confinement = self.isolation.confinement(*memory, confinement, &interpreter.roots);
        Ok((interpreter, confinement.map_err(|exposed| exposed.to_string())?.with_subreaper()))
    }
}
