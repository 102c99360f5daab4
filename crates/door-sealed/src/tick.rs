//! Every plain 401 leaves on a tick that its arrival has set, so that its time tells nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use msp_core::clock::Clock;
use msp_http::{close_unanswered, plain};
use tokio::sync::oneshot;
use tokio::time::Sleep;

/// The time between two ticks.
const TICK_NS: u64 = 25_000_000;
/// How long a refusal is held at least: longer than it takes to find. Together with a tick it stays below 40 ms, after
/// which Linux acknowledges a request by a packet of its own, that costs more than the refusal.
pub(crate) const LEAST: Duration = Duration::from_nanos(LEAST_NS);
const LEAST_NS: u64 = 10_000_000;
/// Refusals held back at once; more are closed unanswered.
const MAX_HELD: usize = 4096;

/// Holds refusals back until their tick.
#[derive(Debug)]
pub(crate) struct RefusalTick {
    clock: Arc<dyn Clock>,
    held: AtomicUsize,
    next: AtomicU64,
}

/// Tick, arrival, and a number of its own.
type Place = (u64, u64, u64);

thread_local! {
    /// What this thread holds back. All of one tick leaves in the order of arrival: with a timer for each it would leave
    /// in the order of finding, and among many that tells what took long.
    static WAITING: RefCell<BTreeMap<Place, oneshot::Sender<()>>> = const { RefCell::new(BTreeMap::new()) };
}

impl RefusalTick {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, held: AtomicUsize::new(0), next: AtomicU64::new(0) }
    }

    /// The plain 401 at the tick that belongs to `since`; at the limit, a connection closed without an answer.
    ///
    /// A tick that came after the *finding* of the refusal would tell how long that took to whoever sends just before
    /// a tick; so `since` is a moment that does not depend on the reason.
    pub(crate) async fn refuse(&self, since: Duration) -> HttpResponse {
        let Some(_held) = Held::take(&self.held) else {
            return close_unanswered();
        };
        let (since, now) = (nanoseconds(since), nanoseconds(self.clock.monotonic()));
        let tick = due(since, now);
        let place = (tick, since, self.next.fetch_add(1, Ordering::Relaxed));
        let (release, released) = oneshot::channel();
        let is_first = WAITING.with_borrow_mut(|waiting| {
            let is_first = waiting.range((tick, 0, 0)..(tick + 1, 0, 0)).next().is_none();
            waiting.insert(place, release);
            is_first
        });
        if is_first {
            // Made here, since its time begins now; the task first runs after whatever else this thread has to do.
            let wait = tokio::time::sleep(Duration::from_nanos(tick - now));
            actix_web::rt::spawn(release_all(tick, wait));
        }
        // Fails when the thread ends, and then there is nobody to answer.
        let _released = released.await;
        plain(StatusCode::UNAUTHORIZED)
    }
}

/// Lets all go that wait for this tick.
async fn release_all(tick: u64, wait: Sleep) {
    wait.await;
    let due = WAITING.with_borrow_mut(|waiting| {
        let later = waiting.split_off(&(tick + 1, 0, 0));
        std::mem::replace(waiting, later)
    });
    for release in due.into_values() {
        // Fails when its caller has gone away.
        let _gone = release.send(());
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or_default()
}

/// The first tick that lies [`LEAST`] after `since`; what takes longer than that leaves on the next one.
const fn due(since: u64, now: u64) -> u64 {
    let due = (since + LEAST_NS).div_ceil(TICK_NS) * TICK_NS;
    if due >= now { due } else { (now / TICK_NS + 1) * TICK_NS }
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

    #[test]
    fn the_tick_depends_on_the_arrival_and_not_on_how_long_the_finding_took() {
        for arrival in [0, 1, TICK_NS - LEAST_NS, TICK_NS - 1, TICK_NS, 7 * TICK_NS + 3] {
            let at_once = due(arrival, arrival);
            assert_eq!(at_once % TICK_NS, 0);
            assert!((LEAST_NS..LEAST_NS + TICK_NS).contains(&(at_once - arrival)));
            assert_eq!(due(arrival, arrival + LEAST_NS), at_once);
            assert_eq!(due(arrival, at_once + 1), at_once + TICK_NS);
        }
    }

    #[actix_web::test]
    async fn what_one_tick_releases_leaves_in_the_order_of_arrival() {
        let clock = Arc::new(ManualClock::at(0));
        let (tick, order) = (Arc::new(RefusalTick::new(clock)), Arc::new(std::sync::Mutex::new(Vec::new())));
        let arrivals = [5, 1, 4, 2, 3];
        let all = arrivals.map(|arrival| {
            let (tick, order) = (tick.clone(), order.clone());
            actix_web::rt::spawn(async move {
                assert_eq!(
                    tick.refuse(Duration::from_nanos(arrival)).await.status(),
                    StatusCode::UNAUTHORIZED
                );
                order.lock().unwrap().push(arrival);
            })
        });
        for one in all {
            one.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [1, 2, 3, 4, 5]);
        assert!(WAITING.with_borrow(BTreeMap::is_empty));
    }

    #[tokio::test]
    async fn at_the_limit_the_answer_is_a_body_that_fails() {
        let tick = RefusalTick::new(Arc::new(ManualClock::at(0)));
        tick.held.store(MAX_HELD, Ordering::Relaxed);
        let response = tick.refuse(Duration::ZERO).await;
        assert!(actix_web::body::to_bytes(response.into_body()).await.is_err());
    }
}
