//! A bounded table of counters that halve with time.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

/// Counters by key. When it is full the mildest counter makes room; bans fill at most half of it, and none is
/// dropped before it ends: beyond that, who deserves one is slowed down only.
#[derive(Debug)]
pub(crate) struct Table<K> {
    counters: HashMap<K, Counter>,
    /// Those without a ban by a weight that each had once and never fell below, the mildest first: so that a flood of
    /// failures need not sort them anew with each.
    mildest: BTreeMap<(i64, u64), K>,
    /// Those with a ban, the one that ends first in front.
    bans: BTreeMap<(Duration, u64), K>,
    next_serial: u64,
    max: usize,
}

/// One counter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter {
    /// The moment, in milliseconds, at which the halving count will be down to one. As all counts halve
    /// alike, this one number both is the count at any time and orders counters by it.
    one_at: i64,
    /// What `one_at` was when the counter was sorted among the others.
    sorted_at: i64,
    /// Tells counters of the same weight apart.
    serial: u64,
    /// All failures since it was last at rest.
    pub(crate) failures: u32,
    /// Slowed down until then.
    pub(crate) slowed_until: Duration,
    /// Banned until then.
    pub(crate) banned_until: Duration,
}

impl<K: Copy + Eq + Hash> Table<K> {
    /// A table for at most so many counters.
    pub(crate) fn with_room_for(max: usize) -> Self {
        Self {
            counters: HashMap::new(),
            mildest: BTreeMap::new(),
            bans: BTreeMap::new(),
            next_serial: 0,
            max,
        }
    }

    /// The counter of this key.
    pub(crate) fn get(&self, key: &K) -> Option<&Counter> {
        self.counters.get(key)
    }

    /// Counts a failure.
    pub(crate) fn count(&mut self, key: K, may_ban: bool, now: Duration) {
        self.end_bans(now);
        if !self.counters.contains_key(&key) {
            self.make_room();
            self.next_serial += 1;
            let mut counter = Counter::at_rest(self.next_serial);
            counter.fail(now);
            return self.put(key, counter, now);
        }
        let has_room = self.bans.len() < self.max / 2;
        let Some(counter) = self.counters.get_mut(&key) else { return };
        counter.fail(now);
        if may_ban && has_room && counter.banned_until <= now && counter.count(now) >= BANNED_FROM {
            self.mildest.remove(&(counter.sorted_at, counter.serial));
            counter.banned_until = now + BAN;
            self.bans.insert((counter.banned_until, counter.serial), key);
        }
    }

    /// Halves a counter and the delay that follows from it; a ban stays.
    pub(crate) fn halve(&mut self, key: &K, now: Duration) {
        let Some(mut counter) = self.remove(key) else { return };
        counter.set_weight(counter.weight(now) / 2.0, now);
        counter.slowed_until = counter.slowed_until.min(now + counter.delay(now));
        if counter.banned_until > now || counter.count(now) > 0 {
            self.put(*key, counter, now);
        }
    }

    /// Drops a counter.
    pub(crate) fn remove(&mut self, key: &K) -> Option<Counter> {
        let counter = self.counters.remove(key)?;
        self.mildest.remove(&(counter.sorted_at, counter.serial));
        self.bans.remove(&(counter.banned_until, counter.serial));
        Some(counter)
    }

    /// The bans that hold, the one that ends first in front.
    pub(crate) fn bans(&self, now: Duration) -> impl Iterator<Item = (&K, &Counter)> {
        self.bans.values().filter_map(move |key| {
            let counter = self.counters.get(key)?;
            (counter.banned_until > now).then_some((key, counter))
        })
    }

    fn put(&mut self, key: K, mut counter: Counter, now: Duration) {
        if counter.banned_until > now {
            self.bans.insert((counter.banned_until, counter.serial), key);
        } else {
            self.mildest.insert(counter.sorted(), key);
        }
        self.counters.insert(key, counter);
    }

    fn make_room(&mut self) {
        if self.counters.len() < self.max {
            return;
        }
        // The mildest is wanted, and one of the mildest will do: nobody's failure is to sort the whole table.
        for _ in 0..SORTED_AT_ONCE {
            let Some(first) = self.mildest.first_entry() else { return };
            let sorted_at = first.key().0;
            match self.counters.get_mut(first.get()) {
                // It has failed since it was sorted, so that another may be the mildest by now.
                Some(counter) if counter.one_at > sorted_at => {
                    let key = first.remove();
                    self.mildest.insert(counter.sorted(), key);
                }
                _ => break,
            }
        }
        if let Some((_, key)) = self.mildest.pop_first() {
            self.counters.remove(&key);
        }
    }

    /// Moves counters whose ban has ended among the others. Each ban ends once, so this costs little.
    fn end_bans(&mut self, now: Duration) {
        while let Some(first) = self.bans.first_entry().filter(|first| first.key().0 <= now) {
            let key = first.remove();
            if let Some(counter) = self.counters.get_mut(&key) {
                self.mildest.insert(counter.sorted(), key);
            }
        }
    }
}

impl<K: Copy + Eq + Hash> Default for Table<K> {
    fn default() -> Self {
        Self::with_room_for(MAX_COUNTERS)
    }
}

impl Counter {
    fn at_rest(serial: u64) -> Self {
        let (slowed_until, banned_until) = (Duration::ZERO, Duration::ZERO);
        Self { one_at: i64::MIN, sorted_at: i64::MIN, serial, failures: 0, slowed_until, banned_until }
    }

    /// One failure more.
    fn fail(&mut self, now: Duration) {
        let weight = self.weight(now);
        self.failures = if weight < 0.5 { 1 } else { self.failures.saturating_add(1) };
        self.set_weight(weight + 1.0, now);
        self.slowed_until = now + self.delay(now);
    }

    /// Where it belongs among the others by what it weighs now; it has to be put there.
    fn sorted(&mut self) -> (i64, u64) {
        self.sorted_at = self.one_at;
        (self.sorted_at, self.serial)
    }

    /// The failures counted, halved every so often.
    fn weight(&self, now: Duration) -> f64 {
        ((self.one_at as f64 - millis(now)) / millis(HALVED_AFTER)).exp2()
    }

    fn set_weight(&mut self, weight: f64, now: Duration) {
        self.one_at = (millis(now) + weight.log2() * millis(HALVED_AFTER)) as i64;
    }

    fn count(&self, now: Duration) -> u32 {
        self.weight(now).round() as u32
    }

    fn delay(&self, now: Duration) -> Duration {
        match self.count(now).checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(doublings) => {
                LONGEST.min(Duration::from_secs(1_u64.checked_shl(doublings).unwrap_or(u64::MAX)))
            }
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Counters that one failure sorts anew at most.
const SORTED_AT_ONCE: usize = 8;
/// Failures without consequence.
const FREE: u32 = 5;
/// The longest delay.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// The time in which a count halves.
const HALVED_AFTER: Duration = Duration::from_secs(5 * 60);
/// The count that bans.
const BANNED_FROM: u32 = 100;
/// How long a ban lasts.
const BAN: Duration = Duration::from_secs(60 * 60);
/// Counters in one table.
const MAX_COUNTERS: usize = 100_000;
