//! Clients: what is registered of them, and how the operator changes that.

use std::time::Duration;

use msp_protocol::{ClientName, Digest, PublicKey, UnixSecond};

use super::error::RegistryError;
use crate::BoxFuture;
use crate::grant::Grants;

/// A registered client as the server needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRecord {
    /// Its public key.
    pub key: PublicKey,
    /// Whether it is bound to a secret of its own.
    pub link: Link,
    /// What it may call.
    pub grants: Grants,
    /// The second from which it is refused.
    pub expires: Option<UnixSecond>,
    /// True when the operator has disabled it.
    pub disabled: bool,
    /// True when the classic search tries its key.
    pub classic: bool,
}

/// Whether a client's key and secret belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Its own secret only.
    Linked(Linked),
    /// Any unlinked secret; which one is deliberately not known.
    Unlinked,
}

/// What only a linked client has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// Its unique name.
    pub name: ClientName,
    /// The digest of its secret.
    pub secret: Digest,
    /// After a rotation: the old secret's digest, and the second from which it is refused.
    pub previous: Option<(Digest, UnixSecond)>,
    /// When it was added.
    pub added: UnixSecond,
    /// The day of its last accepted request, as the Unix second at its start (UTC).
    pub last_used: Option<UnixSecond>,
}

/// A secret that goes with any unlinked key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretRecord {
    /// Its digest.
    pub digest: Digest,
}

/// What `client add` and `appendclient` bring.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Its public key.
    pub key: PublicKey,
    /// The digest of its new secret.
    pub secret: Digest,
    /// A name makes it a linked client.
    pub name: Option<ClientName>,
    /// What it may call.
    pub grants: Grants,
    /// The second from which it is refused.
    pub expires: Option<UnixSecond>,
    /// True when the classic search tries its key; always true for unlinked clients.
    pub classic: bool,
    /// True when a tombstone of this key or secret is to be lifted.
    pub revive: bool,
}

/// Which client, or which half of an unlinked one, is to be revoked.
#[derive(Debug, Clone)]
pub enum Selector {
    /// The client with this key.
    Key(PublicKey),
    /// The linked client of this name.
    Name(ClientName),
    /// The client, or the unlinked secret, with this digest.
    Secret(Digest),
}

/// What a revocation named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// A linked client: its key and its secret are gone.
    Linked(ClientName),
    /// An unlinked key; its secret, which nobody can find from the key, still opens other unlinked keys.
    UnlinkedKey,
    /// An unlinked secret; the key it was given to still works with other unlinked secrets.
    UnlinkedSecret,
}

/// How many a purge removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Clients, linked and unlinked.
    pub clients: u64,
    /// Secrets of unlinked clients.
    pub secrets: u64,
}

/// The registered clients, as the operator sees and changes them.
///
/// Each change is one transaction, durable when it returns; servers take it up, and the audit has a line of it with
/// `actor` (`admin:<user>`). What a change refuses leaves everything as it was. Besides the errors named, each gives
/// [`RegistryError::Unavailable`] or [`RegistryError::Corrupt`] when the registry cannot be read or written.
pub trait ClientStore: Send + Sync {
    /// All clients that are not revoked: linked ones by name, then unlinked ones by key.
    fn clients(&self) -> BoxFuture<'_, Result<Vec<ClientRecord>, RegistryError>>;
    /// Registers a client: linked when it has a name, else its key and its secret apart from each other.
    ///
    /// # Errors
    /// [`RegistryError::AlreadyRegistered`] for a key, secret or name that is in use; [`RegistryError::Tombstone`] for
    /// a key or secret that was removed, unless the client is to be revived.
    fn add_client<'a>(
        &'a self,
        new: &'a NewClient,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;
    /// Gives a linked client a new secret, of which only the digest is known here; the old one works until the new one
    /// is used, or the overlap ends. Gives the client as it was before.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or [`RegistryError::AlreadyRegistered`] for a secret that is in use.
    fn rotate<'a>(
        &'a self,
        name: &'a ClientName,
        secret: &'a Digest,
        overlap: Duration,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<ClientRecord, RegistryError>>;
    /// Sets the second from which a linked client is refused, or lifts it.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    fn set_expiry<'a>(
        &'a self,
        name: &'a ClientName,
        expires: Option<UnixSecond>,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;
    /// Refuses a linked client, or lets it in again.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    fn set_disabled<'a>(
        &'a self,
        name: &'a ClientName,
        disabled: bool,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;
    /// Replaces what a linked client may call. Of a pattern granted twice, to read and to write, the latter stays.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    fn set_grants<'a>(
        &'a self,
        name: &'a ClientName,
        grants: &'a Grants,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;
    /// Removes a client, an unlinked key or an unlinked secret for good, and leaves tombstones.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    fn revoke<'a>(
        &'a self,
        selector: &'a Selector,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<Revoked, RegistryError>>;
    /// Removes all clients and their secrets for good, and leaves tombstones; api keys stay.
    fn purge<'a>(&'a self, actor: &'a str) -> BoxFuture<'a, Result<Purged, RegistryError>>;
}
