//! Whether the server can serve, and why not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use msp_core::Replay;
use msp_core::clock::Clock;
use msp_runners::Runners;

/// What readiness hangs on.
pub(crate) struct Readiness {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) replay: Arc<dyn Replay>,
    pub(crate) runners: Runners,
    /// Set at a graceful stop.
    pub(crate) draining: AtomicBool,
    /// Why the registry could not be read lately.
    pub(crate) registry_problem: ArcSwapOption<String>,
}

impl Readiness {
    /// That of a server that is not stopping.
    pub(crate) fn new(clock: Arc<dyn Clock>, replay: Arc<dyn Replay>, runners: Runners) -> Arc<Self> {
        let (draining, registry_problem) = (AtomicBool::new(false), ArcSwapOption::empty());
        Arc::new(Self { clock, replay, runners, draining, registry_problem })
    }

    /// What keeps the server from being ready; empty when it is.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let guard = self.replay.status();
        let ahead = guard.floor.saturating_sub(self.clock.unix());
        let mut reasons = Vec::new();
        if self.draining.load(Ordering::Relaxed) {
            reasons.push("the server is stopping".to_owned());
        }
        if guard.mark_failing {
            reasons.push("the registry cannot be written, so no request can be accepted safely".to_owned());
        }
        if let Some(problem) = &*self.registry_problem.load() {
            reasons.push(format!("the registry cannot be read: {problem}"));
        }
        reasons.extend(self.runners.loading());
        if ahead > 0 {
            reasons.push(format!("the floor is {ahead} s ahead of the clock (see msp-admin floor)"));
        }
        reasons
    }
}
