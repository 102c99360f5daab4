//! Writing to the registry: one task makes all writes, one after the other, so that requests waiting for the
//! same mark share one write, and a caller who hangs up cannot leave a write half done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use msp_core::clock::Clock;
use msp_core::{KeptAhead, Marks, RegistryError};
use msp_protocol::{Digest, UnixSecond};
use tokio::sync::{mpsc, oneshot};

use crate::lock::lock;
use crate::replay::ClientId;
use crate::replay_rules::{ReplayRules, STEP};
use crate::work::{DueWrite, Intervention, Work};

/// Work, and whom to tell when it is done.
#[derive(Debug)]
pub(crate) struct QueuedWrite {
    pub(crate) work: Work,
    pub(crate) done: oneshot::Sender<Result<(), RegistryError>>,
}

/// The one that writes.
pub(crate) struct MarkWriter {
    clock: Arc<dyn Clock>,
    store: Arc<dyn Marks>,
    rules: Arc<Mutex<ReplayRules>>,
    due: DueWrites,
}

/// All that is due.
#[derive(Default)]
struct DueWrites {
    kept: Vec<KeptAhead>,
    marks: HashMap<ClientId, UnixSecond>,
    forget: Option<UnixSecond>,
    probe: bool,
}

type Done = oneshot::Sender<Result<(), RegistryError>>;

impl MarkWriter {
    pub(crate) fn new(clock: Arc<dyn Clock>, store: Arc<dyn Marks>, rules: Arc<Mutex<ReplayRules>>) -> Self {
        Self { clock, store, rules, due: DueWrites::default() }
    }

    /// Works until the guard is dropped.
    pub(crate) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<QueuedWrite>) {
        let mut orders = Vec::new();
        while inbox.recv_many(&mut orders, BATCH).await > 0 {
            self.serve(orders.drain(..)).await;
        }
    }

    /// Does everything that has gathered. Marks rise first, because calls wait for them; what lowers or reads
    /// them comes last, and so counts all that was accepted before.
    async fn serve(&mut self, orders: impl Iterator<Item = QueuedWrite>) {
        let (mut needed, mut for_mark, mut for_due, mut rest) = (0, Vec::new(), Vec::new(), Vec::new());
        for QueuedWrite { work, done } in orders {
            match work {
                Work::MarkAll(mark) => {
                    needed = mark.max(needed);
                    for_mark.push(done);
                }
                Work::Write(write) => {
                    self.add_due(write);
                    for_due.push(done);
                }
                Work::Then(intervention) => rest.push((intervention, done)),
            }
        }
        let raised = self.raise(needed).await;
        answer(for_mark, &raised);
        let written = self.write_due().await;
        answer(for_due, &written);
        for (intervention, done) in rest {
            let result = match intervention {
                Intervention::Close => self.close().await,
                Intervention::EndSecret { client, secret } => self.end_secret(client, secret).await,
                Intervention::Reload => self.reload().await,
                Intervention::Reset => self.reset().await,
            };
            answer(vec![done], &result);
        }
    }

    fn add_due(&mut self, write: DueWrite) {
        match write {
            DueWrite::Forget(before) => self.due.forget = self.due.forget.max(Some(before)),
            DueWrite::Keep(kept) => self.due.kept.extend(kept),
            DueWrite::MarkClient(client, mark) => {
                let mark_due = self.due.marks.entry(client).or_default();
                *mark_due = mark.max(*mark_due);
            }
            DueWrite::Probe => self.due.probe = true,
        }
    }

    async fn raise(&self, needed: UnixSecond) -> Result<(), RegistryError> {
        if needed <= lock(&self.rules).mark() {
            return Ok(());
        }
        self.set_mark(needed.max(self.clock.unix().saturating_add(STEP))).await
    }

    async fn set_mark(&self, mark: UnixSecond) -> Result<(), RegistryError> {
        self.note(self.store.set_accepted_until(mark).await)?;
        lock(&self.rules).set_mark(mark);
        Ok(())
    }

    /// Writes what is due. The registry forgets last: only then do marks stand in for what it forgets.
    async fn write_due(&mut self) -> Result<(), RegistryError> {
        let probe = std::mem::take(&mut self.due.probe);
        if !self.due.kept.is_empty() {
            let kept = self.note(self.store.keep_ahead(self.due.kept.clone()).await);
            if kept.is_err() {
                // What has passed meanwhile is not worth keeping; so what is due cannot outgrow the guard.
                let rules = lock(&self.rules);
                self.due.kept.retain(|kept| rules.keeps_ahead(&kept.item));
            }
            kept?;
            self.due.kept.clear();
        }
        for (client, mark) in self.due.marks.clone() {
            let key = lock(&self.rules).client_to_mark(client, mark);
            if let Some(key) = key {
                self.note(self.store.raise_client_mark(key, mark).await)?;
                lock(&self.rules).set_client_mark(client, mark);
            }
            self.due.marks.remove(&client);
        }
        if let Some(before) = self.due.forget {
            // The clock may have gone back since, and something been kept for an earlier second.
            let before = before.min(lock(&self.rules).earliest_ahead());
            self.note(self.store.forget_ahead(before).await)?;
            self.due.forget = None;
        }
        let failing = lock(&self.rules).status().mark_failing;
        if probe && failing {
            let mark = lock(&self.rules).mark();
            self.note(self.store.set_accepted_until(mark).await)?;
        }
        Ok(())
    }

    async fn close(&self) -> Result<(), RegistryError> {
        let (mark, lowest) = {
            let rules = lock(&self.rules);
            (rules.mark(), rules.mark_to_close_with())
        };
        if lowest == mark { Ok(()) } else { self.set_mark(lowest).await }
    }

    async fn reset(&self) -> Result<(), RegistryError> {
        let now = self.clock.unix();
        let mark = lock(&self.rules).lower_mark(now);
        self.set_mark(mark).await?;
        lock(&self.rules).lower_floor(now);
        Ok(())
    }

    /// No mark is raised meanwhile, since all writes are made here: what stands in the registry is known afterwards.
    async fn end_secret(&self, client: Digest, secret: Digest) -> Result<(), RegistryError> {
        if let Some(mark) = self.note(self.store.end_previous_secret(client, secret).await)? {
            lock(&self.rules).lower_client(&client, mark, self.clock.unix());
        }
        Ok(())
    }

    async fn reload(&mut self) -> Result<(), RegistryError> {
        let marks = self.store.marks().await?;
        let missing = lock(&self.rules).load(marks);
        for write in missing.writes {
            self.add_due(write);
        }
        self.raise(missing.mark).await?;
        self.write_due().await
    }

    /// Lets the operator know, once, when writing begins or ceases to fail.
    fn note<T>(&self, result: Result<T, RegistryError>) -> Result<T, RegistryError> {
        let news = lock(&self.rules).set_failing(result.is_err());
        match &result {
            Err(error) if news => {
                tracing::error!("requests are refused until the registry can be written again: {error}");
            }
            Ok(_) if news => tracing::info!("the registry can be written again"),
            Ok(_) | Err(_) => {}
        }
        result
    }
}

fn answer(waiting: Vec<Done>, result: &Result<(), RegistryError>) {
    for done in waiting {
        // Nobody waits any more when a caller has hung up.
        let _gone = done.send(result.clone());
    }
}

/// Orders done together at most; the rest comes next.
const BATCH: usize = 4096;
