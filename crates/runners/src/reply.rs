//! Who waits for the outcome of a run, and the slot that the run holds until then.

use msp_core::{Job, RunError};
use tokio::sync::oneshot;

use crate::tasks::stopped;

/// One run's job, and where its outcome goes.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    pub(crate) job: Job,
    pub(crate) sender: oneshot::Sender<Result<T, RunError>>,
}

/// Where the outcome of a run arrives.
pub(crate) type Outcome<T> = oneshot::Receiver<Result<T, RunError>>;

impl<T> Reply<T> {
    pub(crate) fn new(job: Job) -> (Self, Outcome<T>) {
        let (sender, outcome) = oneshot::channel();
        (Self { job, sender }, outcome)
    }

    /// True when the caller has gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }

    /// Answers the call. The slot is free before the caller knows, so that it can call again at once.
    pub(crate) fn finish(self, outcome: Result<T, RunError>) {
        drop(self.job);
        let _caller_gone = self.sender.send(outcome);
    }
}

/// Waits for the outcome of a run.
///
/// # Errors
/// That of the run, or that it was ended with all others.
pub(crate) async fn received<T>(outcome: Outcome<T>) -> Result<T, RunError> {
    outcome.await.unwrap_or_else(|_| Err(stopped()))
}
