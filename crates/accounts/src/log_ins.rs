//! From where users have logged in: what an owner is known by while somebody else guesses the password.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use msp_core::{LogIn, LogInNetwork, RegistryError, Users};
use msp_protocol::{Digest, UnixSecond};

/// How long a network stays known after a log-in, in seconds.
const KNOWN: UnixSecond = 30 * 86_400;
/// The registry keeps log-ins to the hour.
const HOUR: UnixSecond = 3600;
/// How many are remembered as noted this hour, and how many rows of failures wait to be written.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Log-ins, written behind.
pub(crate) struct LogIns {
    /// The hour in which each was noted last.
    noted: Mutex<LruCache<LogIn, UnixSecond>>,
    unwritten: Mutex<Unwritten>,
}

#[derive(Default)]
struct Unwritten {
    succeeded: Vec<LogIn>,
    failed: HashMap<LogIn, u64>,
}

impl LogIns {
    pub(crate) fn new() -> Self {
        Self { noted: Mutex::new(LruCache::new(REMEMBERED)), unwritten: Mutex::default() }
    }

    /// Notes a success, once an hour.
    pub(crate) fn succeeded(&self, log_in: LogIn, now: UnixSecond) {
        let hour = now / HOUR;
        let before = self.noted.lock().unwrap_or_else(PoisonError::into_inner).put(log_in, hour);
        if before != Some(hour) {
            self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).succeeded.push(log_in);
        }
    }

    /// Notes a failure of a user that exists.
    pub(crate) fn failed(&self, log_in: LogIn) {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        if unwritten.failed.len() < REMEMBERED.get() || unwritten.failed.contains_key(&log_in) {
            *unwritten.failed.entry(log_in).or_default() += 1;
        }
        drop(unwritten);
        // The row's failures are zero again with the next success, which is to be written then.
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).pop(&log_in);
    }

    /// Whether the user has logged in from there within 30 days.
    pub(crate) async fn is_known(
        &self,
        users: &dyn Users,
        user: &Digest,
        network: LogInNetwork,
        now: UnixSecond,
    ) -> Result<bool, RegistryError> {
        let waits = {
            let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
            unwritten.succeeded.iter().any(|log_in| log_in.user == *user && log_in.network == network)
        };
        Ok(waits || users.has_logged_in(user, network, now.saturating_sub(KNOWN)).await?)
    }

    /// Writes what waits; keeps what cannot be written.
    pub(crate) async fn write(&self, users: &dyn Users) -> Result<(), RegistryError> {
        let Unwritten { succeeded, failed } = {
            let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *unwritten)
        };
        let failed: Vec<(LogIn, u64)> = failed.into_iter().collect();
        let mut written = 0;
        let result = async {
            // Failures first: those that came before a success end with it.
            if !failed.is_empty() {
                users.note_failed_log_ins(&failed).await?;
            }
            for log_in in &succeeded {
                users.note_log_in(log_in).await?;
                written += 1;
            }
            Ok(())
        };
        let result = result.await;
        if result.is_err() {
            let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
            unwritten.succeeded.extend(succeeded.into_iter().skip(written));
            if written == 0 {
                for (log_in, count) in failed {
                    *unwritten.failed.entry(log_in).or_default() += count;
                }
            }
        }
        result
    }
}
