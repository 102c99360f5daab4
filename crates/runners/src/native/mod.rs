//! Functions compiled into the server; each exists only when modules.ini lists it.

mod echo;
mod server_time;
mod simple_time;
mod systeminfo;

use std::sync::Arc;

use msp_core::clock::Clock;
use msp_core::{BoxFuture, Job, Output, RunError, Runner, json_size};
use serde_json::Value;

use systeminfo::{Machine, SystemInfo};

/// A function that answers at once.
type Native = fn(Option<Value>, &dyn Clock) -> Value;

/// The native modules, with what they remember however often the catalogue is made anew.
#[derive(Debug)]
pub(crate) struct Natives {
    clock: Arc<dyn Clock>,
    machine: Arc<Machine>,
}

impl Natives {
    /// They read the time from this clock.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { machine: Arc::new(Machine::new(clock.clone())), clock }
    }

    /// The native module of this name.
    pub(crate) fn find(&self, module: &str) -> Option<Arc<dyn Runner>> {
        let native: Native = match module {
            "echo" => echo::run,
            "server_time" => server_time::run,
            "simple_time" => simple_time::run,
            _ => return SystemInfo::find(module, &self.machine).map(|runner| Arc::new(runner) as _),
        };
        Some(Arc::new(NativeRunner { native, clock: self.clock.clone() }))
    }
}

#[derive(Debug)]
struct NativeRunner {
    native: Native,
    clock: Arc<dyn Clock>,
}

impl Runner for NativeRunner {
    fn run(&self, job: Job) -> BoxFuture<'_, Result<Output, RunError>> {
        Box::pin(async move {
            let answer = (self.native)(job.input.into_args(), &*self.clock);
            within_limit(answer, job.limits.max_output).map(Output::Value)
        })
    }
}

/// Holds an answer against its limit: the bytes of a text, the JSON of anything else.
pub(crate) fn within_limit(answer: Value, max_output: usize) -> Result<Value, RunError> {
    let size = answer.as_str().map_or_else(|| json_size(&answer, max_output), str::len);
    if size > max_output { Err(RunError::TooLarge) } else { Ok(answer) }
}

#[cfg(test)]
mod tests {
    use msp_core::clock::ManualClock;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_compiled_in_is_found() {
        let natives = Natives::new(Arc::new(ManualClock::at(0)));
        let views = ["systeminfo", "uptime", "diskinfo", "raminfo", "ifinfo", "cpuinfo"];
        for module in ["echo", "server_time", "simple_time"].into_iter().chain(views) {
            assert!(natives.find(module).is_some(), "{module}");
        }
        assert!(natives.find("time_test").is_none());
    }

    #[test]
    fn an_answer_is_measured_as_text_or_as_json() {
        assert_eq!(within_limit(json!("üx"), 3), Ok(json!("üx")));
        assert_eq!(within_limit(json!("üx"), 2), Err(RunError::TooLarge));
        assert_eq!(within_limit(json!({"a": 1}), 7), Ok(json!({"a": 1})));
        assert_eq!(within_limit(json!({"a": 1}), 6), Err(RunError::TooLarge));
    }
}
