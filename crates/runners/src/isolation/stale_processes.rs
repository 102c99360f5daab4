//! Processes of functions that a killed server has left running.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal};

use super::user::WorkerUser;
use crate::children::processes;

/// How often they are looked for: what forks while it is being ended is found the next time.
const ROUNDS: usize = 10;
/// How long the end of one is waited for, once it was killed.
const EXIT_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Ends the processes whose home or temporary files lie in this folder, and waits until they are gone; how many they
/// were. Whoever holds the lock of the registry knows that none of them is a running server's.
pub(super) fn kill_all(scratch: &Path, user: Option<WorkerUser>) -> usize {
    let mut ended = BTreeSet::new();
    for _ in 0..ROUNDS {
        let stale: Vec<_> =
            processes().map(|process| process.id).filter(|id| is_stale(*id, scratch, user)).collect();
        if stale.is_empty() {
            break;
        }
        ended.extend(stale.iter().map(|id| id.as_raw_nonzero()));
        for killed in stale.into_iter().filter_map(|id| kill_one(id, scratch, user)) {
            let _gone_or_not = poll(&mut [PollFd::new(&killed, PollFlags::IN)], Some(&EXIT_WAIT));
        }
    }
    ended.len()
}

/// Its number may be another's by now: so it is looked at again once it is held.
fn kill_one(id: Pid, scratch: &Path, user: Option<WorkerUser>) -> Option<OwnedFd> {
    let held = pidfd_open(id, PidfdFlags::empty()).ok()?;
    (is_stale(id, scratch, user) && pidfd_send_signal(&held, Signal::KILL).is_ok()).then_some(held)
}

/// Nobody but the users of functions is believed; a zombie has no environment.
fn is_stale(id: Pid, scratch: &Path, user: Option<WorkerUser>) -> bool {
    let folder = Path::new("/proc").join(id.as_raw_nonzero().to_string());
    let ours = user.map_or_else(|| geteuid().as_raw(), |user| user.uid);
    let status = std::fs::read_to_string(folder.join("status")).unwrap_or_default();
    let uid =
        status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok());
    let environment = std::fs::read(folder.join("environ")).unwrap_or_default();
    uid == Some(ours) && environment.split(|byte| *byte == 0).any(|variable| lies_in(variable, scratch))
}

fn lies_in(variable: &[u8], scratch: &Path) -> bool {
    let value = [&b"HOME="[..], b"TMPDIR="].iter().find_map(|name| variable.strip_prefix(*name));
    let below = value.and_then(|value| value.strip_prefix(scratch.as_os_str().as_encoded_bytes()));
    below.is_some_and(|rest| rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_in_the_folder_tell_and_others_do_not() {
        let scratch = Path::new("/tmp/msp-1");
        for (variable, is) in [
            ("HOME=/tmp/msp-1/7", true),
            ("TMPDIR=/tmp/msp-1/7/x", true),
            ("HOME=/tmp/msp-12/7", false),
            ("HOME=/tmp/msp-1", false),
            ("PWD=/tmp/msp-1/7", false),
            ("XHOME=/tmp/msp-1/7", false),
        ] {
            assert_eq!(lies_in(variable.as_bytes(), scratch), is, "{variable}");
        }
    }
}
