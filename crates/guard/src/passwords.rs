//! Passwords that failed: five are free, then an address is refused for an hour, and an account holds up whoever it does not
//! know (docs/PROTOCOL.md, accounts 9 to 12).

use std::net::IpAddr;
use std::time::Duration;

use msp_core::{Attempt, AttemptStanding, PasswordBan, PasswordBanOf, PasswordLimits, RefusedBy};
use msp_protocol::Digest;

use msp_core::Network;

mod table;

use table::{Count, Table};

/// How long an account is closed to networks that are not known, when it first is.
const FIRST_WINDOW: Duration = Duration::from_secs(1);
/// How long it is at most.
const LONGEST_WINDOW: Duration = Duration::from_secs(300);

/// Counts by address and by account; `now` is monotonic everywhere.
#[derive(Debug)]
pub(crate) struct PasswordRules {
    limits: PasswordLimits,
    /// Of names that users have: as many as there are users, and no stranger's name takes their room.
    accounts: Table<Digest>,
    /// Of names that no user has.
    strangers: Table<Digest>,
    addresses: Table<Network>,
}

impl PasswordRules {
    pub(crate) fn new(limits: PasswordLimits) -> Self {
        let bounded = Table::bounded;
        Self { limits, accounts: Table::unbounded(), strangers: bounded(), addresses: Table::bounded() }
    }

    /// Takes other limits; what was counted stays.
    pub(crate) const fn reconfigure(&mut self, limits: PasswordLimits) {
        self.limits = limits;
    }

    /// How an attempt is to be treated: the stricter of what its account and its address say.
    pub(crate) fn judge(&self, attempt: &Attempt<'_>, now: Duration) -> AttemptStanding {
        let [account, address] = [self.by_account(attempt, now), self.by_address(attempt, now)];
        match (account, address) {
            (
                AttemptStanding::Refused { retry_after: a, .. },
                AttemptStanding::Refused { retry_after: b, .. },
            ) => {
                if a > b {
                    account
                } else {
                    address
                }
            }
            (AttemptStanding::Refused { .. }, _) | (_, AttemptStanding::Free) => account,
            (_, AttemptStanding::Refused { .. }) | (AttemptStanding::Free, _) => address,
            (AttemptStanding::Held, AttemptStanding::Held) => AttemptStanding::Held,
        }
    }

    /// Counts an attempt whose password was wrong.
    pub(crate) fn failed(&mut self, attempt: &Attempt<'_>, now: Duration) {
        let PasswordLimits { failures: most, reset, block } = self.limits;
        let table = if attempt.exists {
            // A name may have been nobody's when it was counted first.
            if let Some(count) = self.strangers.remove(attempt.account) {
                self.accounts.put(*attempt.account, count);
            }
            &mut self.accounts
        } else {
            &mut self.strangers
        };
        table.count(*attempt.account, None, now, reset, |count, failures| {
            if let Some(beyond) = failures.checked_sub(most) {
                let window = FIRST_WINDOW.saturating_mul(1 << beyond.min(16)).min(LONGEST_WINDOW);
                count.until = now + window;
            }
        });
        let network = Network::of(attempt.address);
        let may_block = may_block(attempt, network);
        self.addresses.count(network, Some(*attempt.account), now, reset, |count, failures| {
            if may_block && failures >= most && count.until <= now {
                count.until = now + block;
            }
        });
    }

    /// Forgets the account's failures, and takes them off the address's. A block of the address stays: who owns one account
    /// could lift it.
    pub(crate) fn succeeded(&mut self, attempt: &Attempt<'_>, now: Duration) {
        self.accounts.remove(attempt.account);
        self.strangers.remove(attempt.account);
        self.addresses.forgive(&Network::of(attempt.address), attempt.account, now);
    }

    /// What is refused now, what ends first in front.
    pub(crate) fn bans(&self, now: Duration) -> Vec<PasswordBan> {
        let accounts = self.accounts.iter().chain(self.strangers.iter());
        let accounts = accounts.map(|(key, count)| (PasswordBanOf::Account(key.to_string()), count));
        let addresses = self.addresses.iter();
        let addresses = addresses.map(|(key, count)| (PasswordBanOf::Address(key.to_string()), count));
        let mut bans: Vec<_> = accounts
            .chain(addresses)
            .filter(|(_, count)| count.until > now)
            .map(|(of, count)| {
                (
                    count.until,
                    PasswordBan {
                        of,
                        failures: count.failures(),
                        remaining_sec: (count.until - now).as_secs_f64().ceil() as u64,
                    },
                )
            })
            .collect();
        bans.sort_by_key(|(until, _)| *until);
        bans.into_iter().map(|(_, ban)| ban).collect()
    }

    /// Forgets an address's failures; false when nothing of it was refused or held.
    pub(crate) fn lift_address(&mut self, address: IpAddr, now: Duration) -> bool {
        let removed = self.addresses.remove(&Network::of(address));
        removed.is_some_and(|count| count.counts(now, self.limits.reset) >= self.limits.failures)
    }

    /// Forgets an account's failures; false when nothing of it was refused or held.
    pub(crate) fn lift_account(&mut self, account: &Digest, now: Duration) -> bool {
        let removed = [self.accounts.remove(account), self.strangers.remove(account)];
        let PasswordLimits { failures, reset, .. } = self.limits;
        removed.into_iter().flatten().any(|count| count.counts(now, reset) >= failures)
    }

    fn by_account(&self, attempt: &Attempt<'_>, now: Duration) -> AttemptStanding {
        let counts = [self.accounts.get(attempt.account), self.strangers.get(attempt.account)];
        let counted = counts.into_iter().flatten();
        let beyond = counted.filter(|count| count.counts(now, self.limits.reset) >= self.limits.failures);
        let until = beyond.map(|count| count.until).max();
        match until {
            None => AttemptStanding::Free,
            Some(_) if attempt.is_known => AttemptStanding::Held,
            Some(until) if until > now => {
                AttemptStanding::Refused { by: RefusedBy::Account, retry_after: until - now }
            }
            Some(_) => AttemptStanding::Free,
        }
    }

    fn by_address(&self, attempt: &Attempt<'_>, now: Duration) -> AttemptStanding {
        let network = Network::of(attempt.address);
        let Some(count) = self.addresses.get(&network) else { return AttemptStanding::Free };
        if may_block(attempt, network) {
            let retry_after = count.until.saturating_sub(now);
            return match retry_after.is_zero() {
                true => AttemptStanding::Free,
                false => AttemptStanding::Refused { by: RefusedBy::Address, retry_after },
            };
        }
        match attempt.is_known || count.counts(now, self.limits.reset) < self.limits.failures {
            true => AttemptStanding::Free,
            false => AttemptStanding::Held,
        }
    }
}

/// Whether the address may be refused: one that stands for many is not.
fn may_block(attempt: &Attempt<'_>, network: Network) -> bool {
    !attempt.is_hop && !network.is_local()
}

impl Count {
    /// What is counted now: nothing, once there was no failure for so long.
    fn counts(&self, now: Duration, reset: Duration) -> u32 {
        if self.is_over(now, reset) { 0 } else { self.failures() }
    }
}
