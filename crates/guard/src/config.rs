use std::time::Duration;

use msp_core::PasswordLimits;

/// How long the memory guard remembers, and how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemoryGuardConfig {
    /// How far a request's time may lie from the clock, either way, the edge included (`RequestTTL`).
    /// Whole seconds; a fraction is cut.
    pub request_ttl: Duration,
    /// After how long an address counts as returned (`IPAddressTTL`).
    pub address_ttl: Duration,
    /// Slots for remembered requests (`MaxEntries`); an envelope takes one, a classic request four.
    pub max_entries: usize,
    /// The part of the slots that one caller may hold (`CallerShare`), from 0 to 1. Whatever it says, there
    /// is room for one classic request of each caller.
    pub caller_share: f64,
    /// When passwords are refused (`[Accounts]`).
    pub passwords: PasswordLimits,
}

impl Default for MemoryGuardConfig {
    fn default() -> Self {
        Self {
            request_ttl: Duration::from_secs(30),
            address_ttl: Duration::from_secs(300),
            max_entries: 1_000_000,
            caller_share: 1.0 / 16.0,
            passwords: PasswordLimits::default(),
        }
    }
}

impl MemoryGuardConfig {
    /// The slots one caller may hold.
    pub(crate) fn caller_slots(&self) -> usize {
        // A float becomes an integer by saturation: a share that is no number is none.
        let share = (self.max_entries as f64 * self.caller_share.clamp(0.0, 1.0)) as usize;
        share.max(CLASSIC_SLOTS)
    }
}

/// Slots of a classic request, one for each of its nonces.
const CLASSIC_SLOTS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_gets_its_share_but_at_least_one_classic_request() {
        let of = |max_entries, caller_share| {
            MemoryGuardConfig { max_entries, caller_share, ..MemoryGuardConfig::default() }.caller_slots()
        };

        assert_eq!(of(1_000_000, 1.0 / 16.0), 62_500);
        assert_eq!(of(1_000, 7.0), 1_000);
        assert_eq!(of(16, 1.0 / 16.0), 4);
        assert_eq!(of(16, f64::NAN), 4);
    }
}
