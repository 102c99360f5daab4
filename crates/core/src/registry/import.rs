//! Taking in the clients of the Python original.

use std::collections::BTreeSet;

use msp_protocol::{Digest, PublicKey};

use super::error::RegistryError;
use crate::BoxFuture;

/// Clients as the original's files have them: nothing says which secret is whose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OriginalClients {
    /// Their keys.
    pub keys: Vec<PublicKey>,
    /// The digests of their secrets.
    pub secrets: BTreeSet<Digest>,
}

/// How many an import took in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Keys that were not known.
    pub keys_added: usize,
    /// Secrets that were not known.
    pub secrets_added: usize,
}

/// Takes in clients of the original.
pub trait Import: Send + Sync {
    /// Registers those keys and secrets that are not known yet, as unlinked ones with standard grants, in one
    /// transaction; a removed one counts as known unless `revive` is set. The audit has a line of it if anything is new.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`] or [`RegistryError::Corrupt`] when the registry cannot be read or written.
    fn import(
        &self,
        clients: OriginalClients,
        revive: bool,
    ) -> BoxFuture<'_, Result<Imported, RegistryError>>;
}
