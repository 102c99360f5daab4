//! The api keys of the registry that there are now.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use msp_core::ApiKeyRecord;
use msp_protocol::Digest;

/// An immutable picture, replaced as a whole.
#[derive(Debug, Default)]
pub(crate) struct ApiKeys(ArcSwap<HashMap<Digest, Arc<ApiKeyRecord>>>);

impl ApiKeys {
    /// Takes up what a snapshot holds.
    pub(crate) fn take_up(&self, keys: Vec<ApiKeyRecord>) {
        self.0.store(Arc::new(keys.into_iter().map(|key| (key.digest, Arc::new(key))).collect()));
    }

    /// The key with this digest; it may have expired.
    pub(super) fn find(&self, digest: &Digest) -> Option<Arc<ApiKeyRecord>> {
        self.0.load().get(digest).cloned()
    }
}
