//! What is short-lived, in the domain's words.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use msp_protocol::{Digest, UnixSecond};
use serde::{Deserialize, Serialize};

mod network;
mod once;
mod passwords;
mod sessions;

pub use network::Network;
pub use once::{MAX_WAITING, Once, TooManyWaiting};
pub use passwords::{
    Attempt, AttemptStanding, PasswordBan, PasswordBanOf, PasswordLimits, Passwords, RefusedBy,
};
pub use sessions::{
    Lifetime, MAX_SESSIONS, MAX_SESSIONS_OF_USER, Session, SessionKind, Sessions, TooManySessions,
};

use crate::BoxFuture;
use crate::registry::{Item, RegistryError};
use crate::soon::Soon;

/// A proven request that asks to be accepted once.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Digest of the client's key.
    pub client: Digest,
    /// One item of an envelope, four of a classic request.
    pub items: Vec<Item>,
    /// The request's time.
    pub ts: UnixSecond,
}

/// Why a proven request is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Its time is at or below the floor.
    BelowFloor {
        /// The first second that would be accepted.
        not_before: UnixSecond,
        /// True the first time this request is refused, within 24 h: then the caller may be told.
        tell: bool,
    },
    /// The guard or this caller's share of it is full.
    Full,
    /// One of its items was accepted before, or refused as ahead before.
    Replayed,
    /// Its time is more than RequestTTL ahead.
    TooNew {
        /// The server's time, or the first second above the floor.
        not_before: UnixSecond,
        /// As in `BelowFloor`.
        tell: bool,
    },
    /// Its time is more than RequestTTL ago.
    TooOld {
        /// The server's time, or the first second above the floor.
        not_before: UnixSecond,
        /// As in `BelowFloor`.
        tell: bool,
    },
    /// The mark that must be durable first cannot be written.
    Unavailable,
}

/// How an address is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// Seen within IPAddressTTL.
    Known,
    /// Never seen, or forgotten.
    New,
    /// Seen before, but longer ago than IPAddressTTL.
    Returned,
}

/// How an address is treated after its failures. It never decides about proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No, or few, failures.
    Free,
    /// Refused the search through all classic keys until then (monotonic).
    Slowed(Duration),
    /// On the ban list until then (monotonic).
    Banned(Duration),
}

/// A row of the ban list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// The address, or the /64 of an IPv6 address.
    pub address: String,
    /// Failures counted.
    pub failures: u32,
    /// Seconds until it ends.
    pub remaining_sec: u64,
}

/// How full the guard is, and where its floor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardStatus {
    /// Slots in use; a classic request takes four.
    pub entries: usize,
    /// Slots there are.
    pub max_entries: usize,
    /// Nothing at or below this second is accepted.
    pub floor: UnixSecond,
    /// The durable mark.
    pub accepted_until: UnixSecond,
    /// True while the mark cannot be written.
    pub mark_failing: bool,
}

/// Accepts each proven request once.
pub trait Replay: Send + Sync {
    /// Accepts a proven request, or says why not; what was accepted is never accepted again.
    fn admit(&self, request: Admission) -> Soon<'_, Result<(), Rejection>>;
    /// Ends the secret that a client had before `secret`, in the registry too, and lowers the client's own floor and mark,
    /// which stood for requests under it. To be called, and waited for, before the first request under the new secret is
    /// judged, with the old one refused already: so the floor stands for nothing else.
    fn end_previous_secret(&self, client: Digest, secret: Digest)
    -> BoxFuture<'_, Result<(), RegistryError>>;
    /// How full it is, and where its floor stands; as last known, without asking anybody.
    fn status(&self) -> GuardStatus;
    /// Does what is due: forgets, raises the mark ahead of need; called about twice a second.
    fn tick(&self) -> BoxFuture<'_, ()>;
    /// Reads the marks anew, after a restore.
    fn reload_marks(&self) -> BoxFuture<'_, Result<(), RegistryError>>;
    /// Lowers floor and mark to the clock, giving up protection for the seconds between (`msp-admin floor reset`).
    fn reset_floor(&self) -> BoxFuture<'_, Result<(), RegistryError>>;
    /// Sets the mark to the highest time accepted, before a graceful stop ends.
    fn close(&self) -> BoxFuture<'_, Result<(), RegistryError>>;
}

/// Counts failures to prove something by a key, and says how whoever fails is to be treated. Passwords have
/// [`Passwords`]: a stranger's garbage must not slow an office's log-ins.
pub trait Failures: Send + Sync {
    /// Counts a failure against an address (IPv6: its /64). A trusted hop stands for many: it is slowed like others and
    /// never banned.
    fn note(&self, address: IpAddr, is_hop: bool) -> Soon<'_, ()>;
    /// Forgets half of an address's failures after a success.
    fn forgive(&self, address: IpAddr) -> Soon<'_, ()>;
    /// How an address is to be treated now.
    fn standing(&self, address: IpAddr) -> Soon<'_, Standing>;
    /// The ban list.
    fn bans(&self) -> Soon<'_, Vec<Ban>>;
    /// Takes an address off the ban list; false when it was not on it.
    fn lift_ban(&self, address: IpAddr) -> Soon<'_, bool>;
}

/// Remembers from which addresses callers came.
pub trait Sightings: Send + Sync {
    /// Notes an address after a successful call by this client.
    fn sight<'a>(&'a self, address: IpAddr, client: &'a Digest) -> Soon<'a, Sighting>;
    /// The keys (their digests) that lately proved themselves from this address, the last one first.
    fn seen_from(&self, address: IpAddr) -> Soon<'_, Vec<Digest>>;
}

/// The short-lived memory of a server, or of several that share one.
#[derive(Clone)]
pub struct Guard {
    /// What was accepted.
    pub replay: Arc<dyn Replay>,
    /// Who failed.
    pub failures: Arc<dyn Failures>,
    /// Who was seen.
    pub sightings: Arc<dyn Sightings>,
}

impl Guard {
    /// One implementation of all three.
    #[must_use]
    pub fn of<G: Replay + Failures + Sightings + 'static>(guard: Arc<G>) -> Self {
        Self { replay: guard.clone(), failures: guard.clone(), sightings: guard }
    }
}

/// What log-ins need of the guard.
#[derive(Clone)]
pub struct LogInGuard {
    /// Who is logged in.
    pub sessions: Arc<dyn Sessions>,
    /// What is used once.
    pub once: Arc<dyn Once>,
    /// Passwords that failed.
    pub passwords: Arc<dyn Passwords>,
}

impl LogInGuard {
    /// One implementation of all three.
    #[must_use]
    pub fn of<G: Sessions + Once + Passwords + 'static>(guard: Arc<G>) -> Self {
        Self { sessions: guard.clone(), once: guard.clone(), passwords: guard }
    }
}
