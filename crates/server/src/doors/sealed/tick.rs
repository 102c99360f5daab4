//! Every plain 401 leaves on a tick, so that its time tells nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use msp_core::clock::Clock;

use crate::problem;

/// The time between two ticks, in nanoseconds: 25 ms, longer than any refusal takes to find.
const TICK_NS: u64 = 25_000_000;
/// Refusals held back at once; more are closed unanswered.
const MAX_HELD: usize = 4096;

/// Holds refusals back until the next tick.
#[derive(Debug)]
pub(crate) struct RefusalTick {
    clock: Arc<dyn Clock>,
    held: AtomicUsize,
}

impl RefusalTick {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, held: AtomicUsize::new(0) }
    }

    /// The plain 401 at the next tick; at the limit, a connection closed without an answer.
    pub(crate) async fn refuse(&self) -> HttpResponse {
        let Some(_held) = Held::take(&self.held) else {
            return problem::close_unanswered();
        };
        let since = u64::try_from(self.clock.monotonic().as_nanos()).unwrap_or_default() % TICK_NS;
        tokio::time::sleep(Duration::from_nanos(TICK_NS - since)).await;
        problem::plain(StatusCode::UNAUTHORIZED)
    }
}

/// One place among the held; given back even when the caller goes away.
struct Held<'a>(&'a AtomicUsize);

impl<'a> Held<'a> {
    fn take(held: &'a AtomicUsize) -> Option<Self> {
        let place = Self(held);
        (held.fetch_add(1, Ordering::Relaxed) < MAX_HELD).then_some(place)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use msp_core::clock::ManualClock;

    use super::*;

    #[test]
    fn places_are_given_back_and_end_at_the_limit() {
        let tick = RefusalTick::new(Arc::new(ManualClock::at(0)));
        let all: Vec<_> = (0..MAX_HELD).map(|_| Held::take(&tick.held).unwrap()).collect();
        assert!(Held::take(&tick.held).is_none());
        assert_eq!(tick.held.load(Ordering::Relaxed), MAX_HELD);
        drop(all);
        assert_eq!(tick.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn at_the_limit_the_answer_is_a_body_that_fails() {
        let tick = RefusalTick::new(Arc::new(ManualClock::at(0)));
        tick.held.store(MAX_HELD, Ordering::Relaxed);
        let response = tick.refuse().await;
        assert!(actix_web::body::to_bytes(response.into_body()).await.is_err());
    }
}
