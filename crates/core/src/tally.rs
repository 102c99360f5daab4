//! What became of a function's calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::runner::RunError;

/// The most characters of a failure that are kept.
const LONGEST: usize = 500;

/// The calls of one function since the server started, whatever its file was meanwhile.
#[derive(Debug, Default)]
pub struct Tally {
    calls: AtomicU64,
    failed: AtomicU64,
    last_failure: Mutex<Option<String>>,
}

impl Tally {
    /// Counts one permitted call by its outcome. What is the caller's doing, or a limit's, is no failure.
    pub(crate) fn note<T>(&self, outcome: &Result<T, RunError>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let Err(
            error @ (RunError::Crashed(_) | RunError::Failed(_) | RunError::Timeout | RunError::TooLarge),
        ) = outcome
        else {
            return;
        };
        self.failed.fetch_add(1, Ordering::Relaxed);
        let text = error.to_string().escape_debug().take(LONGEST).collect();
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    /// Permitted calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Those that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// What the last failure was.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_and_of_failures_the_last_is_kept() {
        let tally = Tally::default();
        tally.note(&Ok(()));
        tally.note::<()>(&Err(RunError::Busy));
        tally.note::<()>(&Err(RunError::BadArguments("missing: a".into())));
        assert_eq!((tally.calls(), tally.failed(), tally.last_failure()), (3, 0, None));
        tally.note::<()>(&Err(RunError::Timeout));
        tally.note::<()>(&Err(RunError::Failed(format!("one\n{}", "x".repeat(1000)))));
        tally.note(&Ok(()));
        assert_eq!((tally.calls(), tally.failed()), (6, 2));
        let last = tally.last_failure().unwrap();
        assert!(last.starts_with("one\\nxxx") && last.len() == LONGEST, "{last}");
    }
}
