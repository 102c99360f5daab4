//! Request rates per address and per caller, off unless configured.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;

use arc_swap::ArcSwapOption;
use governor::clock::DefaultClock;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use msp_protocol::Digest;
use msp_settings::LimitSettings;

type Limiter<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>;

/// One limiter for each kind of key; none where the rate is 0.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    addresses: ArcSwapOption<Limiter<IpAddr>>,
    callers: ArcSwapOption<Limiter<Digest>>,
}

impl Rates {
    pub(crate) fn new(limits: &LimitSettings) -> Self {
        let rates = Self::default();
        rates.reconfigure(limits);
        rates
    }

    /// Starts anew with other rates.
    pub(crate) fn reconfigure(&self, limits: &LimitSettings) {
        self.addresses.store(limiter(limits.per_address_rate).map(Into::into));
        self.callers.store(limiter(limits.per_caller_rate).map(Into::into));
    }

    /// Counts a request of this address.
    pub(crate) fn address_may(&self, address: IpAddr) -> bool {
        may(&self.addresses, &network(address))
    }

    /// Counts a proven request of this caller.
    pub(crate) fn caller_may(&self, caller: &Digest) -> bool {
        may(&self.callers, caller)
    }

    /// Forgets keys that are back at their full rate, so that memory does not grow with strangers.
    pub(crate) fn tick(&self) {
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
        let defaults = msp_settings::Settings::load(&msp_settings::Sources::default()).unwrap();
        let limits = LimitSettings { per_address_rate: 2, per_caller_rate: 0, ..defaults.limits };
        let rates = Rates::new(&limits);
        assert!(rates.address_may("2001:db8::1".parse().unwrap()));
        assert!(rates.address_may("2001:db8::2".parse().unwrap()));
        assert!(!rates.address_may("2001:db8::3".parse().unwrap()));
        assert!(rates.address_may("2001:db8:0:1::1".parse().unwrap()));
        assert!((0..100).all(|_| rates.caller_may(&Digest::of(b"a"))));
    }
}
