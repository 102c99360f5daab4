//! The calls of one worker: sending them, answering them, and deciding whose fault its end was.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use msp_core::{FunctionLimits, RunError};
use msp_protocol::envelope::{MAX_VALUE_DEPTH, levels, whole_numbers_fit};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::Call;
use super::attending::{Calls, Cause, after, attend};
use super::frame::{self, Inbox};
use super::generation::Generation;
use super::outbox::Outbox;
use super::worker::Worker;

/// How much longer than its limit an asynchronous call may take to end once it has been cancelled.
const GRACE: Duration = Duration::from_secs(2);
/// Why an answer fails that would arrive as another.
pub(super) const BEYOND_64_BITS: &str =
    "a whole number in its answer is beyond 64 bits, which callers would read as another; answer it as text";
/// The longest message about a failure, in bytes; the worker cuts them shorter.
const MESSAGE: usize = 16 * 1024;

/// How a worker's service ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Why, for the log; none when it had nothing more to do.
    pub(super) reason: Option<String>,
    /// True when it has answered a call.
    pub(super) answered: bool,
    /// True when a call was running, which then has ended it.
    pub(super) running: bool,
    /// The calls that had not started.
    pub(super) unstarted: Vec<Call>,
}

/// Serves the calls that come, until none can come any more or the worker ends. `answered` is told of each
/// answer: whether it is an asynchronous one, and whether the call had been taken for a slow one.
pub(super) async fn serve(
    mut worker: Worker,
    generation: Arc<Generation>,
    mut calls: UnboundedReceiver<Call>,
    answered: impl Fn(bool, bool) + Send + Sync,
) -> Ended {
    let mut sent = Sent::new(generation, answered);
    let cause = attend(&mut worker, &mut sent, &mut calls).await;
    let how = worker.end().await;
    let mut ended = sent.give_up(cause, &how);
    calls.close();
    while let Ok(call) = calls.try_recv() {
        ended.unstarted.push(call);
    }
    ended
}

/// The calls a worker has, in the order they were sent.
struct Sent<F> {
    generation: Arc<Generation>,
    /// The first one runs, the others wait in the worker; only the first has a deadline.
    queue: VecDeque<(u64, Call)>,
    head_deadline: Option<Instant>,
    asynchronous: BTreeMap<u64, (Call, Instant)>,
    outbox: Outbox,
    number: u64,
    /// Whether any call was answered.
    answered: bool,
    tell: F,
}

impl<F: Fn(bool, bool)> Sent<F> {
    fn new(generation: Arc<Generation>, tell: F) -> Self {
        Self {
            generation,
            queue: VecDeque::new(),
            head_deadline: None,
            asynchronous: BTreeMap::new(),
            outbox: Outbox::default(),
            number: frame::CONTROL,
            answered: false,
            tell,
        }
    }

    fn start_head(&mut self) {
        self.head_deadline = self.queue.front().map(|(_, call)| after(call.job.limits.timeout));
    }

    /// The head's deadline says when it began.
    fn note_duration(&self, call: &Call) {
        let limit = call.job.limits.timeout;
        if let Some(left) = self.head_deadline.map(|deadline| deadline - after(Duration::ZERO)) {
            self.generation.took(&call.module, limit.saturating_sub(left));
        }
    }

    /// The call that is due first, and when.
    fn next_due(&self) -> Option<(u64, Instant)> {
        let head = self.queue.front().map(|(number, _)| *number).zip(self.head_deadline);
        let others = self.asynchronous.iter().map(|(number, (_, deadline))| (*number, *deadline));
        others.chain(head).min_by_key(|(_, deadline)| *deadline)
    }

    /// The longest body that may come, in bytes.
    fn longest_answer(&self) -> usize {
        let queued = self.queue.iter().map(|(_, call)| call);
        let calls = queued.chain(self.asynchronous.values().map(|(call, _)| call));
        1 + calls.map(|call| call.job.limits.max_output).max().unwrap_or_default().max(MESSAGE)
    }

    /// Answers the calls that had started and gives back the others.
    fn give_up(self, cause: Cause, how: &str) -> Ended {
        let running = !self.is_empty();
        let (reason, overdue) = match cause {
            Cause::Retired => (None, None),
            Cause::Broken(what) => (Some(format!("{what} ({how})")), None),
            Cause::Overdue(number) => {
                (Some("it was killed for a call that was overdue".into()), Some(number))
            }
        };
        let failure =
            reason.as_ref().map_or_else(String::new, |reason| format!("its worker is gone: {reason}"));
        let mut queue = self.queue;
        let started = self.asynchronous.into_iter().map(|(number, (call, _))| (number, call));
        for (number, call) in queue.pop_front().into_iter().chain(started) {
            let overdue = overdue == Some(number);
            call.finish(Err(if overdue { RunError::Timeout } else { RunError::Failed(failure.clone()) }));
        }
        let unstarted = queue.into_iter().map(|(_, call)| call).collect();
        Ended { reason, answered: self.answered, running, unstarted }
    }
}

impl<F: Fn(bool, bool)> Calls for Sent<F> {
    type Call = Call;

    fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.asynchronous.is_empty()
    }

    fn push(&mut self, call: Call) {
        self.number += 1;
        let limits = call.job.limits;
        self.outbox.append(self.number, &[], &call.question);
        if self.generation.module(&call.module).is_some_and(|module| module.asynchronous) {
            let deadline = after(limits.timeout.saturating_add(GRACE));
            self.asynchronous.insert(self.number, (call, deadline));
        } else {
            self.queue.push_back((self.number, call));
            if self.queue.len() == 1 {
                self.start_head();
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.next_due().map(|(_, deadline)| deadline)
    }

    fn enforce(&mut self, now: Instant) -> Result<(), Cause> {
        match self.next_due() {
            Some((number, deadline)) if deadline <= now => Err(Cause::Overdue(number)),
            _ => Ok(()),
        }
    }

    fn take_answers(&mut self, inbox: &mut Inbox) -> Result<(), &'static str> {
        loop {
            let frame =
                inbox.take(self.longest_answer()).map_err(|_| "it sent more than an answer may hold")?;
            let Some((number, body)) = frame else { return Ok(()) };
            let (call, asynchronous) = if self.queue.front().is_some_and(|(head, _)| *head == number) {
                (self.queue.pop_front().map(|(_, call)| call), false)
            } else {
                (self.asynchronous.remove(&number).map(|(call, _)| call), true)
            };
            let call = call.ok_or("it answered what it was not asked")?;
            if !asynchronous {
                self.note_duration(&call);
                self.start_head();
            }
            self.answered = true;
            let (outcome, slow) = (understand(body, &call.job.limits), call.slow);
            call.finish(outcome);
            (self.tell)(asynchronous, slow);
        }
    }

    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    fn wrote(&mut self, count: usize) {
        self.outbox.wrote(count);
    }
}

/// What a worker says about a failure, cut and escaped.
pub(super) fn message(body: &[u8]) -> String {
    crate::output::escaped(body.get(..MESSAGE).unwrap_or(body))
}

/// Reads the body of an answer.
pub(super) fn understand(mut body: Vec<u8>, limits: &FunctionLimits) -> Result<Value, RunError> {
    let kind = body.first().copied();
    body.drain(..body.len().min(1));
    let too_large = body.len() > limits.max_output;
    match kind {
        Some(b'T' | b'V') if too_large => Err(RunError::TooLarge),
        Some(b'T') => String::from_utf8(body)
            .map(Value::String)
            .map_err(|_| RunError::Failed("its worker sent text that is not UTF-8".into())),
        Some(b'V') => match serde_json::from_slice(&body) {
            Ok(_) if !whole_numbers_fit(&body) => Err(RunError::Failed(BEYOND_64_BITS.into())),
            Ok(value) if levels(&value) > MAX_VALUE_DEPTH => {
                Err(RunError::Failed(format!("its answer is nested deeper than {MAX_VALUE_DEPTH} levels")))
            }
            Ok(value) => Ok(value),
            Err(error) => Err(RunError::Failed(format!("its answer is JSON beyond our limits: {error}"))),
        },
        Some(b'A') => Err(RunError::BadArguments(message(&body))),
        Some(b'F') => Err(RunError::Failed(message(&body))),
        Some(b'L') => Err(RunError::TooLarge),
        Some(b'O') => Err(RunError::Timeout),
        _ => Err(RunError::Failed("its worker sent an answer of no known kind".into())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_of_answer_is_understood() {
        let limits = FunctionLimits { max_output: 8, ..FunctionLimits::default() };
        let read = |body: &[u8]| understand(body.to_vec(), &limits);
        assert_eq!(read(b"Ttext"), Ok(json!("text")));
        assert_eq!(read(b"T"), Ok(json!("")));
        assert_eq!(read(b"V{\"a\":1}"), Ok(json!({"a": 1})));
        assert_eq!(read(b"Amissing: a"), Err(RunError::BadArguments("missing: a".into())));
        assert_eq!(read(b"Fx\ny"), Err(RunError::Failed("x\\ny".into())));
        assert_eq!(read(b"L"), Err(RunError::TooLarge));
        assert_eq!(read(b"O"), Err(RunError::Timeout));
    }

    #[test]
    fn an_answer_that_no_caller_could_read_is_refused() {
        let read = |levels: usize| {
            let body = format!("V{}1{}", "[".repeat(levels), "]".repeat(levels));
            understand(body.into_bytes(), &FunctionLimits::default())
        };
        assert!(read(126).is_ok());
        for too_deep in [127, 128] {
            assert!(matches!(read(too_deep), Err(RunError::Failed(_))), "{too_deep}");
        }
    }

    #[test]
    fn an_answer_that_a_worker_should_not_have_sent_is_refused() {
        let limits = FunctionLimits { max_output: 8, ..FunctionLimits::default() };
        let read = |body: &[u8]| understand(body.to_vec(), &limits);
        assert_eq!(read(b"T123456789"), Err(RunError::TooLarge));
        for bad in [&b""[..], b"?", b"T\xff", b"V{", b"V"] {
            assert!(matches!(read(bad), Err(RunError::Failed(_))), "{bad:?}");
        }
    }
}
