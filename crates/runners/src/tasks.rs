//! The tasks that do the work, so that all of it can be ended at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use msp_core::RunError;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tracing::Instrument as _;

/// Tasks on the runtime the runners were started on, whoever asks for them.
///
/// A run goes on in such a task even when its caller has gone.
#[derive(Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    /// None once stopped: nothing starts any more.
    running: Mutex<Option<JoinSet<()>>>,
}

impl Tasks {
    /// No task yet; they will run on the current runtime.
    pub(crate) fn on_this_runtime() -> Self {
        Self { runtime: Handle::current(), running: Mutex::new(Some(JoinSet::new())) }
    }

    /// Starts a task, unless all has been stopped: then the work is dropped. What it logs belongs to whoever asked for it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(running) = self.lock().as_mut() {
            while running.try_join_next().is_some() {}
            running.spawn_on(work.in_current_span(), &self.runtime);
        }
    }

    /// Ends all tasks; processes end with the task that holds them.
    pub(crate) fn abort(&self) {
        if let Some(running) = self.lock().as_mut() {
            running.abort_all();
        }
    }

    /// Ends all tasks, waits until they have gone, and lets none start any more.
    pub(crate) async fn stop(&self) {
        let running = self.lock().take();
        if let Some(mut running) = running {
            running.shutdown().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a call gets whose run was ended with all others.
pub(crate) fn stopped() -> RunError {
    RunError::Failed("it was stopped with the server".into())
}
