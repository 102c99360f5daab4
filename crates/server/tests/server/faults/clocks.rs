//! A clock that jumps both ways, with restarts between.

use futures_util::future::join_all;
use msp_core::control::Request;
use msp_protocol::{OsRng, RngCore as _};

use msp_testkit::{Caller, NOW, TestServer};

const DAY: u64 = 86_400;

async fn refuses_all(server: &TestServer, accepted: &[String], when: &str) {
    for answered in join_all(accepted.iter().map(|body| server.post(body.clone()))).await {
        assert_eq!(answered.status, 401, "{when}");
    }
}

/// One call in each shape; what was accepted goes to the others.
async fn send(server: &TestServer, caller: &Caller, now: u64, accepted: &mut Vec<String>) -> bool {
    let bodies = [caller.classic(now, "time_test"), caller.envelope(now, "time_test", None).1];
    let mut all = true;
    for body in bodies {
        match server.post(body.clone()).await.status {
            200 => accepted.push(body),
            401 => all = false,
            other => panic!("{other}"),
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_way_the_clock_jumps_nothing_is_accepted_twice() {
    let mut server = TestServer::builder().start().await;
    let mut caller = server.unlinked().await;
    let mut accepted = Vec::new();
    for round in 0..60 {
        let jump = [1, 5, 29, 31, 33, 61, 3600, DAY][(OsRng.next_u32() % 8) as usize];
        let now = if OsRng.next_u32().is_multiple_of(2) { NOW + jump } else { NOW - jump };
        server.clock().set_unix(now);
        refuses_all(&server, &accepted, &format!("round {round}, at {jump} s from the start")).await;
        send(&server, &caller, now, &mut accepted).await;
        if round % 20 == 19 {
            server = server.restart().await;
            caller.address = server.address;
            refuses_all(&server, &accepted, "after a restart").await;
        }
    }
    assert!(accepted.len() >= 2, "the first calls at least");
    // The furthest second accepted is behind it, and so is what the address has failed: everything is as at the start.
    server.clock().advance(std::time::Duration::from_secs(DAY));
    server.clock().set_unix(NOW + 2 * DAY);
    let all = send(&server, &caller, NOW + 2 * DAY, &mut accepted).await;
    assert!(all, "{}", server.why().await);
    refuses_all(&server, &accepted, "at the end").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_ahead_and_back_stops_nobody_before_a_restart_and_after_it_until_the_operator_says_so() {
    let server = TestServer::builder().start().await;
    let mut caller = server.unlinked().await;
    let mut accepted = Vec::new();
    server.clock().set_unix(NOW + DAY);
    assert!(send(&server, &caller, NOW + DAY, &mut accepted).await);
    server.clock().set_unix(NOW);
    assert!(
        send(&server, &caller, NOW, &mut accepted).await,
        "nothing was forgotten, so nothing is in the way"
    );
    let server = server.restart().await;
    caller.address = server.address;
    assert!(!send(&server, &caller, NOW + 1, &mut accepted).await, "all that is known is the mark");
    let ready = server.send(server.http().get(format!("http://{}/readyz", server.ops.unwrap()))).await;
    assert!(ready.status == 503 && ready.body.contains("ahead of the clock"), "{ready:?}");
    server.ask(Request::FloorReset { actor: "admin:test".to_owned() }).await;
    server.clock().set_unix(NOW + 2);
    assert!(send(&server, &caller, NOW + 2, &mut accepted).await);
}
