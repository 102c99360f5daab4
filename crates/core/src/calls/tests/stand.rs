//! A pipeline with one function, and callers for it.

use std::net::IpAddr;
use std::sync::Mutex;

use msp_protocol::Digest;
use serde_json::json;
use tokio::sync::Semaphore;

use super::super::*;
use crate::BoxFuture;
use crate::access::{Access, Origin, Route};
use crate::caller::{Door, RequestId};
use crate::catalogue::{Function, MissingFunction, RunnerKind};
use crate::clock::ManualClock;
use crate::grant::Grants;
use crate::guard::{Admission, Ban, Failures, GuardStatus, Rejection, Replay, Sightings, Standing};
use crate::limits::FunctionLimits;
use crate::namespace::Namespace;
use crate::registry::RegistryError;
use crate::runner::Runner;
use crate::tally::Tally;

pub(super) const NOW: u64 = 1_800_000_000;

/// Notes what a success tells the guard; nothing else of a guard is asked by a call.
#[derive(Default)]
pub(super) struct Noted {
    pub(super) sighted: Mutex<Vec<(IpAddr, Digest)>>,
    pub(super) forgiven: Mutex<Vec<IpAddr>>,
}

impl Sightings for Noted {
    fn sight<'a>(&'a self, address: IpAddr, client: &'a Digest) -> Soon<'a, Sighting> {
        self.sighted.lock().unwrap().push((address, *client));
        Soon::now(Sighting::Known)
    }
    fn seen_from(&self, _: IpAddr) -> Soon<'_, Vec<Digest>> {
        panic!("a call does not ask")
    }
}

impl Failures for Noted {
    fn note(&self, _: IpAddr, _: bool) -> Soon<'_, ()> {
        panic!("a call counts no failure to prove something")
    }
    fn forgive(&self, address: IpAddr) -> Soon<'_, ()> {
        self.forgiven.lock().unwrap().push(address);
        Soon::now(())
    }
    fn standing(&self, _: IpAddr) -> Soon<'_, Standing> {
        panic!("a call does not ask")
    }
    fn bans(&self) -> Soon<'_, Vec<Ban>> {
        panic!("a call does not ask")
    }
    fn lift_ban(&self, _: IpAddr) -> Soon<'_, bool> {
        panic!("a call does not ask")
    }
}

impl Replay for Noted {
    fn admit(&self, _: Admission) -> Soon<'_, Result<(), Rejection>> {
        panic!("a call is admitted by its door")
    }
    fn end_previous_secret(&self, _: Digest, _: Digest) -> BoxFuture<'_, Result<(), RegistryError>> {
        panic!("a call ends no secret")
    }
    fn status(&self) -> GuardStatus {
        panic!("a call does not ask")
    }
    fn tick(&self) -> BoxFuture<'_, ()> {
        panic!("a call does not ask")
    }
    fn reload_marks(&self) -> BoxFuture<'_, Result<(), RegistryError>> {
        panic!("a call does not ask")
    }
    fn reset_floor(&self) -> BoxFuture<'_, Result<(), RegistryError>> {
        panic!("a call does not ask")
    }
    fn close(&self) -> BoxFuture<'_, Result<(), RegistryError>> {
        panic!("a call does not ask")
    }
}

/// Gives its arguments, or what it was told to.
#[derive(Debug)]
pub(super) struct Echo(pub(super) Mutex<Option<RunError>>, pub(super) Mutex<Vec<RequestId>>);

impl Runner for Echo {
    fn run(&self, job: Job) -> BoxFuture<'_, Result<Output, RunError>> {
        self.1.lock().unwrap().push(job.caller.request);
        let outcome = match self.0.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok(Output::Value(job.input.args.clone().unwrap_or_default())),
        };
        Box::pin(async move {
            let _held = job.slot;
            if outcome == Err(RunError::Timeout) {
                std::future::pending::<()>().await;
            }
            outcome
        })
    }
}

impl PartialEq for Output {
    fn eq(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Value(one), Self::Value(two)) if one == two)
    }
}

pub(super) struct Stand {
    pub(super) calls: Calls,
    pub(super) noted: Arc<Noted>,
    pub(super) function: Arc<Function>,
    pub(super) runner: Arc<Echo>,
}

/// What exists: one function; and what is missing.
pub(super) struct Listed(Arc<Catalogue>);

impl Functions for Listed {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.0.clone()
    }
    fn catalogue_for<'a>(&'a self, _: &'a FunctionName) -> Soon<'a, Arc<Catalogue>> {
        Soon::now(self.0.clone())
    }
}

pub(super) fn name(text: &str) -> FunctionName {
    text.parse().unwrap()
}

impl Stand {
    pub(super) fn new() -> Self {
        Self::with(Rates::default(), Vec::new())
    }

    pub(super) fn with(rates: Rates, missing: Vec<(FunctionName, MissingFunction)>) -> Self {
        Self::routed(Some(Route::Key), rates, missing)
    }

    pub(super) fn routed(
        route: Option<Route>,
        rates: Rates,
        missing: Vec<(FunctionName, MissingFunction)>,
    ) -> Self {
        let limits = FunctionLimits { max_concurrent: 2, ..FunctionLimits::default() };
        let runner = Arc::new(Echo(Mutex::default(), Mutex::default()));
        let function = Arc::new(Function {
            name: name("echo"),
            namespace: Namespace::default(),
            access: Access::Read,
            classic_write: false,
            description: String::new(),
            source: "test".into(),
            arguments: Vec::new(),
            route,
            origin: Origin::Modules,
            kind: RunnerKind::Native,
            limits,
            runner: runner.clone(),
            slots: Arc::new(Semaphore::new(limits.max_concurrent)),
            succeeded: successes(&name("echo")),
            tally: Arc::new(Tally::default()),
        });
        let functions = Arc::new(Listed(Arc::new(Catalogue::new([function.clone()], missing))));
        let noted = Arc::new(Noted::default());
        let clock = Arc::new(ManualClock::at(NOW));
        Self { calls: Calls::new(clock, functions, Guard::of(noted.clone()), rates), noted, function, runner }
    }

    pub(super) async fn call(&self, caller: &Arc<Caller>, function: &str) -> Result<Output, CallRefusal> {
        self.calls.call(caller, &name(function), Input::args(Some(json!(5))), &Carries::Everything).await
    }

    /// The newest refusal: whose, what was told, and why.
    pub(super) fn refused(&self) -> (Option<String>, String, String) {
        let refusal = self.calls.refusals.find(None, None, 1).remove(0);
        (refusal.client, refusal.answer, refusal.reason)
    }

    pub(super) fn count(&self) -> usize {
        self.calls.refusals.find(None, None, 100).len()
    }
}

pub(super) enum Carries {
    Everything,
    Nothing,
    NothingAndSaysWhy,
}

impl Replies for Carries {
    fn carry(&self, _: &Output) -> Result<(), CallRefusal> {
        match self {
            Self::Everything => Ok(()),
            Self::Nothing | Self::NothingAndSaysWhy => Err(CallRefusal::AnswerTooLarge),
        }
    }
    fn told(&self, refusal: &CallRefusal) -> &'static str {
        refusal.code().as_str()
    }
    fn reason(&self, _: &CallRefusal) -> Option<Box<dyn Refusal + '_>> {
        matches!(self, Self::NothingAndSaysWhy).then(|| Box::new(crate::rates::TooManyRequests) as _)
    }
}

pub(super) const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

pub(super) fn caller(identity: Identity, grants: Grants) -> Arc<Caller> {
    let (address, request) = (ADDRESS, RequestId(7));
    let door = Door::named("test");
    Arc::new(Caller { identity, grants, ceiling: Access::Write, door, address, request })
}

pub(super) fn client() -> Arc<Caller> {
    let identity = Identity::Client { key: Digest::of(b"key"), name: Some("kim".parse().unwrap()) };
    caller(identity, Grants::Standard)
}
