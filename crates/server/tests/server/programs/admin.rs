//! msp-admin beside a running server.

use std::sync::Arc;

use msp_core::Marks as _;
use msp_core::clock::{Clock as _, SystemClock};
use msp_registry::SqlRegistry;

use msp_testkit::{ProgramFolder, http, stdout, until};

fn admin(bench: &ProgramFolder, arguments: &[&str]) -> String {
    stdout(&bench.run("msp-admin", arguments))
}

/// A key for a client that nobody else has.
fn key() -> String {
    msp_protocol::PrivateKey::generate(&mut msp_protocol::OsRng).public().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn why_bans_floor_and_doctor_ask_the_running_server() {
    let bench = ProgramFolder::new();
    let server = bench.serve();
    let request = http().post(server.url("/v1")).header("Content-Type", "application/json").body("{}");
    assert_eq!(request.send().await.unwrap().status(), 401);
    let why = admin(&bench, &["why", "--last", "5", "--json"]);
    assert!(why.contains("malformed: not the expected JSON"), "{why}");
    let log = std::fs::read_to_string(bench.path("log/latest.log")).unwrap();
    let id = log.split("req=").nth(1).unwrap().split_whitespace().next().unwrap();
    assert!(admin(&bench, &["why", id]).contains("malformed"), "by its id");
    assert_eq!(admin(&bench, &["bans", "--json"]).trim(), "[]");
    assert!(admin(&bench, &["floor", "show", "--json"]).contains("\"floor\""));
    assert!(admin(&bench, &["doctor"]).contains("isolation"));
    assert!(server.stop().success());
    let why = stdout(&bench.run("msp-admin", &["why", id]));
    assert!(why.contains("malformed"), "from the log, once the server has stopped: {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_taken_and_given_back_while_the_server_runs() {
    let bench = ProgramFolder::new();
    let server = bench.serve();
    let (kept, later) = (key(), key());
    let added = bench.run("msp-admin", &["client", "add", &kept, "--name", "kept"]);
    stdout(&added);
    admin(&bench, &["backup", "copy.db"]);
    stdout(&bench.run("msp-admin", &["client", "add", &later, "--name", "later"]));
    assert!(admin(&bench, &["client", "list"]).contains("later"));
    stdout(&bench.run("msp-admin", &["restore", "copy.db", "--yes"]));
    let list = admin(&bench, &["client", "list"]);
    assert!(list.contains("kept") && !list.contains("later"), "{list}");
    until("the server has heard of it", async || server.log.lock().unwrap().contains("clients=1 ")).await;
    let audit = admin(&bench, &["audit"]);
    assert!(audit.contains("registry.restore") && audit.contains("client.add"), "{audit}");
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_floor_is_shown_and_reset_only_when_the_operator_is_sure() {
    let bench = ProgramFolder::new();
    assert!(bench.serve().stop().success());
    let url = format!("sqlite:{}", bench.path("sec/registry.db").display());
    let clock = Arc::new(SystemClock::start());
    let registry = SqlRegistry::open(&url, clock.clone()).await.unwrap();
    registry.set_accepted_until(clock.unix() + 10_000).await.unwrap();
    let server = bench.serve();
    let unsure = bench.run("msp-admin", &["floor", "reset"]);
    assert!(!unsure.status.success(), "{unsure:?}");
    admin(&bench, &["floor", "reset", "--yes"]);
    assert!(admin(&bench, &["audit"]).contains("floor.reset"));
    let floor: serde_json::Value =
        serde_json::from_str(&admin(&bench, &["floor", "show", "--json"])).unwrap();
    assert!(floor["floor"].as_u64().unwrap() <= clock.unix(), "{floor}");
    assert!(server.stop().success());
}

#[test]
fn a_configuration_can_be_checked_before_a_start() {
    let bench = ProgramFolder::new();
    assert!(bench.serve().stop().success());
    admin(&bench, &["check-config"]);
    bench.write("config/config.ini", "[Clients]\nRequestTTL=0\n");
    let faulty = bench.run("msp-admin", &["check-config"]);
    assert_eq!(faulty.status.code(), Some(1));
    let told = String::from_utf8([faulty.stdout, faulty.stderr].concat()).unwrap();
    assert!(told.contains("config.ini") && told.contains("RequestTTL"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_and_doctor_name_what_does_not_load_and_why() {
    let bench = ProgramFolder::new();
    bench.write("config/modules.ini", "[Modules]\ntime_test=server_time\nhi=hello\nfails=fails\n");
    bench.write("modules/hello.py", "import nothing_of_that_name\n\ndef entry_call():\n    return 1\n");
    bench.write("modules/fails.py", "def entry_call():\n    raise ValueError('the disk is full')\n");
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    let call = |function: &'static str| server.post(caller.fresh(function));
    assert_eq!(call("fails").await.status, 200, "sealed");
    let row = |name: &str| {
        let rows: Vec<serde_json::Value> =
            serde_json::from_str(&admin(&bench, &["functions", "--json"])).unwrap();
        rows.into_iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} is not listed"))
    };
    let hi = row("hi");
    assert_eq!(hi["state"], "failed", "{hi}");
    assert!(hi["error"].as_str().unwrap().contains("nothing_of_that_name"), "{hi}");
    let fails = row("fails");
    assert_eq!((&fails["state"], &fails["failed"]), (&"ready".into(), &1.into()), "{fails}");
    assert!(fails["last_failure"].as_str().unwrap().contains("the disk is full"), "{fails}");
    let table = admin(&bench, &["functions"]);
    let line = table.lines().find(|line| line.starts_with("time_test\t")).unwrap();
    assert!(line.starts_with("time_test\tnative\tread\t-\tready\t"), "{line}");
    let doctor = bench.run("msp-admin", &["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    let told = String::from_utf8(doctor.stdout).unwrap();
    let line =
        told.lines().find(|line| line.starts_with("function hi\t")).unwrap_or_else(|| panic!("{told}"));
    assert!(line.contains("nothing_of_that_name"), "{line}");
    assert!(!told.contains("function fails"), "what loads is not named: {told}");
    assert!(server.stop().success());
}
