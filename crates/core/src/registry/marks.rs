//! What must outlive the server so that no accepted request is accepted again.

use msp_protocol::{Digest, UnixSecond};

use super::error::RegistryError;
use crate::BoxFuture;

/// What makes a request unique: a classic nonce, or a `rid` followed by 8 bytes of its client's key digest.
pub type Item = [u8; 24];

/// The longest RequestTTL, in seconds: no request with a time further ahead was ever accepted.
pub const MAX_REQUEST_TTL_SEC: u64 = 300;

/// What must outlive the server so that an accepted request is never accepted again (docs/PROTOCOL.md, Freshness).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredMarks {
    /// Nothing at or below it was surely not accepted before; 0 in a new registry.
    pub accepted_until: UnixSecond,
    /// Marks of single clients whose clocks run ahead, by the digest of their key.
    pub clients: Vec<(Digest, UnixSecond)>,
    /// Proven requests that were refused because their time was ahead.
    pub ahead: Vec<KeptAhead>,
}

/// One value (`rid` or nonce) of a proven request whose time was ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptAhead {
    /// Digest of the client's key.
    pub client: Digest,
    /// The value.
    pub item: Item,
    /// The request's time.
    pub ts: UnixSecond,
}

/// The part of the registry that the guard keeps its marks in. All writes are durable when they return.
pub trait Marks: Send + Sync {
    /// Reads all marks.
    fn marks(&self) -> BoxFuture<'_, Result<StoredMarks, RegistryError>>;
    /// Sets the mark for all clients, up or (at a graceful stop or a reset) down.
    fn set_accepted_until(&self, mark: UnixSecond) -> BoxFuture<'_, Result<(), RegistryError>>;
    /// Raises one client's own mark; never lowers it.
    fn raise_client_mark(&self, client: Digest, mark: UnixSecond)
    -> BoxFuture<'_, Result<(), RegistryError>>;
    /// Keeps the values of requests whose time was ahead; keeping one again changes nothing.
    fn keep_ahead(&self, kept: Vec<KeptAhead>) -> BoxFuture<'_, Result<(), RegistryError>>;
    /// Forgets what was kept with a time before this one.
    fn forget_ahead(&self, before: UnixSecond) -> BoxFuture<'_, Result<(), RegistryError>>;
    /// Drops the secret that a linked client had before `secret`, and lowers the client's own mark, which stood for
    /// requests under the dropped one. Gives the second that the mark was lowered to; none, and nothing changes, when
    /// `secret` is not the client's newest or none stands before it.
    fn end_previous_secret(
        &self,
        client: Digest,
        secret: Digest,
    ) -> BoxFuture<'_, Result<Option<UnixSecond>, RegistryError>>;
}
