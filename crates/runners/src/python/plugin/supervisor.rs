//! Keeps the host of one plugin file running until its plugins are retired.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use msp_core::{PluginsSpec, RunError};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::file::PluginFile;
use super::host::{Hosting, LoadCommand, PluginReport, next_frame, start};
use super::serving::{Call, Message, Sent};
use crate::python::attending::{Calls as _, Cause, after, attend};
use crate::python::frame::CONTROL;
use crate::python::pool::pause;
use crate::python::worker::Worker;

/// How long plugins may take to end.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long a call waits for a host that is being started again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to the host of a file. When the last clone is gone and all calls are answered, its plugins are terminated.
pub(super) type HostSender = UnboundedSender<Message>;
/// Tells when the host has ended.
pub(super) type HostEnded = oneshot::Receiver<()>;

/// Tells all supervisors at once that the server stops.
#[derive(Debug, Default)]
pub(crate) struct Stopping(watch::Sender<bool>);

impl Stopping {
    /// Has each host end whatever it is doing, and waits until all have.
    pub(crate) async fn farewell(&self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }

    fn watch(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

/// What is needed to start the host again as it was.
pub(super) struct Supervisor {
    hosting: Arc<Hosting>,
    spec: PluginsSpec,
    file: PluginFile,
    /// Class and id of each of its plugins.
    plugins: Vec<(String, String)>,
}

/// Keeps a host that has just been started.
pub(super) fn keep(
    hosting: &Arc<Hosting>,
    spec: &PluginsSpec,
    file: PluginFile,
    told: &[PluginReport],
    first: Worker,
) -> (HostSender, HostEnded) {
    let (line, calls) = mpsc::unbounded_channel();
    let (ended, gone) = oneshot::channel();
    let supervisor = Supervisor { hosting: hosting.clone(), spec: spec.clone(), file, plugins: names(told) };
    let stop = hosting.stopping.watch();
    hosting.tasks.spawn(async move {
        supervisor.run(first, calls, stop).await;
        let _nobody_waits = ended.send(());
    });
    (line, gone)
}

fn names(told: &[PluginReport]) -> Vec<(String, String)> {
    told.iter().map(|plugin| (plugin.class.clone(), plugin.id.clone())).collect()
}

impl Supervisor {
    async fn run(
        &self,
        first: Worker,
        mut calls: UnboundedReceiver<Message>,
        mut stop: watch::Receiver<bool>,
    ) {
        let (mut host, mut failures, mut waiting) = (Some(first), 0, Waiting::new());
        loop {
            let mut running = match host.take() {
                Some(running) => running,
                None => {
                    match wait_with(&mut calls, &mut waiting, &mut stop, self.start_again(failures)).await {
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
            let mut sent = Sent::default();
            waiting.drain(..).for_each(|(call, _)| sent.take(call));
            let cause = tokio::select! {
                cause = attend(&mut running, &mut sent, &mut calls) => cause,
                _stopped = stop.wait_for(|stopping| *stopping) => Cause::Retired,
            };
            let what = match cause {
                Cause::Retired => {
                    say_farewell(running, &mut sent, &self.file.stem).await;
                    return sent.give_up("it was stopped with the server");
                }
                Cause::Broken(what) => what,
                Cause::Overdue(_) => "it was killed because a call did not end",
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
    async fn start_again(&self, failures: u32) -> Result<Worker, String> {
        sleep(pause(failures)).await;
        let order = LoadCommand::new(&self.file, &self.spec);
        let (host, report) = start(&self.hosting, &self.file, &order, &self.spec.folder).await?;
        if names(&report.plugins) == self.plugins {
            return Ok(host);
        }
        host.end().await;
        let failed = report.failed.first().map_or_else(String::new, |failed| format!(": {}", failed.error));
        Err(format!("its plugins are not those it had{failed}"))
    }
}

/// Calls that wait for a host, each until a moment of its own.
type Waiting = VecDeque<(Call, Instant)>;

/// Lets calls wait until the work is done, each for a while; none when no call can come any more.
async fn wait_with<T>(
    calls: &mut UnboundedReceiver<Message>,
    waiting: &mut Waiting,
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
                        let until = after(PATIENCE.min(call.job.limits.timeout));
                        waiting.push_back((*call, until));
                    }
                    Message::Left => waiting.retain(|(call, _)| !call.answer.is_closed()),
                }
            }
            () = sleep_until(next.unwrap_or_else(|| after(PATIENCE))), if next.is_some() => {
                if let Some((call, _)) = waiting.pop_front() {
                    call.finish(Err(RunError::Busy));
                }
            }
        }
    }
}

/// Lets plugins end by themselves.
async fn say_farewell(mut host: Worker, sent: &mut Sent, stem: &str) {
    let farewell = async {
        sent.post_farewell();
        while !sent.outbox().is_empty() {
            let written = host.stream.write(sent.outbox().next()).await.map_err(|error| error.to_string())?;
            sent.wrote(written);
        }
        loop {
            match next_frame(&mut host, sent.longest()).await? {
                (CONTROL, _) => return Ok::<_, String>(()),
                (number, body) => sent.take_answer(number, body).map_err(str::to_owned)?,
            }
        }
    };
    match timeout(FAREWELL, farewell).await {
        Ok(Ok(())) => tracing::debug!("plugin file {stem}.py has ended"),
        Ok(Err(error)) => tracing::warn!("plugin file {stem}.py did not end by itself: {error}"),
        Err(_) => tracing::warn!("plugin file {stem}.py did not end within {} s", FAREWELL.as_secs()),
    }
    host.end().await;
}
