//! A map from digests that is cheap to copy: the pictures of the registry are made anew with each change, however large.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use msp_protocol::Digest;

/// Parts of a map; of 100,000 entries, each has about 400.
const COUNT: usize = 256;

type Part<V> = HashMap<Digest, V, BuildHasherDefault<DigestHasher>>;

/// A digest is a hash already. Who could choose some that collide would have to be let in first, by the operator.
#[derive(Debug, Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, digest: &[u8]) {
        // Not the first bytes: those of one part have begun alike.
        if let Some(bytes) = digest.last_chunk() {
            self.0 = u64::from_le_bytes(*bytes);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

/// A map in parts. A copy shares all parts with the original, and a change copies the one that it is in.
#[derive(Debug, Clone)]
pub struct Shards<V> {
    parts: Vec<Arc<Part<V>>>,
    len: usize,
}

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self { parts: (0..COUNT).map(|_| Arc::default()).collect(), len: 0 }
    }
}

impl<V: Clone> Shards<V> {
    /// Nothing, with room for about so many.
    #[must_use]
    pub fn with_capacity(count: usize) -> Self {
        let each = count.div_ceil(COUNT);
        let parts =
            (0..COUNT).map(|_| Arc::new(Part::with_capacity_and_hasher(each, BuildHasherDefault::default())));
        Self { parts: parts.collect(), len: 0 }
    }

    /// The value of this digest.
    #[must_use]
    pub fn get(&self, digest: &Digest) -> Option<&V> {
        self.parts.get(part(digest))?.get(digest)
    }

    /// Puts a value in, and gives the one that was there.
    pub fn insert(&mut self, digest: Digest, value: V) -> Option<V> {
        let before = Arc::make_mut(self.parts.get_mut(part(&digest))?).insert(digest, value);
        self.len += usize::from(before.is_none());
        before
    }

    /// Takes a value out.
    pub fn remove(&mut self, digest: &Digest) -> Option<V> {
        let before = Arc::make_mut(self.parts.get_mut(part(digest))?).remove(digest);
        self.len -= usize::from(before.is_some());
        before
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All values, in no order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.parts.iter().flat_map(|part| part.values())
    }
}

/// Digests are spread evenly, so their first byte is too.
fn part(digest: &Digest) -> usize {
    digest.as_bytes().first().map_or(0, |byte| usize::from(*byte) % COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_changes_alone_and_copies_no_part_that_stays() {
        let mut first = Shards::default();
        let digests: Vec<_> = (0..10_000_u32).map(|number| Digest::of(&number.to_be_bytes())).collect();
        for (number, digest) in digests.iter().enumerate() {
            assert_eq!(first.insert(*digest, number), None);
        }
        assert_eq!((first.len(), first.is_empty(), first.values().count()), (10_000, false, 10_000));
        let [changed, removed, stays, ..] = digests.as_slice() else { panic!("many") };
        let mut second = first.clone();
        assert_eq!(second.insert(*changed, 7), Some(0));
        assert_eq!(second.remove(removed), Some(1));
        assert_eq!(second.remove(removed), None);
        assert_eq!((first.len(), second.len()), (10_000, 9_999));
        assert_eq!((first.get(changed), second.get(changed)), (Some(&0), Some(&7)));
        assert_eq!((first.get(removed), second.get(removed)), (Some(&1), None));
        assert_eq!((first.get(stays), second.get(stays)), (Some(&2), Some(&2)));
        let same =
            first.parts.iter().zip(&second.parts).filter(|(one, other)| Arc::ptr_eq(one, other)).count();
        assert!(same >= COUNT - 3, "{same}");
    }
}
