//! Sending requests over many connections and checking every answer.

mod bodies;
mod calls;
mod strangers;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use msp_core::clock::Clock;
use msp_protocol::{OsRng, RngCore as _};

use crate::Failure;
use crate::http::Connection;

pub(crate) use bodies::Bodies;
pub(crate) use calls::{Addresses, Calls, Prepared, Shape, spread};
pub(crate) use strangers::{Garbage, Replays, Rubbish};

/// What is sent, and what must come back.
pub(crate) trait Traffic {
    /// What is kept of a request until its answer comes.
    type Ticket;

    /// Writes the `n`-th request into `to`.
    fn request(&self, n: u64, to: &mut Vec<u8>) -> Result<Self::Ticket, Failure>;

    /// Judges the answer.
    fn check(&self, ticket: Self::Ticket, status: u16, body: &[u8]) -> Result<(), Failure>;
}

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    /// Connections, each with one request under way.
    pub(crate) connections: usize,
    /// For how long.
    pub(crate) time: Duration,
    /// At most so many requests; none means no limit.
    pub(crate) requests: Option<u64>,
    /// Requests a second in all; none means as fast as answers come.
    pub(crate) rate: Option<f64>,
    /// The longest pause before each request; how long one is, is left to chance.
    pub(crate) pause: Duration,
}

impl Amount {
    /// As fast as answers come.
    pub(crate) const fn full(connections: usize, time: Duration) -> Self {
        Self { connections, time, requests: None, rate: None, pause: Duration::ZERO }
    }
}

/// What came of it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outcome {
    /// Answers that were right.
    pub(crate) right: u64,
    /// Answers that were wrong, and connections that broke.
    pub(crate) wrong: u64,
    /// What was wrong with the first of them.
    pub(crate) first_wrong: Option<String>,
    /// Time from a request to its answer, in microseconds, of the right ones, sorted.
    pub(crate) latencies: Vec<u32>,
    /// From the first request to the last answer.
    pub(crate) time: Duration,
}

impl Outcome {
    /// Right answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.right as f64 / self.time.as_secs_f64().max(f64::EPSILON)
    }

    /// The time under which this share of the answers came.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let place = (self.latencies.len() as f64 * share) as usize;
        let found = self.latencies.get(place.min(self.latencies.len().saturating_sub(1)));
        Duration::from_micros(found.copied().unwrap_or_default().into())
    }

    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.first_wrong = self.first_wrong.take().or(other.first_wrong);
        self.latencies.extend(other.latencies);
    }
}

/// Sends the traffic over the connections of one thread.
pub(crate) async fn run<T: Traffic + 'static>(
    address: SocketAddr,
    amount: Amount,
    traffic: Rc<T>,
    clock: std::sync::Arc<dyn Clock>,
) -> Result<Outcome, Failure> {
    let next = Rc::new(std::cell::Cell::new(0));
    let mut connections = Vec::new();
    for _ in 0..amount.connections {
        connections.push(Connection::open(address).await?);
    }
    let start = clock.monotonic();
    let mut tasks = Vec::new();
    for connection in connections {
        let lane =
            Lane { connection, amount, traffic: traffic.clone(), clock: clock.clone(), next: next.clone() };
        tasks.push(tokio::task::spawn_local(lane.drive(start)));
    }
    let mut outcome = Outcome::default();
    for task in tasks {
        outcome.add(task.await??);
    }
    outcome.time = clock.monotonic().saturating_sub(start);
    outcome.latencies.sort_unstable();
    Ok(outcome)
}

/// One connection's share of the load.
struct Lane<T> {
    connection: Connection,
    amount: Amount,
    traffic: Rc<T>,
    clock: std::sync::Arc<dyn Clock>,
    /// The number of the next request, shared by all connections.
    next: Rc<std::cell::Cell<u64>>,
}

impl<T: Traffic> Lane<T> {
    async fn drive(mut self, start: Duration) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        let mut request = Vec::new();
        loop {
            let n = self.next.replace(self.next.get() + 1);
            if self.amount.requests.is_some_and(|most| n >= most) {
                return Ok(outcome);
            }
            if let Some(rate) = self.amount.rate {
                let due = start + Duration::from_secs_f64(n as f64 / rate);
                tokio::time::sleep(due.saturating_sub(self.clock.monotonic())).await;
            }
            if !self.amount.pause.is_zero() {
                let share = f64::from(OsRng.next_u32()) / f64::from(u32::MAX);
                tokio::time::sleep(self.amount.pause.mul_f64(share)).await;
            }
            if self.clock.monotonic().saturating_sub(start) >= self.amount.time {
                return Ok(outcome);
            }
            let ticket = self.traffic.request(n, &mut request)?;
            let sent = self.clock.monotonic();
            let checked = match self.connection.exchange(&request).await {
                Ok((status, body)) => self.traffic.check(ticket, status, body),
                Err(error) => {
                    self.connection.reopen().await?;
                    Err(error)
                }
            };
            match checked {
                Ok(()) => {
                    outcome.right += 1;
                    let took = self.clock.monotonic().saturating_sub(sent).as_micros();
                    outcome.latencies.push(u32::try_from(took).unwrap_or(u32::MAX));
                }
                Err(error) => {
                    outcome.wrong += 1;
                    outcome.first_wrong.get_or_insert_with(|| error.to_string());
                }
            }
        }
    }
}
