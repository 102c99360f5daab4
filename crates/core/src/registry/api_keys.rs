//! Api keys of REST callers: what is registered of them, and how the operator changes that.

use msp_protocol::{ClientName, Digest, UnixSecond};

use super::error::RegistryError;
use crate::BoxFuture;
use crate::grant::Grants;

/// An api key of a REST caller as the server needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// Its unique name; a linked client may have the same.
    pub name: ClientName,
    /// The digest of its text.
    pub digest: Digest,
    /// What its callers may call.
    pub grants: Grants,
    /// The second from which it is refused.
    pub expires: Option<UnixSecond>,
    /// True when it is accepted from a URL's query too.
    pub allow_query: bool,
    /// When it was added.
    pub added: UnixSecond,
    /// The day of its last accepted request, as the Unix second at its start (UTC).
    pub last_used: Option<UnixSecond>,
}

/// What `apikey add` brings.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Its unique name.
    pub name: ClientName,
    /// The digest of its text.
    pub digest: Digest,
    /// What its callers may call.
    pub grants: Grants,
    /// The second from which it is refused.
    pub expires: Option<UnixSecond>,
    /// True when it is to be accepted from a URL's query too.
    pub allow_query: bool,
}

/// The registered api keys, as the operator sees and changes them; changes, `actor` and errors are as those of
/// [`ClientStore`](super::ClientStore).
pub trait ApiKeyStore: Send + Sync {
    /// All api keys that are not revoked, by name, expired ones too.
    fn api_keys(&self) -> BoxFuture<'_, Result<Vec<ApiKeyRecord>, RegistryError>>;
    /// Registers an api key.
    ///
    /// # Errors
    /// [`RegistryError::AlreadyRegistered`] for a key or a name that is in use; [`RegistryError::Tombstone`] for a key
    /// that was revoked.
    fn add_api_key<'a>(
        &'a self,
        new: &'a NewApiKey,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;
    /// Revokes the api key of this name for good and leaves a tombstone; the name is free again.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    fn revoke_api_key<'a>(
        &'a self,
        name: &'a ClientName,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;
}
