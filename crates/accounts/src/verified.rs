//! Passwords that were right a moment ago: Basic sends one with each request, and a hash a request would be the end of it.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use lru::LruCache;
use msp_core::UserRecord;
use msp_protocol::{OsRng, RngCore as _};
use sha2::Sha256;

use crate::password::Password;

/// How long a pair counts as verified.
const LASTS: Duration = Duration::from_secs(300);
/// How many pairs are kept; the one unused for longest goes first.
const PAIRS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

type Pair = [u8; 32];

/// Pairs of user and password, as HMAC-SHA-256 under a key of this process.
pub(crate) struct Verified {
    key: Hmac<Sha256>,
    pairs: Mutex<LruCache<Pair, Duration>>,
}

impl Verified {
    /// None yet.
    pub(crate) fn new() -> Self {
        let mut key = [0; 64];
        OsRng.fill_bytes(&mut key);
        // A key as long as the block is taken as it is.
        let key = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&key.into());
        Self { key, pairs: Mutex::new(LruCache::new(PAIRS)) }
    }

    /// Whether this was the user's password less than five minutes ago, and nothing has changed that since.
    pub(crate) fn knows(&self, user: &UserRecord, password: &Password, now: Duration) -> bool {
        let pair = self.pair(user, password);
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.get(&pair).is_some_and(|until| now < *until)
    }

    /// Keeps a pair that is right.
    pub(crate) fn keep(&self, user: &UserRecord, password: &Password, now: Duration) {
        let pair = self.pair(user, password);
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner).put(pair, now + LASTS);
    }

    /// Id and epoch have a fixed length, so no two pairs are written alike.
    fn pair(&self, user: &UserRecord, password: &Password) -> Pair {
        let mut pair = self.key.clone();
        pair.update(user.id.as_bytes());
        pair.update(&user.epoch.to_be_bytes());
        pair.update(password.bytes());
        pair.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use msp_core::Role;
    use msp_protocol::Digest;

    use super::*;

    fn user(id: &[u8], epoch: u64) -> UserRecord {
        UserRecord {
            id: Digest::of(id),
            name: "kim".parse().unwrap(),
            password: "".into(),
            role: Role::Normal,
            listed: None,
            epoch,
            expires: None,
            disabled: false,
            added: 0,
            last_used: None,
        }
    }

    fn password(text: &str) -> Password {
        Password::presented(text.as_bytes().to_vec().into())
    }

    #[test]
    fn accounts_05_a_verified_pair_counts_five_minutes_for_the_user_and_the_epoch_it_was_verified_for() {
        let verified = Verified::new();
        let second = Duration::from_secs(1);
        verified.keep(&user(b"a", 1), &password("right"), second);
        assert!(verified.knows(&user(b"a", 1), &password("right"), LASTS));
        assert!(!verified.knows(&user(b"a", 1), &password("right"), second + LASTS));
        for (user, text) in [(user(b"a", 2), "right"), (user(b"b", 1), "right"), (user(b"a", 1), "righ")] {
            assert!(!verified.knows(&user, &password(text), second));
        }
        assert!(!Verified::new().knows(&user(b"a", 1), &password("right"), second), "another process");
    }

    #[test]
    fn accounts_05_so_many_pairs_are_kept_and_the_one_unused_for_longest_goes_first() {
        let verified = Verified::new();
        let now = Duration::ZERO;
        for n in 0..=PAIRS.get() {
            verified.keep(&user(b"a", n as u64), &password("right"), now);
            assert!(verified.knows(&user(b"a", 0), &password("right"), now) || n == 0);
        }
        assert_eq!(verified.pairs.lock().unwrap().len(), PAIRS.get());
        assert!(!verified.knows(&user(b"a", 1), &password("right"), now));
    }
}
