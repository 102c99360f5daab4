//! What runs functions: Python modules in long-lived workers, executables, WebAssembly modules, and what is
//! compiled in.
//!
//! [`Runners`] looks every listed module up in the search path, makes the [`Catalogue`](msp_core::Catalogue)
//! and keeps it up to date while files and modules.ini change. All processes start in one place, in a group
//! of their own, confined, and with an environment that tells them nothing about the server.

mod bounded_file;
mod builtin;
mod children;
mod discovery;
mod executable;
mod isolation;
mod manifest;
mod native;
mod output;
mod python;
mod reply;
mod report;
mod runners;
mod spawn;
mod tallies;
mod tasks;
mod wasm;

/// A job that nobody waits for.
#[cfg(test)]
pub(crate) fn test_job(limits: msp_core::FunctionLimits) -> msp_core::Job {
    use msp_core::{Access, Caller, Door, Grants, Identity, Input, Job, RequestId};

    let slots = std::sync::Arc::new(tokio::sync::Semaphore::new(1));
    let caller = Caller {
        identity: Identity::Anybody,
        grants: Grants::nothing(),
        ceiling: Access::Write,
        door: Door::named("a door"),
        address: [127, 0, 0, 1].into(),
        request: RequestId(1),
    };
    Job { caller: caller.into(), input: Input::default(), limits, slot: slots.try_acquire_owned().unwrap() }
}

pub use isolation::{
    Exposed, IsolationConfig, IsolationError, IsolationReport, own_control_group, run_confined,
};
#[doc(hidden)]
pub use python::fuzzing;
pub use runners::{Reload, ReloadError, Reloaded, Runners, RunnersConfig};
