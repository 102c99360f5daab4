//! An accepted request is never accepted again.

use std::time::Duration;

use msp_core::control::{Reply, Request};
use msp_protocol::ErrorCode;

use msp_testkit::{Caller, NOW, TestServer};

fn moved(caller: &Caller, to: &msp_testkit::TestServer) -> Caller {
    Caller { address: to.address, ..caller.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_32_a_request_accepted_before_a_restart_is_refused_after_it() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    let classic = caller.classic(NOW, "time_test");
    let (_, envelope) = caller.envelope(NOW, "time_test", None);
    assert_eq!(server.post(classic.clone()).await.status, 200);
    assert_eq!(server.post(envelope.clone()).await.status, 200);
    let server = server.restart().await;
    let caller = moved(&caller, &server);
    server.post(classic.clone()).await.assert_plain();
    assert_eq!(server.post(envelope.clone()).await.status, 401);
    server.clock().advance(Duration::from_secs(1));
    assert_eq!(server.post(caller.classic(NOW + 1, "time_test")).await.status, 200);
    server.post(classic).await.assert_plain();
    server.post(envelope).await.assert_plain();
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_restarts_accept_no_request_twice_and_refuse_no_fresh_one_after_a_graceful_stop() {
    let mut server = TestServer::builder().start().await;
    let caller = server.linked("laptop").await;
    let mut sent: Vec<String> = Vec::new();
    for round in 0..20 {
        let now = NOW + round;
        server.clock().set_unix(now);
        let (_, body) = moved(&caller, &server).envelope(now, "time_test", None);
        assert_eq!(server.post(body.clone()).await.status, 200, "round {round}");
        sent.push(body);
        server = server.restart().await;
        for old in &sent {
            assert_eq!(server.post(old.clone()).await.status, 401, "round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_clock_is_40_s_ahead_is_told_once_and_its_request_never_becomes_valid() {
    let server = TestServer::builder().start().await;
    let ahead = server.linked("ahead").await;
    let other = server.linked("other").await;
    let (rid, body) = ahead.envelope(NOW + 40, "time_test", None);
    let answered = server.post(body.clone()).await;
    assert_eq!(answered.status, 401);
    let failure = ahead.open(&rid, &answered).outcome.unwrap_err();
    assert_eq!(
        (failure.code.to_string().as_str(), failure.not_before),
        (ErrorCode::ClockSkew.as_str(), Some(NOW))
    );
    server.post(body.clone()).await.assert_plain();
    assert_eq!(other.call(&server, NOW, "time_test", None).await.0, 200, "no client can stop the others");
    server.clock().set_unix(NOW + 40);
    server.post(body.clone()).await.assert_plain();
    let server = server.restart().await;
    server.clock().set_unix(NOW + 41);
    server.post(body).await.assert_plain();
    assert_eq!(moved(&ahead, &server).call(&server, NOW + 41, "time_test", None).await.0, 200);
}

/// Sends so many requests far ahead that the last ones are not kept one by one, and gives those.
async fn beyond_the_kept(caller: &Caller, server: &msp_testkit::TestServer, ts: u64) -> [String; 2] {
    for _ in 0..64 {
        assert_eq!(server.post(caller.envelope(ts, "time_test", None).1).await.status, 401);
    }
    let sent = [caller.envelope(ts, "time_test", None).1, caller.envelope(ts - 1, "time_test", None).1];
    for body in &sent {
        assert_eq!(server.post(body.clone()).await.status, 401);
    }
    sent
}

async fn rotate(caller: &Caller, server: &msp_testkit::TestServer) -> Caller {
    let new = Caller { secret: msp_protocol::Secret::generate(&mut msp_protocol::OsRng), ..caller.clone() };
    let (name, overlap) = ("laptop".parse().unwrap(), Duration::from_secs(7 * 86_400));
    server.registry.rotate(&name, &new.secret.digest(), overlap, "test").await.unwrap();
    server.up_to_date().await;
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_makes_no_request_valid_that_was_refused_as_ahead_not_after_a_restart_either() {
    let server = TestServer::builder().start().await;
    let old = server.linked("laptop").await;
    let sent = beyond_the_kept(&old, &server, NOW + 5000).await;
    let new = rotate(&old, &server).await;
    server.clock().set_unix(NOW + 5000);
    for body in &sent {
        assert_eq!(server.post(body.clone()).await.status, 401);
    }
    server.clock().set_unix(NOW + 40);
    let server = server.restart().await;
    server.clock().set_unix(NOW + 5000);
    for body in &sent {
        assert_eq!(server.post(body.clone()).await.status, 401, "after a restart");
    }

    server.clock().set_unix(NOW + 40);
    let new = moved(&new, &server);
    assert_eq!(new.call(&server, NOW + 40, "time_test", None).await.0, 401, "bound for the TTL still");
    server.clock().set_unix(NOW + 400);
    assert_eq!(new.call(&server, NOW + 400, "time_test", None).await.0, 200, "and then no longer");
    server.clock().set_unix(NOW + 5000);
    server.post(sent[0].clone()).await.assert_plain();
    assert_eq!(server.why().await, "the key is registered, the secret is not");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_new_secret_sent_ahead_stays_refused_when_the_old_one_ends() {
    let server = TestServer::builder().start().await;
    let old = server.linked("laptop").await;
    beyond_the_kept(&old, &server, NOW + 9000).await;
    let new = rotate(&old, &server).await;
    let sent = beyond_the_kept(&new, &server, NOW + 5000).await;
    assert_eq!(old.call(&server, NOW, "time_test", None).await, (401, Err(String::new())), "it has ended");
    let server = server.restart().await;
    server.clock().set_unix(NOW + 5000);
    for body in sent {
        assert_eq!(server.post(body).await.status, 401);
    }
    assert_eq!(moved(&new, &server).call(&server, NOW + 5001, "time_test", None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_too_old_is_told_the_servers_time_once_and_only_within_a_day() {
    let server = TestServer::builder().start().await;
    let caller = server.linked("laptop").await;
    let (rid, body) = caller.envelope(NOW - 31, "time_test", None);
    let answered = server.post(body.clone()).await;
    let answer = caller.open(&rid, &answered);
    assert_eq!((answered.status, answer.ts), (401, NOW));
    assert_eq!(answer.outcome.unwrap_err().not_before, Some(NOW));
    server.post(body).await.assert_plain();
    assert_eq!(server.why().await, "its time is 31 s behind the server's clock, more than RequestTTL");
    let (_, ancient) = caller.envelope(NOW - 90_000, "time_test", None);
    server.post(ancient).await.assert_plain();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_does_not_reopen_what_was_forgotten() {
    let server = TestServer::builder().start().await;
    let caller = server.linked("laptop").await;
    let (_, body) = caller.envelope(NOW, "time_test", None);
    assert_eq!(server.post(body.clone()).await.status, 200);
    server.clock().set_unix(NOW + 100);
    assert_eq!(caller.call(&server, NOW + 100, "time_test", None).await.0, 200);
    msp_testkit::until(
        "the guard forgets",
        async || matches!(server.ask(Request::Floor).await, Reply::Floor { guard, .. } if guard.floor >= NOW),
    )
    .await;
    server.clock().set_unix(NOW);
    assert_eq!(server.post(body).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_one_registry_is_refused_in_one_line() {
    let server = TestServer::builder().start().await;
    let sources = msp_settings::Sources {
        environment: [
            ("MSP__SERVER__KEYPATH", server.path("other").display().to_string()),
            ("MSP__CLIENTS__KEYPATH", server.path("sec").display().to_string()),
            ("MSP__NETWORK__PORT", "0".to_owned()),
            ("MSP__OPS__PORT", "0".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into(),
        ..msp_settings::Sources::default()
    };
    let settings = msp_server::Configuration::load(&sources).unwrap();
    let clock = std::sync::Arc::new(msp_core::clock::SystemClock::start());
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
    let Err(error) = msp_server::Server::build(settings, sources, clock, metrics, "/nowhere".as_ref()).await
    else {
        panic!("a second server started")
    };
    let error = error.to_string();
    assert!(error.contains("in use by another msp-server"), "{error}");
    assert_eq!(error.lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_floor_can_be_shown_and_reset_after_a_wrong_clock() {
    let server = TestServer::builder().at(NOW + 1_000_000).start().await;
    let caller = server.linked("laptop").await;
    assert_eq!(caller.call(&server, NOW + 1_000_000, "time_test", None).await.0, 200);
    let server = server.restart().await;
    let caller = moved(&caller, &server);
    server.clock().set_unix(NOW);
    let (status, outcome) = caller.call(&server, NOW, "time_test", None).await;
    assert_eq!((status, outcome), (401, Err("clock_skew".to_owned())), "below the floor");
    let ready = server.send(server.http().get(format!("http://{}/readyz", server.ops.unwrap()))).await;
    assert_eq!(
        (ready.status, ready.body.as_str()),
        (503, "the floor is 1000000 s ahead of the clock (see msp-admin floor)\n")
    );
    assert_eq!(server.ask(Request::FloorReset { actor: "admin:test".to_owned() }).await, Reply::Done);
    server.clock().set_unix(NOW + 1);
    assert_eq!(caller.call(&server, NOW + 1, "time_test", None).await.0, 200);
    let audit = server.registry.audit_rows(5).await.unwrap();
    assert!(audit.iter().any(|row| row.action == "floor.reset" && row.actor == "admin:test"), "{audit:?}");
}
