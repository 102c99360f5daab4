//! Programs: started for each call, never through a shell.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::FusedFuture;
use msp_core::{BoxFuture, FunctionLimits, Job, Output, RunError, Runner};
use msp_protocol::FunctionName;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::isolation::Confinement;
use crate::output::log_lines;
use crate::reply::{Reply, received};
use crate::spawn::{Group, Launch};
use crate::tasks::Tasks;

/// How long the last lines of standard error are waited for; only a process that left its group can hold them
/// back.
const LAST_LINES: Duration = Duration::from_secs(1);

/// One program: arguments as JSON on standard input, the answer as text on standard output.
#[derive(Debug)]
pub(crate) struct Executable {
    function: FunctionName,
    path: PathBuf,
    confinement: Arc<Confinement>,
    tasks: Arc<Tasks>,
}

impl Executable {
    /// Memory of one process, in bytes, when its function sets none.
    pub(crate) const MEMORY: u64 = 512 * 1024 * 1024;

    /// The program at `path`, which runs as this function.
    pub(crate) const fn new(
        function: FunctionName,
        path: PathBuf,
        confinement: Arc<Confinement>,
        tasks: Arc<Tasks>,
    ) -> Self {
        Self { function, path, confinement, tasks }
    }
}

impl Runner for Executable {
    fn run(&self, mut job: Job) -> BoxFuture<'_, Result<Output, RunError>> {
        let (function, path, confinement) =
            (self.function.clone(), self.path.clone(), self.confinement.clone());
        let args = std::mem::take(&mut job.input).into_args();
        let (mut reply, outcome) = Reply::new(job);
        self.tasks.spawn(async move {
            let gone = reply.sender.closed();
            let outcome =
                run_once(function.as_str(), &path, &confinement, args, &reply.job.limits, gone).await;
            reply.finish(outcome.map(Output::Value));
        });
        Box::pin(received(outcome))
    }
}

async fn run_once(
    function: &str,
    path: &Path,
    confinement: &Confinement,
    args: Option<Value>,
    limits: &FunctionLimits,
    gone: impl Future<Output = ()>,
) -> Result<Value, RunError> {
    let failed = |what: &str| RunError::Failed(format!("{}: {what}", path.display()));
    let launch = Launch {
        program: path,
        arguments: &[],
        folder: path.parent().unwrap_or(path),
        variables: &[("MSP_FUNCTION", OsStr::new(function))],
        input: None,
    };
    let started = confinement.start(launch);
    let mut group = started.map_err(|error| failed(&format!("cannot be started: {error}")))?;
    let (Some(stdin), Some(stdout), Some(stderr)) = group.pipes() else {
        return Err(failed("has no pipes"));
    };
    let mut feed = pin!(feed(stdin, args).fuse());
    let (mut log, mut gone) = (pin!(log_lines(function, stderr).fuse()), pin!(gone));
    let outcome = {
        let mut run = pin!(timeout(limits.timeout, read_answer(&group, stdout, limits.max_output)));
        loop {
            tokio::select! {
                outcome = &mut run => break outcome.unwrap_or(Err(RunError::Timeout)),
                () = &mut log => {}
                () = &mut feed => {}
                () = &mut gone => break Err(failed("was ended, because its caller has gone")),
            }
        }
    };
    let status = group.end().await;
    let _cut_off = timeout(LAST_LINES, async {
        if !log.is_terminated() {
            log.await
        }
    })
    .await;
    let bytes = outcome?;
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(failed(&format!("ended with {status}"))),
        Err(error) => return Err(failed(&format!("cannot be waited for: {error}"))),
    }
    String::from_utf8(bytes).map(Value::String).map_err(|_| failed("gave an answer that is not UTF-8"))
}

/// Writes the arguments; a program that does not read them is none the worse.
async fn feed(mut stdin: ChildStdin, args: Option<Value>) {
    if let Some(args) = args {
        let _unread = stdin.write_all(args.to_string().as_bytes()).await;
    }
}

/// Reads until the program has ended and nothing it started holds its output any more.
async fn read_answer(group: &Group, mut stdout: ChildStdout, max_output: usize) -> Result<Vec<u8>, RunError> {
    let mut answer = Vec::new();
    let (mut open, mut exited) = (true, false);
    while open || !exited {
        tokio::select! {
            biased;
            read = stdout.read_buf(&mut answer), if open => {
                open = read.is_ok_and(|count| count > 0);
                if answer.len() > max_output {
                    return Err(RunError::TooLarge);
                }
            }
            () = group.exited(), if !exited => {
                exited = true;
                group.kill();
            }
        }
    }
    Ok(answer)
}
