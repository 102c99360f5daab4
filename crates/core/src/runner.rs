//! What runs a function.

use std::fmt::Debug;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use crate::BoxFuture;
use crate::caller::Caller;
use crate::limits::FunctionLimits;
use crate::web::{WebAnswer, WebRequest};

/// One call on its way to a runner; holds its slot until the run has ended, even if the caller has gone.
#[derive(Debug)]
pub struct Job {
    /// The permitted caller.
    pub caller: Arc<Caller>,
    /// The arguments, if the call had any.
    pub args: Option<Value>,
    /// The function's limits.
    pub limits: FunctionLimits,
    /// Frees the function's slot when dropped.
    pub slot: OwnedSemaphorePermit,
}

/// Runs one function; keeps its time and output limits itself, because only it can stop what it started.
pub trait Runner: Debug + Send + Sync {
    /// Runs the function once. Text comes back as a JSON string.
    fn run(&self, job: Job) -> BoxFuture<'_, Result<Value, RunError>>;

    /// Runs it once for a request. Most functions know nothing of requests: then what lies behind the function's name
    /// in the path becomes the argument `subpath`.
    fn answer(&self, mut job: Job, request: WebRequest) -> BoxFuture<'_, Result<WebAnswer, RunError>> {
        if let Some(subpath) = request.subpath {
            let args = job.args.get_or_insert_with(|| Value::Object(serde_json::Map::new()));
            args.as_object_mut().map(|args| args.insert("subpath".to_owned(), subpath.into()));
        }
        Box::pin(async { self.run(job).await.map(WebAnswer::plain) })
    }
}

/// Why a run brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The arguments do not fit; the message is for the caller.
    #[error("bad arguments: {0}")]
    BadArguments(String),
    /// The runner has no place for another call.
    #[error("the runner is busy")]
    Busy,
    /// What runs it ended meanwhile; the message is for the log only.
    #[error("{0}")]
    Crashed(String),
    /// It raised, crashed or gave what it may not; the message is for the log only.
    #[error("{0}")]
    Failed(String),
    /// It took longer than its limit and was stopped.
    #[error("took longer than its time limit")]
    Timeout,
    /// The answer is larger than its limit.
    #[error("the answer is larger than the limit")]
    TooLarge,
}
