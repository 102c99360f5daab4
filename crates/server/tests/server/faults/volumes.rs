//! A disk that is full, and one that can no longer be written.

use std::process::Output;

use rustix::process::Signal;
use serde_json::json;

use super::integrity;
use super::volume::{Volume, with_volume};
use msp_testkit::{Caller, Program, ProgramFolder, now, until};

/// The outcome of a call: its value, or the code of its error; a plain 401 has an empty one.
async fn call(server: &Program, caller: &Caller) -> Result<(), String> {
    let (rid, body) = caller.envelope(now(), "time_test", None);
    let answered = server.post(body).await;
    if answered.body.is_empty() {
        return Err(String::new());
    }
    caller.open(&rid, &answered).outcome.map(drop).map_err(|failure| failure.code.to_string())
}

/// Calls until nothing is accepted any more; until then every call is answered.
async fn until_busy(server: &Program, caller: &Caller) {
    until("the mark can no longer rise", async || match call(server, caller).await {
        Ok(()) => false,
        Err(code) if code == "busy" => true,
        Err(other) => panic!("neither an answer nor busy: {other:?}"),
    })
    .await;
}

/// One more client, as the operator adds it.
fn append(bench: &ProgramFolder) -> Output {
    let key = msp_protocol::PrivateKey::generate(&mut msp_protocol::OsRng).public().to_string();
    bench.run("appendclient", &[&key])
}

fn fails_in_one_line(output: &Output, why: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains(why), "{told}");
}

async fn keys(bench: &ProgramFolder) -> Vec<String> {
    bench.registry().await.clients().await.unwrap().iter().map(|client| client.key.to_string()).collect()
}

#[test]
fn in_a_namespace_a_full_disk_is_answered_busy_and_when_there_is_space_again_nothing_was_lost() {
    with_volume(
        "faults::volumes::in_a_namespace_a_full_disk_is_answered_busy_and_when_there_is_space_again_nothing_was_lost",
        full_disk,
    );
}

async fn full_disk(volume: Volume) {
    let bench = ProgramFolder::within(&volume.path());
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    assert!(append(&bench).status.success());
    let known = keys(&bench).await;
    volume.fill();
    until_busy(&server, &caller).await;
    let ready = server.ready().await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("the registry cannot be written"), "{}", ready.body);
    server.post(caller.classic(now(), "time_test")).await.assert_plain();
    fails_in_one_line(&append(&bench), "full");
    assert_eq!(call(&server, &caller).await, Err("busy".to_owned()), "it goes on answering");
    assert!(server.log.lock().unwrap().contains("requests are refused until the registry can be written"));
    // The last block of the file may still have had room.
    until("lines are lost to the file", async || {
        server.signal(Signal::HUP);
        let written = std::fs::read_to_string(bench.path("log/latest.log")).unwrap();
        server.log.lock().unwrap().lines().count() > written.lines().count() + 10
    })
    .await;
    volume.free();
    until("a call is accepted again", async || call(&server, &caller).await.is_ok()).await;
    assert_eq!(server.ready().await.body, "ready\n");
    until("lines are written to the file again", async || {
        server.signal(Signal::HUP);
        std::fs::read_to_string(bench.path("log/latest.log")).unwrap().contains("earlier lines were lost")
    })
    .await;
    assert_eq!(integrity(&bench.path("sec/registry.db")).await, "ok");
    assert_eq!(keys(&bench).await, known, "what failed left nothing, what was told stays");
    assert!(append(&bench).status.success());
    assert!(server.stop().success());
}

#[test]
fn in_a_namespace_a_server_killed_on_a_full_disk_knows_everyone_and_accepts_nothing_again_once_there_is_space()
 {
    with_volume(
        "faults::volumes::in_a_namespace_a_server_killed_on_a_full_disk_knows_everyone_and_accepts_nothing_again_once_there_is_space",
        killed_on_a_full_disk,
    );
}

async fn killed_on_a_full_disk(volume: Volume) {
    let bench = ProgramFolder::within(&volume.path());
    let server = bench.serve();
    let mut caller = bench.client(&server, "laptop").await;
    volume.fill();
    let mut accepted = Vec::new();
    until("the mark can no longer rise", async || {
        let body = caller.fresh("time_test");
        let (busy, answered) = (call(&server, &caller).await, server.post(body.clone()).await);
        if answered.status == 200 && busy.is_ok() {
            accepted.push(body);
        }
        busy == Err("busy".to_owned())
    })
    .await;
    assert!(!server.kill().success());
    // What the killed server had written may have made room; if so, this client is told and must be found.
    let appended = append(&bench);
    if !appended.status.success() {
        fails_in_one_line(&appended, "registry.db");
    }
    let known = 1 + usize::from(appended.status.success());
    volume.free();
    let server = bench.serve();
    caller.address = server.address;
    until("a fresh call is accepted", async || call(&server, &caller).await.is_ok()).await;
    for body in accepted {
        assert_eq!(server.post(body).await.status, 401);
    }
    assert_eq!(keys(&bench).await.len(), known);
    assert_eq!(integrity(&bench.path("sec/registry.db")).await, "ok");
    assert!(server.stop().success());
}

#[test]
fn in_a_namespace_a_volume_that_becomes_read_only_is_answered_busy_and_stops_a_start_in_one_line() {
    with_volume(
        "faults::volumes::in_a_namespace_a_volume_that_becomes_read_only_is_answered_busy_and_stops_a_start_in_one_line",
        read_only,
    );
}

async fn read_only(volume: Volume) {
    let bench = ProgramFolder::within(&volume.path());
    let server = bench.serve();
    let mut caller = bench.client(&server, "laptop").await;
    let known = keys(&bench).await;
    volume.break_down();
    until_busy(&server, &caller).await;
    let ready = server.ready().await;
    assert!(ready.status == 503 && ready.body.contains("the registry cannot be written"), "{ready:?}");
    server.post(caller.classic(now(), "time_test")).await.assert_plain();
    fails_in_one_line(&append(&bench), "Read-only");
    assert!(server.stop().success(), "it stops as it should");
    let start = bench.command("msp-server").args(["--port", "0"]).output().unwrap();
    let told = String::from_utf8_lossy(&start.stderr);
    let complaints: Vec<&str> = told.lines().filter(|line| line.contains("msp-server: ")).collect();
    assert!(start.status.code() == Some(1) && complaints.len() == 1, "{told}");
    assert!(complaints[0].contains("registry.db") && complaints[0].contains("Read-only"), "{told}");
    volume.repair();
    let server = bench.serve();
    caller.address = server.address;
    until("a call is accepted", async || call(&server, &caller).await.is_ok()).await;
    assert_eq!(keys(&bench).await, known);
    assert_eq!(integrity(&bench.path("sec/registry.db")).await, "ok");
    let answered = caller.envelope(now(), "echo", Some(&json!(1)));
    assert_eq!(server.post(answered.1).await.status, 200);
    assert!(server.stop().success());
}
