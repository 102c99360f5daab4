//! One call: limits, metrics, and the function itself.

use msp_protocol::{ErrorCode, FunctionName};
use serde_json::Value;

use crate::grant::Permit;
use crate::runner::{Job, RunError};
use crate::web::{WebAnswer, WebRequest};

/// Why a permitted call brought no answer.
pub type CallError = RunError;

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

/// The counter of a function's calls that brought an answer, to be looked up once and not with each call.
pub fn successes(function: &FunctionName) -> metrics::Counter {
    counter(function, "ok")
}

fn counter(function: &FunctionName, outcome: &'static str) -> metrics::Counter {
    metrics::counter!("msp_calls_total", "function" => function.to_string(), "outcome" => outcome)
}

/// Runs the permitted function once, within its limits.
///
/// # Errors
/// [`CallError::Busy`] when all of the function's slots are taken, else what the runner says.
pub async fn call(permit: Permit, args: Option<Value>) -> Result<Value, CallError> {
    let job = job(&permit, args);
    counted(&permit, async { permit.function().runner.run(job?).await }.await)
}

/// Runs the permitted function once for a request, within its limits.
///
/// # Errors
/// As [`call`].
pub async fn call_web(
    permit: Permit,
    args: Option<Value>,
    request: WebRequest,
) -> Result<WebAnswer, CallError> {
    let job = job(&permit, args);
    counted(&permit, async { permit.function().runner.answer(job?, request).await }.await)
}

fn job(permit: &Permit, args: Option<Value>) -> Result<Job, CallError> {
    let function = permit.function();
    let slot = function.slots.clone().try_acquire_owned().map_err(|_| CallError::Busy)?;
    Ok(Job { caller: permit.caller().clone(), args, limits: function.limits, slot })
}

fn counted<T>(permit: &Permit, result: Result<T, CallError>) -> Result<T, CallError> {
    let function = permit.function();
    function.tally.note(&result);
    match &result {
        Ok(_) => function.succeeded.increment(1),
        Err(error) => counter(&function.name, error.code().as_str()).increment(1),
    }
    result
}
