mod stand;

use futures_util::FutureExt as _;
use msp_protocol::Digest;
use serde_json::json;

use self::stand::{ADDRESS, Carries, NOW, Stand, caller, client, name};
use super::*;
use crate::access::Origin;
use crate::caller::RequestId;
use crate::catalogue::MissingFunction;
use crate::grant::Grants;

#[tokio::test]
async fn a_call_brings_what_its_function_gives_and_notes_the_success() {
    let stand = Stand::new();
    assert_eq!(stand.call(&client(), "echo").await, Ok(Output::Value(json!(5))));
    assert_eq!(*stand.runner.1.lock().unwrap(), [RequestId(7)]);
    let key = Digest::of(b"key");
    assert_eq!(*stand.noted.sighted.lock().unwrap(), [(ADDRESS, key)]);
    assert_eq!(*stand.noted.forgiven.lock().unwrap(), [ADDRESS]);
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
    let missing = |why: Option<&str>| MissingFunction {
        source: "a.py".into(),
        origin: Origin::Modules,
        why: why.map(Into::into),
    };
    let broken = missing(Some("line 3:\n\tno"));
    let all =
        vec![(name("broken"), broken), (name("loads"), missing(None)), (name("echo"), missing(Some("x")))];
    let stand = Stand::with(Rates::default(), all);
    let why = NotLoaded { source: "a.py".into(), why: "line 3:  no".to_owned() };
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
    let not_loaded = NotLoaded { source: "a".into(), why: String::new() };
    for refusal in [
        CallRefusal::Denied(Denied::Unknown),
        CallRefusal::NotLoaded(not_loaded),
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
    let missing = MissingFunction { source: "a".into(), origin: Origin::Modules, why: Some(long) };
    let not_loaded = NotLoaded::of(&Catalogue::new([], [(name.clone(), missing)]), &name).unwrap();
    assert_eq!(not_loaded.why.chars().count(), 500);
}
