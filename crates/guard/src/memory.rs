//! The guard of one server, in its memory.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use msp_core::clock::Clock;
use msp_core::{
    Admission, Ban, BoxFuture, Failures, GuardStatus, Marks, RegistryError, Rejection, Replay, Sighting,
    Sightings, Soon, Standing,
};
use msp_protocol::Digest;
use tokio::sync::{mpsc, oneshot};

use crate::MemoryGuardConfig;
use crate::failures::Counters;
use crate::lock::lock;
use crate::log_ins::LogInMemory;
use crate::mark_writer::{MarkWriter, QueuedWrite};
use crate::replay_rules::ReplayRules;
use crate::sightings::Addresses;
use crate::work::{DueWrite, Intervention, Work};

/// What is short-lived, in this process.
///
/// An accepted request is remembered until its time is more than RequestTTL and two seconds ago; from then on
/// it lies at or below the floor. The registry holds a mark above every accepted request, so that a start, which
/// remembers nothing, takes it as its floor. One task makes all writes; it ends when the guard is dropped.
pub struct MemoryGuard {
    pub(crate) clock: Arc<dyn Clock>,
    rules: Arc<Mutex<ReplayRules>>,
    /// Unbounded, but it holds no more orders than there are requests under way.
    writer: mpsc::UnboundedSender<QueuedWrite>,
    failures: Mutex<Counters>,
    sightings: Mutex<Addresses>,
    pub(crate) log_ins: LogInMemory,
}

impl MemoryGuard {
    /// Reads the marks, and begins with them as floor. Must be called within a Tokio runtime that outlives
    /// the guard.
    ///
    /// # Errors
    ///
    /// What reading the marks ended with.
    pub async fn start(
        config: MemoryGuardConfig,
        clock: Arc<dyn Clock>,
        store: Arc<dyn Marks>,
    ) -> Result<Arc<Self>, RegistryError> {
        let mut rules = ReplayRules::new(config);
        // Nothing can be missing in the registry of what is not known yet.
        let _none = rules.load(store.marks().await?);
        let rules = Arc::new(Mutex::new(rules));
        let (writer, inbox) = mpsc::unbounded_channel();
        tokio::spawn(MarkWriter::new(clock.clone(), store, rules.clone()).run(inbox));
        Ok(Arc::new(Self {
            clock,
            rules,
            writer,
            failures: Mutex::default(),
            sightings: Mutex::new(Addresses::new(config.address_ttl)),
            log_ins: LogInMemory::new(config.passwords),
        }))
    }

    /// Takes other limits without a restart. Nothing remembered is forgotten for it: above a lowered limit
    /// new requests are refused until old ones are due.
    pub fn reconfigure(&self, config: MemoryGuardConfig) {
        lock(&self.rules).reconfigure(config);
        lock(&self.sightings).set_ttl(config.address_ttl);
        self.log_ins.reconfigure(config.passwords);
    }

    fn order(&self, rules: &mut ReplayRules, work: Work) -> oneshot::Receiver<Result<(), RegistryError>> {
        let (done, result) = oneshot::channel();
        if self.writer.send(QueuedWrite { work, done }).is_err() {
            rules.set_failing(true);
        }
        result
    }

    async fn ask(&self, what: Intervention) -> Result<(), RegistryError> {
        let result = self.order(&mut lock(&self.rules), Work::Then(what));
        result.await.unwrap_or_else(|_ended| {
            Err(RegistryError::Unavailable("guard".to_owned(), "its task has ended".to_owned()))
        })
    }

    /// Forgets what is due and returns the answers to wait for.
    fn upkeep(&self) -> Vec<oneshot::Receiver<Result<(), RegistryError>>> {
        let now = self.clock.unix();
        while lock(&self.rules).forget_accepted(now, FORGOTTEN_AT_ONCE) == FORGOTTEN_AT_ONCE {}
        let mut work = Vec::new();
        let mut passed = false;
        loop {
            let forgotten = lock(&self.rules).forget_ahead(now, FORGOTTEN_AT_ONCE, &mut work);
            passed |= forgotten > 0;
            if forgotten < FORGOTTEN_AT_ONCE {
                break;
            }
        }
        let mut rules = lock(&self.rules);
        if passed {
            work.push(Work::Write(DueWrite::Forget(rules.due_before(now))));
        }
        work.extend(rules.upkeep(now));
        work.into_iter().map(|work| self.order(&mut rules, work)).collect()
    }
}

impl Replay for MemoryGuard {
    fn admit(&self, request: Admission) -> Soon<'_, Result<(), Rejection>> {
        let (written, answer) = {
            // Ordered under the lock, so that what closes or lowers the mark comes after what was accepted
            // before.
            let mut rules = lock(&self.rules);
            let verdict = rules.judge(&request, self.clock.unix());
            (verdict.work.map(|work| self.order(&mut rules, work)), verdict.answer)
        };
        let Some(written) = written else { return Soon::now(answer) };
        Soon::later(async move {
            // A request refused as ahead is refused whether or not that could be written; what could not is
            // written later. When the caller hangs up here the request stays remembered: it may have been its
            // last copy.
            let written = matches!(written.await, Ok(Ok(())));
            if answer.is_ok() && !written {
                lock(&self.rules).release(&request);
                return Err(Rejection::Unavailable);
            }
            answer
        })
    }

    fn status(&self) -> GuardStatus {
        lock(&self.rules).status()
    }

    fn tick(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.log_ins.forget_ended(self.clock.monotonic());
            for written in self.upkeep() {
                // What failed is shown by the status, and tried again with the next tick.
                let _shown_by_status = written.await;
            }
        })
    }

    fn reload_marks(&self) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(self.ask(Intervention::Reload))
    }

    /// Lowers floor and mark to the clock. Marks of single clients stay: no other client suffers from them.
    fn reset_floor(&self) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(self.ask(Intervention::Reset))
    }

    fn end_previous_secret(
        &self,
        client: Digest,
        secret: Digest,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(self.ask(Intervention::EndSecret { client, secret }))
    }

    /// Refuses everything from now on, and sets the mark to the highest time accepted under it.
    fn close(&self) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(async move {
            lock(&self.rules).close();
            self.ask(Intervention::Close).await
        })
    }
}

impl Failures for MemoryGuard {
    fn note(&self, address: IpAddr, is_hop: bool) -> Soon<'_, ()> {
        lock(&self.failures).note(address, is_hop, self.clock.monotonic());
        Soon::now(())
    }

    fn forgive(&self, address: IpAddr) -> Soon<'_, ()> {
        lock(&self.failures).forgive(address, self.clock.monotonic());
        Soon::now(())
    }

    fn standing(&self, address: IpAddr) -> Soon<'_, Standing> {
        Soon::now(lock(&self.failures).standing(address, self.clock.monotonic()))
    }

    fn bans(&self) -> Soon<'_, Vec<Ban>> {
        Soon::now(lock(&self.failures).bans(self.clock.monotonic()))
    }

    fn lift_ban(&self, address: IpAddr) -> Soon<'_, bool> {
        Soon::now(lock(&self.failures).lift_ban(address, self.clock.monotonic()))
    }
}

impl Sightings for MemoryGuard {
    fn sight<'a>(&'a self, address: IpAddr, client: &'a Digest) -> Soon<'a, Sighting> {
        Soon::now(lock(&self.sightings).sight(address, client, self.clock.monotonic()))
    }

    fn seen_from(&self, address: IpAddr) -> Soon<'_, Vec<Digest>> {
        Soon::now(lock(&self.sightings).seen_from(address))
    }
}

/// Items forgotten while the lock is held once.
const FORGOTTEN_AT_ONCE: usize = 1024;
