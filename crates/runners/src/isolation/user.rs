//! Whose processes run functions.

use std::path::Path;

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

use super::IsolationError;

/// A user that functions run as, other than the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WorkerUser {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl WorkerUser {
    /// Looks a name or a number up in the machine's list of users.
    pub(super) fn find(named: &str) -> Result<Self, IsolationError> {
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let number = named.parse().ok();
        let listed = users.lines().find_map(|line| of_line(line, named, number));
        let user = match (listed, number) {
            (Some(user), _) => user,
            (None, Some(uid)) => Self { uid, gid: uid },
            (None, None) => return Err(IsolationError::UnknownUser(named.to_owned())),
        };
        // The kernel takes it for "as it is".
        if user.uid == u32::MAX || user.gid == u32::MAX {
            return Err(IsolationError::UnknownUser(named.to_owned()));
        }
        if user.uid == 0 || user.uid == geteuid().as_raw() {
            return Err(IsolationError::NoOtherUser(named.to_owned()));
        }
        let has = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        if has.contains(NEEDED) { Ok(user) } else { Err(IsolationError::NotRoot(named.to_owned())) }
    }

    /// Makes this process the user's, without any other group.
    pub(super) fn switch_to(self) -> rustix::io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)
    }

    /// Gives a folder to the user.
    pub(super) fn chown(self, folder: &Path) -> std::io::Result<()> {
        std::os::unix::fs::chown(folder, Some(self.uid), Some(self.gid))
    }
}

/// What starting, feeding, ending and cleaning up after another user's processes takes.
const NEEDED: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID);

/// `name:password:uid:gid:…`, when it is the one that is meant.
fn of_line(line: &str, name: &str, number: Option<u32>) -> Option<WorkerUser> {
    let mut fields = line.split(':');
    let (found, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let user = WorkerUser { uid: uid.parse().ok()?, gid: gid.parse().ok()? };
    (found == name || number == Some(user.uid)).then_some(user)
}
