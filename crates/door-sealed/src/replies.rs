//! What callers are told in the two shapes.

use msp_core::{CallRefusal, Output, Replies, RunError, json_size};
use msp_protocol::envelope::Failure;
use msp_protocol::{ErrorCode, UnixSecond};
use serde_json::Value;

/// What an envelope carries: any JSON of this length, and the code of a refusal.
pub(crate) struct EnvelopeReplies {
    pub(crate) longest: usize,
}

impl Replies for EnvelopeReplies {
    fn carry(&self, output: &Output) -> Result<(), CallRefusal> {
        match output {
            Output::Value(value) if json_size(value, self.longest) <= self.longest => Ok(()),
            Output::Value(_) => Err(CallRefusal::AnswerTooLarge),
            Output::Response(_) => Err(not_asked_for()),
        }
    }

    fn told(&self, refusal: &CallRefusal) -> &'static str {
        refusal.code().as_str()
    }
}

/// What classic carries: text of this length, and two statuses.
pub(crate) struct ClassicReplies {
    pub(crate) longest: usize,
}

impl Replies for ClassicReplies {
    fn carry(&self, output: &Output) -> Result<(), CallRefusal> {
        match output {
            Output::Value(Value::String(text)) if text.len() <= self.longest => Ok(()),
            Output::Value(Value::String(_)) => Err(CallRefusal::AnswerTooLarge),
            Output::Value(_) => Err(CallRefusal::NotText),
            Output::Response(_) => Err(not_asked_for()),
        }
    }

    fn told(&self, refusal: &CallRefusal) -> &'static str {
        if is_failure_of_the_function(refusal) { "500" } else { "401" }
    }
}

/// A runner that answers a request where there was none.
fn not_asked_for() -> CallRefusal {
    CallRefusal::Run(RunError::Failed("it answered a request, and there was none".to_owned()))
}

/// True where the classic shape answers 500 and not the plain 401.
pub(crate) const fn is_failure_of_the_function(refusal: &CallRefusal) -> bool {
    match refusal.code() {
        ErrorCode::FunctionFailed | ErrorCode::Timeout => true,
        ErrorCode::BadArguments
        | ErrorCode::Busy
        | ErrorCode::ClockSkew
        | ErrorCode::Disabled
        | ErrorCode::Expired
        | ErrorCode::Forbidden
        | ErrorCode::TooLarge
        | ErrorCode::UnknownFunction => false,
    }
}

/// What the envelope shape tells of a call; details of a failure stay in the log.
pub(crate) fn failure(refusal: &CallRefusal) -> Failure {
    match refusal {
        CallRefusal::Run(RunError::BadArguments(message)) => {
            Failure { code: ErrorCode::BadArguments.into(), message: message.clone(), not_before: None }
        }
        refusal => plain(refusal.code()),
    }
}

/// A code with its sentence.
pub(crate) fn plain(code: ErrorCode) -> Failure {
    Failure { code: code.into(), message: message(code).to_owned(), not_before: None }
}

/// What `clock_skew` tells.
pub(crate) fn clock_skew(not_before: UnixSecond) -> Failure {
    Failure { not_before: Some(not_before), ..plain(ErrorCode::ClockSkew) }
}

/// One sentence for the caller.
const fn message(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::BadArguments => "the function refused its arguments",
        ErrorCode::Busy => "at its limit; try again later",
        ErrorCode::ClockSkew => "the time of the request is outside what the server accepts",
        ErrorCode::Disabled => "this client is disabled; ask the operator",
        ErrorCode::Expired => "the registration of this client has expired; ask the operator",
        ErrorCode::Forbidden => "no grant of this caller covers the function",
        ErrorCode::FunctionFailed => "the function failed",
        ErrorCode::Timeout => "the function took longer than its limit",
        ErrorCode::TooLarge => "the answer is larger than the limit",
        ErrorCode::UnknownFunction => "no function of this name",
    }
}
