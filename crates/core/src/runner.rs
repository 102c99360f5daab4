//! What runs a function.

use std::fmt::Debug;
use std::sync::Arc;

use msp_protocol::ErrorCode;
use tokio::sync::OwnedSemaphorePermit;

use crate::BoxFuture;
use crate::body::{Input, Output};
use crate::caller::Caller;
use crate::limits::FunctionLimits;

/// One call on its way to a runner; holds its slot until the run has ended.
#[derive(Debug)]
pub struct Job {
    /// The permitted caller.
    pub caller: Arc<Caller>,
    /// What it calls the function with.
    pub input: Input,
    /// The function's limits.
    pub limits: FunctionLimits,
    /// Frees the function's slot when dropped.
    pub slot: OwnedSemaphorePermit,
}

/// Runs one function; keeps its time and output limits itself, because only it can stop what it started.
pub trait Runner: Debug + Send + Sync {
    /// Runs the function once. Dropping the future cancels the run: what has not begun never does, and what runs ends as
    /// soon as it can without harm to other calls.
    fn run(&self, job: Job) -> BoxFuture<'_, Result<Output, RunError>>;
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

impl RunError {
    /// What the caller is told.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::BadArguments(_) => ErrorCode::BadArguments,
            Self::Busy => ErrorCode::Busy,
            Self::Crashed(_) | Self::Failed(_) => ErrorCode::FunctionFailed,
            Self::Timeout => ErrorCode::Timeout,
            Self::TooLarge => ErrorCode::TooLarge,
        }
    }
}
