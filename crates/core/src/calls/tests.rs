use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::FutureExt as _;
use msp_protocol::Digest;
use serde_json::json;
use tokio::sync::Semaphore;

use super::*;
use crate::BoxFuture;
use crate::access::{Access, Origin, Route};
use crate::caller::{Door, RequestId};
use crate::catalogue::{Function, RunnerKind, Trouble as Missing};
use crate::clock::ManualClock;
use crate::grant::Grants;
use crate::guard::{Admission, Ban, Failures, GuardStatus, Rejection, Replay, Sightings, Standing};
use crate::identity::FailureKind;
use crate::limits::FunctionLimits;
use crate::registry::RegistryError;
use crate::runner::Runner;
use crate::tally::Tally;

const NOW: u64 = 1_800_000_000;

/// Notes what a success tells the guard; nothing else of a guard is asked by a call.
#[derive(Default)]
struct Noted {
    sighted: Mutex<Vec<(IpAddr, Digest)>>,
    forgiven: Mutex<Vec<(FailureKind, IpAddr, Digest)>>,
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
    fn note<'a>(&'a self, _: FailureKind, _: IpAddr, _: bool, _: Option<&'a Digest>) -> Soon<'a, ()> {
        panic!("a call counts no failure to prove something")
    }
    fn forgive<'a>(&'a self, kind: FailureKind, address: IpAddr, account: &'a Digest) -> Soon<'a, ()> {
        self.forgiven.lock().unwrap().push((kind, address, *account));
        Soon::now(())
    }
    fn standing(&self, _: FailureKind, _: IpAddr) -> Soon<'_, Standing> {
        panic!("a call does not ask")
    }
    fn account_delay<'a>(&'a self, _: FailureKind, _: &'a Digest) -> Soon<'a, Duration> {
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
struct Echo(Mutex<Option<RunError>>, Mutex<Vec<RequestId>>);

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

struct Stand {
    calls: Calls,
    noted: Arc<Noted>,
    function: Arc<Function>,
    runner: Arc<Echo>,
}

/// What exists: one function, and troubles.
struct Listed(Arc<Catalogue>);

impl Functions for Listed {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.0.clone()
    }
    fn catalogue_for<'a>(&'a self, _: &'a FunctionName) -> Soon<'a, Arc<Catalogue>> {
        Soon::now(self.0.clone())
    }
}

fn name(text: &str) -> FunctionName {
    text.parse().unwrap()
}

impl Stand {
    fn new() -> Self {
        Self::with(Rates::default(), Vec::new())
    }

    fn with(rates: Rates, troubles: Vec<(FunctionName, Missing)>) -> Self {
        Self::routed(Some(Route::Key), rates, troubles)
    }

    fn routed(route: Option<Route>, rates: Rates, troubles: Vec<(FunctionName, Missing)>) -> Self {
        let limits = FunctionLimits { max_concurrent: 2, ..FunctionLimits::default() };
        let runner = Arc::new(Echo(Mutex::default(), Mutex::default()));
        let function = Arc::new(Function {
            name: name("echo"),
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
        let functions = Arc::new(Listed(Arc::new(Catalogue::new([function.clone()], troubles))));
        let noted = Arc::new(Noted::default());
        let clock = Arc::new(ManualClock::at(NOW));
        Self { calls: Calls::new(clock, functions, Guard::of(noted.clone()), rates), noted, function, runner }
    }

    async fn call(&self, caller: &Arc<Caller>, function: &str) -> Result<Output, CallRefusal> {
        self.calls.call(caller, &name(function), Input::args(Some(json!(5))), &Carries::Everything).await
    }

    /// The newest refusal: whose, what was told, and why.
    fn refused(&self) -> (Option<String>, String, String) {
        let refusal = self.calls.refusals.find(None, None, 1).remove(0);
        (refusal.client, refusal.answer, refusal.reason)
    }

    fn count(&self) -> usize {
        self.calls.refusals.find(None, None, 100).len()
    }
}

enum Carries {
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

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn caller(identity: Identity, grants: Grants) -> Arc<Caller> {
    let (address, request) = (ADDRESS, RequestId(7));
    let door = Door::named("test");
    Arc::new(Caller { identity, grants, ceiling: Access::Write, door, address, request })
}

fn client() -> Arc<Caller> {
    let identity = Identity::Client { key: Digest::of(b"key"), name: Some("kim".parse().unwrap()) };
    caller(identity, Grants::Standard)
}

#[tokio::test]
async fn a_call_brings_what_its_function_gives_and_notes_the_success() {
    let stand = Stand::new();
    assert_eq!(stand.call(&client(), "echo").await, Ok(Output::Value(json!(5))));
    assert_eq!(*stand.runner.1.lock().unwrap(), [RequestId(7)]);
    let key = Digest::of(b"key");
    assert_eq!(*stand.noted.sighted.lock().unwrap(), [(ADDRESS, key)]);
    assert_eq!(*stand.noted.forgiven.lock().unwrap(), [(FailureKind::Proof, ADDRESS, key)]);
    let used = stand.calls.last_used.take();
    assert_eq!(
        used.iter().map(|used| (used.client, used.day)).collect::<Vec<_>>(),
        [(key, NOW - NOW % 86_400)]
    );
    assert_eq!((stand.function.tally.calls(), stand.function.tally.failed(), stand.count()), (1, 0, 0));
}

#[tokio::test]
async fn who_has_no_entry_in_the_registry_leaves_nothing_with_the_guard() {
    let stand = Stand::new();
    let holder = caller(Identity::DoorKey(Digest::of(b"door")), Grants::nothing());
    assert_eq!(stand.call(&holder, "echo").await, Ok(Output::Value(json!(5))));
    assert!(
        stand.noted.sighted.lock().unwrap().is_empty() && stand.noted.forgiven.lock().unwrap().is_empty()
    );
    assert!(stand.calls.last_used.take().is_empty());
}

#[tokio::test]
async fn who_may_not_runs_nothing_and_the_ring_keeps_why() {
    let stand = Stand::new();
    let nobody = caller(Identity::Anybody, Grants::Standard);
    let granted_nothing = caller(client().identity.clone(), Grants::nothing());
    for (caller, function, denied, kept) in [
        (client(), "other", Denied::Unknown, "no function of this name: other"),
        (granted_nothing, "echo", Denied::Forbidden, "no grant of this caller covers the function: echo"),
        (nobody, "echo", Denied::Forbidden, "no grant of this caller covers the function: echo"),
    ] {
        let refusal = CallRefusal::Denied(denied);
        let told = refusal.code().as_str().to_owned();
        assert_eq!(stand.call(&caller, function).await, Err(refusal));
        let label = caller.identity.label().map(Into::into);
        assert_eq!(stand.refused(), (label, told, kept.to_owned()));
    }
    assert!(stand.runner.1.lock().unwrap().is_empty());
    assert_eq!(stand.function.tally.calls(), 0);
}

#[tokio::test]
async fn a_caller_beyond_its_rate_is_refused_before_anything_else_and_others_are_not() {
    let stand = Stand::with(Rates::new(0, 1), Vec::new());
    assert!(stand.call(&client(), "echo").await.is_ok());
    assert_eq!(stand.call(&client(), "other").await, Err(CallRefusal::RateLimited));
    let reason = "the function, or the caller's rate, is at its limit".to_owned();
    assert_eq!(stand.refused(), (Some("kim".to_owned()), "busy".to_owned(), reason));
    let other = Identity::Client { key: Digest::of(b"other"), name: None };
    assert!(stand.call(&caller(other, Grants::Standard), "echo").await.is_ok());
}

#[tokio::test]
async fn a_call_holds_a_slot_until_it_has_ended_or_nobody_waits_for_it() {
    let stand = Stand::new();
    *stand.runner.0.lock().unwrap() = Some(RunError::Timeout);
    let client = client();
    let mut under_way: Vec<_> = (0..2).map(|_| Box::pin(stand.call(&client, "echo"))).collect();
    assert!(under_way.iter_mut().all(|call| call.now_or_never().is_none()));
    assert_eq!(stand.call(&client, "echo").await, Err(CallRefusal::Run(RunError::Busy)));
    under_way.pop();
    *stand.runner.0.lock().unwrap() = None;
    assert!(stand.call(&client, "echo").await.is_ok());
    assert_eq!((stand.function.tally.calls(), stand.function.tally.failed()), (2, 0));
}

#[tokio::test]
async fn what_a_run_fails_with_is_refused_under_its_code_and_kept() {
    let stand = Stand::new();
    let of = |what: &str| what.to_owned();
    for (error, told, kept) in [
        (
            RunError::BadArguments(of("no a")),
            "bad_arguments",
            "the function echo failed: bad arguments: no a",
        ),
        (RunError::Crashed(of("signal 9")), "function_failed", "the function echo failed: signal 9"),
        (RunError::Failed(of("one\ntwo")), "function_failed", "the function echo failed: one\\ntwo"),
        (RunError::TooLarge, "too_large", "the answer of the function echo is larger than its limit"),
    ] {
        *stand.runner.0.lock().unwrap() = Some(error.clone());
        assert_eq!(stand.call(&client(), "echo").await, Err(CallRefusal::Run(error)));
        assert_eq!(stand.refused(), (Some(of("kim")), of(told), of(kept)));
    }
    assert!(stand.noted.sighted.lock().unwrap().is_empty(), "none was a success");
    assert_eq!((stand.function.tally.calls(), stand.function.tally.failed()), (4, 3));
    let slow = CallRefusal::Run(RunError::Timeout);
    assert_eq!(slow.of(&name("f")).to_string(), "the function f took longer than its time limit");
}

#[tokio::test]
async fn an_answer_that_the_door_cannot_carry_is_refused_after_its_run() {
    let stand = Stand::new();
    let input = || Input::args(None);
    let call = |replies| stand.calls.call(&client(), &name("echo"), input(), replies).now_or_never().unwrap();
    assert_eq!(call(&Carries::Nothing), Err(CallRefusal::AnswerTooLarge));
    assert_eq!(stand.refused().2, "the answer of the function echo is larger than its limit");
    assert_eq!(stand.noted.sighted.lock().unwrap().len(), 1, "the caller has proved itself all the same");
    assert_eq!(call(&Carries::NothingAndSaysWhy), Err(CallRefusal::AnswerTooLarge));
    assert_eq!(stand.refused().2, "more requests than [Limits] allows this address");
}

#[tokio::test]
async fn what_does_not_load_is_told_with_the_reason_and_what_loads_is_busy() {
    let missing = |why: Option<&str>| Missing {
        source: "a.py".into(),
        origin: Origin::Modules,
        why: why.map(Into::into),
    };
    let broken = missing(Some("line 3:\n\tno"));
    let troubles =
        vec![(name("broken"), broken), (name("loads"), missing(None)), (name("echo"), missing(Some("x")))];
    let stand = Stand::with(Rates::default(), troubles);
    let why = Trouble { source: "a.py".into(), why: "line 3:  no".to_owned() };
    assert_eq!(stand.call(&client(), "broken").await, Err(CallRefusal::NotLoaded(why)));
    let kept = "no function of this name: broken (a.py) does not load: line 3:  no";
    assert_eq!(stand.refused(), (Some("kim".to_owned()), "unknown_function".to_owned(), kept.to_owned()));
    assert_eq!(stand.call(&client(), "loads").await, Err(CallRefusal::Denied(Denied::Loading)));
    assert_eq!(stand.refused().1, "busy");
    // The older one of the name still works, and what is wrong with the newer one is not the caller's business.
    assert!(stand.call(&client(), "echo").await.is_ok());
    let key = caller(Identity::PluginKey(Digest::of(b"k")), Grants::nothing());
    assert_eq!(stand.call(&key, "echo").await, Err(CallRefusal::Denied(Denied::Forbidden)));
    let unrouted = Stand::routed(None, Rates::default(), vec![(name("echo"), missing(Some("x")))]);
    assert_eq!(unrouted.call(&key, "echo").await, Err(CallRefusal::Denied(Denied::Unknown)));
}

#[test]
fn each_call_leaves_a_line_but_that_of_a_stranger_who_may_not() {
    let stand = Stand::new();
    let stranger = caller(Identity::Anybody, Grants::nothing());
    let call = |caller: &Arc<Caller>, function: &str| {
        crate::captured::lines(|| drop(stand.call(caller, function).now_or_never().unwrap()))
    };
    let outcome = |lines: &[String], word: &str| {
        lines.iter().filter(|line| line.contains(" access: ") && line.contains(word)).count()
    };
    let lines = call(&client(), "echo");
    assert_eq!(
        (lines.len(), outcome(&lines, "caller=\"kim\" function=\"echo\" outcome=\"ok\"")),
        (1, 1),
        "{lines:?}"
    );
    let lines = call(&client(), "other");
    assert_eq!(outcome(&lines, "outcome=\"unknown_function\""), 1, "{lines:?}");
    let lines = call(&stranger, "echo");
    assert_eq!(outcome(&lines, ""), 0, "{lines:?}");
    *stand.runner.0.lock().unwrap() = Some(RunError::Timeout);
    let lines = crate::captured::lines(|| assert!(stand.call(&client(), "echo").now_or_never().is_none()));
    assert_eq!(outcome(&lines, "outcome=\"abandoned\""), 1, "{lines:?}");
}

#[test]
fn what_is_refused_by_its_door_is_kept_like_any_other() {
    let stand = Stand::new();
    let refusal = CallRefusal::Run(RunError::BadArguments("no JSON".to_owned()));
    let refused = stand.calls.refuse(&client(), &name("echo"), refusal.clone(), &Carries::Everything);
    assert_eq!(refused, refusal);
    assert_eq!((stand.refused().1.as_str(), stand.count()), ("bad_arguments", 1));
    assert_eq!(stand.function.tally.calls(), 0);
}

#[test]
fn what_failed_is_always_logged_and_what_was_denied_once_a_minute() {
    let severity = |refusal: CallRefusal| refusal.of(&name("f")).severity();
    let trouble = Trouble { source: "a".into(), why: String::new() };
    for refusal in [
        CallRefusal::Denied(Denied::Unknown),
        CallRefusal::NotLoaded(trouble),
        CallRefusal::RateLimited,
        CallRefusal::Run(RunError::Busy),
    ] {
        assert_eq!(severity(refusal), Severity::Warning);
    }
    for refusal in [CallRefusal::AnswerTooLarge, CallRefusal::NotText, CallRefusal::Run(RunError::Timeout)] {
        assert_eq!(severity(refusal), Severity::Failure);
    }
    assert_eq!(CallRefusal::NotText.code(), ErrorCode::FunctionFailed);
}

#[test]
fn what_a_function_says_of_its_failure_is_cut() {
    let name = "f".parse().unwrap();
    let reason = |error| CallRefusal::Run(error).of(&name).to_string();
    assert_eq!(reason(RunError::Failed("one\ntwo".into())), "the function f failed: one\\ntwo");
    for error in [RunError::Failed("\0".repeat(16_384)), RunError::BadArguments("x".repeat(16_384))] {
        let around = "the function f failed: ".len();
        assert_eq!(reason(error).chars().count(), around + 500);
    }
    let long: Arc<str> = "y".repeat(9_999).into();
    let missing = Missing { source: "a".into(), origin: Origin::Modules, why: Some(long) };
    let trouble = Trouble::of(&Catalogue::new([], [(name.clone(), missing)]), &name).unwrap();
    assert_eq!(trouble.why.chars().count(), 500);
}
