//! Many at once: new clients while calls go on, and strangers without number.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use msp_testkit::{NOW, Peer, Program, ProgramFolder, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_added_while_calls_go_on_are_served_at_once_and_no_call_is_refused() {
    const CLIENTS: usize = 1_000;
    const AT_ONCE: usize = 10;
    let server = Arc::new(TestServer::builder().with_config("[Guard]\nCallerShare=1\n").start().await);
    let old = server.linked("old").await;
    let (done, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let (server, old, done, answers) = (server.clone(), old.clone(), done.clone(), answers.clone());
            tokio::spawn(async move {
                let http = server.http();
                while !done.load(Ordering::Relaxed) {
                    let body = old.envelope(NOW, "time_test", None).1;
                    let request = http.post(server.url("/v1")).header("Content-Type", "application/json");
                    assert_eq!(server.send(request.body(body)).await.status, 200);
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let http = server.http();
    for some in 0..CLIENTS / AT_ONCE {
        let mut bodies = Vec::new();
        for n in 0..AT_ONCE / 2 {
            let linked = server.register(Some(&format!("client-{some}-{n}")), |_| ()).await;
            bodies.push(linked.envelope(NOW, "time_test", None).1);
            bodies.push(server.register(None, |_| ()).await.classic(NOW, "time_test"));
        }
        server.up_to_date().await;
        for body in bodies {
            let request = http.post(server.url("/v1")).header("Content-Type", "application/json").body(body);
            assert_eq!(server.send(request).await.status, 200, "after {some} times {AT_ONCE}");
        }
    }
    done.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    println!("{} calls while {CLIENTS} clients were added", answers.load(Ordering::Relaxed));
    assert_eq!(server.registry.snapshot().await.unwrap().clients.len(), CLIENTS + 1);
}

/// Requests of one connection, one after the other, each from another address.
async fn flood(server: &Program, connection: usize, requests: usize) {
    let mut peer = Peer::connect(server.address).await;
    for n in 0..requests {
        let address = format!("198.{}.{}.{n}", connection / 250 + 18, connection % 250);
        // Of three kinds: no JSON, no envelope, and no classic values.
        let body = ["{", r#"{"sealed":"AAAA"}"#, r#"{"id":"a","check":"b","ts":"c","entry":"d"}"#][n % 3];
        let head = "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Forwarded-For:";
        let request = format!("{head} {address}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert!(peer.send(request).await, "closed after {n} requests");
        let answer = peer.head().await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_from_thousands_of_addresses_fill_neither_disk_nor_memory_nor_the_audit() {
    const CONNECTIONS: usize = 300;
    const REQUESTS: usize = 50;
    let bench = ProgramFolder::new();
    bench.write("config/config.ini", "[Proxy]\nForwardFor=1\n");
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    let registry = bench.registry().await;
    let audited = registry.audit_rows(1_000).await.unwrap().len();
    let size = || std::fs::metadata(bench.path("log/latest.log")).unwrap().len();
    let (before, logged) = (server.resident(), size());
    join_all((0..CONNECTIONS).map(|connection| flood(&server, connection, REQUESTS))).await;
    let (after, lines) = (server.resident(), size() - logged);
    println!("{} requests: {} KiB more, {lines} bytes of log", CONNECTIONS * REQUESTS, after - before);
    // One line for each of the first 10,000 addresses of a minute, and not a byte for the others.
    let text = std::fs::read_to_string(bench.path("log/latest.log")).unwrap();
    let refusals = text.lines().filter(|line| line.contains("refused: ")).count();
    assert!((9_000..=10_010).contains(&refusals), "{refusals}");
    assert!(lines < 10_100 * 250, "{lines} bytes");
    assert!(after < before + 48 * 1024, "{before} KiB became {after}");
    let again = server.resident();
    join_all((0..CONNECTIONS).map(|connection| flood(&server, connection, REQUESTS))).await;
    assert!(
        server.resident() < again + 16 * 1024,
        "the same again, and {again} KiB became {}",
        server.resident()
    );
    assert_eq!(registry.audit_rows(1_000).await.unwrap().len(), audited);
    assert_eq!(server.post(caller.fresh("time_test")).await.status, 200);
    assert!(server.stop().success());
}
