//! Earlier readings of counters, to measure the present one from.

use std::time::Duration;

/// How old a reading must be to measure from it: from a younger one, a moment's burst would count as a speed.
const OLD_ENOUGH: Duration = Duration::from_secs(1);

/// The last two readings that lie [`OLD_ENOUGH`] apart, however often there is one.
#[derive(Debug)]
pub(super) struct Readings<T> {
    newer: Option<(Duration, T)>,
    older: Option<(Duration, T)>,
}

impl<T> Default for Readings<T> {
    fn default() -> Self {
        Self { newer: None, older: None }
    }
}

impl<T: Clone> Readings<T> {
    /// Gives the reading to measure this one from, and the time between the two, and keeps this one for later.
    /// None when there was no reading a second ago or before.
    pub(super) fn base(&mut self, now: Duration, reading: &T) -> Option<(Duration, T)> {
        if self.newer.as_ref().is_none_or(|(at, _)| now.saturating_sub(*at) >= OLD_ENOUGH) {
            self.older = self.newer.replace((now, reading.clone()));
        }
        let (at, base) = self.older.as_ref()?;
        // Of two calls at once the one that read first may come second.
        now.checked_sub(*at).filter(|elapsed| !elapsed.is_zero()).map(|elapsed| (elapsed, base.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_the_last_reading_or_the_one_before_a_young_one() {
        let mut readings = Readings::default();
        let mut base = |now: u64, reading: u64| {
            readings
                .base(Duration::from_millis(now), &reading)
                .map(|(elapsed, base)| (elapsed.as_millis(), base))
        };
        assert_eq!(base(0, 10), None);
        assert_eq!(base(999, 11), None);
        assert_eq!(base(1000, 12), Some((1000, 10)));
        assert_eq!(base(1001, 13), Some((1001, 10)));
        assert_eq!(base(1999, 14), Some((1999, 10)));
        assert_eq!(base(2000, 15), Some((1000, 12)));
        assert_eq!(base(9_000_000, 16), Some((8_998_000, 15)));
        assert_eq!(base(1999, 14), None, "older than what it would be measured from");
    }
}
