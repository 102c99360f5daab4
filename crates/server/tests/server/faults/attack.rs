//! The rules that hold under attack, each attacked.

use std::path::Path;
use std::process::Command;

use futures_util::future::join_all;
use msp_core::control::{Reply, Request};
use msp_protocol::{OsRng, PrivateKey, Secret};
use sqlx::{Connection as _, SqliteConnection};

use super::namespace::{in_namespace, run};
use msp_testkit::{Answered, Caller, NOW, TestServer, http_from};

const PROXY: &str = "[Proxy]\nForwardFor=1\n";

async fn from(server: &TestServer, address: &str, body: String) -> Answered {
    let request = server.http().post(server.url("/v1")).header("Content-Type", "application/json");
    server.send(request.header("X-Forwarded-For", address).body(body)).await
}

fn stranger(server: &TestServer) -> Caller {
    Caller::new(server, PrivateKey::generate(&mut OsRng), Secret::generate(&mut OsRng))
}

async fn banned(server: &TestServer) -> Vec<String> {
    match server.ask(Request::Bans).await {
        Reply::Bans { bans } => bans.into_iter().map(|ban| ban.address).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_takes_the_search_through_classic_keys_and_nothing_else() {
    let server = TestServer::builder().with_config(PROXY).start().await;
    let (seen, new, stranger) = (server.unlinked().await, server.unlinked().await, stranger(&server));
    let enveloped = server.linked("laptop").await;
    let address = "198.51.100.1";
    assert_eq!(from(&server, address, seen.classic(NOW, "time_test")).await.status, 200);
    let garbage = (0..150).map(|n| {
        let body = if n % 2 == 0 {
            stranger.classic(NOW, "time_test")
        } else {
            stranger.envelope(NOW, "time_test", None).1
        };
        from(&server, address, body)
    });
    for answered in join_all(garbage).await {
        answered.assert_plain();
    }
    assert_eq!(banned(&server).await, [address]);
    for _ in 0..3 {
        from(&server, address, new.classic(NOW, "time_test")).await.assert_plain();
        assert!(server.why().await.contains("slowed or banned"), "the search is lost");
        let envelope = enveloped.envelope(NOW, "time_test", None).1;
        assert_eq!(from(&server, address, envelope).await.status, 200, "proof is never refused");
        let classic = seen.classic(NOW, "time_test");
        assert_eq!(from(&server, address, classic).await.status, 200, "a key lately seen is tried");
    }
    assert_eq!(banned(&server).await, [address], "a success lifts no ban");
}

#[test]
fn in_a_namespace_a_trusted_proxy_that_names_nobody_is_slowed_and_never_banned() {
    in_namespace(
        "--net",
        "faults::attack::in_a_namespace_a_trusted_proxy_that_names_nobody_is_slowed_and_never_banned",
        trusted_proxy,
    );
}

/// A public address of this machine, as loopback is never banned anyway.
const PUBLIC: &str = "203.0.113.9";

async fn trusted_proxy() {
    run(Command::new("ip").args(["link", "set", "lo", "up"]));
    run(Command::new("ip").args(["address", "add", PUBLIC, "dev", "lo"]));
    let proxy = http_from(PUBLIC.parse().ok());
    for (config, bans) in [(PROXY, &[][..]), ("", &[PUBLIC])] {
        let server = TestServer::builder().with_config(config).start().await;
        let (caller, stranger) = (server.unlinked().await, stranger(&server));
        let sent = async |body: String| {
            let request = proxy.post(server.url("/v1")).header("Content-Type", "application/json");
            server.send(request.body(body)).await
        };
        join_all((0..150).map(|_| sent(stranger.classic(NOW, "time_test")))).await;
        assert_eq!(banned(&server).await, bans, "with {config:?}");
        sent(caller.classic(NOW, "time_test")).await.assert_plain();
        assert!(server.why().await.contains("slowed or banned"));
        assert_eq!(sent(caller.envelope(NOW, "time_test", None).1).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_client_without_classic_is_neither_searched_nor_tried() {
    let server = TestServer::builder().start().await;
    let linked = server.linked("laptop").await;
    assert_eq!(linked.call(&server, NOW, "time_test", None).await.0, 200, "its address is known now");
    server.post(linked.classic(NOW, "time_test")).await.assert_plain();
    assert!(server.why().await.contains("no registered key opens it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_guard_is_busy_for_the_proven_plain_for_the_rest_and_forgets_nothing_early() {
    let server = TestServer::builder().with_config("[Guard]\nMaxEntries=16\nCallerShare=1\n").start().await;
    let (first, other) = (server.unlinked().await, server.unlinked().await);
    let mut accepted = Vec::new();
    for _ in 0..16 {
        let body = first.envelope(NOW, "time_test", None).1;
        assert_eq!(server.post(body.clone()).await.status, 200);
        accepted.push(body);
    }
    for age in [0, 20, 32] {
        server.clock().set_unix(NOW + age);
        for caller in [&first, &other] {
            let called = caller.call(&server, NOW + age, "time_test", None).await;
            assert_eq!(called, (200, Err("busy".to_owned())), "after {age} s");
            server.post(caller.classic(NOW + age, "time_test")).await.assert_plain();
        }
        server.post(first.classic(NOW + age, "time_test")).await.assert_plain();
        assert!(server.why().await.contains("the guard, or the caller's share of it, is full"));
        for body in &accepted {
            assert_eq!(server.post(body.clone()).await.status, 401, "after {age} s");
        }
    }
    server.clock().set_unix(NOW + 33);
    assert_eq!(other.call(&server, NOW + 33, "time_test", None).await.0, 200, "they are due now");
    for body in accepted {
        assert_eq!(server.post(body).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_fills_its_share_and_not_that_of_others() {
    let server = TestServer::builder().with_config("[Guard]\nMaxEntries=64\nCallerShare=1/4\n").start().await;
    let (greedy, other) = (server.linked("greedy").await, server.linked("other").await);
    for _ in 0..16 {
        assert!(greedy.call(&server, NOW, "time_test", None).await.1.is_ok());
    }
    assert_eq!(greedy.call(&server, NOW, "time_test", None).await, (200, Err("busy".to_owned())));
    for _ in 0..16 {
        assert!(other.call(&server, NOW, "time_test", None).await.1.is_ok());
    }
}

/// Registers unlinked keys in one step, which no command does for so many.
async fn add_at_once(registry: &Path, keys: usize) {
    let url = format!("sqlite://{}", registry.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let mut change = connection.begin().await.unwrap();
    for _ in 0..keys {
        let key = *PrivateKey::generate(&mut OsRng).public();
        sqlx::query("INSERT INTO unlinked_keys (digest, public_key, standard) VALUES ($1, $2, 1)")
            .bind(key.digest().as_bytes().to_vec())
            .bind(key.as_bytes().to_vec())
            .execute(&mut *change)
            .await
            .unwrap();
    }
    for sql in [
        "UPDATE meta SET value = value + 1 WHERE name = 'generation'",
        "DELETE FROM changes WHERE digest IS NULL",
        "INSERT INTO changes (number) SELECT value FROM meta WHERE name = 'generation'",
    ] {
        sqlx::query(sql).execute(&mut *change).await.unwrap();
    }
    change.commit().await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_64_waiting_searches_strangers_are_refused_and_known_callers_are_served() {
    let server = TestServer::builder().with_config(PROXY).start().await;
    let seen = server.unlinked().await;
    assert_eq!(from(&server, "192.0.2.1", seen.classic(NOW, "time_test")).await.status, 200);
    // So many keys that trying them takes longer than a request: first each is derived, then all are tried each time.
    add_at_once(&server.path("sec/registry.db"), 10_000).await;
    server.up_to_date().await;
    let stranger = stranger(&server);
    let flood = join_all((0..300).map(|n| {
        let (server, body) = (&server, stranger.classic(NOW, "time_test"));
        async move { from(server, &format!("198.51.{}.{}", n / 200, n % 200 + 1), body).await }
    }));
    let good = async {
        for _ in 0..20 {
            assert_eq!(from(&server, "192.0.2.1", seen.classic(NOW, "time_test")).await.status, 200);
            assert_eq!(seen.call(&server, NOW, "time_test", None).await.0, 200);
        }
    };
    let (answers, ()) = tokio::join!(flood, good);
    answers.iter().for_each(Answered::assert_plain);
    let Reply::Refusals { refusals } =
        server.ask(Request::Why { id: None, address: None, last: 1_000 }).await
    else {
        panic!("no refusals")
    };
    let full = refusals.iter().filter(|refusal| refusal.reason.contains("queue of the search")).count();
    assert!((1..300).contains(&full), "{full} of 300 found the queue full");
}
