//! Which addresses called with success, when, and with which keys.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use msp_core::Sighting;
use msp_protocol::Digest;

/// Addresses seen. An IPv4 address mapped into IPv6 is the IPv4 address.
///
/// An address that returns after IPAddressTTL is still known as such for a day; then, or when the table is
/// full, it is forgotten, the longest unseen first.
#[derive(Debug)]
pub(crate) struct Addresses {
    ttl: Duration,
    addresses: HashMap<IpAddr, Seen>,
    /// The addresses by the moment they were last seen.
    longest_unseen: BTreeMap<(Duration, u64), IpAddr>,
    next_serial: u64,
}

#[derive(Debug)]
struct Seen {
    at: Duration,
    /// Tells addresses seen at the same moment apart.
    serial: u64,
    /// Digests of the keys, the last one first.
    keys: Vec<Digest>,
}

impl Addresses {
    /// Knows no address yet.
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, addresses: HashMap::new(), longest_unseen: BTreeMap::new(), next_serial: 0 }
    }

    /// Takes another IPAddressTTL.
    pub(crate) fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = ttl;
    }

    /// Notes an address at this monotonic time, and says how it was known.
    pub(crate) fn sight(&mut self, address: IpAddr, client: &Digest, now: Duration) -> Sighting {
        let address = address.to_canonical();
        let known = match self.addresses.get_mut(&address) {
            None => {
                self.add(address, client, now);
                Sighting::New
            }
            Some(seen) => {
                let unseen_for = now.saturating_sub(seen.at);
                if unseen_for >= NOTED_EVERY {
                    self.longest_unseen.remove(&(seen.at, seen.serial));
                    self.longest_unseen.insert((now, seen.serial), address);
                    seen.at = now;
                }
                seen.put_first(client);
                if unseen_for > self.ttl { Sighting::Returned } else { Sighting::Known }
            }
        };
        self.forget(now);
        known
    }

    /// The keys last used from this address, the last one first.
    pub(crate) fn seen_from(&self, address: IpAddr) -> Vec<Digest> {
        self.addresses.get(&address.to_canonical()).map_or_else(Vec::new, |seen| seen.keys.clone())
    }

    fn add(&mut self, address: IpAddr, client: &Digest, now: Duration) {
        self.next_serial += 1;
        let serial = self.next_serial;
        self.addresses.insert(address, Seen { at: now, serial, keys: vec![*client] });
        self.longest_unseen.insert((now, serial), address);
    }

    /// Forgets a few, but more than one call can add: nobody waits for a sweep, and nothing piles up.
    fn forget(&mut self, now: Duration) {
        for _ in 0..FORGOTTEN_WITH_EACH {
            let Some(longest) = self.longest_unseen.first_entry() else { return };
            let unseen_for = now.saturating_sub(longest.key().0);
            if unseen_for <= self.ttl.max(RETURNS_WITHIN) && self.addresses.len() <= MAX_ADDRESSES {
                return;
            }
            self.addresses.remove(&longest.remove());
        }
    }
}

impl Seen {
    fn put_first(&mut self, client: &Digest) {
        if self.keys.first() == Some(client) {
            return;
        }
        self.keys.retain(|key| key != client);
        self.keys.truncate(KEYS - 1);
        self.keys.insert(0, *client);
    }
}

/// Addresses known at once.
const MAX_ADDRESSES: usize = 100_000;
/// Keys known of one address.
const KEYS: usize = 8;
/// How exactly it is known when an address was seen; one that calls all the time is not moved with every call.
const NOTED_EVERY: Duration = Duration::from_secs(1);
/// How long an address is remembered at least, when there is room.
const RETURNS_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);
/// Addresses forgotten with each sighting.
const FORGOTTEN_WITH_EACH: usize = 2;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const TTL: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn address(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + n).into()
    }

    #[test]
    fn a_longer_ttl_keeps_addresses_longer_and_a_changed_one_counts_at_once() {
        let (mut sightings, key) = (Addresses::new(at(200_000)), Digest::of(b"key"));
        sightings.sight(address(1), &key, at(0));
        assert_eq!(sightings.sight(address(1), &key, at(200_000)), Sighting::Known);

        sightings.set_ttl(TTL);

        assert_eq!(sightings.sight(address(1), &key, at(200_301)), Sighting::Returned);
    }

    #[test]
    fn the_table_is_bounded_and_the_longest_unseen_address_goes_first() {
        let (mut sightings, key) = (Addresses::new(TTL), Digest::of(b"key"));
        for n in 0..100_000 {
            sightings.sight(address(n), &key, at(1));
        }
        sightings.sight(address(0), &key, at(2));

        assert_eq!(sightings.sight(address(100_000), &key, at(2)), Sighting::New);

        assert_eq!((sightings.addresses.len(), sightings.longest_unseen.len()), (100_000, 100_000));
        assert!(sightings.seen_from(address(1)).is_empty());
        assert_eq!(sightings.sight(address(0), &key, at(2)), Sighting::Known);
    }
}
