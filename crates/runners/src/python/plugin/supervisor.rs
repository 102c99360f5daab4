//! The supervisor of one plugin file: it keeps a host running until the plugins are retired.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use msp_core::{PluginsSpec, RunError};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::file::PluginFile;
use super::host::{HostContext, PluginReport, start};
use super::serving::{Call, HostCalls, Message};
use crate::python::process::{Failure, Process, after, no_calls, pause};

/// How long plugins may take to end.
const SHUTDOWN: Duration = Duration::from_secs(3);
/// How long a call waits for a host that is being started again.
const RESTART_WAIT: Duration = Duration::from_secs(5);

/// Takes the calls of a file's plugins. When the last clone is gone and all calls are answered, they are terminated.
pub(super) type HostSender = UnboundedSender<Message>;
/// Tells when the host has ended.
pub(super) type HostEnded = oneshot::Receiver<()>;

/// What is needed to start the host again as it was.
struct Supervisor {
    context: Arc<HostContext>,
    spec: PluginsSpec,
    file: PluginFile,
    /// Class and id of each of its plugins.
    plugins: Vec<(String, String)>,
}

/// Supervises a host that has just been started.
pub(super) fn supervise(
    context: &Arc<HostContext>,
    spec: &PluginsSpec,
    file: PluginFile,
    plugins: &[PluginReport],
    first: Process,
) -> (HostSender, HostEnded) {
    let (sender, calls) = mpsc::unbounded_channel();
    let (ended, has_ended) = oneshot::channel();
    let supervisor =
        Supervisor { context: context.clone(), spec: spec.clone(), file, plugins: names(plugins) };
    let stop = context.stop_signal.watch();
    context.tasks.spawn(async move {
        supervisor.run(first, calls, stop).await;
        let _nobody_waits = ended.send(());
    });
    (sender, has_ended)
}

/// Class and id of each plugin.
fn names(plugins: &[PluginReport]) -> Vec<(String, String)> {
    plugins.iter().map(|plugin| (plugin.class.clone(), plugin.id.clone())).collect()
}

impl Supervisor {
    async fn run(
        &self,
        first: Process,
        mut calls: UnboundedReceiver<Message>,
        mut stop: watch::Receiver<bool>,
    ) {
        let (mut host, mut failures, mut waiting) = (Some(first), 0, WaitingCalls::new());
        loop {
            let mut running = match host.take() {
                Some(running) => running,
                None => {
                    match hold_calls(&mut calls, &mut waiting, &mut stop, self.start_again(failures)).await {
                        None => return,
                        Some(Ok(running)) => running,
                        Some(Err(error)) => {
                            failures += 1;
                            tracing::error!(
                                "plugin file {}.py cannot be started again: {error}",
                                self.file.stem
                            );
                            continue;
                        }
                    }
                }
            };
            let mut sent = HostCalls::default();
            waiting.drain(..).for_each(|(call, _)| sent.send(call));
            let served = tokio::select! {
                served = running.exchange(&mut sent, &mut calls) => served,
                _stopped = stop.wait_for(|stopping| *stopping) => Ok(()),
            };
            let what = match served {
                Ok(()) => {
                    shut_down(running, &mut sent, &self.file.stem).await;
                    return sent.give_up("it was stopped with the server");
                }
                Err(Failure::Broken(what)) => what,
                Err(Failure::Overdue(_)) => "it was killed because a call did not end".into(),
            };
            let why = format!("{what} ({})", running.end().await);
            failures = if sent.answered { 1 } else { failures + 1 };
            sent.give_up(&why);
            tracing::warn!(
                "the host of plugin file {}.py is gone: {why}; another starts in {} ms",
                self.file.stem,
                pause(failures).as_millis()
            );
        }
    }

    /// Starts the same source again; a file that has changed meanwhile is for a reload to take up.
    async fn start_again(&self, failures: u32) -> Result<Process, String> {
        sleep(pause(failures)).await;
        let (host, report) = start(&self.context, &self.file, &self.spec).await?;
        if names(&report.plugins) == self.plugins {
            return Ok(host);
        }
        host.end().await;
        let failed = report.failed.first().map_or_else(String::new, |failed| format!(": {}", failed.error));
        Err(format!("its plugins are not those it had{failed}"))
    }
}

/// Calls that wait for a host, each until a moment of its own.
type WaitingCalls = VecDeque<(Call, Instant)>;

/// Lets calls wait until the work is done, each for a while; none when no call can come any more.
async fn hold_calls<T>(
    calls: &mut UnboundedReceiver<Message>,
    waiting: &mut WaitingCalls,
    stop: &mut watch::Receiver<bool>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    loop {
        let next = waiting.front().map(|(_, until)| *until);
        tokio::select! {
            done = &mut work => return Some(done),
            _stopped = stop.wait_for(|stopping| *stopping) => return None,
            call = calls.recv() => {
                match call? {
                    Message::Call(call) => {
                        let until = after(RESTART_WAIT.min(call.reply.job.limits.timeout));
                        waiting.push_back((*call, until));
                    }
                    Message::Abandoned => waiting.retain(|(call, _)| !call.reply.is_abandoned()),
                }
            }
            () = sleep_until(next.unwrap_or_else(|| after(RESTART_WAIT))), if next.is_some() => {
                if let Some((call, _)) = waiting.pop_front() {
                    call.reply.finish(Err(RunError::Busy));
                }
            }
        }
    }
}

/// Lets plugins end by themselves.
async fn shut_down(mut host: Process, sent: &mut HostCalls, stem: &str) {
    sent.post_shutdown();
    match timeout(SHUTDOWN, host.exchange(sent, &mut no_calls())).await {
        Ok(Ok(())) => tracing::debug!("plugin file {stem}.py has ended"),
        Ok(Err(error)) => tracing::warn!("plugin file {stem}.py did not end by itself: {error}"),
        Err(_) => tracing::warn!("plugin file {stem}.py did not end within {} s", SHUTDOWN.as_secs()),
    }
    host.end().await;
}
