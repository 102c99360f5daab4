//! What the library does with every kind of answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use msp_client::{Client, ClientError, Clock};
use msp_protocol::ErrorCode;
use msp_protocol::envelope::FailureCode;
use serde_json::json;

use crate::server::{FakeServer, Step};

/// Stands until somebody waits, and remembers for how long.
#[derive(Debug)]
struct StillClock {
    unix: AtomicU64,
    waits: Mutex<Vec<Duration>>,
}

impl Clock for StillClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.unix.load(Ordering::SeqCst))
    }

    fn wait(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.unix.fetch_add(time.as_secs(), Ordering::SeqCst);
        self.waits.lock().unwrap().push(time);
        Box::pin(std::future::ready(()))
    }
}

const OURS: u64 = 1_000_000;

fn with_clock(server: &FakeServer) -> (Client, std::sync::Arc<StillClock>) {
    let clock = std::sync::Arc::new(StillClock { unix: AtomicU64::new(OURS), waits: Mutex::default() });
    let client = Client::builder(&server.url)
        .keys(server.keys())
        .clock(clock.clone())
        .timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    (client, clock)
}

fn function() -> msp_protocol::FunctionName {
    "report".parse().unwrap()
}

async fn failure(step: Step) -> (ClientError, usize) {
    let server = FakeServer::start(vec![step]);
    let (client, _) = with_clock(&server);
    let error = client.call(&function(), None).await.unwrap_err();
    (error, server.seen().len())
}

#[tokio::test]
async fn a_call_sends_function_and_arguments_and_brings_the_value() {
    let server = FakeServer::start(vec![Step::Value(json!({"a": [1.5, "ü"]}))]);
    let value = server.client().call(&function(), Some(json!({"day": 1}))).await.unwrap();
    assert_eq!(value, json!({"a": [1.5, "ü"]}));
    let seen = server.seen();
    assert_eq!((seen[0].path.as_str(), seen[0].entry.as_str()), ("/v1/", "report"));
    assert_eq!(seen[0].args, Some(json!({"day": 1})));
}

#[tokio::test]
async fn a_clock_skew_moves_the_clients_clock_waits_and_tries_once_with_a_new_rid() {
    let theirs = OURS + 3600;
    let skew =
        Step::Failure { code: ErrorCode::ClockSkew, server_time: theirs, not_before: Some(theirs + 2) };
    let server = FakeServer::start(vec![skew, Step::Value(json!(1)), Step::Value(json!(2))]);
    let (client, clock) = with_clock(&server);
    assert_eq!(client.call(&function(), None).await.unwrap(), json!(1));
    assert_eq!(*clock.waits.lock().unwrap(), [Duration::from_secs(2)]);
    assert_eq!(client.call(&function(), None).await.unwrap(), json!(2));
    let seen = server.seen();
    assert_eq!(seen.iter().map(|request| request.ts).collect::<Vec<_>>(), [OURS, theirs + 2, theirs + 2]);
    assert_ne!(seen[0].rid, seen[1].rid);
}

#[tokio::test]
async fn a_second_clock_skew_and_one_that_is_far_are_told_to_the_caller() {
    let skew = |not_before| Step::Failure {
        code: ErrorCode::ClockSkew,
        server_time: OURS,
        not_before: Some(not_before),
    };
    for (script, requests) in [(vec![skew(OURS), skew(OURS)], 2), (vec![skew(OURS + 60)], 1)] {
        let server = FakeServer::start(script);
        let (client, _) = with_clock(&server);
        let error = client.call(&function(), None).await.unwrap_err();
        let code = FailureCode::Known(ErrorCode::ClockSkew);
        assert!(matches!(&error, ClientError::Answer { code: told, .. } if *told == code), "{error}");
        assert_eq!(server.seen().len(), requests);
    }
}

#[tokio::test]
async fn a_busy_server_is_tried_again_and_a_failed_function_is_not() {
    let busy = || Step::Failure { code: ErrorCode::Busy, server_time: OURS, not_before: None };
    let server = FakeServer::start(vec![busy(), busy(), Step::Value(json!("done"))]);
    let (client, clock) = with_clock(&server);
    assert_eq!(client.call(&function(), None).await.unwrap(), json!("done"));
    assert_eq!((server.seen().len(), clock.waits.lock().unwrap().len()), (3, 2));
    let (error, requests) =
        failure(Step::Failure { code: ErrorCode::FunctionFailed, server_time: OURS, not_before: None }).await;
    assert_eq!((error.to_string().as_str(), requests), ("function_failed: why (request 00ff)", 1));
}

#[tokio::test]
async fn what_is_not_the_servers_answer_to_this_call_is_refused_and_never_tried_again() {
    for step in [Step::OtherRid, Step::OtherKey, Step::Plain(200, "", "{}"), Step::Plain(401, "", "<html>")] {
        let (error, requests) = failure(step.clone()).await;
        assert!(matches!(error, ClientError::NotAuthentic { .. }), "{step:?}: {error}");
        assert_eq!(requests, 1);
    }
}

#[tokio::test]
async fn a_call_that_may_have_run_is_not_sent_again() {
    for step in [Step::Truncated, Step::Close] {
        let (error, requests) = failure(step.clone()).await;
        assert!(matches!(error, ClientError::Interrupted { .. }), "{step:?}: {error}");
        assert_eq!(requests, 1);
    }
    let (error, requests) = failure(Step::Hang).await;
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert_eq!(requests, 1);
    let (error, _) = failure(Step::Flood).await;
    assert!(matches!(error, ClientError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn statuses_of_others_and_the_plain_401_are_told_apart() {
    let (error, _) = failure(Step::Plain(401, "", "")).await;
    assert!(matches!(error, ClientError::Refused { .. }), "{error}");
    for status in [404, 413, 500, 502] {
        let (error, _) = failure(Step::Plain(status, "Location: http://127.0.0.1:1/v1", "")).await;
        assert!(matches!(error, ClientError::Status { status: told, .. } if told == status), "{error}");
    }
}

#[tokio::test]
async fn redirects_are_followed_to_the_same_host_and_others_are_named() {
    for (status, location) in [(307, "/moved/v1/"), (308, "/moved/v1/")] {
        let header = format!("Location: {location}").leak();
        let server = FakeServer::start(vec![Step::Plain(status, header, ""), Step::Value(json!("there"))]);
        assert_eq!(server.client().call(&function(), None).await.unwrap(), json!("there"));
        assert_eq!(server.seen()[1].path, location);
        assert_eq!(server.seen()[0].rid, server.seen()[1].rid, "it is the same request");
    }
    for (status, location) in [
        (301, "/moved/v1/"),
        (303, "/moved/v1/"),
        (307, "http://127.0.0.1:1/v1/"),
        (308, "http://other.example/v1/"),
        (308, "ftp://127.0.0.1/v1/"),
        (308, "https://u:p@127.0.0.1/v1/"),
    ] {
        let (error, requests) =
            failure(Step::Plain(status, format!("Location: {location}").leak(), "")).await;
        let ClientError::Redirect { status: told, to, .. } = error else { panic!("{error}") };
        assert_eq!((told, to.as_str(), requests), (status, location, 1));
    }
    let circle = vec![Step::Plain(307, "Location: /v1/", ""); 9];
    let server = FakeServer::start(circle);
    let error = server.client().call(&function(), None).await.unwrap_err();
    assert!(matches!(error, ClientError::Redirect { .. }), "{error}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn where_nobody_listens_it_is_tried_four_times_in_all() {
    let server = FakeServer::start(Vec::new());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let clock = std::sync::Arc::new(StillClock { unix: AtomicU64::new(OURS), waits: Mutex::default() });
    let builder = Client::builder(&format!("http://{nobody}")).keys(server.keys()).clock(clock.clone());
    let error = builder.build().unwrap().call(&function(), None).await.unwrap_err();
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
    assert_eq!(clock.waits.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn the_classic_shape_brings_text_and_takes_no_reflected_value_for_an_answer() {
    let server = FakeServer::start(vec![
        Step::Value(json!("It is currently")),
        Step::ReflectedSecret,
        Step::OtherKey,
        Step::Plain(500, "", ""),
        Step::Plain(401, "", ""),
    ]);
    let client = server.client();
    assert_eq!(client.call_classic(&function()).await.unwrap(), "It is currently");
    for _ in 0..2 {
        let error = client.call_classic(&function()).await.unwrap_err();
        assert!(matches!(error, ClientError::NotAuthentic { .. }), "{error}");
    }
    let failed = client.call_classic(&function()).await.unwrap_err();
    assert!(matches!(failed, ClientError::ClassicFailed { .. }), "{failed}");
    let refused = client.call_classic(&function()).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused { .. }), "{refused}");
}
