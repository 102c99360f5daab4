//! How many connections doors may keep for long.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The part of all connections that stays for calls, whatever streams and upgraded connections there are: an eighth.
const RESERVE: usize = 8;

/// The streams and upgraded connections of one door. Those of all doors together leave a reserve for calls, so that the
/// sealed door can always be reached.
#[derive(Debug, Clone)]
pub struct Budget {
    door: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

/// A place for one stream or upgraded connection; free again when dropped.
#[derive(Debug)]
pub struct Place {
    _door: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Budget {
    /// That of a single door, of so many connections.
    #[must_use]
    pub fn of(connections: usize) -> Self {
        let places = || Arc::new(Semaphore::new(connections - connections / RESERVE));
        Self { door: places(), all: places() }
    }

    /// That of another door, which may keep so many at most.
    #[must_use]
    pub fn beside(&self, at_most: usize) -> Self {
        Self { door: Arc::new(Semaphore::new(at_most)), all: self.all.clone() }
    }

    /// A place, unless all are taken.
    #[must_use]
    pub fn take(&self) -> Option<Place> {
        let door = self.door.clone().try_acquire_owned().ok()?;
        let all = self.all.clone().try_acquire_owned().ok()?;
        Some(Place { _door: door, _all: all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_keeps_no_more_than_its_own_and_all_of_them_leave_a_reserve() {
        let one = Budget::of(16);
        let other = one.beside(4);
        let taken: Vec<_> = std::iter::from_fn(|| other.take()).collect();
        assert_eq!(taken.len(), 4);
        let rest: Vec<_> = std::iter::from_fn(|| one.take()).collect();
        assert_eq!(rest.len(), 10, "16, less the reserve and the four");
        drop(taken);
        assert!(one.take().is_some() && other.take().is_some());
        drop(rest);
    }
}
