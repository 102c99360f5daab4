//! What requests were seen, by item, and sorted by their time so that forgetting needs no search.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

use msp_core::Item;
use msp_protocol::UnixSecond;

/// A client's number in the guard, short because every remembered item carries one.
pub(crate) type ClientId = u32;

/// Stands for an item where there are many: a third of its size, so that a table of millions stays nearer to the
/// processor.
///
/// Two items that differ have one print once in 2⁶⁴ pairs, and nobody can look for such a pair without the key. Then
/// a good request is refused; none is ever accepted twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print(u64);

impl Hash for Print {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// Makes prints under a random key of its own.
#[derive(Debug, Default)]
pub(crate) struct Printer(RandomState);

impl Printer {
    pub(crate) fn print(&self, item: &Item) -> Print {
        Print(self.0.hash_one(item))
    }
}

/// A print is a hash already.
#[derive(Debug, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, print: u64) {
        self.0 = print;
    }
}

/// What was accepted, by prints.
pub(crate) type Prints = ReplayTable<Print, BuildHasherDefault<AsItIs>>;

/// Remembered items and the second each of them belongs to.
#[derive(Debug)]
pub(crate) struct ReplayTable<K = Item, S = RandomState> {
    held: HashMap<K, Held, S>,
    seconds: BTreeMap<UnixSecond, Vec<K>>,
}

impl<K, S: Default> Default for ReplayTable<K, S> {
    fn default() -> Self {
        Self { held: HashMap::default(), seconds: BTreeMap::new() }
    }
}

/// Where an item is remembered.
#[derive(Debug, Clone, Copy)]
struct Held {
    ts: UnixSecond,
    client: ClientId,
    /// Its index in the list of its second.
    place: u32,
}

impl<K: Copy + Eq + Hash, S: BuildHasher> ReplayTable<K, S> {
    /// How many items are remembered.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether this item is remembered.
    pub(crate) fn holds(&self, item: &K) -> bool {
        self.held.contains_key(item)
    }

    /// Remembers an item; false when it is remembered already.
    pub(crate) fn insert(&mut self, item: K, ts: UnixSecond, client: ClientId) -> bool {
        let Entry::Vacant(free) = self.held.entry(item) else { return false };
        let second = self.seconds.entry(ts).or_default();
        let Ok(place) = u32::try_from(second.len()) else { return false };
        second.push(item);
        free.insert(Held { ts, client, place });
        true
    }

    /// Takes back what `insert` did; false when another request holds the item, or none.
    pub(crate) fn release(&mut self, item: &K, client: ClientId) -> bool {
        let Some(&held) = self.held.get(item) else { return false };
        if held.client != client {
            return false;
        }
        self.held.remove(item);
        let place = held.place as usize;
        if let Some(second) = self.seconds.get_mut(&held.ts)
            && place < second.len()
        {
            second.swap_remove(place);
            if let Some(moved) = second.get(place).and_then(|moved| self.held.get_mut(moved)) {
                moved.place = held.place;
            }
            if second.is_empty() {
                self.seconds.remove(&held.ts);
            }
        }
        true
    }

    /// Forgets one item whose time is before this one, of the earliest second there is.
    pub(crate) fn forget_one(&mut self, before: UnixSecond) -> Option<(UnixSecond, ClientId)> {
        let mut earliest = self.seconds.first_entry()?;
        let ts = *earliest.key();
        if ts >= before {
            return None;
        }
        let item = earliest.get_mut().pop();
        if earliest.get().is_empty() {
            earliest.remove();
        }
        let held = self.held.remove(&item?)?;
        Some((ts, held.client))
    }

    /// The earliest second of a remembered item.
    pub(crate) fn earliest(&self) -> Option<UnixSecond> {
        self.seconds.keys().next().copied()
    }

    /// All items, with their time and client.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, UnixSecond, ClientId)> {
        self.held.iter().map(|(item, held)| (*item, held.ts, held.client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_second_is_forgotten_first_and_only_when_it_is_due() {
        let mut table: ReplayTable = ReplayTable::default();
        for (n, ts) in [(1, 12), (2, 10), (3, 10), (4, 11)] {
            assert!(table.insert([n; 24], ts, 7));
        }

        let forgotten: Vec<_> = std::iter::from_fn(|| table.forget_one(12)).collect();

        assert_eq!(forgotten, [(10, 7), (10, 7), (11, 7)]);
        assert_eq!(table.iter().collect::<Vec<_>>(), [([1; 24], 12, 7)]);
    }

    #[test]
    fn a_released_item_leaves_its_neighbours_findable() {
        let mut table: ReplayTable = ReplayTable::default();
        for n in 0..5 {
            table.insert([n; 24], 10, 1);
        }

        assert!(table.release(&[1; 24], 1));
        assert!(table.release(&[4; 24], 1));
        assert!(table.release(&[0; 24], 1));

        assert!(table.holds(&[2; 24]) && table.holds(&[3; 24]));
        assert_eq!(std::iter::from_fn(|| table.forget_one(11)).count(), 2);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn only_the_request_that_holds_an_item_releases_it() {
        let mut table: ReplayTable = ReplayTable::default();
        table.insert([1; 24], 10, 1);

        assert!(!table.release(&[1; 24], 2));
        assert!(!table.insert([1; 24], 12, 2));
        assert!(table.holds(&[1; 24]));
    }

    #[test]
    fn a_print_is_one_items_and_another_servers_is_another() {
        let (ours, theirs) = (Printer::default(), Printer::default());
        let items: Vec<Item> = (0..=u8::MAX).map(|n| [n; 24]).collect();
        let mut table = Prints::default();
        assert!(items.iter().all(|item| table.insert(ours.print(item), 10, 1)));
        assert!(items.iter().all(|item| table.holds(&ours.print(item))));
        assert!(!items.iter().any(|item| table.holds(&theirs.print(item))));
    }
}
