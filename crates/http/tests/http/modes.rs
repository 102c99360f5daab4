//! Streams and upgraded connections, as doors of later versions have them.

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Bytes, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use actix_ws::Message;
use futures_util::StreamExt as _;
use msp_core::clock::SystemClock;
use msp_http::{Budget, UnderWay, raise_file_limit, serve};
use msp_settings::{LimitSettings, Settings, Sources};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Far shorter than what the doors of these tests need.
const SHORT: Duration = Duration::from_millis(100);
const CHUNK: usize = 64 * 1024;

/// Answers how many bytes came, when it is told that this was all.
async fn count(request: HttpRequest, payload: Payload, budget: Data<Budget>) -> HttpResponse {
    let call = UnderWay::begin(&request).unwrap();
    let Some(place) = budget.take() else { return HttpResponse::ServiceUnavailable().finish() };
    let (response, mut session, mut messages) = actix_ws::handle(&request, payload).unwrap();
    call.upgrade(place);
    actix_web::rt::spawn(async move {
        let (_call, mut total) = (call, 0);
        while let Some(Ok(message)) = messages.next().await {
            match message {
                Message::Binary(bytes) => total += bytes.len(),
                Message::Text(_) => session.text(total.to_string()).await.unwrap(),
                _ => break,
            }
        }
    });
    response
}

/// Says one thing, is silent for long, and says another.
async fn pause(request: HttpRequest, budget: Data<Budget>) -> HttpResponse {
    let answer = futures_util::stream::iter(["before ", "after"]).then(|word| async move {
        if word == "after" {
            tokio::time::sleep(SHORT * 8).await;
        }
        Ok::<_, std::io::Error>(Bytes::from_static(word.as_bytes()))
    });
    let call = UnderWay::begin(&request).unwrap();
    HttpResponse::Ok().streaming(call.during(budget.take().unwrap(), Box::pin(answer)))
}

/// As many chunks as the path says.
async fn large(request: HttpRequest, budget: Data<Budget>) -> HttpResponse {
    let count = request.match_info().query("count").parse().unwrap();
    let chunk = Bytes::from(vec![7; CHUNK]);
    let answer =
        futures_util::stream::iter(0..count).map(move |_: usize| Ok::<_, std::io::Error>(chunk.clone()));
    let call = UnderWay::begin(&request).unwrap();
    HttpResponse::Ok().streaming(call.during(budget.take().unwrap(), answer))
}

fn limits() -> LimitSettings {
    Settings::load(&Sources::default()).unwrap().limits
}

/// Serves the three on a port of its own.
fn start(limits: LimitSettings) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let budget = Data::new(Budget::of(limits.connections));
    let doors = move |config: &mut ServiceConfig| {
        config.app_data(budget.clone());
        config.route("/count", web::get().to(count)).route("/pause", web::get().to(pause));
        config.route("/large/{count}", web::get().to(large));
    };
    tokio::spawn(serve(listener, doors, limits, None, Arc::new(SystemClock::start())).unwrap());
    address
}

/// Opens a WebSocket; none when there is no place for one more.
async fn upgraded(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "GET /count HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    answer.starts_with(b"HTTP/1.1 101").then_some(stream)
}

/// A frame whose mask changes nothing, so that the bytes that travel are the payload's.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0x80 | kind, 0x80 | 126], &length[..], &[0; 4], payload].concat()
}

async fn total(stream: &mut TcpStream) -> String {
    stream.write_all(&frame(1, b"all")).await.unwrap();
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.unwrap();
    let mut text = vec![0; usize::from(head[1])];
    stream.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

/// The figure of this process, in KiB.
fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[actix_web::test]
async fn frames_full_of_blank_lines_pass_an_upgraded_connection_which_may_be_silent() {
    let address = start(LimitSettings { idle_timeout: SHORT, head_timeout: SHORT, ..limits() });
    let mut stream = upgraded(address).await.unwrap();
    let payload = b"\r\n\r\n".repeat(10_240);
    for _ in 0..256 {
        stream.write_all(&frame(2, &payload)).await.unwrap();
    }
    assert_eq!(total(&mut stream).await, (10 * 1024 * 1024).to_string());
    // Another call's answer takes longer than a connection may be silent.
    let mut other = TcpStream::connect(address).await.unwrap();
    other.write_all(b"GET /pause HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    other.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("after\r\n0\r\n\r\n"), "{answer}");
    assert_eq!(total(&mut stream).await, (10 * 1024 * 1024).to_string());
}

#[actix_web::test]
async fn a_large_answer_is_sent_as_it_comes() {
    let address = start(limits());
    let read = async |count: usize| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET /large/{count} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut space, mut total) = (vec![0; CHUNK], 0);
        loop {
            match stream.read(&mut space).await.unwrap() {
                0 => return total,
                got => total += got,
            }
        }
    };
    assert!(read(100).await > 100 * CHUNK);
    let before = memory("VmRSS");
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    assert!(read(8000).await > 500_000_000);
    let more = memory("VmHWM").saturating_sub(before);
    assert!(more < 2048, "{more} KiB more");
}

/// Set for the process that serves, whose files must not be those of the callers.
const SERVES: &str = "MSP_TEST_SERVES";

#[actix_web::test]
async fn ten_thousand_upgraded_connections_are_served_and_calls_beside_them() {
    const COUNT: usize = 10_000;
    raise_file_limit();
    if std::env::var_os(SERVES).is_some() {
        let address = start(LimitSettings { connections: COUNT * 8 / 7 + 8, ..limits() });
        println!("\nserving {address}");
        let until_told = || std::io::stdin().read_to_end(&mut Vec::new());
        tokio::task::spawn_blocking(until_told).await.unwrap().unwrap();
        return;
    }
    let name = "modes::ten_thousand_upgraded_connections_are_served_and_calls_beside_them";
    let mut server = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(SERVES, "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some(address) = line.strip_prefix("serving ") {
            break address.parse().unwrap();
        }
    };
    let mut open = Vec::with_capacity(COUNT);
    while let Some(stream) = upgraded(address).await {
        open.push(stream);
        assert!(open.len() <= COUNT + 16, "no reserve is left");
    }
    assert!(open.len() >= COUNT, "{}", open.len());
    for stream in open.iter_mut().step_by(97) {
        stream.write_all(&frame(2, &[0; 126])).await.unwrap();
        assert_eq!(total(stream).await, "126");
    }
    drop(open);
    let again = async || {
        while upgraded(address).await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again()).await.unwrap();
    drop(server.stdin.take());
    assert!(server.wait().await.unwrap().success());
}
