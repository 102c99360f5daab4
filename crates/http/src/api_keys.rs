//! The api keys of the registry that there are now.

use std::sync::Arc;

use arc_swap::ArcSwap;
use msp_core::{ApiKeyRecord, Principal, Refusal, Shards};
use msp_protocol::{Digest, UnixSecond};

/// An immutable picture, replaced as a whole.
#[derive(Debug, Default)]
pub struct ApiKeys(ArcSwap<Shards<Arc<ApiKeyRecord>>>);

/// A key as it came.
#[derive(Debug, Clone, Copy)]
pub struct PresentedKey {
    /// SHA-256 of its text.
    pub digest: Digest,
    /// True when it stood in the query, which ends up in logs and histories.
    pub in_query: bool,
}

/// Why a key of the registry opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnusableKey {
    /// It came after its time.
    #[error("the api key {0} has expired")]
    Expired(String),
    /// It stood where it may not stand.
    #[error("the api key {0} stood in the query, and was added without --allow-query")]
    InQuery(String),
}

impl Refusal for UnusableKey {}

impl ApiKeys {
    /// Takes up what a snapshot holds.
    pub fn take_up(&self, keys: Vec<ApiKeyRecord>) {
        let mut all = Shards::default();
        for key in keys {
            all.insert(key.digest, Arc::new(key));
        }
        self.0.store(Arc::new(all));
    }

    /// Takes up what has changed; for one who does so at a time.
    pub fn change(&self, principals: &[(Digest, Option<Principal>)]) {
        let mut all = Shards::clone(&self.0.load());
        for (digest, principal) in principals {
            match principal {
                Some(Principal::ApiKey(key)) => drop(all.insert(*digest, Arc::new(key.clone()))),
                Some(Principal::Client(_)) | None => drop(all.remove(digest)),
            }
        }
        self.0.store(Arc::new(all));
    }

    /// True when there is one with this digest, usable or not.
    #[must_use]
    pub fn knows(&self, digest: &Digest) -> bool {
        self.0.load().get(digest).is_some()
    }

    /// The key that came, or why it may not be used like this; none where the registry has no such key.
    #[must_use]
    pub fn find(&self, key: PresentedKey, now: UnixSecond) -> Option<Result<Arc<ApiKeyRecord>, UnusableKey>> {
        let record = self.0.load().get(&key.digest)?.clone();
        Some(if record.expires.is_some_and(|expires| now >= expires) {
            Err(UnusableKey::Expired(record.name.to_string()))
        } else if key.in_query && !record.allow_query {
            Err(UnusableKey::InQuery(record.name.to_string()))
        } else {
            Ok(record)
        })
    }
}
