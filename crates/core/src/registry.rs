//! What must survive, in the domain's words.

use std::path::Path;

use msp_protocol::{ClientName, Digest, PublicKey, UnixSecond};
use serde::Serialize;

use crate::BoxFuture;
use crate::grant::Grants;

/// What makes a request unique: a classic nonce, or a `rid` followed by 8 bytes of its client's key digest.
pub type Item = [u8; 24];

/// The file that a registry's URL names, `sqlite:<file>` or `sqlite://<file>`; none when it names no file.
#[must_use]
pub fn registry_file(url: &str) -> Option<&Path> {
    let file = url.strip_prefix("sqlite:")?;
    Some(file.strip_prefix("//").unwrap_or(file)).filter(|file| !file.is_empty()).map(Path::new)
}

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
    /// Principals by their digests, as they are now; none for those who are gone.
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

/// A client or an api key was used; gathered and written behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Use {
    /// Digest of the client's key, or of the api key.
    pub client: Digest,
    /// The Unix second at the start of the day (UTC).
    pub day: UnixSecond,
}

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

/// Who was used on which day.
pub trait Uses: Send + Sync {
    /// Writes down days of use, of clients and of api keys.
    fn note_uses(&self, uses: Vec<Use>) -> BoxFuture<'_, Result<(), RegistryError>>;
}

/// What was done to the server.
pub trait Audit: Send + Sync {
    /// Adds a line to the audit.
    fn record(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), RegistryError>>;
}

/// Why the registry could not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The key, the secret or the name is registered already.
    #[error(
        "{0} is registered already; give another, or see `msp-admin client list` and `msp-admin apikey list`"
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
