//! Every refusal with its true reason: a ring for `msp-admin why`, and a log that an attacker cannot fill.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use msp_core::clock::Clock;
use msp_core::control;
use msp_core::{Reason, RequestId, Severity};
use msp_protocol::ErrorCode;

/// Refusals kept for `msp-admin why`.
const RING: usize = 10_000;
/// Addresses whose first refusal of the minute is logged; the rest share one line.
const LOGGED_ADDRESSES: usize = 10_000;
/// How long an address's further refusals are only counted.
const LOG_WINDOW: Duration = Duration::from_secs(60);

/// One refusal.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) id: RequestId,
    pub(crate) address: IpAddr,
    /// The client's name or fingerprint, when its key opened the request.
    pub(crate) client: Option<String>,
    /// What the caller got.
    pub(crate) answer: &'static str,
    pub(crate) reason: Reason,
}

/// The ring and the log's memory.
#[derive(Debug)]
pub(crate) struct Refusals {
    clock: Arc<dyn Clock>,
    counters: Vec<(&'static str, metrics::Counter)>,
    ring: Mutex<VecDeque<(u64, Refusal)>>,
    windows: Mutex<Windows>,
}

#[derive(Debug, Default)]
struct Windows {
    by_address: HashMap<IpAddr, Window>,
    /// Refusals of addresses beyond [`LOGGED_ADDRESSES`].
    others: u64,
}

#[derive(Debug)]
struct Window {
    since: Duration,
    unlogged: u64,
}

impl Refusals {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let answers = ["401", "413", "500"].into_iter().chain(ErrorCode::ALL.map(ErrorCode::as_str));
        let counters = answers.map(|answer| (answer, counter(answer))).collect();
        Self { clock, counters, ring: Mutex::default(), windows: Mutex::default() }
    }

    /// Keeps a refusal, and logs it when it is the address's first of the minute. What a function failed with is always
    /// logged: whoever mends it needs every failure, and no stranger brings one about.
    pub(crate) fn note(&self, refusal: Refusal) {
        match self.counters.iter().find(|(answer, _)| *answer == refusal.answer) {
            Some((_, counter)) => counter.increment(1),
            None => counter(refusal.answer).increment(1),
        }
        if refusal.reason.is_of_the_function() || self.is_first_of_the_minute(refusal.address) {
            log(&refusal);
        }
        let at_ms = self.clock.now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.len() == RING {
            ring.pop_back();
        }
        ring.push_front((u64::try_from(at_ms).unwrap_or(u64::MAX), refusal));
    }

    fn is_first_of_the_minute(&self, address: IpAddr) -> bool {
        let now = self.clock.monotonic();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.by_address.get_mut(&address) {
            window.unlogged += 1;
            return false;
        }
        if windows.by_address.len() >= LOGGED_ADDRESSES {
            windows.others += 1;
            return false;
        }
        windows.by_address.insert(address, Window { since: now, unlogged: 0 });
        true
    }

    /// Logs the counts of the minutes that are over, and forgets them.
    pub(crate) fn tick(&self) {
        let now = self.clock.monotonic();
        let mut counts = Vec::new();
        let others = {
            let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
            windows.by_address.retain(|address, window| {
                let over = now.saturating_sub(window.since) >= LOG_WINDOW;
                if over && window.unlogged > 0 {
                    counts.push((*address, window.unlogged));
                }
                !over
            });
            if counts.is_empty() && windows.by_address.len() >= LOGGED_ADDRESSES {
                0
            } else {
                std::mem::take(&mut windows.others)
            }
        };
        for (address, count) in counts {
            tracing::warn!(%address, count, "further requests refused in the last minute");
        }
        if others > 0 {
            tracing::warn!(count = others, "requests refused from many other addresses");
        }
    }

    /// Refusals, the newest first.
    pub(crate) fn find(
        &self,
        id: Option<&str>,
        address: Option<IpAddr>,
        last: usize,
    ) -> Vec<control::Refusal> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter()
            .filter(|(_, refusal)| id.is_none_or(|id| refusal.id.to_string() == id))
            .filter(|(_, refusal)| address.is_none_or(|address| refusal.address == address))
            .take(last)
            .map(|(at_ms, refusal)| control::Refusal {
                id: refusal.id.to_string(),
                at_ms: *at_ms,
                address: refusal.address,
                client: refusal.client.clone(),
                answer: refusal.answer.to_owned(),
                reason: refusal.reason.to_string(),
            })
            .collect()
    }
}

fn counter(answer: &'static str) -> metrics::Counter {
    metrics::counter!("msp_refusals_total", "answer" => answer)
}

fn log(refusal: &Refusal) {
    let Refusal { id, address, client, answer, reason } = refusal;
    let client = client.as_deref().unwrap_or("-");
    match reason.severity() {
        Severity::Info => tracing::info!(req = %id, %address, client, answer, "refused: {reason}"),
        Severity::Warning => tracing::warn!(req = %id, %address, client, answer, "refused: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use msp_core::clock::ManualClock;

    use super::*;

    fn refusal(id: u64, address: &str) -> Refusal {
        Refusal {
            id: RequestId(id),
            address: address.parse().unwrap(),
            client: None,
            answer: "401",
            reason: Reason::Stranger,
        }
    }

    #[test]
    fn the_ring_keeps_the_newest_ten_thousand_and_finds_by_id_and_address() {
        let refusals = Refusals::new(Arc::new(ManualClock::at(1000)));
        for id in 0..10_005 {
            refusals.note(refusal(id, if id % 2 == 0 { "192.0.2.1" } else { "192.0.2.2" }));
        }
        assert_eq!(refusals.find(None, None, 20_000).len(), 10_000);
        assert!(refusals.find(Some("0000000000000004"), None, 1).is_empty());
        assert_eq!(refusals.find(Some("0000000000000005"), None, 1).len(), 1);
        let odd = refusals.find(None, Some("192.0.2.2".parse().unwrap()), 3);
        assert_eq!(
            odd.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(),
            ["000000000000270f".replace("270f", "2713").as_str(), "0000000000002711", "000000000000270f"]
        );
    }

    #[test]
    fn only_the_first_refusal_of_an_address_each_minute_is_logged() {
        let clock = Arc::new(ManualClock::at(1000));
        let refusals = Refusals::new(clock.clone());
        let address = "192.0.2.1".parse().unwrap();
        assert!(refusals.is_first_of_the_minute(address));
        assert!(!refusals.is_first_of_the_minute(address));
        clock.advance(Duration::from_secs(59));
        refusals.tick();
        assert!(!refusals.is_first_of_the_minute(address));
        clock.advance(Duration::from_secs(1));
        refusals.tick();
        assert!(refusals.is_first_of_the_minute(address));
    }
}
