//! What servers follow: everybody who may prove to be somebody, and when they were used.

use msp_protocol::{Digest, UnixSecond};

use super::api_keys::ApiKeyRecord;
use super::clients::{ClientRecord, SecretRecord};
use super::error::RegistryError;
use crate::BoxFuture;

/// Everything the server needs to judge requests, read in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Grows with every change.
    pub generation: u64,
    /// All clients that are not revoked.
    pub clients: Vec<ClientRecord>,
    /// All unlinked secrets.
    pub secrets: Vec<SecretRecord>,
    /// All api keys that are not revoked, expired ones too.
    pub api_keys: Vec<ApiKeyRecord>,
}

/// Somebody with a name and an entry of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// An api key.
    ApiKey(ApiKeyRecord),
    /// A linked client.
    Client(ClientRecord),
}

/// What has changed in the registry.
#[derive(Debug, Clone)]
pub enum Changes {
    /// So much that everything is read anew.
    Everything(Snapshot),
    /// Nothing.
    Nothing,
    /// These.
    Some(Changed),
}

/// What has changed since a generation.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// That of the registry now.
    pub generation: u64,
    /// Principals by their digests, as they are now; none for those who are gone, and for users, who are read when they
    /// are asked for.
    pub principals: Vec<(Digest, Option<Principal>)>,
    /// The unlinked clients, if any of them has changed.
    pub unlinked: Option<UnlinkedChange>,
}

/// The unlinked clients as they are now.
#[derive(Debug, Clone, Default)]
pub struct UnlinkedChange {
    /// The digests of all keys.
    pub keys: Vec<Digest>,
    /// What those are that were not known.
    pub new: Vec<ClientRecord>,
    /// The digests of all secrets.
    pub secrets: Vec<Digest>,
}

/// Everybody who may prove to be somebody.
pub trait Credentials: Send + Sync {
    /// Everything needed to judge requests.
    fn snapshot(&self) -> BoxFuture<'_, Result<Snapshot, RegistryError>>;
    /// What has changed since this generation; cheap when nothing has, asked twice a second. Of unlinked keys only those are
    /// read that are not known.
    fn changes<'a>(
        &'a self,
        since: u64,
        is_known: &'a (dyn Fn(&Digest) -> bool + Send + Sync),
    ) -> BoxFuture<'a, Result<Changes, RegistryError>>;
}

/// A client, an api key, a user or a personal token was used; gathered and written behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Use {
    /// Digest of the client's key, of the api key or of the token; or what stands for the user.
    pub client: Digest,
    /// The Unix second at the start of the day (UTC).
    pub day: UnixSecond,
}

/// Who was used on which day.
pub trait Uses: Send + Sync {
    /// Writes down days of use, of whatever was used.
    fn note_uses(&self, uses: Vec<Use>) -> BoxFuture<'_, Result<(), RegistryError>>;
}
