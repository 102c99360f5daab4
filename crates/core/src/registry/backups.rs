//! Copies of the whole registry, and going back to one.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use msp_protocol::UnixSecond;
use serde::{Deserialize, Serialize};

use super::error::RegistryError;
use crate::BoxFuture;

/// What a restore brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Clients after it.
    pub clients: u64,
    /// Api keys after it.
    pub api_keys: u64,
    /// Users after it.
    pub users: u64,
    /// Clients, api keys and users of the backup that stay out, because they were revoked or removed since.
    pub revoked: u64,
    /// Clients after it that are disabled or have expired.
    pub shut_out: u64,
    /// No request dated at or before this second is accepted.
    pub floor: UnixSecond,
}

/// Copies of the whole registry, each one file.
pub trait Backups: Send + Sync {
    /// Writes a whole copy into an open, empty file, durably; servers may run.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`] when it cannot be written.
    fn backup<'a>(&'a self, to: &'a mut File) -> BoxFuture<'a, Result<(), RegistryError>>;
    /// Replaces the content by that of the backup in the file `from`, in one transaction; errors and the audit call it
    /// `name`.
    ///
    /// It forgives nothing: what was revoked since the backup stays revoked, a disabled client disabled, the earlier
    /// expiry holds, and a secret that a rotation has ended stays ended. Of a user the password, the role and the epoch
    /// are those under the higher epoch, so that none falls back to earlier ones. Nothing that may have been accepted
    /// since is accepted again: the mark becomes the highest of the backup's, the present one, and now + `request_ttl`.
    ///
    /// The backup may be of an earlier version; its file stays as it is.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] and [`RegistryError::Newer`] for the backup, else [`RegistryError::Unavailable`]; the
    /// registry is unchanged then.
    fn restore<'a>(
        &'a self,
        from: &'a Path,
        name: &'a str,
        request_ttl: Duration,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<Restored, RegistryError>>;
}
