//! Who was used on which day, gathered in memory and written behind.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use msp_protocol::{Digest, UnixSecond};

use crate::registry::Use;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Uses not yet written; at most one for each client and day.
#[derive(Debug, Default)]
pub struct LastUsed {
    waiting: Mutex<Days>,
}

#[derive(Debug, Default)]
struct Days {
    unwritten: HashSet<Use>,
    /// Written or waiting today, so that a busy client is noted once a day.
    noted: HashSet<Use>,
    today: UnixSecond,
}

impl LastUsed {
    /// Notes that the client was used now.
    pub fn note(&self, client: Digest, now: UnixSecond) {
        let day = now - now % DAY;
        let used = Use { client, day };
        let mut days = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if days.today != day {
            days.today = day;
            days.noted.clear();
        }
        if days.noted.insert(used) {
            days.unwritten.insert(used);
        }
    }

    /// Takes what is to be written.
    #[must_use]
    pub fn take(&self) -> Vec<Use> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).unwritten.drain().collect()
    }

    /// Gives back what could not be written.
    pub fn give_back(&self, uses: Vec<Use>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).unwritten.extend(uses);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_noted_once_a_day() {
        let last_used = LastUsed::default();
        let client = Digest::of(b"a");
        last_used.note(client, DAY * 3 + 5);
        last_used.note(client, DAY * 3 + 9);
        assert_eq!(last_used.take(), [Use { client, day: DAY * 3 }]);
        last_used.note(client, DAY * 3 + 10);
        assert!(last_used.take().is_empty());
        last_used.note(client, DAY * 4);
        assert_eq!(last_used.waiting.lock().unwrap().noted.len(), 1, "yesterday's are forgotten");
        let uses = last_used.take();
        assert_eq!(uses, [Use { client, day: DAY * 4 }]);
        last_used.give_back(uses.clone());
        assert_eq!(last_used.take(), uses, "what could not be written is tried again");
    }
}
