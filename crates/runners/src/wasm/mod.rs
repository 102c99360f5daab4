//! WebAssembly modules, interpreted inside the server.
//!
//! A module is compiled once per version of its file. Each call gets a fresh instance with memory of its own
//! and nothing of the machine but a clock, random bytes and its three standard streams. It computes in
//! *slices* of fuel on a bounded number of threads; between two of them, and while it sleeps or its prints
//! wait for the log, it holds no thread. So one that loops shares its thread with all others and ends at its
//! time limit.

mod guest;
mod instance_size;
mod modules;
mod run;
mod wasi;

use std::sync::Arc;

use futures_util::future::join;
use msp_core::clock::Clock;
use msp_core::{BoxFuture, FunctionLimits, Input, Job, Output, RunError, Runner};
use msp_protocol::FunctionName;
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt, duplex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout, timeout_at};

use guest::{Budget, Guest, Memory};
use modules::Compiled;
pub(crate) use modules::{Listed, Modules, memory};
use run::{Pause, Run, Step};

use crate::output::log_lines;
use crate::reply::{Reply, received};
use crate::tasks::{Tasks, stopped};

/// Bytes of standard error that wait for the log; beyond, who prints has to wait.
const PRINTED: usize = 16 * 1024;

/// What the calls of all WebAssembly modules share.
#[derive(Debug)]
pub(crate) struct WasmContext {
    tasks: Arc<Tasks>,
    clock: Arc<dyn Clock>,
    /// One for each thread that may compute.
    threads: Arc<Semaphore>,
    budget: Arc<Budget>,
}

impl WasmContext {
    /// As many threads as there are cores.
    pub(crate) fn new(tasks: Arc<Tasks>, clock: Arc<dyn Clock>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        Self { tasks, clock, threads: Arc::new(Semaphore::new(cores)), budget: Arc::default() }
    }

    /// Waits for a thread; calls get one in the order in which they began to wait.
    async fn thread(&self) -> Result<OwnedSemaphorePermit, RunError> {
        self.threads.clone().acquire_owned().await.map_err(|_| stopped())
    }
}

/// One module as one function: arguments as JSON on standard input, the answer as text on standard output.
#[derive(Debug)]
pub(crate) struct WasmRunner {
    function: FunctionName,
    module: Arc<Compiled>,
    context: Arc<WasmContext>,
}

impl WasmRunner {
    /// Runs this module as this function.
    pub(crate) const fn new(
        function: FunctionName,
        module: Arc<Compiled>,
        context: Arc<WasmContext>,
    ) -> Self {
        Self { function, module, context }
    }
}

impl Runner for WasmRunner {
    fn run(&self, mut job: Job) -> BoxFuture<'_, Result<Output, RunError>> {
        let (function, module, context) = (self.function.clone(), self.module.clone(), self.context.clone());
        let input = std::mem::take(&mut job.input);
        let (mut reply, outcome) = Reply::new(job);
        self.context.tasks.spawn(async move {
            let outcome = tokio::select! {
                outcome = run_once(function.as_str(), module, &context, input, &reply.job.limits) => outcome,
                // The module ends with its slice.
                () = reply.sender.closed() => return,
            };
            reply.finish(outcome.map(Output::Value));
        });
        Box::pin(received(outcome))
    }
}

async fn run_once(
    function: &str,
    module: Arc<Compiled>,
    context: &WasmContext,
    input: Input,
    limits: &FunctionLimits,
) -> Result<Value, RunError> {
    let thread = timeout(limits.timeout, context.thread()).await.map_err(|_| RunError::Busy)??;
    let input = input.into_args().map(|args| args.to_string().into_bytes()).unwrap_or_default();
    let reserved = [input.len(), limits.max_output].into_iter().fold(module.reserved, usize::saturating_add);
    let memory = Memory::new(context.budget.clone(), memory(limits), reserved).ok_or(RunError::Busy)?;
    let guest = Guest::new(function, input, limits.max_output, memory, context.clock.clone());
    let path = module.path.clone();
    let (unread, print) = duplex(PRINTED);
    let work = run_slices(Run::new(module, guest), thread, context, limits, print);
    let (outcome, ()) = join(work, log_lines(function, unread)).await;
    let failed = |what: &str| RunError::Failed(format!("{}: {what}", path.display()));
    match outcome {
        Ok(answer) => String::from_utf8(answer)
            .map(Value::String)
            .map_err(|_| failed("gave an answer that is not UTF-8")),
        Err(RunError::Failed(what)) => Err(failed(&what)),
        Err(error) => Err(error),
    }
}

/// Runs until the module has ended or its time is over.
async fn run_slices(
    mut run: Box<Run>,
    mut thread: OwnedSemaphorePermit,
    context: &WasmContext,
    limits: &FunctionLimits,
    mut print: impl AsyncWrite + Unpin,
) -> Result<Vec<u8>, RunError> {
    // The timer says when, so that tests which stop the timer stop this as well.
    let deadline = sleep(limits.timeout).deadline();
    loop {
        let slice = spawn_blocking(move || {
            let step = run.step();
            drop(thread);
            step
        });
        // After a timeout the thread ends with its slice, and the module with it.
        let step = match timeout_at(deadline, slice).await.map_err(|_| RunError::Timeout)? {
            Ok(step) => step,
            Err(error) if error.is_panic() => return Err(RunError::Failed("broke the interpreter".into())),
            Err(_) => return Err(stopped()),
        };
        let pause = match step {
            Step::Ended(outcome) => return outcome,
            Step::Paused(paused, pause) => {
                run = paused;
                pause
            }
        };
        let pausing = async {
            match pause {
                Pause::Fuel => {}
                Pause::Print(bytes) => print.write_all(&bytes).await.unwrap_or_default(),
                Pause::Sleep(time) => sleep(time).await,
            }
            context.thread().await
        };
        match timeout_at(deadline, pausing).await {
            Ok(next) => thread = next?,
            Err(_) => {
                // Freeing much memory takes time as well.
                drop(spawn_blocking(move || drop(run)));
                return Err(RunError::Timeout);
            }
        }
    }
}
