//! The signal that the server stops.

use tokio::sync::watch;

/// Tells all supervisors at once that the server stops.
#[derive(Debug, Default)]
pub(crate) struct StopSignal(watch::Sender<bool>);

impl StopSignal {
    /// Has each host end whatever it is doing, and waits until all have.
    pub(crate) async fn stop_all(&self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }

    /// Becomes true once the server stops; the supervisor keeps it until its host has ended.
    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}
