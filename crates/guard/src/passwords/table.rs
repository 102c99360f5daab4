//! Counts by key, of which the smallest go first when there are too many.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

use msp_protocol::Digest;

/// The counts of a bounded table.
const MAX: usize = 65_536;
/// Accounts whose failures are counted apart in the count of one address; a success takes them off it.
const MAX_ACCOUNTS: usize = 16;
/// How often counts that are over are looked for among all, when there is no room.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Counts by key.
#[derive(Debug)]
pub(crate) struct Table<K> {
    counts: HashMap<K, Count>,
    /// By failures, the fewest and oldest in front; kept for a bounded table.
    order: BTreeMap<(u32, u64), K>,
    serial: u64,
    max: Option<usize>,
    swept: Duration,
}

/// The failures of one account or one address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count {
    by_account: Vec<(Digest, u32)>,
    others: u32,
    last: Duration,
    /// Refused until then.
    pub(crate) until: Duration,
    rank: (u32, u64),
}

impl Count {
    /// All failures.
    pub(crate) fn failures(&self) -> u32 {
        let apart = self.by_account.iter().map(|(_, failures)| failures);
        apart.fold(self.others, |all, failures| all.saturating_add(*failures))
    }

    /// Whether it counts no more: nothing failed for so long, and nothing is refused.
    pub(crate) fn is_over(&self, now: Duration, reset: Duration) -> bool {
        now.saturating_sub(self.last) >= reset && self.until <= now
    }

    fn add(&mut self, account: Option<Digest>) {
        let Some(account) = account else {
            self.others = self.others.saturating_add(1);
            return;
        };
        let has_room = self.by_account.len() < MAX_ACCOUNTS;
        match self.by_account.iter_mut().find(|(known, _)| *known == account) {
            Some((_, failures)) => *failures = failures.saturating_add(1),
            None if has_room => self.by_account.push((account, 1)),
            None => self.others = self.others.saturating_add(1),
        }
    }
}

impl<K: Copy + Eq + Hash> Table<K> {
    /// For keys of which there are no more than the operator has made.
    pub(crate) fn unbounded() -> Self {
        Self { counts: HashMap::new(), order: BTreeMap::new(), serial: 0, max: None, swept: Duration::ZERO }
    }

    /// For keys that strangers make up.
    pub(crate) fn bounded() -> Self {
        Self { max: Some(MAX), ..Self::unbounded() }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&Count> {
        self.counts.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &Count)> {
        self.counts.iter()
    }

    /// Counts a failure, and has `then` say what follows from all of them. A key for which nothing makes room is not
    /// counted: what refuses somebody now does not go for it.
    pub(crate) fn count(
        &mut self,
        key: K,
        account: Option<Digest>,
        now: Duration,
        reset: Duration,
        then: impl FnOnce(&mut Count, u32),
    ) {
        if !self.counts.contains_key(&key) && !self.make_room(now, reset) {
            return;
        }
        let mut count = self.remove(&key).filter(|count| !count.is_over(now, reset)).unwrap_or_default();
        count.add(account);
        count.last = now;
        let failures = count.failures();
        then(&mut count, failures);
        self.put(key, count);
    }

    /// Takes an account's failures off; what is refused stays so.
    pub(crate) fn forgive(&mut self, key: &K, account: &Digest, now: Duration) {
        let Some(mut count) = self.remove(key) else { return };
        count.by_account.retain(|(known, _)| known != account);
        if count.failures() > 0 || count.until > now {
            self.put(*key, count);
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<Count> {
        let count = self.counts.remove(key)?;
        self.order.remove(&count.rank);
        Some(count)
    }

    /// Puts in what was counted elsewhere.
    pub(crate) fn put(&mut self, key: K, mut count: Count) {
        self.serial += 1;
        count.rank = (count.failures(), self.serial);
        if self.max.is_some() {
            self.order.insert(count.rank, key);
        }
        self.counts.insert(key, count);
    }

    fn make_room(&mut self, now: Duration, reset: Duration) -> bool {
        let is_due = now.saturating_sub(self.swept) >= SWEEP_EVERY;
        let is_full = |table: &Self| table.max.is_some_and(|max| table.counts.len() >= max);
        if is_due && (self.max.is_none() || is_full(self)) {
            self.swept = now;
            let order = &mut self.order;
            self.counts.retain(|_, count| {
                let stays = !count.is_over(now, reset);
                if !stays {
                    order.remove(&count.rank);
                }
                stays
            });
        }
        if !is_full(self) {
            return true;
        }
        let fewest = self.order.first_key_value().map(|(_, key)| *key);
        let Some(key) = fewest.filter(|key| self.get(key).is_some_and(|count| count.until <= now)) else {
            return false;
        };
        self.remove(&key).is_some()
    }
}
