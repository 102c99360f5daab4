//! `why` tells the operator the true reason of every refusal; a stranger learns nothing.

use msp_core::control::{Reply, Request};
use msp_protocol::{OsRng, PrivateKey, Secret};

use msp_testkit::{Caller, NOW, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn fourteen_different_refusals_look_alike_outside_and_are_told_apart_inside() {
    let server = TestServer::builder().start().await;
    let known = server.unlinked().await;
    let linked = server.add(Some("linked"), |new| new.classic = true).await;
    let expired = server.add(Some("expired"), |new| {
        new.classic = true;
        new.expires = Some(NOW - 1);
    });
    let expired = expired.await;
    let stranger = Caller::new(&server, PrivateKey::generate(&mut OsRng), Secret::generate(&mut OsRng));
    let accepted = known.classic(NOW, "time_test");
    assert_eq!(server.post(accepted.clone()).await.status, 200);
    let mut broken: serde_json::Value = serde_json::from_str(&known.classic(NOW, "time_test")).unwrap();
    broken["check"] = serde_json::json!("*");
    let cases = [
        (
            stranger.classic(NOW, "time_test"),
            "no registered key opens it: a stranger, another server's key, or changed on the way",
        ),
        (
            stranger.envelope(NOW, "time_test", None).1,
            "no registered key opens it: a stranger, another server's key, or changed on the way",
        ),
        (
            known.with_secret_of(&stranger).classic(NOW, "time_test"),
            "the key is registered, the secret is not",
        ),
        (linked.with_secret_of(&known).classic(NOW, "time_test"), "key and secret do not belong together"),
        (expired.classic(NOW, "time_test"), "the client has expired"),
        (accepted, "a replay: accepted before, or refused before as ahead of its time"),
        (
            known.classic(NOW - 31, "time_test"),
            "its time is 31 s behind the server's clock, more than RequestTTL",
        ),
        (
            known.classic(NOW + 31, "time_test"),
            "its time is 31 s ahead of the server's clock, more than RequestTTL",
        ),
        (known.classic(NOW, "nothing"), "no function of this name: nothing"),
        (known.classic(NOW, "msp/ping"), "a built-in function is for the envelope shape only: msp/ping"),
        (broken.to_string(), "malformed: not base64"),
        ("{}".to_owned(), "malformed: not the expected JSON"),
        ("{\"sealed\":\"AAAA\"}".to_owned(), "malformed: a wrong length"),
    ];
    for (body, reason) in cases {
        server.post(body).await.assert_plain();
        assert_eq!(server.why().await, reason);
    }
    let request = server.http().post(server.url("/v1")).header("Content-Type", "text/plain").body("{}");
    server.send(request).await.assert_plain();
    assert_eq!(server.why().await, "the Content-Type is not JSON");
}

#[tokio::test(flavor = "multi_thread")]
async fn why_finds_by_id_and_by_address_and_names_the_client_once_it_is_known() {
    let server = TestServer::builder().with_config("[Proxy]\nForwardFor=1\n").start().await;
    let caller = server.linked("laptop").await;
    for address in ["192.0.2.1", "192.0.2.2"] {
        let (_, body) = caller.envelope(NOW, "nothing", None);
        let request = server.http().post(server.url("/v1")).header("Content-Type", "application/json");
        let answered = server.send(request.header("X-Forwarded-For", address).body(body)).await;
        assert_eq!(answered.status, 200, "the truth is told, sealed");
    }
    let why = async |id: Option<String>, address: Option<&str>| {
        let address = address.map(|address| address.parse().unwrap());
        match server.ask(Request::Why { id, address, last: 100 }).await {
            Reply::Refusals { refusals } => refusals,
            other => panic!("{other:?}"),
        }
    };
    let all = why(None, None).await;
    assert_eq!(all.len(), 2);
    assert_eq!(why(None, Some("192.0.2.1")).await, [all[1].clone()]);
    assert_eq!(why(Some(all[0].id.clone()), None).await, [all[0].clone()]);
    assert_eq!((all[0].client.as_deref(), all[0].answer.as_str()), (Some("laptop"), "unknown_function"));
}
