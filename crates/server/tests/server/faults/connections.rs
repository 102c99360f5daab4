//! Peers that are slow, silent, many, or say too much in a head.

use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::{Resource, getrlimit};
use tokio::time::timeout;

use msp_testkit::{Caller, NOW, Peer, Program, ProgramFolder, TestServer, until};

/// Calls as long as the others go on, and gives what they come to.
async fn beside<T>(server: &TestServer, caller: &Caller, others: impl Future<Output = T>) -> T {
    tokio::pin!(others);
    loop {
        tokio::select! {
            ended = &mut others => return ended,
            called = caller.call(server, NOW, "time_test", None) => assert_eq!(called.0, 200),
        }
    }
}

const HASTY: &str = "[Limits]\nHeadTimeout=1\nBodyTimeout=1\nIdleTimeout=1\n";

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_and_bodies_are_given_up_while_good_callers_are_served() {
    let server = TestServer::builder().with_config(HASTY).start().await;
    let caller = server.linked("laptop").await;
    let address = server.address;
    let heads = join_all((0..50).map(|_| Peer::drip(address, "POST /v1 HTTP/1.1\r\nHost: x\r\nX-Slow: ")));
    let body =
        "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n";
    let bodies = join_all((0..50).map(|_| Peer::drip(address, body)));
    let silent = join_all((0..50).map(|_| async move { Peer::connect(address).await.until_it_ends().await }));
    let (heads, bodies, silent) =
        beside(&server, &caller, async { tokio::join!(heads, bodies, silent) }).await;
    for answer in heads.iter().chain(&silent) {
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    for answer in bodies {
        assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n"), "{answer}");
    }
}

/// The library that reads requests times the first head of a connection only.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_head_that_never_ends_is_given_up_too() {
    let bench = ProgramFolder::new();
    bench.write("config/config.ini", HASTY);
    let server = bench.serve();
    let sent = "GET / HTTP/1.1\r\nHost: x\r\n\r\nPOST /v1 HTTP/1.1\r\nX-Slow: ";
    for answer in join_all((0..50).map(|_| Peer::drip(server.address, sent))).await {
        assert!(answer.starts_with("HTTP/1.1 404 Not Found"), "{answer}");
    }
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_an_answer_is_given_up_and_a_long_call_is_not() {
    let bench = ProgramFolder::new();
    bench.write("config/config.ini", HASTY);
    let slow = "import time\n\ndef entry_call():\n    time.sleep(5)\n    return 'done'\n";
    bench.write("modules/slow.py", slow);
    let large = "def entry_call():\n    return 'x' * 1000000\n";
    bench.write("modules/large.py", large);
    bench.write("config/modules.ini", "[Modules]\ntime_test=simple_time\nslow=slow\nlarge=large\n");
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    let long = server.post(caller.fresh("slow"));
    let mut deaf = Peer::connect(server.address).await;
    let reading = tokio::spawn(async move { while deaf_writes(&mut deaf, &caller, "large").await {} });
    assert_eq!(long.await.status, 200, "longer than an idle connection is kept");
    timeout(Duration::from_secs(20), reading).await.unwrap().unwrap();
    assert!(server.stop().success());
}

/// Sends one more request and reads nothing; false when the connection has ended.
async fn deaf_writes(peer: &mut Peer, caller: &Caller, function: &str) -> bool {
    let body = caller.fresh(function);
    let length = body.len();
    let head = "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length:";
    peer.send(format!("{head} {length}\r\n\r\n{body}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_headers_are_refused_and_written_nowhere() {
    let bench = ProgramFolder::new();
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    let (before, logged) = (server.resident(), server.log.lock().unwrap().len());
    let many: String = (0..1_000).map(|n| format!("X-Header-{n}: {n}\r\n")).collect();
    let huge = format!("X-Huge: {}\r\n", "x".repeat(1_000_000));
    let names = format!("{}: 1\r\n", "x".repeat(200_000));
    for head in [many, huge, names, "\0\0\0\r\n".to_owned(), "Content-Length: -1\r\n".to_owned()] {
        let request = format!("POST /v1 HTTP/1.1\r\nHost: x\r\n{head}\r\n");
        let floods = (0..40).map(|_| async {
            let mut peer = Peer::connect(server.address).await;
            let _may_be_ended_before_all_was_sent = peer.send(&request).await;
            peer.until_it_ends().await
        });
        for answer in join_all(floods).await {
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
        assert_eq!(server.post(caller.fresh("time_test")).await.status, 200);
    }
    let log = server.log.lock().unwrap()[logged..].to_owned();
    // A line for each of our own calls, and one for our address.
    assert!(log.lines().filter(|line| !line.contains(" in access.rs: ")).count() < 5, "{log}");
    assert!(server.resident() < before + 32 * 1024, "{} after {before} KiB", server.resident());
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_far_ahead_of_the_answers_is_given_up_and_takes_no_memory() {
    let bench = ProgramFolder::new();
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    let before = server.resident();
    let [short, plain] = ["POST /v1 HTTP/1.1\n\n", "POST /v1 HTTP/1.1\r\nHost: x\r\n\r\n"];
    for request in [short, plain] {
        let ahead = request.repeat(4_000);
        let floods = (0..100).map(|_| async {
            let mut peer = Peer::connect(server.address).await;
            let _may_be_ended_before_all_was_sent = peer.send(&ahead).await;
            peer.until_it_ends().await
        });
        for answers in join_all(floods).await {
            assert!(answers.matches("HTTP/1.1 ").count() <= 16, "{answers}");
        }
    }
    assert!(server.resident() < before + 32 * 1024, "{} after {before} KiB", server.resident());
    let few = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(7)
        + "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut peer = Peer::connect(server.address).await;
    assert!(peer.send(few).await);
    assert_eq!(peer.to_the_end().await.matches("HTTP/1.1 404").count(), 8, "a few may be sent ahead");
    is_served(&server, &caller, 5).await;
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_idle_connections() {
    let bench = ProgramFolder::new();
    // Longer than this test may take.
    bench.write("config/config.ini", "[Limits]\nDrainTimeout=300\nIdleTimeout=300\n");
    let server = bench.serve();
    let mut idle = Peer::connect(server.address).await;
    assert!(idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await);
    assert!(idle.head().await.starts_with("HTTP/1.1 404"));
    server.signal(rustix::process::Signal::TERM);
    idle.until_it_ends().await;
    assert!(server.wait().success());
}

/// Answers one after another, on connections of their own.
async fn is_served(server: &Program, caller: &Caller, times: usize) {
    for _ in 0..times {
        assert_eq!(server.post(caller.fresh("time_test")).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_leave_room_for_good_callers() {
    const IDLE: usize = 10_000;
    msp_server::raise_file_limit();
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    assert!(files > IDLE as u64 + 2_000, "this test needs {IDLE} files and some: ulimit -Hn is {files}");
    let bench = ProgramFolder::new();
    bench.write("config/config.ini", "[Limits]\nConnections=12000\nHeadTimeout=60\nIdleTimeout=60\n");
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    let before = server.resident();
    let mut idle = Vec::with_capacity(IDLE);
    for n in 0..IDLE {
        // From eight addresses, as one has no ports for so many; every other one has begun a head.
        let from = [127, 0, 1, (n % 8) as u8 + 1];
        let mut peer = Peer::connect_from(from.into(), server.address).await;
        if n % 2 == 0 {
            assert!(peer.send("POST /v1 HTTP/1.1\r\n").await);
        }
        idle.push(peer);
    }
    is_served(&server, &caller, 50).await;
    let each = (server.resident() - before) * 1024 / IDLE as u64;
    assert!(each < 32 * 1024, "{each} bytes a connection");
    assert!(idle.iter().all(Peer::is_left_alone), "all of them are still open");
    drop(idle);
    is_served(&server, &caller, 10).await;
    assert!(!server.log.lock().unwrap().contains("[Limits] Connections"));
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_a_caller_waits_until_silent_connections_are_given_up() {
    let server = TestServer::builder().with_config(&format!("{HASTY}Connections=8\n")).start().await;
    let caller = server.linked("laptop").await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(Peer::connect(server.address).await);
    }
    // Each of them holds a place, and any of them may be the first to be given up.
    assert_eq!(caller.call(&server, NOW, "time_test", None).await.0, 200);
    assert!(!silent.iter().all(Peer::is_left_alone), "served beyond the limit");
    for mut peer in silent {
        let ended = peer.until_it_ends().await;
        assert!(ended.starts_with("HTTP/1.1 408"), "{ended}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_the_system_does_not_grant_is_said_in_one_line() {
    let bench = ProgramFolder::new();
    let server = bench.serve_with(|command| {
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut limited = bench.command("prlimit");
        limited.arg("--nofile=64:512").arg(program).args(arguments).stderr(std::process::Stdio::piped());
        *command = limited;
    });
    let line = "[Limits] Connections is 10000, but this process may open 512 files, so it serves 384 at once";
    until("it is said", async || server.log.lock().unwrap().contains(line)).await;
    let caller = bench.client(&server, "laptop").await;
    let mut idle = Vec::new();
    for _ in 0..440 {
        idle.push(Peer::connect(server.address).await);
    }
    drop(idle);
    is_served(&server, &caller, 5).await;
    assert!(server.stop().success());
}
