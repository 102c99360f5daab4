//! Failures of addresses: a few are free, more slow down, many from one address ban it for an
//! hour.

use std::net::IpAddr;
use std::time::Duration;

use msp_core::{Ban, Standing};

use msp_core::Network;

mod table;

use table::Table;

/// The failures of addresses.
///
/// Each counter halves every five minutes. Its sixth failure slows down for one second, each further one for
/// twice as long, up to five minutes. At the hundredth an address is banned for an hour, unless it is a local
/// one or a trusted hop, which may stand for many.
#[derive(Debug, Default)]
pub(crate) struct Counters(Table<Network>);

impl Counters {
    /// Counts a failure; `now` is monotonic, here and below.
    pub(crate) fn note(&mut self, address: IpAddr, is_hop: bool, now: Duration) {
        let network = Network::of(address);
        self.0.count(network, !is_hop && !network.is_local(), now);
    }

    /// Forgets half of an address's failures. A ban stays: who owns one key could lift it.
    pub(crate) fn forgive(&mut self, address: IpAddr, now: Duration) {
        self.0.halve(&Network::of(address), now);
    }

    /// How an address is treated.
    pub(crate) fn standing(&self, address: IpAddr, now: Duration) -> Standing {
        let Some(counter) = self.0.get(&Network::of(address)) else { return Standing::Free };
        if counter.banned_until > now {
            Standing::Banned(counter.banned_until)
        } else if counter.slowed_until > now {
            Standing::Slowed(counter.slowed_until)
        } else {
            Standing::Free
        }
    }

    /// The bans that hold, the one that ends first in front.
    pub(crate) fn bans(&self, now: Duration) -> Vec<Ban> {
        self.0
            .bans(now)
            .map(|(network, counter)| Ban {
                address: network.to_string(),
                failures: counter.failures,
                remaining_sec: counter.banned_until.saturating_sub(now).as_secs_f64().ceil() as u64,
            })
            .collect()
    }

    /// Ends a ban and forgets its failures; false when there is none.
    pub(crate) fn lift_ban(&mut self, address: IpAddr, now: Duration) -> bool {
        let network = Network::of(address);
        let banned = self.0.get(&network).is_some_and(|counter| counter.banned_until > now);
        if banned {
            self.0.remove(&network);
        }
        banned
    }
}

#[cfg(test)]
mod tests;
