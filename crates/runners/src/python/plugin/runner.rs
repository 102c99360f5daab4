//! One plugin as a function.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use msp_core::{
    Body, BoxFuture, Function, Input, Job, Namespace, Origin, Output, Request, Route, RunError, Runner,
    RunnerKind, Tally,
};
use msp_protocol::FunctionName;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::file::PluginFile;
use super::host::PluginReport;
use super::serving::{Call, Message};
use super::supervisor::HostSender;
use super::wire::{Answer, Invocation, respond, value};
use crate::python::answer::description;
use crate::reply::{Reply, received};
use crate::tasks::stopped;

/// A plugin as a function of the catalogue.
pub(super) fn function(
    plugin: &PluginReport,
    name: FunctionName,
    route: Route,
    file: &PluginFile,
    sender: &HostSender,
    tally: Arc<Tally>,
) -> Function {
    Function {
        succeeded: msp_core::successes(&name),
        name,
        namespace: Namespace::default(),
        access: file.access,
        classic_write: false,
        description: description(&plugin.description),
        source: format!("{}.py", file.stem).into(),
        arguments: plugin.arguments.clone(),
        route: Some(route),
        origin: Origin::Plugins,
        kind: RunnerKind::Python,
        limits: file.limits,
        runner: Arc::new(PluginRunner { plugin: plugin.index, sender: sender.clone() }),
        slots: Arc::new(Semaphore::new(file.limits.max_concurrent)),
        tally,
    }
}

/// One plugin of a file.
#[derive(Debug)]
struct PluginRunner {
    plugin: usize,
    sender: HostSender,
}

impl PluginRunner {
    async fn call(
        &self,
        job: Job,
        args: Option<Value>,
        subpath: Option<String>,
        request: Option<Box<Request>>,
    ) -> Result<Answer, RunError> {
        let values = values(args)?;
        let (request, body) = match request {
            Some(mut request) => {
                let body = whole(std::mem::take(&mut request.body), job.limits.timeout).await?;
                (Some(request), body)
            }
            None => (None, Bytes::new()),
        };
        let invocation = Invocation {
            plugin: self.plugin,
            max_output: job.limits.max_output,
            values,
            request,
            body,
            client_ip: job.caller.address.to_string(),
            subpath,
        };
        let mut guard = AbandonGuard { sender: &self.sender, answered: false };
        let (reply, outcome) = Reply::new(job);
        let call = Call { frame: invocation.into_frame(), reply };
        self.sender.send(Message::Call(call.into())).map_err(|_| stopped())?;
        let outcome = received(outcome).await;
        guard.answered = true;
        outcome
    }
}

/// Waits for an answer; tells the supervisor when the caller gives up.
struct AbandonGuard<'a> {
    sender: &'a HostSender,
    answered: bool,
}

impl Drop for AbandonGuard<'_> {
    fn drop(&mut self) {
        if !self.answered {
            // Fails when the host has ended, and the call with it.
            let _ended = self.sender.send(Message::Abandoned);
        }
    }
}

impl Runner for PluginRunner {
    fn run(&self, mut job: Job) -> BoxFuture<'_, Result<Output, RunError>> {
        let Input { mut args, request } = std::mem::take(&mut job.input);
        Box::pin(async move {
            if let Some(mut request) = request {
                let subpath = request.subpath.take();
                let answer = self.call(job, args, subpath, Some(request)).await?;
                return respond(answer).map(Output::Response);
            }
            // Without a path, what would lie behind the name in it is an argument.
            let subpath =
                args.as_mut().and_then(Value::as_object_mut).and_then(|args| args.remove("subpath"));
            let subpath = subpath.and_then(|subpath| subpath.as_str().map(str::to_owned));
            self.call(job, args, subpath, None).await.and_then(value).map(Output::Value)
        })
    }
}

/// The largest body that a host can be sent, in bytes: as much as `[Limits] Body` may allow.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// All of a request's body, which a host gets before its plugin is called. It may take as long to come as the call after it.
///
/// # Errors
/// [`RunError::BadArguments`] when the rest will not come or it is too large, [`RunError::Timeout`] when it takes too long.
async fn whole(body: Body, limit: Duration) -> Result<Bytes, RunError> {
    match body {
        Body::Bytes(bytes) => Ok(bytes),
        Body::Stream(_) => {
            let whole = timeout(limit, body.whole(LARGEST_BODY)).await;
            whole
                .map_err(|_elapsed| RunError::Timeout)?
                .map_err(|error| RunError::BadArguments(error.to_string()))
        }
    }
}

fn values(args: Option<Value>) -> Result<Map<String, Value>, RunError> {
    match args {
        None => Ok(Map::new()),
        Some(Value::Object(values)) => Ok(values),
        Some(_) => Err(RunError::BadArguments("the arguments must be a JSON object".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A body of which each piece comes after a second.
    fn slow(pieces: Vec<std::io::Result<Bytes>>) -> Body {
        Body::Stream(Box::pin(stream::iter(pieces).then(|piece| async {
            tokio::time::sleep(SECOND).await;
            piece
        })))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_in_pieces_is_waited_for_as_long_as_the_call_may_take() {
        let pieces = || vec![Ok(Bytes::from_static(b"ab")), Ok(Bytes::from_static(b"c"))];
        assert_eq!(whole(slow(pieces()), 3 * SECOND).await, Ok(Bytes::from_static(b"abc")));
        assert_eq!(whole(slow(pieces()), SECOND).await, Err(RunError::Timeout));
        let torn = vec![Ok(Bytes::new()), Err(std::io::Error::other("reset"))];
        let why = "the body ended too early: reset".to_owned();
        assert_eq!(whole(slow(torn), 3 * SECOND).await, Err(RunError::BadArguments(why)));
    }
}
