//! The only place that reads the clock or waits, so that time can be tested without waiting.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use msp_protocol::UnixSecond;

/// What a client knows of time.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock.
    fn now(&self) -> SystemTime;

    /// Completes when the time has passed.
    fn wait(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// The time since 1970; zero before.
    fn since_1970(&self) -> Duration {
        self.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    /// The wall clock in whole Unix seconds.
    fn unix(&self) -> UnixSecond {
        self.since_1970().as_secs()
    }
}

/// The machine's clock and tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the client's one place")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn wait(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(time))
    }
}
