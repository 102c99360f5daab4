//! How a suite starts a guard, and requests for it.

use std::time::Duration;

use msp_core::clock::ManualClock;
use msp_core::{Admission, Guard, Item, LogInGuard};
use msp_protocol::{Digest, UnixSecond};

/// The second at which every behaviour begins.
pub const START: UnixSecond = 1_800_000_000;

/// How long a guard remembers, and how much, as `[Clients]`, `[Server]` and `[Guard]` say it.
#[derive(Debug, Clone, Copy)]
pub struct GuardLimits {
    /// `RequestTTL`.
    pub request_ttl: Duration,
    /// `IPAddressTTL`.
    pub address_ttl: Duration,
    /// `MaxEntries`.
    pub max_entries: usize,
    /// `CallerShare`.
    pub caller_share: f64,
}

impl Default for GuardLimits {
    fn default() -> Self {
        let (request_ttl, address_ttl) = (Duration::from_secs(30), Duration::from_secs(300));
        Self { request_ttl, address_ttl, max_entries: 1_000_000, caller_share: 1.0 / 16.0 }
    }
}

/// An implementation of the guard's traits, as a suite needs it.
pub trait GuardStand: Sized {
    /// A guard that remembers nothing yet, by a clock that stands at [`START`].
    fn start(limits: GuardLimits) -> impl Future<Output = Self>;

    /// Its clock.
    fn clock(&self) -> &ManualClock;

    /// What is tested.
    fn guard(&self) -> Guard;

    /// What log-ins need of it.
    fn log_ins(&self) -> LogInGuard;

    /// Its server ends without a word, as by kill -9, and starts again.
    fn crash(&mut self) -> impl Future<Output = ()>;

    /// Time passes, and the guard does what is due.
    fn pass(&self, seconds: u64) -> impl Future<Output = ()> {
        async move {
            self.clock().advance(Duration::from_secs(seconds));
            self.guard().replay.tick().await;
        }
    }
}

/// A request with one item.
pub fn envelope(client: u8, n: u64, ts: UnixSecond) -> Admission {
    Admission { client: key(client), items: vec![item(n)], ts }
}

/// A request with four items, `4 n` to `4 n + 3`.
pub fn classic(client: u8, n: u64, ts: UnixSecond) -> Admission {
    Admission { client: key(client), items: (0..4).map(|part| item(4 * n + part)).collect(), ts }
}

/// The digest that stands for a client's key.
pub const fn key(client: u8) -> Digest {
    Digest::from_stored([client; 32])
}

/// An item of its own for each number.
pub fn item(n: u64) -> Item {
    let mut item = [0; 24];
    item[..8].copy_from_slice(&n.to_le_bytes());
    item
}
