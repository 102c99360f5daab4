//! Every refusal with its true reason: a ring for `msp-admin why`, and a log that an attacker cannot fill.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use msp_protocol::ErrorCode;

use crate::caller::RequestId;
use crate::clock::Clock;
use crate::control;
use crate::refusal::{Refusal, Severity};

/// Refusals kept for `msp-admin why`.
const RING: usize = 10_000;
/// Addresses whose first refusal of the minute is logged; the rest share one line.
const LOGGED_ADDRESSES: usize = 10_000;
/// How long an address's further refusals are only counted.
const LOG_WINDOW: Duration = Duration::from_secs(60);

/// A request that was refused.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The request.
    pub request: RequestId,
    /// Where it seems to come from.
    pub address: IpAddr,
    /// How its caller is named, if that is known.
    pub caller: Option<String>,
    /// What the caller got: a status, or a code.
    pub answer: &'static str,
}

#[derive(Debug)]
struct Kept {
    at_ms: u64,
    refused: Refused,
    reason: String,
}

/// The ring and the log's memory.
#[derive(Debug)]
pub struct Refusals {
    clock: Arc<dyn Clock>,
    counters: Vec<(&'static str, metrics::Counter)>,
    ring: Mutex<VecDeque<Kept>>,
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
    /// An empty ring.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let answers = ["401", "413", "500"].into_iter().chain(ErrorCode::ALL.map(ErrorCode::as_str));
        let counters = answers.map(|answer| (answer, counter(answer))).collect();
        Self { clock, counters, ring: Mutex::default(), windows: Mutex::default() }
    }

    /// Keeps a refusal, and logs it when it is the address's first of the minute or what a function failed with.
    pub fn note(&self, refused: Refused, reason: &dyn Refusal) {
        match self.counters.iter().find(|(answer, _)| *answer == refused.answer) {
            Some((_, counter)) => counter.increment(1),
            None => counter(refused.answer).increment(1),
        }
        let severity = reason.severity();
        let reason = reason.to_string();
        if self.is_first_of_the_minute(refused.address) || severity == Severity::Failure {
            log(&refused, &reason, severity);
        }
        let at_ms = self.clock.now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
        let at_ms = u64::try_from(at_ms).unwrap_or(u64::MAX);
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.len() == RING {
            ring.pop_back();
        }
        ring.push_front(Kept { at_ms, refused, reason });
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
    pub fn tick(&self) {
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
    #[must_use]
    pub fn find(&self, id: Option<&str>, address: Option<IpAddr>, last: usize) -> Vec<control::Refusal> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter()
            .filter(|kept| id.is_none_or(|id| kept.refused.request.to_string() == id))
            .filter(|kept| address.is_none_or(|address| kept.refused.address == address))
            .take(last)
            .map(|Kept { at_ms, refused, reason }| control::Refusal {
                id: refused.request.to_string(),
                at_ms: *at_ms,
                address: refused.address,
                client: refused.caller.clone(),
                answer: refused.answer.to_owned(),
                reason: reason.clone(),
            })
            .collect()
    }
}

fn counter(answer: &'static str) -> metrics::Counter {
    metrics::counter!("msp_refusals_total", "answer" => answer)
}

fn log(refused: &Refused, reason: &str, severity: Severity) {
    let Refused { request, address, caller, answer } = refused;
    let client = caller.as_deref().unwrap_or("-");
    match severity {
        Severity::Info => tracing::info!(req = %request, %address, client, answer, "refused: {reason}"),
        Severity::Failure | Severity::Warning => {
            tracing::warn!(req = %request, %address, client, answer, "refused: {reason}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[derive(Debug, thiserror::Error)]
    #[error("a stranger")]
    struct Stranger;

    impl Refusal for Stranger {}

    fn refused(id: u64, address: &str) -> Refused {
        let (request, address) = (RequestId(id), address.parse().unwrap());
        Refused { request, address, caller: None, answer: "401" }
    }

    #[test]
    fn the_ring_keeps_the_newest_ten_thousand_and_finds_by_id_and_address() {
        let refusals = Refusals::new(Arc::new(ManualClock::at(1000)));
        for id in 0..10_005 {
            refusals.note(refused(id, if id % 2 == 0 { "192.0.2.1" } else { "192.0.2.2" }), &Stranger);
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

    #[derive(Debug, thiserror::Error)]
    #[error("it fell over")]
    struct Fallen;

    impl Refusal for Fallen {
        fn severity(&self) -> Severity {
            Severity::Failure
        }
    }

    #[test]
    fn failures_are_always_logged_others_once_a_minute_with_their_count_after_it() {
        let clock = Arc::new(ManualClock::at(1000));
        let refusals = Refusals::new(clock.clone());
        let lines = crate::captured::lines(|| {
            refusals.note(refused(1, "192.0.2.1"), &Stranger);
            refusals.note(refused(2, "192.0.2.1"), &Stranger);
            refusals.note(refused(3, "192.0.2.1"), &Fallen);
            refusals.note(refused(4, "192.0.2.2"), &Stranger);
        });
        let reasons: Vec<_> = lines.iter().map(|line| line.split("refused: ").nth(1)).collect();
        assert_eq!(reasons.len(), 3, "{lines:?}");
        assert!(lines[1].contains("refused: it fell over") && lines[1].contains("req=0000000000000003"));
        clock.advance(Duration::from_secs(60));
        let lines = crate::captured::lines(|| refusals.tick());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("192.0.2.1") && lines[0].contains("count=2"), "{lines:?}");
    }

    #[test]
    fn of_more_addresses_than_are_kept_apart_one_line_tells() {
        let clock = Arc::new(ManualClock::at(1000));
        let refusals = Refusals::new(clock.clone());
        let lines = crate::captured::lines(|| {
            for n in 0..10_003_u32 {
                let address = IpAddr::from(std::net::Ipv4Addr::from_bits(n)).to_string();
                refusals.note(refused(1, &address), &Stranger);
            }
        });
        assert_eq!(lines.len(), 10_000);
        clock.advance(Duration::from_secs(60));
        let lines = crate::captured::lines(|| refusals.tick());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("count=3"), "{lines:?}");
    }
}
