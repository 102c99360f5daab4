//! One call of a module.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::reply::Reply;

/// One call on its way through a pool.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) module: Arc<str>,
    /// The body of the frame that its worker is sent.
    pub(super) frame: Arc<Vec<u8>>,
    pub(super) reply: Reply<Value>,
    /// Counts it among the calls that wait for a worker, until one has it.
    pub(super) queue_permit: Option<OwnedSemaphorePermit>,
    /// When it has waited too long for a worker.
    pub(super) expires: Option<Instant>,
    /// How many workers died before it could start.
    pub(super) lost_workers: u8,
    /// True when its function is known to take long, so that nothing should wait behind it.
    pub(super) slow: bool,
}
