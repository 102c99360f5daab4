//! Who is calling, once a door has authenticated it.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::access::Access;
use crate::grant::Grants;
use crate::identity::Identity;

/// One way in, by its name in logs and in `[Doors]`. Each door has a constant of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Door(&'static str);

impl Door {
    /// The door of this name.
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

/// The id of one request, in the log, in the answer's `req` and for `msp-admin why`: 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// Makes request ids.
#[derive(Debug)]
pub struct RequestIds(AtomicU64);

impl RequestIds {
    /// Odd, so that counting in its steps meets every id once (2⁶⁴ over the golden ratio).
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    /// Begins anywhere; at a random number, so that ids of two runs do not meet.
    #[must_use]
    pub const fn from(start: u64) -> Self {
        Self(AtomicU64::new(start))
    }

    /// One that none had before.
    pub fn next(&self) -> RequestId {
        RequestId(self.0.fetch_add(Self::STEP, Ordering::Relaxed))
    }
}

/// An authenticated caller; only doors make one, after proof.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What it proved to be.
    pub identity: Identity,
    /// What it may call.
    pub grants: Grants,
    /// The most that its way in can give, whatever the grants: the values of a classic request can be recombined by a
    /// watcher within their time, so it may read only.
    pub ceiling: Access,
    /// The door it came through.
    pub door: Door,
    /// Where the request seems to come from; for logs only, an address never widens rights.
    pub address: IpAddr,
    /// The request it makes.
    pub request: RequestId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_do_not_repeat_and_have_sixteen_digits() {
        let ids = RequestIds::from(u64::MAX);
        let made: std::collections::HashSet<_> = (0..1000).map(|_| ids.next().to_string()).collect();
        assert_eq!(made.len(), 1000);
        assert!(made.iter().all(|id| id.len() == 16), "{made:?}");
        assert_eq!(format!("{:?}", RequestId(7)), "RequestId(0000000000000007)");
    }
}
