//! Failures of addresses and accounts: a few are free, more slow down, many from one address ban it for an
//! hour.

use std::net::IpAddr;
use std::time::Duration;

use msp_core::{Ban, FailureKind, Standing};
use msp_protocol::Digest;

use crate::address::Network;

mod table;

use table::Table;

/// The failures of some kinds.
///
/// Each counter halves every five minutes. Its sixth failure slows down for one second, each further one for
/// twice as long, up to five minutes. At the hundredth an address is banned for an hour, unless it is a local
/// one or a trusted hop, which may stand for many.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    addresses: Table<Network>,
    accounts: Table<Digest>,
}

impl Counters {
    /// Counts a failure; `now` is monotonic, here and below.
    pub(crate) fn note(&mut self, address: IpAddr, is_hop: bool, account: Option<&Digest>, now: Duration) {
        let network = Network::of(address);
        self.addresses.count(network, !is_hop && !network.is_local(), now);
        if let Some(account) = account {
            self.accounts.count(*account, false, now);
        }
    }

    /// Forgets an account's failures, and half of an address's. A ban stays: who owns one account could lift
    /// it.
    pub(crate) fn forgive(&mut self, address: IpAddr, account: &Digest, now: Duration) {
        self.accounts.remove(account);
        self.addresses.halve(&Network::of(address), now);
    }

    /// How an address is treated.
    pub(crate) fn standing(&self, address: IpAddr, now: Duration) -> Standing {
        let Some(counter) = self.addresses.get(&Network::of(address)) else { return Standing::Free };
        if counter.banned_until > now {
            Standing::Banned(counter.banned_until)
        } else if counter.slowed_until > now {
            Standing::Slowed(counter.slowed_until)
        } else {
            Standing::Free
        }
    }

    /// How long an account's next attempt must wait.
    pub(crate) fn account_delay(&self, account: &Digest, now: Duration) -> Duration {
        self.accounts.get(account).map_or(Duration::ZERO, |counter| counter.slowed_until.saturating_sub(now))
    }

    /// The bans that hold, the one that ends first in front.
    pub(crate) fn bans(&self, now: Duration) -> Vec<Ban> {
        self.addresses
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
        let banned = self.addresses.get(&network).is_some_and(|counter| counter.banned_until > now);
        if banned {
            self.addresses.remove(&network);
        }
        banned
    }
}

/// All failures. Those of passwords are counted apart: a stranger's garbage at another door must not slow an office's
/// log-ins.
#[derive(Debug, Default)]
pub(crate) struct ByKind {
    passwords: Counters,
    others: Counters,
}

impl ByKind {
    /// The counters of this kind.
    pub(crate) const fn of(&mut self, kind: FailureKind) -> &mut Counters {
        match kind {
            FailureKind::Password => &mut self.passwords,
            FailureKind::Key | FailureKind::Proof => &mut self.others,
        }
    }

    /// The bans of all kinds that hold.
    pub(crate) fn bans(&self, now: Duration) -> Vec<Ban> {
        [self.others.bans(now), self.passwords.bans(now)].concat()
    }

    /// Ends the bans of an address; false when there is none.
    pub(crate) fn lift_ban(&mut self, address: IpAddr, now: Duration) -> bool {
        let [others, passwords] =
            [&mut self.others, &mut self.passwords].map(|counters| counters.lift_ban(address, now));
        others || passwords
    }
}

#[cfg(test)]
mod tests;
