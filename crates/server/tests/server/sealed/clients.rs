//! Keys, secrets, links, grants and their changes while the server runs.

use msp_core::{Access, Grants, Selector};
use msp_protocol::{OsRng, PrivateKey, Secret};
use serde_json::json;

use msp_testkit::{Caller, NOW, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn share_point_15_key_and_secret_must_both_be_registered() {
    let server = TestServer::builder().start().await;
    let known = server.unlinked().await;
    let stranger = Caller::new(&server, PrivateKey::generate(&mut OsRng), Secret::generate(&mut OsRng));
    server.post(known.with_secret_of(&stranger).classic(NOW, "time_test")).await.assert_plain();
    assert_eq!(server.why().await, "the key is registered, the secret is not");
    server.post(stranger.with_secret_of(&known).classic(NOW, "time_test")).await.assert_plain();
    assert!(server.why().await.contains("no registered key opens it"));
    let (status, outcome) = known.with_secret_of(&stranger).call(&server, NOW, "echo", None).await;
    assert_eq!((status, outcome), (401, Err(String::new())));
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_26_a_new_client_works_without_a_restart() {
    let server = TestServer::builder().start().await;
    for name in [None, Some("laptop")] {
        let caller = server.add(name, |new| new.classic = true).await;
        assert_eq!(server.post(caller.classic(NOW, "time_test")).await.status, 200);
        assert_eq!(caller.call(&server, NOW, "time_test", None).await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_33_linked_and_unlinked_halves_do_not_mix() {
    let server = TestServer::builder().start().await;
    let linked = server.add(Some("one"), |new| new.classic = true).await;
    let other = server.add(Some("two"), |new| new.classic = true).await;
    let (first, second) = (server.unlinked().await, server.unlinked().await);
    assert_eq!(server.post(first.with_secret_of(&second).classic(NOW, "time_test")).await.status, 200);
    for mixed in [linked.with_secret_of(&first), first.with_secret_of(&linked), linked.with_secret_of(&other)]
    {
        server.post(mixed.classic(NOW, "time_test")).await.assert_plain();
        assert_eq!(server.why().await, "key and secret do not belong together");
        assert_eq!(mixed.call(&server, NOW, "time_test", None).await, (401, Err(String::new())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_31_what_was_revoked_stays_out_after_a_restart_with_the_originals_files_in_place() {
    let builder = TestServer::builder();
    let (key, secret) = (PrivateKey::generate(&mut OsRng), Secret::generate(&mut OsRng));
    let builder = builder.with_key(&PrivateKey::generate(&mut OsRng));
    std::fs::write(builder.path().join("sec/client_1.pub"), key.public().to_string()).unwrap();
    std::fs::write(builder.path().join("sec/clients.dev"), format!("{}\n", secret.dangerously_as_str()))
        .unwrap();
    let server = builder.start().await;
    let caller = Caller::new(&server, key.clone(), secret);
    assert_eq!(server.post(caller.classic(NOW, "time_test")).await.status, 200);
    server.registry.revoke(&Selector::Key(*key.public()), "test").await.unwrap();
    server.up_to_date().await;
    server.post(caller.classic(NOW, "time_test")).await.assert_plain();
    let server = server.restart().await;
    server.clock().set_unix(NOW + 10);
    let caller = Caller { address: server.address, ..caller };
    server.post(caller.classic(NOW + 10, "time_test")).await.assert_plain();
    assert!(server.why().await.contains("no registered key opens it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_or_expired_client_is_refused_and_comes_back_when_the_operator_says_so() {
    let server = TestServer::builder().start().await;
    let caller = server.linked("laptop").await;
    let name = "laptop".parse().unwrap();
    server.registry.set_disabled(&name, true, "test").await.unwrap();
    server.up_to_date().await;
    assert_eq!(caller.call(&server, NOW, "time_test", None).await, (200, Err("disabled".to_owned())));
    assert_eq!(server.why().await, "the client is disabled");
    // Only who proves itself is told, and once.
    let stranger = Caller { secret: Secret::generate(&mut OsRng), ..caller.clone() };
    assert_eq!(stranger.call(&server, NOW, "time_test", None).await, (401, Err(String::new())));
    let (_, body) = caller.envelope(NOW, "time_test", None);
    assert_eq!(server.post(body.clone()).await.status, 200);
    server.post(body).await.assert_plain();
    server.post(caller.classic(NOW, "time_test")).await.assert_plain();
    server.registry.set_disabled(&name, false, "test").await.unwrap();
    server.registry.set_expiry(&name, Some(NOW + 5), "test").await.unwrap();
    server.up_to_date().await;
    assert_eq!(caller.call(&server, NOW, "time_test", None).await.0, 200);
    server.clock().set_unix(NOW + 5);
    assert_eq!(caller.call(&server, NOW + 5, "time_test", None).await, (200, Err("expired".to_owned())));
    assert_eq!(server.why().await, "the client has expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_the_old_secret_works_until_the_new_one_is_used() {
    let server = TestServer::builder().start().await;
    let old = server.linked("laptop").await;
    let new = Caller { secret: Secret::generate(&mut OsRng), ..old.clone() };
    let overlap = std::time::Duration::from_secs(3600);
    server.registry.rotate(&"laptop".parse().unwrap(), &new.secret.digest(), overlap, "test").await.unwrap();
    server.up_to_date().await;
    assert_eq!(new.call(&server, NOW - 40, "time_test", None).await.0, 401, "a refused request is no use");
    assert_eq!(old.call(&server, NOW, "time_test", None).await.0, 200);
    assert_eq!(new.call(&server, NOW, "time_test", None).await.0, 200);
    assert_eq!(old.call(&server, NOW, "time_test", None).await, (401, Err(String::new())));
    let clients = server.registry.clients().await.unwrap();
    assert!(matches!(&clients[0].link, msp_core::Link::Linked(linked) if linked.previous.is_none()));
    server.up_to_date().await;
    assert_eq!(old.call(&server, NOW, "time_test", None).await, (401, Err(String::new())));
    assert_eq!(new.call(&server, NOW, "time_test", None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_overlap_the_old_secret_ends_even_if_the_new_one_was_never_used() {
    let server = TestServer::builder().start().await;
    let old = server.linked("laptop").await;
    let fresh = Secret::generate(&mut OsRng).digest();
    let overlap = std::time::Duration::from_secs(10);
    server.registry.rotate(&"laptop".parse().unwrap(), &fresh, overlap, "test").await.unwrap();
    server.up_to_date().await;
    assert_eq!(old.call(&server, NOW, "time_test", None).await.0, 200);
    server.clock().set_unix(NOW + 10);
    assert_eq!(old.call(&server, NOW + 10, "time_test", None).await, (401, Err(String::new())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_told_the_truth_about_its_grants_once_it_is_proven() {
    let modules = "sys_a=simple_time\nsys_b=simple_time\nother=simple_time\n[sys_b]\nAccess=write\n";
    let server = TestServer::builder().with_modules(modules).start().await;
    let reads = Grants::Listed([("sys*".parse().unwrap(), Access::Read)].into());
    let limited = server.add(Some("limited"), |new| new.grants = reads).await;
    let outcome = async |function: &str| limited.call(&server, NOW, function, None).await.1.err();
    assert_eq!(outcome("sys_a").await, None);
    assert_eq!(outcome("sys_b").await.as_deref(), Some("forbidden"));
    assert_eq!(outcome("other").await.as_deref(), Some("forbidden"));
    assert_eq!(outcome("missing").await.as_deref(), Some("unknown_function"));
    let (_, functions) = limited.call(&server, NOW, "msp/functions", None).await;
    assert_eq!(functions, Ok(json!([{"name": "sys_a", "access": "read", "description": ""}])));
    let standard = server.linked("standard").await;
    assert_eq!(standard.call(&server, NOW, "sys_b", None).await.1.unwrap_err(), "forbidden");
    assert_eq!(standard.call(&server, NOW, "other", None).await.0, 200);
    let (_, ping) = standard.call(&server, NOW, "msp/ping", None).await;
    assert_eq!(ping, Ok(json!({"version": env!("CARGO_PKG_VERSION"), "time": NOW})));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_of_use_is_written_behind() {
    let server = TestServer::builder().start().await;
    let caller = server.linked("laptop").await;
    assert_eq!(caller.call(&server, NOW, "time_test", None).await.0, 200);
    let builder = server.stop().await;
    let server = builder.start().await;
    let clients = server.registry.clients().await.unwrap();
    let msp_core::Link::Linked(linked) = &clients[0].link else { panic!("{clients:?}") };
    assert_eq!(linked.last_used, Some(NOW - NOW % 86_400));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_at_once_are_all_answered_each_with_its_own() {
    let server = TestServer::builder()
        .with_module("double.py", "def entry_call(n):\n    return n * 2\n")
        .with_modules("double=double\n")
        .start()
        .await;
    let mut callers = Vec::new();
    for n in 0..8 {
        callers.push(server.linked(&format!("client-{n}")).await);
    }
    let calls = (0..400_u64).map(|n| {
        let (caller, server) = (&callers[n as usize % callers.len()], &server);
        async move { (n, caller.call(server, NOW, "double", Some(json!({ "n": n }))).await) }
    });
    for (n, answered) in futures_util::future::join_all(calls).await {
        assert_eq!(answered, (200, Ok(json!(n * 2))));
    }
}
