//! The functions that need no entry in modules.ini: `msp/ping` and `msp/functions`.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use msp_core::clock::Clock;
use msp_core::{
    Access, BoxFuture, Catalogue, Function, FunctionLimits, Job, Namespace, Origin, Output, RunError, Runner,
    RunnerKind, callable,
};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::native::within_limit;

/// The catalogue that is in force; whoever holds this sees each later one.
pub(crate) type CurrentCatalogue = ArcSwap<Catalogue>;

/// Both built-in functions.
pub(crate) fn functions(
    current: &Arc<CurrentCatalogue>,
    version: &'static str,
    clock: &Arc<dyn Clock>,
) -> Vec<Arc<Function>> {
    let ping = Arc::new(Ping { version, clock: clock.clone() });
    let list = Arc::new(List { current: Arc::downgrade(current) });
    [
        function("msp/ping", "The server's version and time", ping),
        function("msp/functions", "The functions you may call", list),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn function(name: &str, description: &str, runner: Arc<dyn Runner>) -> Option<Arc<Function>> {
    let limits = FunctionLimits::default();
    let name = name.parse().ok()?;
    Some(Arc::new(Function {
        succeeded: msp_core::successes(&name),
        name,
        namespace: Namespace::default(),
        access: Access::Read,
        classic_write: false,
        description: description.to_owned(),
        source: "built in".into(),
        arguments: Vec::new(),
        route: None,
        origin: Origin::BuiltIn,
        kind: RunnerKind::Native,
        limits,
        runner,
        slots: Arc::new(Semaphore::new(limits.max_concurrent)),
        tally: Arc::default(),
    }))
}

/// `msp/ping`: version and time.
#[derive(Debug)]
struct Ping {
    version: &'static str,
    clock: Arc<dyn Clock>,
}

impl Runner for Ping {
    fn run(&self, _job: Job) -> BoxFuture<'_, Result<Output, RunError>> {
        Box::pin(async { Ok(Output::Value(json!({ "version": self.version, "time": self.clock.unix() }))) })
    }
}

/// `msp/functions`: what this caller may call.
#[derive(Debug)]
struct List {
    /// Weak, because the catalogue holds this runner.
    current: Weak<CurrentCatalogue>,
}

impl Runner for List {
    fn run(&self, job: Job) -> BoxFuture<'_, Result<Output, RunError>> {
        Box::pin(async move {
            let Some(current) = self.current.upgrade() else { return Ok(Output::Value(json!([]))) };
            let catalogue = current.load();
            let rows = callable(&job.caller, &catalogue).map(|function| {
                json!({
                    "name": function.name,
                    "access": function.access,
                    "description": function.description,
                })
            });
            within_limit(rows.collect(), job.limits.max_output).map(Output::Value)
        })
    }
}
