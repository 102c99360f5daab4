//! What happens, told to whoever listens: each event is serialised once, however many do.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// What an event is about, by its name on the wire. Each publisher has constants of its own, so that callers cannot make
/// kinds and their number stays small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKind(&'static str);

impl EventKind {
    /// The kind of this name.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Passes events from publishers to subscribers and keeps the latest of each kind. A publisher never waits: who reads too
/// slowly misses events and is told how many.
#[derive(Debug)]
pub struct Bus {
    channels: Mutex<BTreeMap<EventKind, Channel>>,
    backlog: usize,
}

#[derive(Debug)]
struct Channel {
    latest: Option<Bytes>,
    sender: broadcast::Sender<Bytes>,
}

impl Bus {
    /// Keeps at most so many events of a kind for who has not read them yet, at least one.
    #[must_use]
    pub const fn with_backlog(events: usize) -> Self {
        Self { channels: Mutex::new(BTreeMap::new()), backlog: if events == 0 { 1 } else { events } }
    }

    /// Tells an event, as JSON, to all who have subscribed to its kind.
    ///
    /// # Errors
    /// The event is no JSON, a map with other keys than text for example; then nobody is told.
    pub fn publish(&self, kind: EventKind, event: &impl Serialize) -> Result<(), serde_json::Error> {
        let event = Bytes::from(serde_json::to_vec(event)?);
        self.with_channel(kind, |channel| {
            channel.latest = Some(event.clone());
            let _nobody_listens = channel.sender.send(event);
        });
        Ok(())
    }

    /// All events of this kind from now on, the latest one before them at once.
    pub fn subscribe(&self, kind: EventKind) -> Subscription {
        // Under one lock, so that no event is missed or told twice between the latest and the next.
        self.with_channel(kind, |channel| Subscription {
            latest: channel.latest.clone(),
            receiver: channel.sender.subscribe(),
        })
    }

    fn with_channel<T>(&self, kind: EventKind, act: impl FnOnce(&mut Channel) -> T) -> T {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channels
            .entry(kind)
            .or_insert_with(|| Channel { latest: None, sender: broadcast::Sender::new(self.backlog) });
        act(channel)
    }
}

/// What a subscriber is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// An event, as JSON.
    Event(Bytes),
    /// So many events came faster than they were read, and are gone.
    Missed(u64),
}

/// One kind's events for one subscriber; dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    latest: Option<Bytes>,
    receiver: broadcast::Receiver<Bytes>,
}

impl Subscription {
    /// The next event; none when the bus is gone and all has been read. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<News> {
        if let Some(latest) = self.latest.take() {
            return Some(News::Event(latest));
        }
        match self.receiver.recv().await {
            Ok(event) => Some(News::Event(event)),
            Err(RecvError::Lagged(events)) => Some(News::Missed(events)),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use futures_util::FutureExt as _;
    use serde_json::json;

    use super::*;

    const STATE: EventKind = EventKind::named("system-state");
    const JOBS: EventKind = EventKind::named("dispatcher");

    /// What a subscriber is told now; none when there is nothing yet.
    fn now(subscription: &mut Subscription) -> Option<News> {
        subscription.next().now_or_never().map(|told| told.expect("the bus is there"))
    }

    fn event(text: &'static str) -> Option<News> {
        Some(News::Event(Bytes::from_static(text.as_bytes())))
    }

    #[test]
    fn who_subscribes_is_told_the_latest_event_and_each_one_after_it_once() {
        let bus = Bus::with_backlog(8);
        let mut early = bus.subscribe(STATE);
        assert_eq!(now(&mut early), None);
        bus.publish(STATE, &json!({"load": 1})).unwrap();
        bus.publish(STATE, &json!({"load": 2})).unwrap();
        let mut late = bus.subscribe(STATE);
        bus.publish(STATE, &json!({"load": 3})).unwrap();
        for text in [r#"{"load":1}"#, r#"{"load":2}"#, r#"{"load":3}"#] {
            assert_eq!(now(&mut early), event(text));
        }
        for text in [r#"{"load":2}"#, r#"{"load":3}"#] {
            assert_eq!(now(&mut late), event(text));
        }
        assert_eq!((now(&mut early), now(&mut late)), (None, None));
    }

    #[test]
    fn kinds_are_told_apart() {
        let bus = Bus::with_backlog(8);
        let (mut jobs, mut state) = (bus.subscribe(JOBS), bus.subscribe(STATE));
        bus.publish(JOBS, &"running").unwrap();
        assert_eq!((now(&mut state), now(&mut jobs)), (None, event("\"running\"")));
        assert_eq!(now(&mut bus.subscribe(STATE)), None);
    }

    #[test]
    fn an_event_is_serialised_once_for_all() {
        let bus = Bus::with_backlog(8);
        let mut subscriptions = [bus.subscribe(JOBS), bus.subscribe(JOBS)];
        bus.publish(JOBS, &"x".repeat(1000)).unwrap();
        let places = subscriptions.each_mut().map(|subscription| match now(subscription) {
            Some(News::Event(event)) => event.as_ptr(),
            other => panic!("{other:?}"),
        });
        assert_eq!(places[0], places[1]);
    }

    #[test]
    fn who_reads_too_slowly_is_told_how_much_is_gone_and_goes_on() {
        for (asked, kept) in [(0, 1), (1, 1), (4, 4)] {
            let bus = Bus::with_backlog(asked);
            let mut slow = bus.subscribe(JOBS);
            for number in 0..10 {
                bus.publish(JOBS, &number).unwrap();
            }
            assert_eq!(now(&mut slow), Some(News::Missed(10 - kept)));
            for number in 10 - kept..10 {
                assert_eq!(now(&mut slow), Some(News::Event(number.to_string().into())));
            }
            assert_eq!(now(&mut slow), None);
        }
    }

    #[test]
    fn a_subscriber_sleeps_until_there_is_something_and_ends_with_the_bus() {
        let bus = Bus::with_backlog(8);
        let mut subscription = bus.subscribe(JOBS);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async move {
            let waits = tokio::spawn(async move {
                let first = subscription.next().await;
                (first, subscription.next().await)
            });
            tokio::task::yield_now().await;
            assert!(!waits.is_finished());
            bus.publish(JOBS, &1).unwrap();
            drop(bus);
            assert_eq!(waits.await.unwrap(), (event("1"), None));
        });
    }

    #[test]
    fn what_is_no_json_is_told_to_nobody() {
        let bus = Bus::with_backlog(8);
        let mut subscription = bus.subscribe(JOBS);
        assert!(bus.publish(JOBS, &HashMap::from([((1, 2), 3)])).is_err());
        assert_eq!((now(&mut subscription), now(&mut bus.subscribe(JOBS))), (None, None));
    }
}
