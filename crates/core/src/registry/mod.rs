//! What must survive, in the domain's words: one small trait for each thing that is asked of it.

mod api_keys;
mod audit;
mod backups;
mod clients;
mod credentials;
mod error;
mod import;
mod marks;
mod users;

use std::fmt;
use std::path::Path;

pub use api_keys::{ApiKeyRecord, ApiKeyStore, NewApiKey};
pub use audit::{Audit, AuditEvent, AuditRow};
pub use backups::{Backups, Restored};
pub use clients::{
    ClientRecord, ClientStore, Link, Linked, NewClient, Purged, Revoked, SecretRecord, Selector,
};
pub use credentials::{Changed, Changes, Credentials, Principal, Snapshot, UnlinkedChange, Use, Uses};
pub use error::RegistryError;
pub use import::{Import, Imported, OriginalClients};
pub use marks::{Item, KeptAhead, MAX_REQUEST_TTL_SEC, Marks, StoredMarks};
pub use users::{
    LogIn, LogInNetwork, LogInRow, MAX_LOG_INS, NewUser, NewUserToken, Role, UserChange, UserRecord,
    UserToken, Users, Way,
};

use crate::BoxFuture;

/// The file that a registry's URL names, `sqlite:<file>` or `sqlite://<file>`; none when it names no file.
#[must_use]
pub fn registry_file(url: &str) -> Option<&Path> {
    let file = url.strip_prefix("sqlite:")?;
    Some(file.strip_prefix("//").unwrap_or(file)).filter(|file| !file.is_empty()).map(Path::new)
}

/// A whole registry: all that is asked of one, whatever keeps it. Who needs a part of it takes that part's trait.
pub trait Registry:
    ApiKeyStore + Audit + Backups + ClientStore + Credentials + Import + Marks + Users + Uses + fmt::Debug
{
    /// Claims the registry for one server, or for a change that no server may see half done.
    ///
    /// # Errors
    /// [`RegistryError::InUse`] while another process holds it, [`RegistryError::Unavailable`] when it cannot be claimed.
    fn lock_for_server(&self) -> BoxFuture<'_, Result<ServerLock, RegistryError>>;
    /// Gives back what it holds open; nothing can be asked of it afterwards.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Says that this process serves the registry; given back when dropped, or when the process dies.
pub struct ServerLock {
    _held: Box<dyn Send + Sync>,
}

impl ServerLock {
    /// The lock that lasts as long as this value.
    #[must_use]
    pub fn held_by(lock: impl Send + Sync + 'static) -> Self {
        Self { _held: Box::new(lock) }
    }
}

impl fmt::Debug for ServerLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerLock")
    }
}
