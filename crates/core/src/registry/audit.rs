//! The audit: what was done to the server.

use msp_protocol::UnixSecond;
use serde::Serialize;

use super::error::RegistryError;
use crate::BoxFuture;

/// One thing that was done to the server, for the audit table. Never holds a secret, nor a key beside a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Who did it: `admin:<user>`, `server`, or a caller's fingerprint.
    pub actor: String,
    /// What was done: `client.add`, `floor.reset`, …
    pub action: &'static str,
    /// What it was done to; may be empty.
    pub subject: String,
    /// More, for people; may be empty.
    pub detail: String,
}

/// A row of the audit table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// When it was done.
    pub at: UnixSecond,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// More, for people.
    pub detail: String,
}

/// What was done to the server.
pub trait Audit: Send + Sync {
    /// Adds a line to the audit.
    fn record(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), RegistryError>>;
    /// The newest lines of the audit, at most `last`, the newest first.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`] or [`RegistryError::Corrupt`] when the registry cannot be read.
    fn audit_rows(&self, last: usize) -> BoxFuture<'_, Result<Vec<AuditRow>, RegistryError>>;
}
