//! What an address means: lines in the log, slower searches, and never a right.

use std::time::Duration;

use msp_core::control::{Reply, Request};

use msp_testkit::{Answered, Caller, NOW, TestServer};

const PROXY: &str = "[Server]\nIPAddressTTL=300\n[Proxy]\nForwardFor=1\n";

async fn from(server: &TestServer, address: &str, body: String) -> Answered {
    by(&server.http(), server, address, body).await
}

async fn by(http: &reqwest::Client, server: &TestServer, address: &str, body: String) -> Answered {
    let request = http.post(server.url("/v1")).header("Content-Type", "application/json");
    server.send(request.header("X-Forwarded-For", address).body(body)).await
}

async fn garbage(server: &TestServer, stranger: &Caller, address: &str, times: usize) {
    let sent = (0..times).map(|_| from(server, address, stranger.classic(NOW, "time_test")));
    for answered in futures_util::future::join_all(sent).await {
        answered.assert_plain();
    }
}

fn stranger(server: &TestServer) -> Caller {
    use msp_protocol::{OsRng, PrivateKey, Secret};
    Caller::new(server, PrivateKey::generate(&mut OsRng), Secret::generate(&mut OsRng))
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_21_the_expiry_of_one_address_does_not_disturb_a_request_of_another() {
    let server = TestServer::builder().with_config(PROXY).start().await;
    let caller = server.unlinked().await;
    for (address, passes) in [("192.0.2.1", 0), ("192.0.2.2", 301), ("192.0.2.1", 1), ("192.0.2.2", 301)] {
        server.clock().advance(Duration::from_secs(passes));
        let now = msp_core::clock::Clock::unix(server.clock());
        assert_eq!(from(&server, address, caller.classic(now, "time_test")).await.status, 200, "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slowed_address_loses_only_the_search_through_all_keys() {
    let server = TestServer::builder().with_config(PROXY).start().await;
    let (known, new) = (server.unlinked().await, server.unlinked().await);
    assert_eq!(from(&server, "198.51.100.1", known.classic(NOW, "time_test")).await.status, 200);
    garbage(&server, &stranger(&server), "198.51.100.1", 30).await;
    from(&server, "198.51.100.1", new.classic(NOW, "time_test")).await.assert_plain();
    assert!(server.why().await.contains("slowed or banned"));
    assert_eq!(
        from(&server, "198.51.100.1", known.classic(NOW, "time_test")).await.status,
        200,
        "seen from it"
    );
    let (_, envelope) = new.envelope(NOW, "time_test", None);
    assert_eq!(from(&server, "198.51.100.1", envelope).await.status, 200, "a ban never refuses proof");
    assert_eq!(from(&server, "198.51.100.2", new.classic(NOW, "time_test")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banned_address_is_listed_and_can_be_lifted_and_loopback_is_never_banned() {
    let server = TestServer::builder().with_config(PROXY).start().await;
    let stranger = stranger(&server);
    garbage(&server, &stranger, "198.51.100.1", 150).await;
    garbage(&server, &stranger, "127.0.0.1", 150).await;
    let bans = async || match server.ask(Request::Bans).await {
        Reply::Bans { bans } => bans.into_iter().map(|ban| ban.address).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(bans().await, ["198.51.100.1"]);
    let lift = || server.ask(Request::LiftBan { address: "198.51.100.1".parse().unwrap() });
    assert_eq!(lift().await, Reply::Done);
    assert!(bans().await.is_empty());
    assert!(matches!(lift().await, Reply::Failed { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_30_with_1000_clients_a_request_with_the_last_key_takes_less_than_5_ms_of_cpu() {
    let server = TestServer::builder().with_config(PROXY).start().await;
    let keys: Vec<_> =
        (0..1000).map(|_| msp_protocol::PrivateKey::generate(&mut msp_protocol::OsRng)).collect();
    for (n, key) in keys.iter().enumerate() {
        std::fs::write(server.path(&format!("sec/client_{n}.pub")), key.public().to_string()).unwrap();
    }
    let report = server
        .registry
        .import(msp_registry::OriginalFiles::read(Some(&server.path("sec")), None).clients, false)
        .await
        .unwrap();
    assert_eq!(report.keys_added, 1000);
    let caller = server.unlinked().await;
    let stranger = stranger(&server);
    // The first search waits until all keys are derived; the address is not slowed by one failure.
    server.post(stranger.classic(NOW, "time_test")).await.assert_plain();
    let last = server.registry.snapshot().await.unwrap().clients.pop().unwrap().key;
    let key = keys.iter().find(|key| *key.public() == last).unwrap_or(&caller.key).clone();
    let caller = Caller { key, ..caller };
    // Made once: it reads the machine's certificates, which takes longer than the search.
    let http = server.http();
    // Each time from an address that has not been seen, so that all keys are tried; the least is free of others' work.
    let mut least = Duration::MAX;
    for n in 1..=5 {
        let body = caller.classic(NOW, "time_test");
        let before = cpu();
        assert_eq!(by(&http, &server, &format!("192.0.2.{n}"), body).await.status, 200);
        least = least.min(cpu() - before);
    }
    assert!(least < Duration::from_millis(5), "{least:?}");
}

/// What this process, server and test together, has used of the processor.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}
