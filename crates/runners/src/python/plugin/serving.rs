//! The calls of one host: sending them, answering them, and letting none take longer than it may.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use msp_core::{Job, RunError, WebAnswer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::wire::{AROUND, Ask, understand};
use crate::python::frame::{self, CONTROL, Inbox};
use crate::python::serving::after;
use crate::python::worker::Worker;

/// How long a call may take to end once it has been cancelled; then its host has hung.
const GRACE: Duration = Duration::from_secs(2);
/// Calls that may have taken too long without having ended.
const MOST_CANCELLED: usize = 1024;
/// Calls taken from the queue at once.
const AT_ONCE: usize = 64;

/// One call on its way to a host.
pub(super) struct Call {
    pub(super) ask: Ask,
    pub(super) job: Job,
    pub(super) answer: oneshot::Sender<Result<WebAnswer, RunError>>,
}

impl Call {
    /// Answers the call. The slot is free before the caller knows, so that it can call again at once.
    pub(super) fn finish(self, outcome: Result<WebAnswer, RunError>) {
        drop(self.job);
        let _caller_gone = self.answer.send(outcome);
    }
}

/// Why a host serves no longer.
#[derive(Debug)]
pub(super) enum Cause {
    /// It broke off, by itself or because it sent what it may not.
    Broken(&'static str),
    /// A call did not even end when it was cancelled: something holds up the loop.
    Hung,
    /// No call can come any more, and all are answered.
    Retired,
}

/// Serves the calls that wait, then those that come, until none can come any more or the host ends. The calls that it
/// had are still to be answered then.
pub(super) async fn attend(
    host: &mut Worker,
    sent: &mut Sent,
    waiting: VecDeque<Call>,
    calls: &mut UnboundedReceiver<Call>,
) -> Cause {
    waiting.into_iter().for_each(|call| sent.push(call));
    let Worker { group, stream, inbox, .. } = host;
    let (mut reader, mut writer) = stream.split();
    let (mut open, mut taken) = (true, Vec::with_capacity(AT_ONCE));
    while open || !sent.is_empty() {
        let next = sent.next_deadline();
        tokio::select! {
            biased;
            read = reader.read_buf(inbox.buffer()) => {
                if !read.is_ok_and(|count| count > 0) {
                    return Cause::Broken("it ended");
                }
                if let Err(what) = sent.take_answers(inbox) {
                    return Cause::Broken(what);
                }
            }
            written = writer.write(&sent.unwritten), if !sent.unwritten.is_empty() => match written {
                Ok(count) if count > 0 => drop(sent.unwritten.drain(..count)),
                _ => return Cause::Broken("it ended"),
            },
            count = calls.recv_many(&mut taken, AT_ONCE), if open => {
                open = count > 0;
                taken.drain(..).for_each(|call| sent.push(call));
            }
            // Only when nothing is left to read: what a host answered before it ended counts.
            () = group.exited() => return Cause::Broken("it ended"),
            () = due(next) => {
                if !sent.enforce() {
                    return Cause::Hung;
                }
            }
        }
    }
    Cause::Retired
}

async fn due(next: Option<Instant>) {
    match next {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The calls a host has. All have the same limits, so that the first one sent is the first one due.
#[derive(Default)]
pub(super) struct Sent {
    pending: BTreeMap<u64, (Call, Instant)>,
    /// Calls that took too long and were told to end, and until when they must have.
    cancelled: BTreeMap<u64, Instant>,
    /// When the host was heard of last, or got work after it had none.
    heard: Option<Instant>,
    unwritten: Vec<u8>,
    number: u64,
    /// The time limit of each call.
    limit: Duration,
    /// The longest answer, in bytes.
    longest: usize,
    /// Whether any call was answered.
    pub(super) answered: bool,
}

impl Sent {
    fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.cancelled.is_empty()
    }

    fn push(&mut self, call: Call) {
        if self.is_empty() {
            self.heard = Some(after(Duration::ZERO));
        }
        self.number += 1;
        self.longest = call.job.limits.max_output + AROUND;
        call.ask.append(&mut self.unwritten, self.number);
        self.limit = call.job.limits.timeout;
        let deadline = after(self.limit);
        self.pending.insert(self.number, (call, deadline));
    }

    fn next_deadline(&self) -> Option<Instant> {
        let call = self.pending.first_key_value().map(|(_, (_, deadline))| *deadline);
        let cancelled = self.cancelled.first_key_value().map(|(_, deadline)| *deadline);
        call.into_iter().chain(cancelled).min()
    }

    /// Gives up the calls that are due; false when one has not ended though it was told to.
    fn enforce(&mut self) -> bool {
        let now = after(Duration::ZERO);
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.get().1 <= now) {
            let (number, (call, _)) = entry.remove_entry();
            call.finish(Err(RunError::Timeout));
            frame::append(&mut self.unwritten, CONTROL, format!(r#"{{"cancel":{number}}}"#).as_bytes());
            self.cancelled.insert(number, now + GRACE);
        }
        // A handler that is not asynchronous holds up the others; that is no reason to end the host while it answers.
        let silent = self.heard.is_some_and(|heard| now >= heard + self.limit);
        let overdue = self.cancelled.first_key_value().is_some_and(|(_, deadline)| *deadline <= now);
        if overdue && !silent {
            self.cancelled.values_mut().for_each(|deadline| *deadline = now + GRACE);
        }
        !(overdue && silent) && self.cancelled.len() <= MOST_CANCELLED
    }

    fn take_answers(&mut self, inbox: &mut Inbox) -> Result<(), &'static str> {
        while let Some((number, body)) =
            inbox.take(self.longest).map_err(|_| "it sent more than an answer may hold")?
        {
            self.take_answer(number, body)?;
        }
        Ok(())
    }

    /// Takes one answer.
    pub(super) fn take_answer(&mut self, number: u64, body: Vec<u8>) -> Result<(), &'static str> {
        self.heard = Some(after(Duration::ZERO));
        if let Some((call, _)) = self.pending.remove(&number) {
            self.answered = true;
            let outcome = understand(body, call.job.limits.max_output);
            call.finish(outcome);
            return Ok(());
        }
        self.cancelled.remove(&number).map(drop).ok_or("it answered what it was not asked")
    }

    /// What is still to be written, which the caller now does.
    pub(super) fn take_unwritten(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unwritten)
    }

    /// The longest frame that may come, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.longest.max(AROUND)
    }

    /// Answers the calls that the host had when it ended.
    pub(super) fn give_up(self, why: &str) {
        for (call, _) in self.pending.into_values() {
            call.finish(Err(RunError::Crashed(format!("its host is gone: {why}"))));
        }
    }
}
