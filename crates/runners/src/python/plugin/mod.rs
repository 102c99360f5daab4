//! Plugins: Python files with classes that answer requests, each file in a long-lived process of its own.
//!
//! A *host* is the process of one file. It constructs the file's plugins on one asyncio loop, where their state and
//! their background tasks live until they are retired. A reload starts a second host; when its plugins are there, the
//! catalogue is replaced, and the first one ends once it has answered all that it was asked.

mod file;
mod host;
mod plugins;
mod running_file;
mod serving;
mod supervisor;
mod wire;

use std::sync::Arc;

use msp_core::{
    BoxFuture, Function, Input, Job, Origin, Output, PluginsSpec, Request, Route, RunError, Runner,
    RunnerKind, Tally,
};
use msp_protocol::{Digest, FunctionName};
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, oneshot};

use self::file::{PluginFile, parameter};
pub(crate) use self::host::Hosting;
use self::host::PluginReport;
pub(crate) use self::plugins::{Changed, Plugins};
use self::serving::{Call, Message};
use self::supervisor::HostSender;
pub(crate) use self::supervisor::Stopping;
use self::wire::{Answer, Ask, respond, value};
use crate::python::loading::DESCRIPTION;
use crate::tasks::stopped;

fn refusal(plugin: &PluginReport, why: &str) -> String {
    format!("plugin {:?} (class {}) is refused: {why}", plugin.id, plugin.class)
}

/// The name and the route of a plugin.
fn accept(
    plugin: &PluginReport,
    file: &PluginFile,
    spec: &PluginsSpec,
) -> Result<(FunctionName, Route), String> {
    let name: FunctionName =
        plugin.id.parse().map_err(|_| "an id has 1 to 128 bytes and no control character".to_owned())?;
    if plugin.id.contains(['/', '*', '\\']) || matches!(plugin.id.as_str(), "." | "..") {
        return Err("an id holds no '/', '\\' and '*', and is not made of dots".to_owned());
    }
    if spec.reserved.contains(&plugin.id) {
        return Err(format!("the path /{} is taken", plugin.id));
    }
    Ok((name, route(plugin, &file.parameters, spec)?))
}

/// Who may call it. What the operator has written counts before what the plugin says of itself.
fn route(
    plugin: &PluginReport,
    parameters: &Map<String, Value>,
    spec: &PluginsSpec,
) -> Result<Route, String> {
    let kind = parameter(parameters, &["auth_type", "auth"]).or_else(|| plugin.auth_type.clone());
    let key = parameter(parameters, &["apikey"]).filter(|key| !key.is_empty());
    let own = key.map(|key| Digest::of(key.as_bytes()));
    match kind.map(|kind| kind.to_lowercase()).as_deref() {
        None if own.is_some() => Err("it has an apikey, but no auth_type=plugin".to_owned()),
        None => Ok(Route::Open),
        Some("global") if spec.has_key => Ok(Route::Key),
        Some("global") => Err("auth_type=global, but there is no [auth] apikey".to_owned()),
        Some("plugin") => {
            let key = own.or(plugin.own_key);
            key.map(Route::Own)
                .ok_or_else(|| "auth_type=plugin, but its parameters have no apikey".to_owned())
        }
        Some("named") => Ok(Route::Named),
        Some(other) => Err(format!("auth_type is global, plugin or named, and not {other:?}")),
    }
}

fn function(
    plugin: &PluginReport,
    name: FunctionName,
    route: Route,
    file: &PluginFile,
    line: &HostSender,
    tally: Arc<Tally>,
) -> Function {
    Function {
        succeeded: msp_core::successes(&name),
        name,
        access: file.access,
        classic_write: false,
        description: plugin.description.chars().take(DESCRIPTION).collect(),
        source: format!("{}.py", file.stem).into(),
        arguments: plugin.arguments.clone(),
        route: Some(route),
        origin: Origin::Plugins,
        kind: RunnerKind::Python,
        limits: file.limits,
        runner: Arc::new(PluginRunner { plugin: plugin.index, line: line.clone() }),
        slots: Arc::new(Semaphore::new(file.limits.max_concurrent)),
        tally,
    }
}

/// One plugin of a file.
#[derive(Debug)]
struct PluginRunner {
    plugin: usize,
    line: HostSender,
}

impl PluginRunner {
    async fn ask(
        &self,
        job: Job,
        args: Option<Value>,
        subpath: Option<String>,
        request: Option<Box<Request>>,
    ) -> Result<Answer, RunError> {
        let values = values(args)?;
        let ask = Ask {
            plugin: self.plugin,
            max_output: job.limits.max_output,
            values,
            request,
            client_ip: job.caller.address.to_string(),
            subpath,
        };
        let mut waiting = Waiting { line: &self.line, answered: false };
        let (answer, outcome) = oneshot::channel();
        let call = Call { question: ask.into_question(), job, answer };
        self.line.send(Message::Call(call.into())).map_err(|_| stopped())?;
        let outcome = outcome.await;
        waiting.answered = true;
        outcome.unwrap_or_else(|_| Err(stopped()))
    }
}

/// Waits for an answer; says so when it is given up.
struct Waiting<'a> {
    line: &'a HostSender,
    answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered {
            // Fails when the host has ended, and the call with it.
            let _ended = self.line.send(Message::Left);
        }
    }
}

impl Runner for PluginRunner {
    fn run(&self, mut job: Job) -> BoxFuture<'_, Result<Output, RunError>> {
        let Input { mut args, request } = std::mem::take(&mut job.input);
        Box::pin(async move {
            if let Some(mut request) = request {
                let subpath = request.subpath.take();
                let answer = self.ask(job, args, subpath, Some(request)).await?;
                return respond(answer).map(Output::Response);
            }
            // Without a path, what would lie behind the name in it is an argument.
            let subpath =
                args.as_mut().and_then(Value::as_object_mut).and_then(|args| args.remove("subpath"));
            let subpath = subpath.and_then(|subpath| subpath.as_str().map(str::to_owned));
            self.ask(job, args, subpath, None).await.and_then(value).map(Output::Value)
        })
    }
}

fn values(args: Option<Value>) -> Result<Map<String, Value>, RunError> {
    match args {
        None => Ok(Map::new()),
        Some(Value::Object(values)) => Ok(values),
        Some(_) => Err(RunError::BadArguments("the arguments must be a JSON object".to_owned())),
    }
}
