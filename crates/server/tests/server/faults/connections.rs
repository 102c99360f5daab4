//! Peers that are slow, silent, many, or say too much in a head.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use msp_testkit::{Caller, NOW, Program, ProgramFolder, TestServer, until};

/// Longer than anything here may take, and an end where something hangs.
const LONG: Duration = Duration::from_secs(20);

async fn connect(address: SocketAddr) -> TcpStream {
    timeout(LONG, TcpStream::connect(address)).await.unwrap().unwrap()
}

/// Everything that comes until the server ends the connection.
async fn to_the_end(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    // A reset is an end as well.
    let _reset = timeout(LONG, stream.read_to_end(&mut received)).await.unwrap();
    String::from_utf8(received).unwrap()
}

/// Sends a byte now and then until the server has had enough.
async fn drip(address: SocketAddr, head: &str) -> String {
    let mut stream = connect(address).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let dripping = tokio::spawn(async move {
        let mut drops = tokio::time::interval(Duration::from_millis(50));
        while writing.write_all(b"x").await.is_ok() {
            drops.tick().await;
        }
    });
    let mut received = Vec::new();
    let _reset = timeout(LONG, reading.read_to_end(&mut received)).await.unwrap();
    dripping.abort();
    String::from_utf8(received).unwrap()
}

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
    let heads = join_all((0..50).map(|_| drip(address, "POST /v1 HTTP/1.1\r\nHost: x\r\nX-Slow: ")));
    let body =
        "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n";
    let bodies = join_all((0..50).map(|_| drip(address, body)));
    let silent = join_all((0..50).map(|_| async move { to_the_end(&mut connect(address).await).await }));
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
    for answer in join_all((0..50).map(|_| drip(server.address, sent))).await {
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
    let mut deaf = connect(server.address).await;
    let reading = tokio::spawn(async move { while deaf_writes(&mut deaf, &caller, "large").await {} });
    assert_eq!(long.await.status, 200, "longer than an idle connection is kept");
    timeout(LONG, reading).await.unwrap().unwrap();
    assert!(server.stop().success());
}

/// Sends one more request and reads nothing; false when the connection has ended.
async fn deaf_writes(stream: &mut TcpStream, caller: &Caller, function: &str) -> bool {
    let body = caller.fresh(function);
    let length = body.len();
    let head = "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length:";
    stream.write_all(format!("{head} {length}\r\n\r\n{body}").as_bytes()).await.is_ok()
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
            let mut stream = connect(server.address).await;
            // The server may answer, and end it, before all was sent.
            let _ended = stream.write_all(request.as_bytes()).await;
            to_the_end(&mut stream).await
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
            let mut stream = connect(server.address).await;
            let _ended = stream.write_all(ahead.as_bytes()).await;
            to_the_end(&mut stream).await
        });
        for answers in join_all(floods).await {
            assert!(answers.matches("HTTP/1.1 ").count() <= 16, "{answers}");
        }
    }
    assert!(server.resident() < before + 32 * 1024, "{} after {before} KiB", server.resident());
    let few = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(7)
        + "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut stream = connect(server.address).await;
    stream.write_all(few.as_bytes()).await.unwrap();
    assert_eq!(to_the_end(&mut stream).await.matches("HTTP/1.1 404").count(), 8, "a few may be sent ahead");
    is_served(&server, &caller, 5).await;
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_idle_connections() {
    let bench = ProgramFolder::new();
    // Longer than this test may take.
    bench.write("config/config.ini", "[Limits]\nDrainTimeout=300\nIdleTimeout=300\n");
    let server = bench.serve();
    let mut idle = connect(server.address).await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
    server.signal(rustix::process::Signal::TERM);
    to_the_end(&mut idle).await;
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
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 1, (n % 8) as u8 + 1], 0))).unwrap();
        let mut stream = timeout(LONG, socket.connect(server.address)).await.unwrap().unwrap();
        if n % 2 == 0 {
            stream.write_all(b"POST /v1 HTTP/1.1\r\n").await.unwrap();
        }
        idle.push(stream);
    }
    is_served(&server, &caller, 50).await;
    let each = (server.resident() - before) * 1024 / IDLE as u64;
    assert!(each < 32 * 1024, "{each} bytes a connection");
    let open = idle.iter().filter(|stream| matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock));
    assert_eq!(open.count(), IDLE, "all of them are still open");
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
        silent.push(connect(server.address).await);
    }
    let call = caller.call(&server, NOW, "time_test", None);
    tokio::pin!(call);
    tokio::select! {
        biased;
        ended = to_the_end(&mut silent[0]) => assert!(ended.starts_with("HTTP/1.1 408"), "{ended}"),
        _ = &mut call => panic!("served beyond the limit"),
    }
    assert_eq!(call.await.0, 200);
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
        idle.push(connect(server.address).await);
    }
    drop(idle);
    is_served(&server, &caller, 5).await;
    assert!(server.stop().success());
}
