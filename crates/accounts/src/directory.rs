//! Users and their tokens as the registry has them, remembered: no start reads 100,000 users, and no call reads one twice.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use msp_core::{RegistryError, UserRecord, UserToken, Users};
use msp_protocol::{Digest, UserName};

/// How many of each kind are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// What is remembered until it changes.
pub(crate) struct Directory {
    users: Arc<dyn Users>,
    by_name: Mutex<LruCache<UserName, Arc<UserRecord>>>,
    by_id: Mutex<LruCache<Digest, Arc<UserRecord>>>,
    tokens: Mutex<LruCache<Digest, Arc<UserToken>>>,
    /// How often something was forgotten: what was read before is not remembered after.
    forgotten: AtomicU64,
}

impl Directory {
    /// Remembers nobody yet.
    pub(crate) fn new(users: Arc<dyn Users>) -> Self {
        let (by_name, by_id, tokens) = (empty(), empty(), empty());
        Self { users, by_name, by_id, tokens, forgotten: AtomicU64::new(0) }
    }

    /// The registry.
    pub(crate) fn users(&self) -> &dyn Users {
        &*self.users
    }

    /// The user of this name, if it is remembered.
    pub(crate) fn remembered(&self, name: &UserName) -> Option<Arc<UserRecord>> {
        get(&self.by_name, name)
    }

    /// The user of this name as the registry has it now, remembered from here on.
    pub(crate) async fn read(&self, name: &UserName) -> Result<Option<Arc<UserRecord>>, RegistryError> {
        let before = self.forgotten.load(Ordering::SeqCst);
        let user = self.users.find_user(name).await?.map(Arc::new);
        Ok(self.remember(user, before))
    }

    /// The user of this name.
    pub(crate) async fn user(&self, name: &UserName) -> Result<Option<Arc<UserRecord>>, RegistryError> {
        match self.remembered(name) {
            Some(user) => Ok(Some(user)),
            None => self.read(name).await,
        }
    }

    /// The user that this stands for.
    pub(crate) async fn user_of(&self, id: &Digest) -> Result<Option<Arc<UserRecord>>, RegistryError> {
        if let Some(user) = get(&self.by_id, id) {
            return Ok(Some(user));
        }
        let before = self.forgotten.load(Ordering::SeqCst);
        let user = self.users.user_of(id).await?.map(Arc::new);
        Ok(self.remember(user, before))
    }

    /// The personal token of this digest.
    pub(crate) async fn token(&self, digest: &Digest) -> Result<Option<Arc<UserToken>>, RegistryError> {
        if let Some(token) = get(&self.tokens, digest) {
            return Ok(Some(token));
        }
        let before = self.forgotten.load(Ordering::SeqCst);
        let Some(token) = self.users.find_token(digest).await?.map(Arc::new) else { return Ok(None) };
        self.put(&self.tokens, *digest, token.clone(), before);
        Ok(Some(token))
    }

    fn remember(&self, user: Option<Arc<UserRecord>>, before: u64) -> Option<Arc<UserRecord>> {
        let user = user?;
        self.put(&self.by_name, user.name.clone(), user.clone(), before);
        self.put(&self.by_id, user.id, user.clone(), before);
        Some(user)
    }

    fn put<K: Hash + Eq, V>(&self, cache: &Mutex<LruCache<K, V>>, key: K, value: V, before: u64) {
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at under the lock that forgetting takes after it has counted.
        if self.forgotten.load(Ordering::SeqCst) == before {
            cache.put(key, value);
        }
    }

    /// Forgets who and what has changed: users by what stands for them, and tokens of those users or of these digests.
    pub(crate) fn forget(&self, changed: impl Fn(&Digest) -> bool) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        drop_where(&self.by_name, |_, user| changed(&user.id));
        drop_where(&self.by_id, |id, _| changed(id));
        drop_where(&self.tokens, |digest, token| changed(digest) || changed(&token.user));
    }
}

fn empty<K: Hash + Eq, V>() -> Mutex<LruCache<K, V>> {
    Mutex::new(LruCache::new(REMEMBERED))
}

fn get<K: Hash + Eq, V: Clone>(cache: &Mutex<LruCache<K, V>>, key: &K) -> Option<V> {
    cache.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

fn drop_where<K: Hash + Eq + Clone, V>(cache: &Mutex<LruCache<K, V>>, is_changed: impl Fn(&K, &V) -> bool) {
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    let gone: Vec<K> =
        cache.iter().filter(|(key, value)| is_changed(key, value)).map(|(key, _)| key.clone()).collect();
    for key in gone {
        cache.pop(&key);
    }
}
