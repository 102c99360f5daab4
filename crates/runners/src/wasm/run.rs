//! One call of a module, a slice of fuel at a time.

use std::sync::Arc;
use std::time::Duration;

use msp_core::RunError;
use wasmi::{Error, ResumableCall, ResumableCallHostTrap, ResumableCallOutOfFuel, Store, Val};

use super::guest::Guest;
use super::modules::Compiled;
use super::wasi::Halt;

/// Fuel of one slice: some ten milliseconds in a release build.
const SLICE: u64 = 8_000_000;

/// A call under way.
pub(super) struct Run {
    store: Store<Guest>,
    module: Arc<Compiled>,
    next: Next,
}

/// What the next slice begins with.
enum Next {
    Start,
    AfterHost(ResumableCallHostTrap),
    AfterFuel(ResumableCallOutOfFuel),
}

/// What came of a slice.
pub(super) enum Step {
    Ended(Result<Vec<u8>, RunError>),
    Paused(Box<Run>, Pause),
}

/// Why a module pauses.
pub(super) enum Pause {
    /// Its slice is used up.
    Fuel,
    /// This goes to the log first.
    Print(Vec<u8>),
    /// It sleeps.
    Sleep(Duration),
}

impl Run {
    /// Nothing has run yet.
    pub(super) fn new(module: Arc<Compiled>, guest: Guest) -> Box<Self> {
        Box::new(Self { store: guest.into_store(module.engine()), module, next: Next::Start })
    }

    /// Computes until the slice is used up, the module waits for something, or it has ended.
    pub(super) fn step(mut self: Box<Self>) -> Step {
        match self.resume() {
            Err(error) => Step::Ended(Err(error)),
            Ok(ResumableCall::Finished) => self.end(),
            Ok(ResumableCall::OutOfFuel(call)) => self.pause(Next::AfterFuel(call), Pause::Fuel),
            Ok(ResumableCall::HostTrap(call)) => match call.host_error().downcast_ref::<Halt>() {
                Some(Halt::Exit(0)) => self.end(),
                Some(Halt::Exit(code)) => failed(format!("ended with exit status: {code}")),
                Some(Halt::Full) => Step::Ended(Err(RunError::TooLarge)),
                Some(Halt::Print) => {
                    let printed = std::mem::take(&mut self.store.data_mut().printed);
                    self.pause(Next::AfterHost(call), Pause::Print(printed))
                }
                Some(&Halt::Sleep(time)) => self.pause(Next::AfterHost(call), Pause::Sleep(time)),
                None => failed(call.host_error().to_string()),
            },
        }
    }

    fn resume(&mut self) -> Result<ResumableCall, RunError> {
        let next = std::mem::replace(&mut self.next, Next::Start);
        let fuel = match &next {
            // One instruction may need more than a slice: a large copy.
            Next::AfterFuel(call) => SLICE.max(call.required_fuel()),
            Next::Start | Next::AfterHost(_) => SLICE,
        };
        self.store.set_fuel(fuel).map_err(trapped)?;
        match next {
            Next::Start => self.start(),
            // All that pauses has written its results already, and answers success.
            Next::AfterHost(call) => call.resume(&mut self.store, &[Val::I32(0)], &mut []).map_err(trapped),
            Next::AfterFuel(call) => call.resume(&mut self.store, &mut []).map_err(trapped),
        }
    }

    fn start(&mut self) -> Result<ResumableCall, RunError> {
        let start = self.module.instantiate(&mut self.store).map_err(|error| {
            if self.store.data().memory.short {
                return RunError::Busy;
            }
            RunError::Failed(format!("cannot start: {}", error.to_string().trim()))
        })?;
        start.call_resumable(&mut self.store, &[], &mut []).map_err(trapped)
    }

    fn pause(mut self: Box<Self>, next: Next, pause: Pause) -> Step {
        self.next = next;
        Step::Paused(self, pause)
    }

    fn end(mut self: Box<Self>) -> Step {
        Step::Ended(Ok(std::mem::take(&mut self.store.data_mut().answer)))
    }
}

fn failed(what: String) -> Step {
    Step::Ended(Err(RunError::Failed(what)))
}

fn trapped(error: Error) -> RunError {
    RunError::Failed(format!("trapped: {}", error.to_string().trim()))
}
