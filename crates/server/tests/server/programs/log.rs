//! What the log has of calls: a line of each, and every failure of a function.

use rustix::process::Signal;
use serde_json::json;

use msp_testkit::{Program, ProgramFolder, http, now, until};

/// The lines that hold this, once there are so many.
async fn lines(bench: &ProgramFolder, part: &str, count: usize) -> Vec<String> {
    let found = || {
        let log = std::fs::read_to_string(bench.path("log/latest.log")).unwrap_or_default();
        log.lines().filter(|line| line.contains(part)).map(str::to_owned).collect::<Vec<_>>()
    };
    until("the log has them", async || found().len() >= count).await;
    found()
}

/// What stands behind the request's id and before the time.
fn shape(line: &str) -> &str {
    line.split_once(" door=").unwrap().1.rsplit_once(" ms=").unwrap().0
}

fn broken(bench: &ProgramFolder, sections: &str) -> Program {
    bench.write("modules/broken.py", "def entry_call(**args):\n    raise ValueError('no such drive')\n");
    bench.write(
        "config/modules.ini",
        "[Modules]\ntime_test=simple_time\nbroken=broken\necho=echo\n[broken]\nRoute=open\n",
    );
    bench.write("config/config.ini", &format!("[Doors]\nplugin=on\n[paths]\nplugins=plugins\n{sections}"));
    std::fs::create_dir(bench.path("plugins")).unwrap();
    bench.serve()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_of_each_door_has_one_line_without_its_arguments() {
    let bench = ProgramFolder::new();
    let server = broken(&bench, "");
    let caller = bench.client(&server, "laptop").await;
    let secret = json!({"argument": "ARGUMENT-OF-THE-CALL"});
    server.post(caller.classic(now(), "time_test")).await;
    server.post(caller.envelope(now(), "echo", Some(&secret)).1).await;
    server.post(caller.envelope(now(), "evil name\u{202e}", None).1).await;
    server.post(caller.envelope(now(), "broken", Some(&secret)).1).await;
    http().post(server.url("/broken")).json(&secret).send().await.unwrap();
    http().get(server.url("/nothing")).send().await.unwrap();
    server.post("{}".to_owned()).await;
    let calls = lines(&bench, "INFO in access.rs: call req=", 6).await;
    assert_eq!(
        calls.iter().skip(1).map(|line| shape(line)).collect::<Vec<_>>(),
        [
            "sealed caller=laptop function=time_test outcome=ok",
            "sealed caller=laptop function=echo outcome=ok",
            r#"sealed caller=laptop function="evil name\u{202e}" outcome=unknown_function"#,
            "sealed caller=laptop function=broken outcome=function_failed",
            "plugin caller=- function=broken outcome=function_failed",
        ]
    );
    // The first was made until the server knew its caller.
    for line in &calls {
        assert!(line.rsplit_once(" ms=").unwrap().1.parse::<f64>().is_ok_and(|ms| ms < 60_000.0), "{line}");
    }
    let log = server.log.clone();
    assert!(server.stop().success());
    let told = log.lock().unwrap().clone() + &std::fs::read_to_string(bench.path("log/latest.log")).unwrap();
    assert_eq!(told.matches("access.rs: call").count(), 12, "on standard error as well: {told}");
    assert!(!told.contains("ARGUMENT-OF-THE-CALL"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_a_function_is_logged_whatever_else_its_address_did() {
    let bench = ProgramFolder::new();
    let server = broken(&bench, "[Log]\nAccess=off");
    let caller = bench.client(&server, "laptop").await;
    for _ in 0..3 {
        // What comes first has the address's one line of the minute.
        server.post("{}".to_owned()).await;
        server.post(caller.envelope(now(), "broken", None).1).await;
        http().get(server.url("/broken")).send().await.unwrap();
    }
    let failures = lines(&bench, "the function broken failed: ", 6).await;
    assert_eq!(failures.len(), 6, "{failures:#?}");
    for line in &failures {
        assert!(line.contains("ValueError: no such drive") && line.contains("broken.py"), "{line}");
        assert!(line.contains("line 2") || line.contains("broken.py:2"), "{line}");
    }
    let log = server.log.clone();
    assert!(server.stop().success());
    assert!(!log.lock().unwrap().contains("access.rs"), "switched off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_is_one_line_and_calls_go_on() {
    let bench = ProgramFolder::new();
    bench.write("log/latest.log/in_the_way", "a folder");
    let found = String::from_utf8(bench.run("msp-server", &["--check-config"]).stdout).unwrap();
    assert_eq!(
        found.lines().filter(|line| line.starts_with("[Log] Folder: log/latest.log is no file")).count(),
        1,
        "{found}"
    );
    assert!(!bench.run("msp-server", &["--check-config"]).status.success());
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    assert_eq!(server.post(caller.fresh("time_test")).await.status, 200);
    until("the call has its line", async || server.log.lock().unwrap().contains("access.rs: call")).await;
    let log = server.log.clone();
    assert!(server.stop().success());
    let told = log.lock().unwrap().clone();
    assert_eq!(told.matches("the log log/latest.log cannot be written: Is a directory").count(), 1, "{told}");
    assert!(!told.contains("panicked"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_logrotate_the_new_file_is_written() {
    let bench = ProgramFolder::new();
    let server = bench.serve();
    for round in 1..=2 {
        std::fs::rename(bench.path("log/latest.log"), bench.path(&format!("log/rotated.{round}"))).unwrap();
        bench.write("log/latest.log", "");
        server.signal(Signal::HUP);
        assert!(!lines(&bench, "reloaded: ", 1).await.is_empty());
    }
    assert!(server.stop().success());
}
