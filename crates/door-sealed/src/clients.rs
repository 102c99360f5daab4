//! Who may prove itself: an immutable picture of the registry, replaced as a whole.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use msp_core::{ClientRecord, Identity, Link, Principal, SecretRecord, Shards, UnlinkedChange};
use msp_protocol::envelope::PairKeys;
use msp_protocol::sealing::BoxKey;
use msp_protocol::{Digest, ErrorCode, PrivateKey, UnixSecond};

use crate::reason::Reason;

/// The clients that there are now.
#[derive(Debug, Default)]
pub struct Clients {
    current: ArcSwap<Directory>,
    /// Held while the directory is replaced, so that an older picture never follows a newer one, and where it must not
    /// change meanwhile.
    pub changing: Arc<tokio::sync::Mutex<()>>,
}

impl Clients {
    /// Takes up what has changed; for who holds `changing`.
    pub fn change(&self, principals: &[(Digest, Option<Principal>)], unlinked: Option<UnlinkedChange>) {
        let mut directory = Directory::clone(&self.current.load());
        for (digest, principal) in principals {
            match principal {
                Some(Principal::Client(record)) => directory.put(record.clone()),
                Some(Principal::ApiKey(_)) | None => directory.remove(digest),
            }
        }
        if let Some(unlinked) = unlinked {
            directory.replace_unlinked(unlinked);
        }
        self.current.store(Arc::new(directory));
    }

    /// True when there is a client whose key has this digest.
    #[must_use]
    pub fn knows(&self, digest: &Digest) -> bool {
        self.current.load().by_digest(digest).is_some()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.current.load().clients.len()
    }

    /// Those there are now.
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Directory>> {
        self.current.load()
    }

    /// The same, to be kept.
    pub(crate) fn load_full(&self) -> Arc<Directory> {
        self.current.load_full()
    }

    /// Takes up what a snapshot holds; for who holds `changing`.
    pub fn take_up(&self, clients: Vec<ClientRecord>, secrets: &[SecretRecord]) {
        let directory = Directory::of(clients, secrets, &self.current.load());
        self.current.store(Arc::new(directory));
    }
}

/// A client with the keys derived for it, each computed at its first use and kept while the client exists.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) record: ClientRecord,
    pub(crate) digest: Digest,
    boxed: OnceLock<BoxKey>,
    /// Apart, because a client of the classic shape never needs them.
    pair: OnceLock<Option<Box<PairKeys>>>,
    /// Set at the first use of a rotated secret, before the registry knows of it: the one before is refused.
    previous_refused: AtomicBool,
    /// Set when the registry and the guard know of it.
    previous_ended: AtomicBool,
}

impl Entry {
    /// `digest` is that of its key.
    fn new(digest: Digest, record: ClientRecord) -> Self {
        Self {
            digest,
            record,
            boxed: OnceLock::new(),
            pair: OnceLock::new(),
            previous_refused: AtomicBool::new(false),
            previous_ended: AtomicBool::new(false),
        }
    }

    /// The entry of a record, which keeps what the one before has derived.
    fn following(before: Option<&Arc<Self>>, digest: Digest, record: ClientRecord) -> Arc<Self> {
        match before {
            Some(known) if known.record == record => known.clone(),
            Some(known) => Arc::new(known.changed(record)),
            None => Arc::new(Self::new(digest, record)),
        }
    }

    /// The same client with another record; its keys stay.
    fn changed(&self, record: ClientRecord) -> Self {
        let entry = Self::new(self.digest, record);
        if let Some(key) = self.boxed.get() {
            let _empty_before = entry.boxed.set(key.clone());
        }
        entry
    }

    /// The key of the classic shape.
    pub(crate) fn box_key(&self, server: &PrivateKey) -> &BoxKey {
        self.boxed.get_or_init(|| BoxKey::agree(server, &self.record.key))
    }

    /// The same, if it has been derived.
    pub(crate) fn derived_box_key(&self) -> Option<&BoxKey> {
        self.boxed.get()
    }

    /// The keys of the envelope shape; none for a point that agrees on nothing, which is never registered.
    pub(crate) fn pair(&self, server: &PrivateKey) -> Option<&PairKeys> {
        self.pair.get_or_init(|| PairKeys::of_server(server, &self.record.key).map(Box::new)).as_deref()
    }

    /// What its holder proves to be.
    pub(crate) fn identity(&self) -> Identity {
        let name = match &self.record.link {
            Link::Linked(linked) => Some(linked.name.clone()),
            Link::Unlinked => None,
        };
        Identity::Client { key: self.digest, name }
    }

    /// Why this client may do nothing, whatever it proves, and what it is told of that.
    pub(crate) fn closed(&self, now: UnixSecond) -> Option<(ErrorCode, Reason)> {
        if self.record.disabled {
            return Some((ErrorCode::Disabled, Reason::ClientDisabled));
        }
        let expired = self.record.expires.is_some_and(|expires| now >= expires);
        expired.then_some((ErrorCode::Expired, Reason::ClientExpired))
    }

    /// Judges the secret that came with this client's key.
    pub(crate) fn judge(
        &self,
        secret: &Digest,
        now: UnixSecond,
        directory: &Directory,
    ) -> Result<(), Reason> {
        let Link::Linked(linked) = &self.record.link else {
            return directory.unlinked_secret(secret);
        };
        if linked.secret == *secret {
            return Ok(());
        }
        match &linked.previous {
            Some((previous, until))
                if previous == secret && now < *until && !self.previous_refused.load(Ordering::Acquire) =>
            {
                Ok(())
            }
            _ => Err(directory.foreign_secret(secret)),
        }
    }

    /// Whether this is the new secret of a rotation, and the old one has not ended yet.
    pub(crate) fn ends_previous(&self, secret: &Digest) -> bool {
        match &self.record.link {
            Link::Linked(linked) if linked.previous.is_some() && linked.secret == *secret => {
                !self.previous_ended.load(Ordering::Acquire)
            }
            _ => false,
        }
    }

    /// Refuses the old secret from now on.
    pub(crate) fn refuse_previous(&self) {
        self.previous_refused.store(true, Ordering::Release);
    }

    /// Notes that registry and guard know that the old secret has ended.
    pub(crate) fn set_previous_ended(&self) {
        self.previous_ended.store(true, Ordering::Release);
    }
}

/// All clients and unlinked secrets. A copy shares with the original what stays the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    clients: Shards<Arc<Entry>>,
    /// Those that the classic search tries.
    classic: Arc<Vec<Arc<Entry>>>,
    unlinked_secrets: Arc<HashSet<Digest>>,
    linked_secrets: Shards<()>,
}

impl Directory {
    /// Builds the picture, keeping what `before` has derived already.
    fn of(clients: Vec<ClientRecord>, secrets: &[SecretRecord], before: &Self) -> Self {
        let unlinked_secrets = secrets.iter().map(|secret| secret.digest).collect::<HashSet<_>>();
        let mut directory = Self {
            clients: Shards::with_capacity(clients.len()),
            linked_secrets: Shards::with_capacity(clients.len()),
            unlinked_secrets: unlinked_secrets.into(),
            ..Self::default()
        };
        let mut classic = Vec::new();
        for record in clients {
            let digest = record.key.digest();
            let entry = Entry::following(before.clients.get(&digest), digest, record);
            if entry.record.classic {
                classic.push(entry.clone());
            }
            directory.note(&entry);
        }
        directory.classic = classic.into();
        directory
    }

    /// Puts in one client, new or changed.
    fn put(&mut self, record: ClientRecord) {
        let digest = record.key.digest();
        let known = self.clients.get(&digest).cloned();
        let entry = Entry::following(known.as_ref(), digest, record);
        if let Some(known) = known {
            self.forget(&known);
        }
        if entry.record.classic {
            Arc::make_mut(&mut self.classic).push(entry.clone());
        }
        self.note(&entry);
    }

    /// Takes out the client whose key has this digest.
    fn remove(&mut self, digest: &Digest) {
        if let Some(known) = self.clients.get(digest).cloned() {
            self.forget(&known);
        }
    }

    /// Makes the unlinked clients those that there are now.
    fn replace_unlinked(&mut self, unlinked: UnlinkedChange) {
        let UnlinkedChange { keys, new, secrets } = unlinked;
        let keys: HashSet<_> = keys.into_iter().collect();
        let is_gone =
            |entry: &&Arc<Entry>| entry.record.link == Link::Unlinked && !keys.contains(&entry.digest);
        for entry in self.clients.values().filter(is_gone).cloned().collect::<Vec<_>>() {
            self.clients.remove(&entry.digest);
        }
        for record in new {
            let entry = Arc::new(Entry::new(record.key.digest(), record));
            self.clients.insert(entry.digest, entry);
        }
        let all = self.clients.values().filter(|entry| entry.record.classic);
        self.classic = Arc::new(all.cloned().collect());
        self.unlinked_secrets = Arc::new(secrets.into_iter().collect());
    }

    fn note(&mut self, entry: &Arc<Entry>) {
        if let Link::Linked(linked) = &entry.record.link {
            self.linked_secrets.insert(linked.secret, ());
        }
        self.clients.insert(entry.digest, entry.clone());
    }

    fn forget(&mut self, entry: &Arc<Entry>) {
        if let Link::Linked(linked) = &entry.record.link {
            self.linked_secrets.remove(&linked.secret);
        }
        if entry.record.classic {
            Arc::make_mut(&mut self.classic).retain(|other| !Arc::ptr_eq(other, entry));
        }
        self.clients.remove(&entry.digest);
    }

    /// The client with this key.
    pub(crate) fn by_key(&self, key: &[u8; 32]) -> Option<&Arc<Entry>> {
        self.by_digest(&Digest::of(key))
    }

    /// The client whose key has this digest.
    pub(crate) fn by_digest(&self, digest: &Digest) -> Option<&Arc<Entry>> {
        self.clients.get(digest)
    }

    /// The clients that the classic search tries.
    pub(crate) const fn classic(&self) -> &Arc<Vec<Arc<Entry>>> {
        &self.classic
    }

    fn unlinked_secret(&self, secret: &Digest) -> Result<(), Reason> {
        if self.unlinked_secrets.contains(secret) { Ok(()) } else { Err(self.foreign_secret(secret)) }
    }

    fn foreign_secret(&self, secret: &Digest) -> Reason {
        if self.linked_secrets.get(secret).is_some() || self.unlinked_secrets.contains(secret) {
            Reason::SecretNotOfKey
        } else {
            Reason::SecretUnknown
        }
    }
}

#[cfg(test)]
mod tests;
