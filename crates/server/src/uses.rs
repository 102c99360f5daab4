//! Who was used on which day, gathered in memory and written behind.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use msp_core::Use;
use msp_protocol::{Digest, UnixSecond};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Uses not yet written; at most one for each client and day.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    waiting: Mutex<Days>,
}

#[derive(Debug, Default)]
struct Days {
    unwritten: HashSet<Use>,
    /// Written or waiting today, so that a busy client is noted once a day.
    noted: HashSet<Use>,
    today: UnixSecond,
}

impl Uses {
    /// Notes that the client was used now.
    pub(crate) fn note(&self, client: Digest, now: UnixSecond) {
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
    pub(crate) fn take(&self) -> Vec<Use> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).unwritten.drain().collect()
    }

    /// Gives back what could not be written.
    pub(crate) fn give_back(&self, uses: Vec<Use>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).unwritten.extend(uses);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_noted_once_a_day() {
        let uses = Uses::default();
        let client = Digest::of(b"a");
        uses.note(client, DAY * 3 + 5);
        uses.note(client, DAY * 3 + 9);
        assert_eq!(uses.take(), [Use { client, day: DAY * 3 }]);
        uses.note(client, DAY * 3 + 10);
        assert!(uses.take().is_empty());
        uses.note(client, DAY * 4);
        assert_eq!(uses.take(), [Use { client, day: DAY * 4 }]);
    }
}
