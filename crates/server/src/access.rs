//! The line that the log has of each call.

use std::sync::Arc;
use std::time::Duration;

use msp_core::clock::Clock;
use msp_core::{Caller, Door};
use msp_protocol::{ClientName, FunctionName};

/// The target of these lines, by which the log knows them.
pub(crate) const TARGET: &str = "access";

/// A call under way, whose line is written when it ends, even when nobody waits for it any more.
pub(crate) struct Access<'a>(Option<UnderWay<'a>>);

struct UnderWay<'a> {
    clock: &'a dyn Clock,
    began: Duration,
    caller: Arc<Caller>,
    /// How the log names who has no name.
    label: Option<String>,
    function: &'a FunctionName,
    outcome: &'static str,
}

impl<'a> Access<'a> {
    /// Begins a call; nothing more is done where no line is asked for. `label` names a caller who has no name.
    pub(crate) fn begin(
        clock: &'a dyn Clock,
        caller: &Arc<Caller>,
        label: impl FnOnce() -> Option<String>,
        function: &'a FunctionName,
    ) -> Self {
        if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
            return Self(None);
        }
        let label = if caller.name.is_some() { None } else { label() };
        let (began, caller) = (clock.monotonic(), caller.clone());
        Self(Some(UnderWay { clock, began, caller, label, function, outcome: "abandoned" }))
    }

    /// Ends it: `ok`, or why it brought nothing.
    pub(crate) fn end(mut self, outcome: &'static str) {
        if let Some(call) = &mut self.0 {
            call.outcome = outcome;
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let took = self.clock.monotonic().saturating_sub(self.began);
        let name = self.caller.name.as_ref().map(ClientName::as_str);
        tracing::info!(
            target: TARGET,
            req = %self.caller.request,
            door = match self.caller.door {
                Door::Plugin => "plugin",
                Door::Sealed => "sealed",
            },
            caller = name.or(self.label.as_deref()).unwrap_or("-"),
            function = self.function.as_str(),
            outcome = self.outcome,
            ms = took.as_secs_f64() * 1000.0,
            "call"
        );
    }
}
