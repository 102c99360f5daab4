//! `kill -9`, again and again, of the server and of `appendclient` while both work.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use msp_protocol::{OsRng, PrivateKey, RngCore as _, Secret};

use super::integrity;
use msp_testkit::{Caller, Program, ProgramFolder, http, until};

/// Kills of each program, unless `MSP_KILLS` says otherwise.
const KILLS: usize = 20;

/// A client that `appendclient` registers, perhaps.
struct Registration {
    key: PrivateKey,
    child: Child,
}

impl Registration {
    /// Every other client is linked.
    fn begin(bench: &ProgramFolder, number: usize) -> Self {
        let key = PrivateKey::generate(&mut OsRng);
        let mut command = bench.command("appendclient");
        command.arg(key.public().to_string());
        if number % 2 == 1 {
            command.args(["--name", &format!("client-{number}")]);
        }
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { key, child }
    }

    /// The end of it, and the client if its operator was told its whole secret.
    fn end(mut self) -> (ExitStatus, Option<(PrivateKey, Secret)>) {
        let status = self.child.wait().unwrap();
        let mut told = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        let secret = told.split_once("Client Hex Secret: ").and_then(|(_, rest)| rest.split_once('\n'));
        let secret = secret.map(|(secret, _)| Secret::parse(secret).unwrap());
        assert!(secret.is_some() || !status.success(), "{told}");
        (status, secret.map(|secret| (self.key, secret)))
    }
}

/// Calls without a pause, whatever comes back, and counts the answers.
fn traffic(server: &Program, body: impl Fn() -> String + Send + 'static) -> Arc<AtomicUsize> {
    let (answers, url) = (Arc::new(AtomicUsize::new(0)), server.url("/v1"));
    let counted = answers.clone();
    tokio::spawn(async move {
        let http = http();
        loop {
            let request = http.post(&url).header("Content-Type", "application/json").body(body());
            // The first failure says that the server was killed.
            let Ok(_answered) = request.send().await else { return };
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    answers
}

/// The registry is whole, and everyone is found who was acknowledged.
async fn check(bench: &ProgramFolder, acknowledged: &[(PrivateKey, Secret)]) -> usize {
    assert_eq!(integrity(&bench.path("sec/registry.db")).await, "ok");
    let found = bench.registry().await.clients().await.unwrap();
    let keys: BTreeSet<String> = found.iter().map(|client| client.key.to_string()).collect();
    for (key, _) in acknowledged {
        assert!(keys.contains(&key.public().to_string()), "acknowledged and lost: {}", key.public());
    }
    keys.len()
}

fn random(below: u64) -> u64 {
    OsRng.next_u64() % below
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_of_the_server_or_of_appendclient_loses_nobody_who_was_acknowledged() {
    let kills = std::env::var("MSP_KILLS").map_or(KILLS, |count| count.parse().unwrap());
    let bench = ProgramFolder::new();
    let mut server = bench.serve();
    let caller = bench.client(&server, "caller").await;
    let mut acknowledged = vec![(caller.key.clone(), caller.secret.clone())];
    let mut registrations = 0..;
    let mut next = || Registration::begin(&bench, registrations.next().unwrap());
    for _ in 0..kills {
        let calling = Caller { address: server.address, ..caller.clone() };
        let answers = traffic(&server, move || calling.fresh("time_test"));
        // Up to as long as it takes, so that it is hit in all its moments; one that has ended before is not counted.
        let mut ended = true;
        while ended {
            let mut registration = next();
            tokio::time::sleep(Duration::from_millis(random(60))).await;
            registration.child.kill().unwrap();
            let (status, told) = registration.end();
            ended = status.success();
            acknowledged.extend(told);
            check(&bench, &acknowledged).await;
        }
        let registration = next();
        let enough = answers.load(Ordering::Relaxed) + random(40) as usize;
        until("calls are answered", async || answers.load(Ordering::Relaxed) >= enough).await;
        assert!(!server.kill().success());
        let (status, told) = registration.end();
        assert!(status.success(), "the server's death is not the registry's");
        acknowledged.extend(told);
        check(&bench, &acknowledged).await;
        server = bench.serve();
    }
    let found = check(&bench, &acknowledged).await;
    println!("{kills} kills of each: {} clients acknowledged, {found} found", acknowledged.len());
    for (key, secret) in &acknowledged {
        let caller = Caller {
            key: key.clone(),
            secret: secret.clone(),
            server: caller.server,
            address: server.address,
        };
        until("the client is served", async || server.post(caller.fresh("time_test")).await.status == 200)
            .await;
    }
    assert!(server.stop().success());
}
