//! Request rates per address and per caller, off unless configured.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;

use arc_swap::ArcSwapOption;
use governor::clock::DefaultClock;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use msp_protocol::Digest;

use crate::refusal::Refusal;

type Limiter<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>;

/// An address that asks more often than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more requests than [Limits] allows this address")]
pub struct TooManyRequests;

impl Refusal for TooManyRequests {}

/// One limiter for each kind of key; none where the rate is 0.
#[derive(Debug, Default)]
pub struct Rates {
    addresses: ArcSwapOption<Limiter<IpAddr>>,
    callers: ArcSwapOption<Limiter<Digest>>,
}

impl Rates {
    /// Requests a second of one address and of one caller; 0: as many as it likes.
    #[must_use]
    pub fn new(per_address: u32, per_caller: u32) -> Self {
        let rates = Self::default();
        rates.reconfigure(per_address, per_caller);
        rates
    }

    /// Starts anew with other rates.
    pub fn reconfigure(&self, per_address: u32, per_caller: u32) {
        self.addresses.store(limiter(per_address).map(Into::into));
        self.callers.store(limiter(per_caller).map(Into::into));
    }

    /// Counts a request of this address; false when that is one too many.
    #[must_use]
    pub fn address_may(&self, address: IpAddr) -> bool {
        may(&self.addresses, &network(address))
    }

    /// Counts a proven request of this caller; false when that is one too many.
    #[must_use]
    pub fn caller_may(&self, caller: &Digest) -> bool {
        may(&self.callers, caller)
    }

    /// Forgets keys that are back at their full rate, so that memory does not grow with strangers.
    pub fn tick(&self) {
        if let Some(limiter) = &*self.addresses.load() {
            limiter.retain_recent();
        }
        if let Some(limiter) = &*self.callers.load() {
            limiter.retain_recent();
        }
    }
}

/// An IPv6 caller owns a /64, so that is what is counted.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => IpAddr::from((u128::from(six) & !u128::from(u64::MAX)).to_be_bytes()),
    }
}

fn limiter<K: Hash + Eq + Clone>(per_second: u32) -> Option<Limiter<K>> {
    NonZeroU32::new(per_second).map(|rate| RateLimiter::keyed(Quota::per_second(rate)))
}

fn may<K: Hash + Eq + Clone>(limiter: &ArcSwapOption<Limiter<K>>, key: &K) -> bool {
    limiter.load().as_ref().is_none_or(|limiter| limiter.check_key(key).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_counts_an_ipv6_network_as_one_and_zero_means_off() {
        let rates = Rates::new(2, 0);
        assert!(rates.address_may("2001:db8::1".parse().unwrap()));
        assert!(rates.address_may("2001:db8::2:0:0:1".parse().unwrap()));
        assert!(!rates.address_may("2001:db8::3".parse().unwrap()));
        assert!(rates.address_may("2001:db8:0:1::1".parse().unwrap()));
        assert!((0..100).all(|_| rates.caller_may(&Digest::of(b"a"))));
    }

    #[test]
    fn who_is_back_at_its_full_rate_is_forgotten() {
        // At this rate a request is made good within a microsecond.
        let rates = Rates::new(1_000_000, 1_000_000);
        assert!(rates.address_may("192.0.2.1".parse().unwrap()) && rates.caller_may(&Digest::of(b"a")));
        let kept = || {
            let addresses = rates.addresses.load().as_ref().map_or(0, |limiter| limiter.len());
            addresses + rates.callers.load().as_ref().map_or(0, |limiter| limiter.len())
        };
        assert_eq!(kept(), 2);
        let forgotten = (0..1_000_000).any(|_| {
            rates.tick();
            kept() == 0
        });
        assert!(forgotten);
    }
}
