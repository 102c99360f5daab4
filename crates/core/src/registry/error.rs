//! Why the registry could not do it.

/// Why the registry could not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The key, the secret, the token or the name is registered already.
    #[error(
        "{0} is registered already; give another, or see `msp-admin client list`, `msp-admin apikey list` and \
         `msp-admin user list`"
    )]
    AlreadyRegistered(&'static str),
    /// The file is no registry, or damaged.
    #[error("{0} is not a readable registry: {1}")]
    Corrupt(String, String),
    /// Another server holds the registry.
    #[error("{0} is in use by another msp-server (one server per SQLite registry)")]
    InUse(String),
    /// A newer version of the program wrote it.
    #[error(
        "{place} has schema version {found}, this program knows up to {known}: upgrade it, or restore a backup"
    )]
    Newer {
        /// Where it is.
        place: String,
        /// The version it has.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// Nothing of this name or key.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The key or secret was revoked, expired or purged; only `--revive` brings it back.
    #[error("{0} was revoked or purged before; --revive brings it back")]
    Tombstone(&'static str),
    /// The place cannot be reached or written; the address holds no password.
    #[error("{0}: {1}")]
    Unavailable(String, String),
}
