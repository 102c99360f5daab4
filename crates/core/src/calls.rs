//! The one way of all calls, whatever door they came through.

use std::fmt;
use std::sync::Arc;

use msp_protocol::{ErrorCode, FunctionName};
use tracing::Instrument as _;

use crate::access_line::AccessLine;
use crate::body::{Input, Output};
use crate::caller::Caller;
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::guard::{Guard, Sighting};
use crate::identity::Identity;
use crate::last_used::LastUsed;
use crate::permit::{Denied, Permit, permit};
use crate::rates::Rates;
use crate::refusal::{Refusal, Severity};
use crate::refusals::{Refusals, Refused};
use crate::runner::{Job, RunError};
use crate::soon::Soon;

/// The most characters that are kept of why something failed: the ring holds 10,000 of them.
const LONGEST_REASON: usize = 500;

/// The functions that can be called.
pub trait Functions: Send + Sync {
    /// Those that exist now.
    fn catalogue(&self) -> Arc<Catalogue>;

    /// Those that exist now, for who asks for this one: while it may be among what loads for the first time, it is waited
    /// for, a few seconds at most.
    fn catalogue_for<'a>(&'a self, name: &'a FunctionName) -> Soon<'a, Arc<Catalogue>>;
}

/// What one door can carry of an answer, and how it tells a refusal.
pub trait Replies: Sync {
    /// Holds an answer against what the door can carry.
    ///
    /// # Errors
    /// [`CallRefusal::AnswerTooLarge`] or [`CallRefusal::NotText`].
    fn carry(&self, output: &Output) -> Result<(), CallRefusal>;

    /// What the caller is told of a refusal, as the ring and the counters name it.
    fn told(&self, refusal: &CallRefusal) -> &'static str;

    /// What the ring keeps instead of the refusal's own reason.
    fn reason(&self, _refusal: &CallRefusal) -> Option<Box<dyn Refusal + '_>> {
        None
    }
}

/// Why a call brought no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallRefusal {
    /// It worked, but its answer is larger than the door carries.
    AnswerTooLarge,
    /// There is no permit.
    Denied(Denied),
    /// There is no function of this name, because what is configured does not load.
    NotLoaded(NotLoaded),
    /// It worked, but answered something else than text, which is all that the door carries.
    NotText,
    /// The caller's rate is at its limit.
    RateLimited,
    /// The run brought none.
    Run(RunError),
}

/// What is configured and does not load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLoaded {
    /// What it was to be made of.
    pub source: Arc<str>,
    /// Why it does not load.
    pub why: String,
}

impl NotLoaded {
    /// Why a function that is configured does not exist; none when none is configured, or it is still loading.
    #[must_use]
    pub fn of(catalogue: &Catalogue, function: &FunctionName) -> Option<Self> {
        let missing = catalogue.missing(function)?;
        // A file's name may hold anything.
        let safe = |character: char| if character.is_control() { ' ' } else { character };
        let why = missing.why.as_ref()?.chars().map(safe).take(LONGEST_REASON).collect();
        Some(Self { source: missing.source.clone(), why })
    }
}

impl CallRefusal {
    /// Its code in the table of error codes.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::AnswerTooLarge => ErrorCode::TooLarge,
            Self::Denied(Denied::Unknown) | Self::NotLoaded(_) => ErrorCode::UnknownFunction,
            Self::Denied(Denied::AboveCeiling | Denied::EnvelopeOnly | Denied::Forbidden) => {
                ErrorCode::Forbidden
            }
            Self::Denied(Denied::Loading) | Self::RateLimited => ErrorCode::Busy,
            Self::NotText => ErrorCode::FunctionFailed,
            Self::Run(error) => error.code(),
        }
    }

    /// The refusal of a call of this function, in words.
    #[must_use]
    pub const fn of<'a>(&'a self, function: &'a FunctionName) -> impl Refusal + 'a {
        RefusedCall { refusal: self, function }
    }
}

struct RefusedCall<'a> {
    refusal: &'a CallRefusal,
    function: &'a FunctionName,
}

impl fmt::Display for RefusedCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.function.as_str().escape_debug();
        match self.refusal {
            CallRefusal::AnswerTooLarge | CallRefusal::Run(RunError::TooLarge) => {
                write!(f, "the answer of the function {name} is larger than its limit")
            }
            CallRefusal::Denied(denied) => write!(f, "{denied}: {name}"),
            CallRefusal::NotLoaded(NotLoaded { source, why }) => {
                write!(f, "no function of this name: {name} ({source}) does not load: {why}")
            }
            CallRefusal::NotText => write!(
                f,
                "the function {name} returned something else than text, which the classic shape cannot carry"
            ),
            CallRefusal::RateLimited | CallRefusal::Run(RunError::Busy) => {
                f.write_str("the function, or the caller's rate, is at its limit")
            }
            CallRefusal::Run(RunError::Timeout) => {
                write!(f, "the function {name} took longer than its time limit")
            }
            CallRefusal::Run(error) => {
                let why: String = error.to_string().escape_debug().take(LONGEST_REASON).collect();
                write!(f, "the function {name} failed: {why}")
            }
        }
    }
}

impl Refusal for RefusedCall<'_> {
    fn severity(&self) -> Severity {
        match self.refusal {
            CallRefusal::Denied(_)
            | CallRefusal::NotLoaded(_)
            | CallRefusal::RateLimited
            | CallRefusal::Run(RunError::Busy) => Severity::Warning,
            CallRefusal::AnswerTooLarge | CallRefusal::NotText | CallRefusal::Run(_) => Severity::Failure,
        }
    }
}

/// The pipeline of all doors, and what goes with it.
pub struct Calls {
    clock: Arc<dyn Clock>,
    functions: Arc<dyn Functions>,
    guard: Guard,
    /// How much is too much.
    pub rates: Rates,
    /// What was refused.
    pub refusals: Refusals,
    /// Who was used on which day.
    pub last_used: LastUsed,
}

impl Calls {
    /// Calls of these functions.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, functions: Arc<dyn Functions>, guard: Guard, rates: Rates) -> Self {
        let refusals = Refusals::new(clock.clone());
        Self { clock, functions, guard, rates, refusals, last_used: LastUsed::default() }
    }

    /// Calls a function once: the caller's rate, its permit, a slot, the run, what the door can carry. Success and refusal
    /// are noted, and the log gets its line. Dropping the future cancels the run.
    ///
    /// # Errors
    /// [`CallRefusal`], which has been noted.
    pub async fn call(
        &self,
        caller: &Arc<Caller>,
        function: &FunctionName,
        input: Input,
        replies: &dyn Replies,
    ) -> Result<Output, CallRefusal> {
        let line = AccessLine::begin(&*self.clock, caller, function);
        // What is logged meanwhile, by the runner too, belongs to this request. Costs nothing unless somebody listens.
        let span = tracing::debug_span!(
            "call",
            req = %caller.request,
            door = caller.door.as_str(),
            caller = caller.identity.label().as_deref(),
            function = function.as_str()
        );
        let refusal = match self.run(caller, function, input, replies).instrument(span).await {
            Ok(output) => {
                line.end("ok");
                return Ok(output);
            }
            Err(refusal) => refusal,
        };
        // Who is nobody and may not call has called nothing: strangers fill no log.
        match (&refusal, &caller.identity) {
            (CallRefusal::Denied(_), Identity::Anybody) => line.forget(),
            _ => line.end(refusal.code().as_str()),
        }
        self.keep(caller, function, &refusal, replies);
        Err(refusal)
    }

    /// Refuses a call whose arguments are not what was sent, before anything else of it is looked at.
    pub fn refuse(
        &self,
        caller: &Arc<Caller>,
        function: &FunctionName,
        refusal: CallRefusal,
        replies: &dyn Replies,
    ) -> CallRefusal {
        AccessLine::begin(&*self.clock, caller, function).end(refusal.code().as_str());
        self.keep(caller, function, &refusal, replies);
        refusal
    }

    fn keep(&self, caller: &Caller, function: &FunctionName, refusal: &CallRefusal, replies: &dyn Replies) {
        let refused = Refused {
            request: caller.request,
            address: caller.address,
            caller: caller.identity.label().map(Into::into),
            answer: replies.told(refusal),
        };
        match replies.reason(refusal) {
            Some(reason) => self.refusals.note(refused, &*reason),
            None => self.refusals.note(refused, &refusal.of(function)),
        }
    }

    async fn run(
        &self,
        caller: &Arc<Caller>,
        function: &FunctionName,
        input: Input,
        replies: &dyn Replies,
    ) -> Result<Output, CallRefusal> {
        if caller.identity.digest().is_some_and(|digest| !self.rates.caller_may(digest)) {
            return Err(CallRefusal::RateLimited);
        }
        let permit = {
            // Let go before the run: it holds plugins whose end a reload waits for.
            let catalogue = self.functions.catalogue_for(function).await;
            permit(caller, &catalogue, function).map_err(|denied| match denied {
                Denied::Unknown => NotLoaded::of(&catalogue, function)
                    .filter(|_| catalogue.find(function).is_none())
                    .map_or(CallRefusal::Denied(denied), CallRefusal::NotLoaded),
                _ => CallRefusal::Denied(denied),
            })?
        };
        let output = run(permit, input).await.map_err(CallRefusal::Run)?;
        self.note_success(caller).await;
        replies.carry(&output)?;
        Ok(output)
    }

    /// Notes a successful call of who is registered: the address, the day of use, and the end of earlier failures.
    async fn note_success(&self, caller: &Caller) {
        let Some(digest) = caller.identity.registered() else { return };
        let address = caller.address;
        let client = caller.identity.name().map_or("unlinked", msp_protocol::ClientName::as_str);
        match self.guard.sightings.sight(address, digest).await {
            Sighting::New => tracing::warn!(req = %caller.request, client, "new address: {address}"),
            Sighting::Returned => {
                tracing::warn!(req = %caller.request, client, "returned address: {address}");
            }
            Sighting::Known => {}
        }
        // Passwords are counted apart, where they are looked at.
        if matches!(caller.identity, Identity::ApiKey { .. } | Identity::Client { .. }) {
            self.guard.failures.forgive(address).await;
        }
        self.last_used.note(*digest, self.clock.unix());
    }
}

/// The counter of a function's calls that brought an answer, to be looked up once and not with each call.
pub fn successes(function: &FunctionName) -> metrics::Counter {
    counter(function, "ok")
}

fn counter(function: &FunctionName, outcome: &'static str) -> metrics::Counter {
    metrics::counter!("msp_calls_total", "function" => function.to_string(), "outcome" => outcome)
}

/// Runs the permitted function once, within its limits. Dropping the future cancels the run.
///
/// # Errors
/// [`RunError::Busy`] when all of the function's slots are taken, else what the runner says.
pub async fn run(permit: Permit, input: Input) -> Result<Output, RunError> {
    let function = permit.function();
    let result = match function.slots.clone().try_acquire_owned() {
        Err(_) => Err(RunError::Busy),
        Ok(slot) => {
            let caller = permit.caller().clone();
            function.runner.run(Job { caller, input, limits: function.limits, slot }).await
        }
    };
    function.tally.note(&result);
    match &result {
        Ok(_) => function.succeeded.increment(1),
        Err(error) => counter(&function.name, error.code().as_str()).increment(1),
    }
    result
}

#[cfg(test)]
mod tests;
