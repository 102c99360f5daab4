//! The only place that reads the clock, so that everything that expires can be tested without waiting.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use msp_protocol::UnixSecond;

/// Wall time for what clients and logs see, monotonic time for ages.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock.
    fn now(&self) -> SystemTime;

    /// Time since some moment in the past; never goes back.
    fn monotonic(&self) -> Duration;

    /// The wall clock in whole Unix seconds; 0 before 1970.
    fn unix(&self) -> UnixSecond {
        self.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts counting monotonic time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock for tests that moves only when told.
#[derive(Debug)]
pub struct ManualClock {
    unix_ms: AtomicU64,
    monotonic_ms: AtomicU64,
}

impl ManualClock {
    /// Stands at the given Unix second.
    #[must_use]
    pub const fn at(unix: UnixSecond) -> Self {
        Self { unix_ms: AtomicU64::new(unix * 1000), monotonic_ms: AtomicU64::new(0) }
    }

    /// Moves wall and monotonic time on.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.unix_ms.fetch_add(by, Ordering::SeqCst);
        self.monotonic_ms.fetch_add(by, Ordering::SeqCst);
    }

    /// Sets the wall clock, as an operator or NTP would; monotonic time stays.
    pub fn set_unix(&self, unix: UnixSecond) {
        self.unix_ms.store(unix * 1000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.unix_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Before1970;

    impl Clock for Before1970 {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH - Duration::from_secs(1)
        }
        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[test]
    fn a_clock_before_1970_stands_at_its_first_second() {
        assert_eq!(Before1970.unix(), 0);
    }

    #[test]
    fn a_clock_moved_by_hand_moves_both_times_and_set_only_one() {
        let clock = ManualClock::at(1000);
        clock.advance(Duration::from_millis(1500));
        assert_eq!((clock.unix(), clock.monotonic()), (1001, Duration::from_millis(1500)));
        clock.set_unix(5);
        assert_eq!((clock.unix(), clock.monotonic()), (5, Duration::from_millis(1500)));
    }
}
