//! How many processes the user of functions may have.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use msp_core::clock::Clock;
use rustix::process::getuid;

use super::user::WorkerUser;

/// How many more than there were at its start one process may see. The kernel counts the whole user, so this is
/// far above what functions need, and far below what ends a machine.
pub(super) const PROCESS_ALLOWANCE: u64 = 512;
/// How old a count may be.
const MAX_AGE: Duration = Duration::from_secs(1);

/// Counts the processes and threads of a user.
#[derive(Debug)]
pub(super) struct Processes {
    uid: u32,
    clock: Arc<dyn Clock>,
    counted: Mutex<Option<(Duration, u64)>>,
}

impl Processes {
    /// Those of the user of functions; none: the server's.
    pub(super) fn of(user: Option<WorkerUser>, clock: Arc<dyn Clock>) -> Self {
        let uid = user.map_or_else(|| getuid().as_raw(), |user| user.uid);
        Self { uid, clock, counted: Mutex::default() }
    }

    /// What a process that starts now may have as its limit; none: the user is root, whom the kernel does not count.
    pub(super) fn limit(&self) -> Option<u64> {
        if self.uid == 0 {
            return None;
        }
        let now = self.clock.monotonic();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, count) = match *counted {
            Some(known) if now.saturating_sub(known.0) < MAX_AGE => known,
            _ => *counted.insert((now, count(self.uid))),
        };
        Some(count + PROCESS_ALLOWANCE)
    }
}

fn count(uid: u32) -> u64 {
    let processes = std::path::Path::new("/proc").read_dir().into_iter().flatten().flatten();
    processes
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("status")).ok())
        .filter_map(|status| threads(&status, uid))
        .sum()
}

/// The threads of a process, when it is this user's.
fn threads(status: &str, uid: u32) -> Option<u64> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    (field("Uid:")? == u64::from(uid)).then(|| field("Threads:"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_count_for_the_real_user_alone() {
        let status = "Name:\tx\nUid:\t12\t13\t13\t13\nThreads:\t5\n";
        assert_eq!(threads(status, 12), Some(5));
        assert_eq!(threads(status, 13), None);
        assert_eq!(threads("", 0), None);
    }

    #[test]
    fn this_process_is_counted() {
        assert!(count(getuid().as_raw()) >= 1);
    }
}
