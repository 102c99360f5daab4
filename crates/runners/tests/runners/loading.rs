//! Modules that write reports of their own making while they load: they harm no other.

use std::fs;

use serde_json::json;

use crate::support::{Folder, PATIENCE, Running, until};

/// Writes to the socket of its worker as the worker itself does.
const FORGE: &str = "
import gc, itertools, json, os, socket, struct, time
[s] = [o for o in gc.get_objects() if isinstance(o, socket.socket)]
def forge(**members):
    body = json.dumps(members).encode()
    s.sendall(struct.pack('>IQ', len(body), 0) + body)
def entry_call():
    return 'forged'
";
const FINE: &str = "def entry_call():\n    return 'fine'\n";

/// Starts a forger between modules that are fine.
async fn beside(forgery: &str) -> Running {
    let forger = format!("{FORGE}{forgery}\n");
    let folder = Folder::new().python("a", FINE).python("forger", &forger).python("z", FINE);
    let started = tokio::time::timeout(PATIENCE, folder.start()).await;
    started.unwrap_or_else(|_| panic!("the start does not end: {forgery}"))
}

/// All but the forger are served, and one line tells of it. Stops the runners, so that they write into no
/// other log when their files are gone.
async fn assert_the_others_are_served(running: &Running, forgery: &str) -> String {
    assert_eq!(running.names(), ["a", "z"], "{forgery}");
    for function in ["a", "z"] {
        assert_eq!(running.call(function).await, Ok(json!("fine")), "{forgery}");
    }
    let lines = running.log.lines();
    assert_eq!(lines.len(), 1, "{forgery}: {lines:?}");
    assert!(lines[0].contains("Python module forger does not load, skipped: "), "{forgery}: {lines:?}");
    running.runners.stop().await;
    lines[0].clone()
}

#[tokio::test]
async fn a_module_that_blames_what_does_not_exist_is_left_out_itself() {
    for forgery in [
        "forge(loading='nosuch', attempt=0)\nos._exit(1)",
        "forge(loading='forger', attempt=7)\nos._exit(1)",
        "forge(loading='z', attempt=1)\nos._exit(1)",
    ] {
        let running = beside(forgery).await;
        let line = assert_the_others_are_served(&running, forgery).await;
        assert!(line.contains("it sent a report that was not due while it was loading"), "{line}");
    }
}

#[tokio::test]
async fn forged_failures_are_not_kept() {
    for forgery in [
        "for n in range(300): forge(failed=f'nosuch{n}', attempt=0, error='x' * 100000)",
        "for n in range(300): forge(failed='forger', attempt=0, error='x' * 100000)",
        "for n in range(300): forge(failed='a', attempt=0, error='x')",
        "forge(failed='forger', attempt=0, error='x' * 10000000)",
    ] {
        let running = beside(forgery).await;
        let line = assert_the_others_are_served(&running, forgery).await;
        assert!(line.len() < 1000, "{forgery}: {} bytes", line.len());
    }
}

#[tokio::test]
async fn a_long_reason_is_cut() {
    let forgery = "import __main__\n__main__.describe = lambda error: b'x' * 100000\nraise ValueError";
    let running = beside(forgery).await;
    let line = assert_the_others_are_served(&running, forgery).await;
    assert!(line.contains("xxxxx") && line.len() < 17_000, "{} bytes", line.len());
}

#[tokio::test]
async fn a_module_that_reports_for_ever_does_not_load_for_ever() {
    for forgery in [
        "while True:\n    forge(loading='forger', attempt=0)\n    time.sleep(0.05)",
        "while True:\n    forge(failed='forger', attempt=0, error='x')\n    time.sleep(0.05)",
        "while True:\n    forge(loaded='forger', attempt=0, asynchronous=False)\n    time.sleep(0.05)",
    ] {
        let running = beside(forgery).await;
        assert_the_others_are_served(&running, forgery).await;
    }
}

#[tokio::test]
async fn a_file_that_begins_to_forge_replaces_nothing_and_other_files_are_still_taken_up() {
    let running = Folder::new().python("m", FINE).python("n", FINE).start().await;
    let forgery = "open('MARKS/up', 'w').write('1')\nforge(loading='nosuch', attempt=0)\nos._exit(1)\n";
    let forger = format!("{FORGE}{forgery}").replace("MARKS", running.folder.marks().to_str().unwrap());
    running.folder.write("m.py", &forger);
    running.folder.write("n.py", &FINE.replace("fine", "new"));
    until("new", async || (running.call("n").await == Ok(json!("new"))).then_some(())).await;
    assert_eq!(running.call("m").await, Ok(json!("fine")));
    assert_eq!(fs::read_to_string(running.folder.marks().join("up")).unwrap(), "1");
    let line = running.logged("Python module m does not load, what loaded before stays in use").await;
    assert!(line.contains("it sent a report that was not due"), "{line}");
}
