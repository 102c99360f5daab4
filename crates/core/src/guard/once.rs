//! What is used once: challenges, codes, tickets of pending log-ins.

use std::time::Duration;

use msp_protocol::Digest;

use crate::soon::Soon;

/// There is no room for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("as much is waiting to be used once as there may be")]
pub struct TooManyWaiting;

/// What waits at one time to be used once.
pub const MAX_WAITING: usize = 16_384;

/// Values that are taken once, by the digest of what asks for them.
pub trait Once: Send + Sync {
    /// Keeps a value for so long; one of the same digest is replaced.
    fn put<'a>(
        &'a self,
        id: &'a Digest,
        value: Vec<u8>,
        lasts: Duration,
    ) -> Soon<'a, Result<(), TooManyWaiting>>;
    /// Takes the value; whoever asks again, or too late, gets none.
    fn take<'a>(&'a self, id: &'a Digest) -> Soon<'a, Option<Vec<u8>>>;
}
