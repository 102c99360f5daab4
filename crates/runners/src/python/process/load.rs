//! The load of a process: it is sent one command, and reports until it has carried that out.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::exchange::{Exchange, Failure, Fault, after, no_calls};
use super::frame::CONTROL;
use super::python_process::Process;
use super::write_queue::WriteQueue;

/// The reports that a process makes while it loads.
pub(in crate::python) trait Reports {
    /// The key of the time limit.
    const TIMEOUT_KEY: &'static str;
    /// What is said of a process that ends meanwhile.
    const ENDED: &'static str;
    /// What is said of a process whose report is longer than [`Self::longest`].
    const TOO_LONG: &'static str;
    /// True when the time begins with the command, and not when the process has it all.
    const TIMES_COMMAND: bool;

    /// The longest report that may be next, in bytes.
    fn longest(&self) -> usize;

    /// Takes the next report.
    ///
    /// # Errors
    /// What the process did wrong.
    fn take(&mut self, report: &[u8]) -> Result<Progress, Fault>;
}

/// What a report means for those that are to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::python) enum Progress {
    /// More are due, within the time that is left.
    Continues,
    /// More are due, and the time begins anew.
    Restarts,
    /// It was the last.
    Done,
}

impl Process {
    /// Sends the command to load, and takes the reports on it.
    ///
    /// # Errors
    /// Why the process has not loaded, for the log; it is still to be ended.
    pub(in crate::python) async fn load(
        &mut self,
        command: &impl Serialize,
        limit: Duration,
        reports: &mut impl Reports,
    ) -> Result<(), String> {
        let command = serde_json::to_vec(command).map_err(|error| error.to_string())?;
        let mut load = Load::new(command, limit, reports);
        self.exchange(&mut load, &mut no_calls()).await.map_err(|failure| failure.to_string())
    }
}

/// A load under way.
pub(in crate::python) struct Load<'a, R> {
    queue: WriteQueue,
    reports: &'a mut R,
    limit: Duration,
    deadline: Instant,
    done: bool,
}

impl<'a, R: Reports> Load<'a, R> {
    /// Begins with this command; `limit` is the time for what has to come before the time begins anew.
    pub(in crate::python) fn new(command: Vec<u8>, limit: Duration, reports: &'a mut R) -> Self {
        let mut queue = WriteQueue::default();
        queue.append(CONTROL, &[], &Arc::new(command));
        Self { queue, reports, limit, deadline: after(limit), done: false }
    }
}

impl<R: Reports> Exchange for Load<'_, R> {
    type Call = Infallible;
    const ENDED: &'static str = R::ENDED;
    const TOO_LONG: &'static str = R::TOO_LONG;

    fn is_done(&self) -> bool {
        self.done
    }

    fn push(&mut self, call: Infallible) {
        match call {}
    }

    fn next_deadline(&self) -> Option<Instant> {
        (!self.done).then_some(self.deadline)
    }

    fn enforce(&mut self, now: Instant) -> Result<(), Failure> {
        if self.done || now < self.deadline {
            return Ok(());
        }
        let (seconds, key) = (self.limit.as_secs(), R::TIMEOUT_KEY);
        Err(Failure::Broken(format!("it took longer than {seconds} s, which is its {key}").into()))
    }

    fn longest_frame(&self) -> usize {
        self.reports.longest()
    }

    fn take(&mut self, id: u64, body: Vec<u8>) -> Result<(), Fault> {
        if id != CONTROL {
            return Err("it answered before it was asked".into());
        }
        match self.reports.take(&body)? {
            Progress::Continues => {}
            Progress::Restarts => self.deadline = after(self.limit),
            Progress::Done => self.done = true,
        }
        Ok(())
    }

    fn queue(&self) -> &WriteQueue {
        &self.queue
    }

    fn wrote(&mut self, count: usize) {
        self.queue.wrote(count);
        if self.queue.is_empty() && !R::TIMES_COMMAND {
            self.deadline = after(self.limit);
        }
    }
}
