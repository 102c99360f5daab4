//! The calls of one worker: how they are sent and answered, and which of them its end has cost.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use msp_core::{FunctionLimits, RunError};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::generation::Generation;
use crate::python::answer::{MESSAGE, json, message};
use crate::python::process::{CONTROL, Exchange, Failure, Fault, Process, WriteQueue, after};
use crate::reply::Reply;

/// How much longer than its limit an asynchronous call may take to end once it has been cancelled.
const GRACE: Duration = Duration::from_secs(2);

/// One call on its way through a pool.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) module: Arc<str>,
    /// The body of the frame that its worker is sent.
    pub(super) frame: Arc<Vec<u8>>,
    pub(super) reply: Reply<Value>,
    /// Counts it among the calls that wait for a worker, until one has it.
    pub(super) queue_permit: Option<OwnedSemaphorePermit>,
    /// When it has waited too long for a worker.
    pub(super) expires: Option<Instant>,
    /// How many workers died before it could start.
    pub(super) lost_workers: u8,
    /// True when its function is known to take long, so that nothing should wait behind it.
    pub(super) slow: bool,
}

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

/// Serves the calls that come, until none can come any more or the worker ends. `on_answer` is called for each
/// answer: whether the call was an asynchronous one, and whether it had been taken for a slow one.
pub(super) async fn serve(
    mut worker: Process,
    generation: Arc<Generation>,
    mut calls: UnboundedReceiver<Call>,
    on_answer: impl Fn(bool, bool) + Send + Sync,
) -> Ended {
    let mut sent = WorkerCalls::new(generation, on_answer);
    let failure = worker.exchange(&mut sent, &mut calls).await.err();
    let how = worker.end().await;
    let mut ended = sent.give_up(failure, &how);
    calls.close();
    while let Ok(call) = calls.try_recv() {
        ended.unstarted.push(call);
    }
    ended
}

/// The calls that a worker has.
struct WorkerCalls<F> {
    generation: Arc<Generation>,
    /// The ordinary ones in the order they were sent. The first one runs, the others wait in the worker; only the first
    /// has a deadline.
    ordinary: VecDeque<(u64, Call)>,
    head_deadline: Option<Instant>,
    asynchronous: BTreeMap<u64, (Call, Instant)>,
    queue: WriteQueue,
    /// The newest call.
    number: u64,
    /// Whether any call was answered.
    answered: bool,
    on_answer: F,
}

impl<F: Fn(bool, bool)> WorkerCalls<F> {
    fn new(generation: Arc<Generation>, on_answer: F) -> Self {
        Self {
            generation,
            ordinary: VecDeque::new(),
            head_deadline: None,
            asynchronous: BTreeMap::new(),
            queue: WriteQueue::default(),
            number: CONTROL,
            answered: false,
            on_answer,
        }
    }

    fn start_head(&mut self) {
        self.head_deadline = self.ordinary.front().map(|(_, call)| after(call.reply.job.limits.timeout));
    }

    /// The head's deadline says when it began.
    fn note_duration(&self, call: &Call) {
        let limit = call.reply.job.limits.timeout;
        if let Some(left) = self.head_deadline.map(|deadline| deadline - after(Duration::ZERO)) {
            self.generation.record_duration(&call.module, limit.saturating_sub(left));
        }
    }

    /// The call that is due first, and when.
    fn next_due(&self) -> Option<(u64, Instant)> {
        let head = self.ordinary.front().map(|(number, _)| *number).zip(self.head_deadline);
        let others = self.asynchronous.iter().map(|(number, (_, deadline))| (*number, *deadline));
        others.chain(head).min_by_key(|(_, deadline)| *deadline)
    }

    /// Answers the calls that had started and gives back the others.
    fn give_up(self, failure: Option<Failure>, how: &str) -> Ended {
        let running = !self.is_done();
        let (reason, overdue) = match failure {
            None => (None, None),
            Some(Failure::Broken(what)) => (Some(format!("{what} ({how})")), None),
            Some(Failure::Overdue(number)) => {
                (Some("it was killed for a call that was overdue".into()), Some(number))
            }
        };
        let failure =
            reason.as_ref().map_or_else(String::new, |reason| format!("its worker is gone: {reason}"));
        let mut ordinary = self.ordinary;
        let started = self.asynchronous.into_iter().map(|(number, (call, _))| (number, call));
        for (number, call) in ordinary.pop_front().into_iter().chain(started) {
            let overdue = overdue == Some(number);
            call.reply.finish(Err(if overdue {
                RunError::Timeout
            } else {
                RunError::Failed(failure.clone())
            }));
        }
        let unstarted = ordinary.into_iter().map(|(_, call)| call).collect();
        Ended { reason, answered: self.answered, running, unstarted }
    }
}

impl<F: Fn(bool, bool)> Exchange for WorkerCalls<F> {
    type Call = Call;

    fn is_done(&self) -> bool {
        self.ordinary.is_empty() && self.asynchronous.is_empty()
    }

    fn push(&mut self, call: Call) {
        self.number += 1;
        let limits = call.reply.job.limits;
        self.queue.append(self.number, &[], &call.frame);
        if self.generation.module(&call.module).is_some_and(|module| module.asynchronous) {
            let deadline = after(limits.timeout.saturating_add(GRACE));
            self.asynchronous.insert(self.number, (call, deadline));
        } else {
            self.ordinary.push_back((self.number, call));
            if self.ordinary.len() == 1 {
                self.start_head();
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.next_due().map(|(_, deadline)| deadline)
    }

    fn enforce(&mut self, now: Instant) -> Result<(), Failure> {
        match self.next_due() {
            Some((number, deadline)) if deadline <= now => Err(Failure::Overdue(number)),
            _ => Ok(()),
        }
    }

    fn longest_frame(&self) -> usize {
        let ordinary = self.ordinary.iter().map(|(_, call)| call);
        let calls = ordinary.chain(self.asynchronous.values().map(|(call, _)| call));
        1 + calls.map(|call| call.reply.job.limits.max_output).max().unwrap_or_default().max(MESSAGE)
    }

    fn take(&mut self, number: u64, body: Vec<u8>) -> Result<(), Fault> {
        let (call, asynchronous) = if self.ordinary.front().is_some_and(|(head, _)| *head == number) {
            (self.ordinary.pop_front().map(|(_, call)| call), false)
        } else {
            (self.asynchronous.remove(&number).map(|(call, _)| call), true)
        };
        let call = call.ok_or("it answered what it was not asked")?;
        if !asynchronous {
            self.note_duration(&call);
            self.start_head();
        }
        self.answered = true;
        let (outcome, slow) = (understand(body, &call.reply.job.limits), call.slow);
        call.reply.finish(outcome);
        (self.on_answer)(asynchronous, slow);
        Ok(())
    }

    fn queue(&self) -> &WriteQueue {
        &self.queue
    }

    fn wrote(&mut self, count: usize) {
        self.queue.wrote(count);
    }
}

/// Reads the body of an answer.
///
/// # Errors
/// What the worker says, or that it says nothing that a caller could read.
pub(in crate::python) fn understand(mut body: Vec<u8>, limits: &FunctionLimits) -> Result<Value, RunError> {
    let kind = body.first().copied();
    body.drain(..body.len().min(1));
    let too_large = body.len() > limits.max_output;
    match kind {
        Some(b'T' | b'V') if too_large => Err(RunError::TooLarge),
        Some(b'T') => String::from_utf8(body)
            .map(Value::String)
            .map_err(|_| RunError::Failed("its worker sent text that is not UTF-8".into())),
        Some(b'V') => json(&body, "its answer is JSON beyond our limits"),
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
