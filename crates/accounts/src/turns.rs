//! One at a time for each account and each address, the others in a line.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The line is as long as it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineFull;

/// Lines, one a key; there is none where nobody waits.
#[derive(Debug)]
pub(crate) struct Turns<K: Hash + Eq>(Arc<Mutex<HashMap<K, Line>>>);

#[derive(Debug)]
struct Line {
    turn: Arc<Semaphore>,
    /// Who has the turn or waits for it.
    inside: usize,
}

/// A turn; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<K: Hash + Eq + Copy> {
    _turn: Option<OwnedSemaphorePermit>,
    _place: Place<K>,
}

#[derive(Debug)]
struct Place<K: Hash + Eq + Copy> {
    lines: Arc<Mutex<HashMap<K, Line>>>,
    key: K,
}

impl<K: Hash + Eq> Default for Turns<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Hash + Eq + Copy> Turns<K> {
    /// Waits for the turn of this key, unless so many wait already.
    pub(crate) async fn take(&self, key: K, most_waiting: usize) -> Result<Turn<K>, LineFull> {
        let (turn, place) = {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let line =
                lines.entry(key).or_insert_with(|| Line { turn: Arc::new(Semaphore::new(1)), inside: 0 });
            if line.inside > most_waiting {
                return Err(LineFull);
            }
            line.inside += 1;
            (line.turn.clone(), Place { lines: self.0.clone(), key })
        };
        // The semaphore is never closed.
        let turn = turn.acquire_owned().await.ok();
        Ok(Turn { _turn: turn, _place: place })
    }
}

impl<K: Hash + Eq + Copy> Drop for Place<K> {
    fn drop(&mut self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(&self.key) {
            line.inside = line.inside.saturating_sub(1);
            if line.inside == 0 {
                lines.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accounts_12_one_has_the_turn_so_many_wait_and_more_do_not() {
        let turns = Turns::<u8>::default();
        let first = turns.take(1, 2).await.unwrap();
        let other = turns.take(2, 2).await.unwrap();
        let mut waiting = [Box::pin(turns.take(1, 2)), Box::pin(turns.take(1, 2))];
        for take in &mut waiting {
            assert!(futures_poll(take).is_none());
        }
        assert_eq!(turns.take(1, 2).await.unwrap_err(), LineFull);
        drop(first);
        let [second, third] = waiting;
        let second = second.await.unwrap();
        // Who goes away while it waits makes room.
        drop(third);
        drop((second, other));
        assert!(turns.0.lock().unwrap().is_empty(), "nobody waits, so nothing is kept");
    }

    /// What a future gives when it is asked once.
    fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }
}
