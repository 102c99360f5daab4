//! The line that the log has of each call.

use std::sync::Arc;
use std::time::Duration;

use msp_protocol::FunctionName;

use crate::caller::Caller;
use crate::clock::Clock;

/// The target of these lines, by which the log knows them.
pub const ACCESS_LOG: &str = "access";

/// A call under way, whose line is written when it ends, even when nobody waits for it any more.
pub(crate) struct AccessLine<'a>(Option<UnderWay<'a>>);

struct UnderWay<'a> {
    clock: &'a dyn Clock,
    began: Duration,
    caller: Arc<Caller>,
    function: &'a FunctionName,
    /// None for a call that leaves no line.
    outcome: Option<&'static str>,
}

impl<'a> AccessLine<'a> {
    /// Begins a call; nothing more is done where no line is asked for.
    pub(crate) fn begin(clock: &'a dyn Clock, caller: &Arc<Caller>, function: &'a FunctionName) -> Self {
        if !tracing::enabled!(target: ACCESS_LOG, tracing::Level::INFO) {
            return Self(None);
        }
        let (began, caller) = (clock.monotonic(), caller.clone());
        Self(Some(UnderWay { clock, began, caller, function, outcome: Some("abandoned") }))
    }

    /// Ends it: `ok`, or why it brought nothing.
    pub(crate) fn end(mut self, outcome: &'static str) {
        if let Some(call) = &mut self.0 {
            call.outcome = Some(outcome);
        }
    }

    /// Leaves it out.
    pub(crate) fn forget(mut self) {
        if let Some(call) = &mut self.0 {
            call.outcome = None;
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let Some(outcome) = self.outcome else { return };
        let took = self.clock.monotonic().saturating_sub(self.began);
        tracing::info!(
            target: ACCESS_LOG,
            req = %self.caller.request,
            door = self.caller.door.as_str(),
            caller = self.caller.identity.label().as_deref().unwrap_or("-"),
            function = self.function.as_str(),
            outcome,
            ms = took.as_secs_f64() * 1000.0,
            "call"
        );
    }
}
