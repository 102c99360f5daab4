//! Which refused requests were told why, so that a recorded one draws no second answer.

use std::collections::{HashSet, VecDeque};

use msp_core::Item;

/// The items of the requests told last.
#[derive(Debug, Default)]
pub(crate) struct ToldOnce {
    items: HashSet<Item>,
    order: VecDeque<Item>,
}

impl ToldOnce {
    /// Notes a request, and says whether none of its items was noted before.
    pub(crate) fn first_time(&mut self, items: &[Item]) -> bool {
        if items.iter().any(|item| self.items.contains(item)) {
            return false;
        }
        for item in items {
            if self.order.len() >= REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.items.remove(&oldest);
            }
            if self.items.insert(*item) {
                self.order.push_back(*item);
            }
        }
        true
    }
}

/// Items remembered; the oldest goes when a new one comes.
const REMEMBERED: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_once_whichever_of_its_items_comes_back() {
        let mut told = ToldOnce::default();

        assert!(told.first_time(&[[1; 24], [2; 24]]));
        assert!(!told.first_time(&[[1; 24], [2; 24]]));
        assert!(!told.first_time(&[[3; 24], [2; 24]]));
        assert!(told.first_time(&[[3; 24]]));
    }

    #[test]
    fn the_oldest_is_forgotten_when_the_ring_is_full() {
        let mut told = ToldOnce::default();
        let item = |n: usize| {
            let mut item = [0; 24];
            item[..8].copy_from_slice(&n.to_le_bytes());
            item
        };
        for n in 0..=REMEMBERED {
            assert!(told.first_time(&[item(n)]));
        }

        assert!(!told.first_time(&[item(1)]));
        assert!(told.first_time(&[item(0)]));
        assert_eq!((told.items.len(), told.order.len()), (REMEMBERED, REMEMBERED));
    }
}
