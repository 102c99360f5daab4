//! The server's children: those that it starts, and those that it inherits. Of what a function leaves behind the server
//! becomes the parent, when it is the process that takes orphans (process 1 of a container, or a subreaper).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, child_subreaper, getpid, waitid, waitpid};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Held for writing while a child is taken for an adopted one, so that none is which has just been started.
static STARTING: RwLock<()> = RwLock::new(());
/// Children that somebody waits for. A number is there twice when it was given again before the first was let go.
static AWAITED: Mutex<BTreeMap<i32, u32>> = Mutex::new(BTreeMap::new());
/// The least time between two looks for children that have ended.
const PAUSE: Duration = Duration::from_millis(100);

/// A child that somebody waits for, until this is dropped.
#[derive(Debug)]
pub(crate) struct Awaited(i32);

/// Starts a child that is waited for.
///
/// # Errors
/// What the system says.
pub(crate) fn spawn(command: &mut Command) -> io::Result<(Child, Awaited)> {
    let _starting = STARTING.read().unwrap_or_else(PoisonError::into_inner);
    let child = command.spawn()?;
    let id = child.id().ok_or(io::ErrorKind::NotFound)?.cast_signed();
    *awaited().entry(id).or_default() += 1;
    Ok((child, Awaited(id)))
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let mut awaited = awaited();
        match awaited.get_mut(&self.0) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(awaited.remove(&self.0)),
        }
    }
}

fn awaited() -> MutexGuard<'static, BTreeMap<i32, u32>> {
    AWAITED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// True when orphans become children of this process.
pub(crate) fn adopts() -> bool {
    getpid().is_init() || child_subreaper().is_ok_and(|set| set.is_some())
}

/// Waits for the end of adopted children, for ever: as zombies they would use up the processes that functions may have.
pub(crate) async fn reap_adopted() {
    let Ok(mut ended) = signal(SignalKind::child()) else { return };
    loop {
        // An error means that all is being stopped.
        let _stopping = spawn_blocking(reap_now).await;
        ended.recv().await;
        sleep(PAUSE).await;
    }
}

fn reap_now() {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if !matches!(waitid(WaitId::All, look), Ok(Some(_))) {
        return;
    }
    let parent = getpid().as_raw_nonzero().get();
    for process in processes().filter(|process| process.parent == parent && process.zombie) {
        let _nothing_starts = STARTING.write().unwrap_or_else(PoisonError::into_inner);
        if !awaited().contains_key(&process.id.as_raw_nonzero().get()) {
            // Somebody else's by now, if it fails.
            let _gone = waitpid(Some(process.id), WaitOptions::NOHANG);
        }
    }
}

/// A process of the machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: Pid,
    parent: i32,
    zombie: bool,
}

/// Those that there are now.
pub(crate) fn processes() -> impl Iterator<Item = Process> {
    let entries = std::path::Path::new("/proc").read_dir().into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let id = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        Process::of(id, &std::fs::read(entry.path().join("stat")).ok()?)
    })
}

impl Process {
    /// proc_pid_stat(5): the number, the name in parentheses, which may hold anything, the state, the parent.
    fn of(id: Pid, stat: &[u8]) -> Option<Self> {
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
        let mut fields = rest.split_whitespace();
        let state = fields.next()?;
        Some(Self { id, parent: fields.next()?.parse().ok()?, zombie: matches!(state, "Z" | "X") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_any_name() {
        let id = getpid();
        let of = |stat: &str| Process::of(id, stat.as_bytes());
        assert_eq!(of("7 (a) Z 1 (b) S 12 12 0"), Some(Process { id, parent: 12, zombie: false }));
        assert_eq!(of("7 (x) Z 3 7"), Some(Process { id, parent: 3, zombie: true }));
        assert_eq!(of("7 (x)"), None);
        let own = processes().find(|process| process.id == id).unwrap();
        assert_eq!(Some(own.parent), rustix::process::getppid().map(|id| id.as_raw_nonzero().get()));
    }
}
