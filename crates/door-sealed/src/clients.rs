//! Who may prove itself: an immutable picture of the registry, replaced as a whole.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use msp_core::{ClientRecord, Identity, Link, SecretRecord};
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
    fn new(record: ClientRecord) -> Self {
        Self {
            digest: record.key.digest(),
            record,
            boxed: OnceLock::new(),
            pair: OnceLock::new(),
            previous_refused: AtomicBool::new(false),
            previous_ended: AtomicBool::new(false),
        }
    }

    /// The same client with another record; its keys stay.
    fn changed(&self, record: ClientRecord) -> Self {
        let entry = Self::new(record);
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

/// All clients and unlinked secrets.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    clients: HashMap<Digest, Arc<Entry>>,
    classic: Vec<Arc<Entry>>,
    unlinked_secrets: HashSet<Digest>,
    linked_secrets: HashSet<Digest>,
}

impl Directory {
    /// Builds the picture, keeping what `before` has derived already.
    fn of(clients: Vec<ClientRecord>, secrets: &[SecretRecord], before: &Self) -> Self {
        let mut directory = Self {
            unlinked_secrets: secrets.iter().map(|secret| secret.digest).collect(),
            ..Self::default()
        };
        for record in clients {
            if let Link::Linked(linked) = &record.link {
                directory.linked_secrets.insert(linked.secret);
            }
            let entry = match before.clients.get(&record.key.digest()) {
                Some(known) if known.record == record => known.clone(),
                Some(known) => Arc::new(known.changed(record)),
                None => Arc::new(Entry::new(record)),
            };
            if entry.record.classic {
                directory.classic.push(entry.clone());
            }
            directory.clients.insert(entry.digest, entry);
        }
        directory
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
    pub(crate) fn classic(&self) -> &[Arc<Entry>] {
        &self.classic
    }

    fn unlinked_secret(&self, secret: &Digest) -> Result<(), Reason> {
        if self.unlinked_secrets.contains(secret) { Ok(()) } else { Err(self.foreign_secret(secret)) }
    }

    fn foreign_secret(&self, secret: &Digest) -> Reason {
        if self.linked_secrets.contains(secret) || self.unlinked_secrets.contains(secret) {
            Reason::SecretNotOfKey
        } else {
            Reason::SecretUnknown
        }
    }
}
