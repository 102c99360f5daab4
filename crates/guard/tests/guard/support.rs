//! A server's guard with its clock and registry, and requests for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use msp_core::clock::ManualClock;
use msp_core::{
    BoxFuture, Guard, KeptAhead, LogInGuard, Marks, RegistryError, Rejection, Replay as _, StoredMarks,
};
use msp_guard::{MemoryGuard, MemoryGuardConfig};
use msp_protocol::{Digest, UnixSecond};
use msp_testkit::suites::guard::{GuardLimits, GuardStand, START, envelope};
use tokio::sync::watch;

/// How the registry takes writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    Fail,
    /// Written, but the answer got lost.
    FailThoughWritten,
    Work,
}

/// The part of a registry that the guard uses, in memory: for failures, which a real one does not have at
/// will.
#[derive(Debug)]
pub(crate) struct FakeStore {
    pub(crate) marks: Mutex<StoredMarks>,
    pub(crate) writes: Mutex<Writes>,
    /// The newest secret of every client, and the second to which a mark falls when the one before it ends.
    pub(crate) falls_to: Mutex<Option<(Digest, UnixSecond)>>,
    count: AtomicUsize,
    largest_keep: AtomicUsize,
    open: watch::Sender<bool>,
}

impl FakeStore {
    pub(crate) fn set(&self, writes: Writes) {
        *self.writes.lock().unwrap() = writes;
    }

    /// Lets writes wait until they are let go on.
    pub(crate) fn hold(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn go_on(&self) {
        self.open.send_replace(true);
    }

    /// How many writes were tried.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// The most items that one write was to keep.
    pub(crate) fn largest_keep(&self) -> usize {
        self.largest_keep.load(Ordering::SeqCst)
    }

    pub(crate) fn marks(&self) -> StoredMarks {
        self.marks.lock().unwrap().clone()
    }

    fn write<'a>(
        &'a self,
        change: impl FnOnce(&mut StoredMarks) + Send + 'a,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(async move {
            self.count.fetch_add(1, Ordering::SeqCst);
            self.open.subscribe().wait_for(|open| *open).await.unwrap();
            let writes = *self.writes.lock().unwrap();
            if writes != Writes::Fail {
                change(&mut self.marks.lock().unwrap());
            }
            match writes {
                Writes::Work => Ok(()),
                Writes::Fail | Writes::FailThoughWritten => {
                    Err(RegistryError::Unavailable("registry.db".to_owned(), "disk full".to_owned()))
                }
            }
        })
    }
}

impl Marks for FakeStore {
    fn marks(&self) -> BoxFuture<'_, Result<StoredMarks, RegistryError>> {
        Box::pin(async { Ok(FakeStore::marks(self)) })
    }

    fn set_accepted_until(&self, mark: UnixSecond) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.write(move |marks| marks.accepted_until = mark)
    }

    fn raise_client_mark(
        &self,
        client: Digest,
        mark: UnixSecond,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.write(move |marks| match marks.clients.iter_mut().find(|(known, _)| *known == client) {
            Some((_, known)) => *known = mark.max(*known),
            None => marks.clients.push((client, mark)),
        })
    }

    fn keep_ahead(&self, kept: Vec<KeptAhead>) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.largest_keep.fetch_max(kept.len(), Ordering::SeqCst);
        self.write(move |marks| {
            for kept in kept {
                if !marks.ahead.iter().any(|known| known.item == kept.item) {
                    marks.ahead.push(kept);
                }
            }
        })
    }

    fn forget_ahead(&self, before: UnixSecond) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.write(move |marks| marks.ahead.retain(|kept| kept.ts >= before))
    }

    fn end_previous_secret(
        &self,
        client: Digest,
        secret: Digest,
    ) -> BoxFuture<'_, Result<Option<UnixSecond>, RegistryError>> {
        Box::pin(async move {
            let newest = *self.falls_to.lock().unwrap();
            let lowest = newest.filter(|(newest, _)| *newest == secret).map(|(_, lowest)| lowest);
            let written = self.write(move |marks| {
                let mark = marks.clients.iter_mut().find(|(known, _)| *known == client);
                if let (Some((_, mark)), Some(lowest)) = (mark, lowest) {
                    *mark = lowest.min(*mark);
                }
            });
            written.await?;
            self.falls_to.lock().unwrap().take_if(|_| lowest.is_some());
            Ok(lowest)
        })
    }
}

/// One server, which can be killed and stopped.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<FakeStore>,
    pub(crate) config: MemoryGuardConfig,
    pub(crate) guard: Arc<MemoryGuard>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(MemoryGuardConfig::default()).await
    }

    pub(crate) async fn with(config: MemoryGuardConfig) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store = Arc::new(FakeStore {
            marks: Mutex::default(),
            writes: Mutex::new(Writes::Work),
            falls_to: Mutex::default(),
            count: AtomicUsize::new(0),
            largest_keep: AtomicUsize::new(0),
            open: watch::Sender::new(true),
        });
        let guard = MemoryGuard::start(config, clock.clone(), store.clone()).await.unwrap();
        Self { clock, store, config, guard }
    }

    /// Ends without a word, as by kill -9, and starts again.
    pub(crate) async fn crash(&mut self) {
        self.guard = MemoryGuard::start(self.config, self.clock.clone(), self.store.clone()).await.unwrap();
    }

    /// Stops gracefully and starts again.
    pub(crate) async fn restart(&mut self) {
        self.guard.close().await.unwrap();
        self.crash().await;
    }

    pub(crate) async fn set_ttl(&mut self, seconds: u64) {
        self.config.request_ttl = Duration::from_secs(seconds);
        self.guard.reconfigure(self.config);
    }

    /// Time passes, and the guard does what is due.
    pub(crate) async fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.guard.tick().await;
    }

    /// Sends an envelope of client 1.
    pub(crate) async fn send(&self, n: u64, ts: UnixSecond) -> Result<(), Rejection> {
        self.guard.admit(envelope(1, n, ts)).await
    }
}

impl GuardStand for World {
    async fn start(limits: GuardLimits) -> Self {
        let GuardLimits { request_ttl, address_ttl, max_entries, caller_share } = limits;
        let config =
            MemoryGuardConfig { request_ttl, address_ttl, max_entries, caller_share, ..Default::default() };
        Self::with(config).await
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn guard(&self) -> Guard {
        Guard::of(self.guard.clone())
    }

    fn log_ins(&self) -> LogInGuard {
        LogInGuard::of(self.guard.clone())
    }

    async fn crash(&mut self) {
        World::crash(self).await;
    }
}
