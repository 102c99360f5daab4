//! The classic shape's own rules.

use std::time::Duration;

use serde_json::{Value, json};

use msp_testkit::{NOW, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn share_point_06_the_time_may_differ_by_request_ttl_from_the_file_and_no_more() {
    for (config, ttl) in [("[Clients]\nRequestTTL=30\n", 30), ("[Clients]\nRequestTTL=5\n", 5)] {
        let server = TestServer::builder().with_config(config).start().await;
        let caller = server.unlinked().await;
        for (ts, status) in [(NOW - ttl, 200), (NOW + ttl, 200), (NOW - ttl - 1, 401), (NOW + ttl + 1, 401)] {
            assert_eq!(
                server.post(caller.classic(ts, "time_test")).await.status,
                status,
                "{ts} at {NOW}, ttl {ttl}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_10_the_second_sending_of_an_accepted_body_is_refused() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    let body = caller.classic(NOW, "time_test");
    assert_eq!(server.post(body.clone()).await.status, 200);
    server.post(body).await.assert_plain();
    assert!(server.why().await.contains("a replay"));
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_11_values_of_two_requests_cannot_be_joined_within_their_time() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    let (first, second) = (caller.classic(NOW, "time_test"), caller.classic(NOW, "echo"));
    assert_eq!(server.post(first.clone()).await.status, 200);
    for member in ["id", "check", "ts", "entry"] {
        let mut joined: Value = serde_json::from_str(&second).unwrap();
        joined[member] = serde_json::from_str::<Value>(&first).unwrap()[member].clone();
        server.post(joined.to_string()).await.assert_plain();
        assert!(server.why().await.contains("a replay"));
    }
    server.clock().advance(Duration::from_secs(59));
    let mut joined: Value = serde_json::from_str(&caller.classic(NOW + 59, "echo")).unwrap();
    joined["entry"] = serde_json::from_str::<Value>(&first).unwrap()["entry"].clone();
    assert_eq!(server.post(joined.to_string()).await.status, 401, "within twice RequestTTL");
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_12_an_answer_of_ours_is_no_request() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    let answer: Value =
        serde_json::from_str(&server.post(caller.classic(NOW, "time_test")).await.body).unwrap();
    for member in ["id", "check", "ts", "entry"] {
        let mut reflected: Value = serde_json::from_str(&caller.classic(NOW, "time_test")).unwrap();
        reflected[member] = answer["value"].clone();
        server.post(reflected.to_string()).await.assert_plain();
        assert!(server.why().await.contains("one of our own answers"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_nonce_twice_in_a_request_is_refused() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    let mut body: Value = serde_json::from_str(&caller.classic(NOW, "time_test")).unwrap();
    body["ts"] = body["entry"].clone();
    server.post(body.to_string()).await.assert_plain();
    assert!(server.why().await.contains("one nonce stands twice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_13_an_unknown_function_is_refused_like_everything_else_and_logged() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    server.post(caller.classic(NOW, "no_such_function")).await.assert_plain();
    assert_eq!(server.why().await, "no function of this name: no_such_function");
    server.post(caller.classic(NOW, "TIME_TEST")).await.assert_plain();
    server.post(caller.classic(NOW, "msp/ping")).await.assert_plain();
    assert!(server.why().await.contains("envelope shape only"));
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_14_time_test_returns_the_documented_text() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    let answered = server.post(caller.classic(NOW, "time_test")).await;
    assert_eq!(answered.headers.lines().last(), Some("content-type: application/json"));
    let text = caller.open_classic(&answered);
    let ctime = text.strip_prefix("It is currently: \n\t").unwrap_or_else(|| panic!("{text:?}"));
    let form = |c: char| {
        if c.is_ascii_digit() {
            '9'
        } else if c.is_ascii_alphabetic() {
            'a'
        } else {
            c
        }
    };
    assert_eq!(ctime.chars().map(form).collect::<String>(), "aaa aaa 99 99:99:99 9999");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_or_gives_no_text_is_an_empty_500() {
    let server = TestServer::builder()
        .with_module("broken.py", "def entry_call():\n    raise ValueError('the secret detail')\n")
        .with_module("number.py", "def entry_call():\n    return 5\n")
        .with_modules("broken=broken\nnumber=number\n")
        .start()
        .await;
    let caller = server.unlinked().await;
    for (function, reason) in [("broken", "ValueError"), ("number", "something else than text")] {
        let answered = server.post(caller.classic(NOW, function)).await;
        assert_eq!(
            (answered.status, answered.headers.as_str(), answered.body.as_str()),
            (500, "content-length: 0", "")
        );
        let why = server.why().await;
        assert!(why.contains(reason), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_writes_is_closed_to_classic_unless_opened() {
    let server = TestServer::builder()
        .with_modules(
            "one=simple_time\ntwo=simple_time\n[one]\nAccess=write\n[two]\nAccess=write\nClassic=yes\n",
        )
        .start()
        .await;
    let caller = server
        .add(Some("writer"), |new| {
            new.classic = true;
            let pattern = "*".parse().unwrap();
            new.grants = msp_core::Grants::Listed([(pattern, msp_core::Access::Write)].into());
        })
        .await;
    server.post(caller.classic(NOW, "one")).await.assert_plain();
    assert!(server.why().await.contains("closed to the classic shape"));
    assert_eq!(server.post(caller.classic(NOW, "two")).await.status, 200);
    assert_eq!(caller.call(&server, NOW, "one", None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn classic_off_refuses_the_shape_and_leaves_the_envelope() {
    let server = TestServer::builder().with_config("[Clients]\nClassic=off\n").start().await;
    let caller = server.unlinked().await;
    server.post(caller.classic(NOW, "time_test")).await.assert_plain();
    let (status, outcome) = caller.call(&server, NOW, "echo", Some(json!({"a": [1, 2.5, null, "ü"]}))).await;
    assert_eq!((status, outcome), (200, Ok(json!({"a": [1, 2.5, null, "ü"]}))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_a_sealed_member_is_never_read_as_classic() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    let mut body: Value = serde_json::from_str(&caller.classic(NOW, "time_test")).unwrap();
    body["sealed"] = json!("AAAA");
    server.post(body.to_string()).await.assert_plain();
}
