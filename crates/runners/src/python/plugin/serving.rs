//! The calls of one host: sending them, answering them, and letting none take longer than it may.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use msp_core::{Job, RunError};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::wire::{AROUND, Answer, Question, understand};
use crate::python::attending::{Calls, Cause, after};
use crate::python::frame::{CONTROL, Inbox};
use crate::python::outbox::Outbox;

/// How long a call may take to end once it has been cancelled; then its host has hung.
const GRACE: Duration = Duration::from_secs(2);
/// Calls that may have taken too long without having ended.
const MOST_CANCELLED: usize = 1024;

/// One call on its way to a host.
pub(super) struct Call {
    pub(super) question: Question,
    pub(super) job: Job,
    pub(super) answer: oneshot::Sender<Result<Answer, RunError>>,
}

/// What is said to a supervisor.
pub(super) enum Message {
    /// A call.
    Call(Box<Call>),
    /// Somebody has gone who waited for an answer.
    Left,
}

impl Call {
    /// Answers the call. The slot is free before the caller knows, so that it can call again at once.
    pub(super) fn finish(self, outcome: Result<Answer, RunError>) {
        drop(self.job);
        let _caller_gone = self.answer.send(outcome);
    }
}

/// A call that was told to end.
struct Cancelled {
    /// When its host has hung.
    until: Instant,
    /// Of a caller who has gone: its slot stays taken, so that going and coming again starts no more than staying does.
    _slot: Option<Job>,
}

/// The calls a host has. All have the same limits, so that the first one sent is the first one due.
#[derive(Default)]
pub(super) struct Sent {
    pending: BTreeMap<u64, (Call, Instant)>,
    /// Calls that were told to end, and until when they must have.
    cancelled: BTreeMap<u64, Cancelled>,
    /// When the host was heard of last, or got work after it had none.
    heard: Option<Instant>,
    outbox: Outbox,
    /// The newest call.
    number: u64,
    /// The newest call that is in the outbox. Those behind it wait here, where they can be given up without a trace.
    posted: u64,
    /// The time limit of each call.
    limit: Duration,
    /// The longest answer, in bytes.
    longest: usize,
    /// Whether any call was answered.
    pub(super) answered: bool,
}

impl Sent {
    /// Posts calls as long as there is room.
    fn post(&mut self) {
        while !self.outbox.is_full()
            && let Some((number, (call, _))) = self.pending.range_mut(self.posted + 1..).next()
        {
            let Question { head, body } = std::mem::take(&mut call.question);
            self.outbox.append(*number, &head, &body);
            self.posted = *number;
        }
    }

    /// Takes one more call.
    pub(super) fn take(&mut self, call: Call) {
        if self.is_empty() {
            self.heard = Some(after(Duration::ZERO));
        }
        self.number += 1;
        self.longest = call.job.limits.max_output + AROUND;
        self.limit = call.job.limits.timeout;
        let deadline = after(self.limit);
        self.pending.insert(self.number, (call, deadline));
        self.post();
    }

    /// Cancels the calls that nobody waits for any more.
    fn give_up_left(&mut self) {
        let now = after(Duration::ZERO);
        let left = self.pending.iter().filter(|(_, (call, _))| call.answer.is_closed());
        for number in left.map(|(number, _)| *number).collect::<Vec<_>>() {
            let job = self.pending.remove(&number).map(|(call, _)| call.job);
            self.cancel(number, now, job);
        }
    }

    /// Has the host end a call, if it has it.
    fn cancel(&mut self, number: u64, now: Instant, slot: Option<Job>) {
        if number <= self.posted {
            let cancel = format!(r#"{{"cancel":{number}}}"#);
            self.outbox.append(CONTROL, cancel.as_bytes(), &Arc::default());
            self.cancelled.insert(number, Cancelled { until: now + GRACE, _slot: slot });
        }
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

    /// Has the host end. What is posted goes before that, as part of it may be written; what is not, never will be.
    pub(super) fn post_farewell(&mut self) {
        self.posted = u64::MAX - 1;
        self.outbox.append(CONTROL, br#"{"end":true}"#, &Arc::default());
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

impl Calls for Sent {
    type Call = Message;

    fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.cancelled.is_empty()
    }

    fn push(&mut self, message: Message) {
        match message {
            Message::Call(call) => self.take(*call),
            Message::Left => self.give_up_left(),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let call = self.pending.first_key_value().map(|(_, (_, deadline))| *deadline);
        let cancelled = self.cancelled.first_key_value().map(|(_, cancelled)| cancelled.until);
        call.into_iter().chain(cancelled).min()
    }

    fn enforce(&mut self, now: Instant) -> Result<(), Cause> {
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.get().1 <= now) {
            let (number, (call, _)) = entry.remove_entry();
            call.finish(Err(RunError::Timeout));
            self.cancel(number, now, None);
        }
        // A handler that is not asynchronous holds up the others; that is no reason to end the host while it answers.
        let silent = self.heard.is_some_and(|heard| now >= heard + self.limit);
        let overdue = self.cancelled.first_key_value().filter(|(_, cancelled)| cancelled.until <= now);
        match overdue.map(|(number, _)| *number) {
            Some(number) if silent => return Err(Cause::Overdue(number)),
            Some(_) => self.cancelled.values_mut().for_each(|cancelled| cancelled.until = now + GRACE),
            None => {}
        }
        match self.cancelled.last_key_value() {
            Some((number, _)) if self.cancelled.len() > MOST_CANCELLED => Err(Cause::Overdue(*number)),
            _ => Ok(()),
        }
    }

    fn take_answers(&mut self, inbox: &mut Inbox) -> Result<(), &'static str> {
        while let Some((number, body)) =
            inbox.take(self.longest).map_err(|_| "it sent more than an answer may hold")?
        {
            self.take_answer(number, body)?;
        }
        Ok(())
    }

    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    fn wrote(&mut self, count: usize) {
        if self.outbox.shows_reader() {
            self.heard = Some(after(Duration::ZERO));
        }
        self.outbox.wrote(count);
        self.post();
    }
}

#[cfg(test)]
mod tests;
