//! The calls of one host: sending them, answering them, and letting none take longer than it may.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use msp_core::{Job, RunError};
use tokio::time::Instant;

use super::wire::{Answer, CallFrame, OVERHEAD, understand};
use crate::python::process::{CONTROL, Exchange, Failure, Fault, WriteQueue, after};
use crate::reply::Reply;

/// How long a call may take to end once it has been cancelled; then its host has hung.
const GRACE: Duration = Duration::from_secs(2);
/// Calls that may have taken too long without having ended.
const MOST_CANCELLED: usize = 1024;

/// One call on its way to a host.
pub(super) struct Call {
    pub(super) frame: CallFrame,
    pub(super) reply: Reply<Answer>,
}

/// What a supervisor is sent.
pub(super) enum Message {
    /// A call.
    Call(Box<Call>),
    /// A caller has gone who waited for an answer.
    Abandoned,
}

/// A call that its host was told to end.
struct Cancelled {
    /// When its host counts as hung.
    until: Instant,
    /// The slot of a caller who has gone stays taken, so that who calls again and again starts no more than its limit.
    _slot: Option<Job>,
}

/// The calls that a host has. All have the same limits, so that the first one sent is the first one due.
#[derive(Default)]
pub(super) struct HostCalls {
    pending: BTreeMap<u64, (Call, Instant)>,
    /// Calls that were told to end, and until when they must have.
    cancelled: BTreeMap<u64, Cancelled>,
    /// When the host was heard of last, or got work after it had none.
    last_heard: Option<Instant>,
    queue: WriteQueue,
    /// The newest call.
    number: u64,
    /// The newest call that is in the queue. Those behind it wait here, where they can be given up without a trace.
    queued: u64,
    /// The time limit of each call.
    limit: Duration,
    /// The longest answer, in bytes.
    longest: usize,
    /// Whether any call was answered.
    pub(super) answered: bool,
    /// Once the host was told to end: whether it has said that its plugins have.
    shutdown: Option<bool>,
}

impl HostCalls {
    /// Queues calls as long as there is room.
    fn fill_queue(&mut self) {
        while !self.queue.is_full()
            && let Some((number, (call, _))) = self.pending.range_mut(self.queued + 1..).next()
        {
            let CallFrame { head, body } = std::mem::take(&mut call.frame);
            self.queue.append(*number, &head, &body);
            self.queued = *number;
        }
    }

    /// Takes one more call.
    pub(super) fn send(&mut self, call: Call) {
        if self.is_done() {
            self.last_heard = Some(after(Duration::ZERO));
        }
        self.number += 1;
        let limits = call.reply.job.limits;
        self.longest = limits.max_output + OVERHEAD;
        self.limit = limits.timeout;
        let deadline = after(self.limit);
        self.pending.insert(self.number, (call, deadline));
        self.fill_queue();
    }

    /// Cancels the calls that nobody waits for any more.
    fn cancel_abandoned(&mut self) {
        let now = after(Duration::ZERO);
        let abandoned = self.pending.iter().filter(|(_, (call, _))| call.reply.is_abandoned());
        for number in abandoned.map(|(number, _)| *number).collect::<Vec<_>>() {
            let job = self.pending.remove(&number).map(|(call, _)| call.reply.job);
            self.cancel(number, now, job);
        }
    }

    /// Has the host end a call, if it has it.
    fn cancel(&mut self, number: u64, now: Instant, slot: Option<Job>) {
        if number <= self.queued {
            let cancel = format!(r#"{{"cancel":{number}}}"#);
            self.queue.append(CONTROL, cancel.as_bytes(), &Arc::default());
            self.cancelled.insert(number, Cancelled { until: now + GRACE, _slot: slot });
        }
    }

    /// Has the host end; no call is given up from here on. What is queued goes before that, as part of it may be written;
    /// what is not, never will be.
    pub(super) fn post_shutdown(&mut self) {
        self.shutdown = Some(false);
        self.queued = u64::MAX - 1;
        self.queue.append(CONTROL, br#"{"end":true}"#, &Arc::default());
    }

    /// Answers the calls that the host had when it ended.
    pub(super) fn give_up(self, why: &str) {
        for (call, _) in self.pending.into_values() {
            call.reply.finish(Err(RunError::Crashed(format!("its host is gone: {why}"))));
        }
    }
}

impl Exchange for HostCalls {
    type Call = Message;

    fn is_done(&self) -> bool {
        self.shutdown.unwrap_or(self.pending.is_empty() && self.cancelled.is_empty())
    }

    fn push(&mut self, message: Message) {
        match message {
            Message::Call(call) => self.send(*call),
            Message::Abandoned => self.cancel_abandoned(),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        if self.shutdown.is_some() {
            return None;
        }
        let call = self.pending.first_key_value().map(|(_, (_, deadline))| *deadline);
        let cancelled = self.cancelled.first_key_value().map(|(_, cancelled)| cancelled.until);
        call.into_iter().chain(cancelled).min()
    }

    fn enforce(&mut self, now: Instant) -> Result<(), Failure> {
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.get().1 <= now) {
            let (number, (call, _)) = entry.remove_entry();
            call.reply.finish(Err(RunError::Timeout));
            self.cancel(number, now, None);
        }
        // A handler that is not asynchronous holds up the others; that is no reason to end the host while it answers.
        let silent = self.last_heard.is_some_and(|last| now >= last + self.limit);
        let overdue = self.cancelled.first_key_value().filter(|(_, cancelled)| cancelled.until <= now);
        match overdue.map(|(number, _)| *number) {
            Some(number) if silent => return Err(Failure::Overdue(number)),
            Some(_) => self.cancelled.values_mut().for_each(|cancelled| cancelled.until = now + GRACE),
            None => {}
        }
        match self.cancelled.last_key_value() {
            Some((number, _)) if self.cancelled.len() > MOST_CANCELLED => Err(Failure::Overdue(*number)),
            _ => Ok(()),
        }
    }

    fn longest_frame(&self) -> usize {
        self.longest.max(OVERHEAD)
    }

    fn take(&mut self, number: u64, body: Vec<u8>) -> Result<(), Fault> {
        self.last_heard = Some(after(Duration::ZERO));
        if let Some((call, _)) = self.pending.remove(&number) {
            self.answered = true;
            let outcome = understand(body, call.reply.job.limits.max_output);
            call.reply.finish(outcome);
            return Ok(());
        }
        if number == CONTROL && self.shutdown.is_some() {
            self.shutdown = Some(true);
            return Ok(());
        }
        self.cancelled.remove(&number).map(drop).ok_or("it answered what it was not asked".into())
    }

    fn queue(&self) -> &WriteQueue {
        &self.queue
    }

    fn wrote(&mut self, count: usize) {
        if self.queue.needs_reader() {
            self.last_heard = Some(after(Duration::ZERO));
        }
        self.queue.wrote(count);
        self.fill_queue();
    }
}

#[cfg(test)]
mod tests;
