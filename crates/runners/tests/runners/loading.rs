//! Modules that write reports of their own making while they load, or load for long: they harm no other.

use std::fs;

use msp_core::Functions as _;
use msp_core::control::FunctionRow;
use serde_json::json;

use crate::support::{Folder, PATIENCE, Running, caller, until};

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
        "while True:\n    forge(loaded='forger', attempt=0, asynchronous=False, description='')\n    time.sleep(0.05)",
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

/// Loads when somebody has made a file.
const WAITS: &str = "
import os, time
while not os.path.exists('MARKS/go'): time.sleep(0.01)
def entry_call():
    return 'late'
";

#[tokio::test]
async fn a_module_that_loads_for_long_keeps_only_those_waiting_that_share_its_time_limit() {
    let folder = Folder::new().python("m", FINE).script("s", "echo script");
    let folder = folder.python("slow", WAITS).with(|limits| limits.load_timeout = PATIENCE * 2);
    let running = folder.start_at_once().await;
    for (function, answer) in [("s", "script\n"), ("m", "fine")] {
        let name = function.parse().unwrap();
        let catalogue = running.runners.catalogue_for(&name).await;
        let permit = msp_core::permit(&caller(), &catalogue, &name).unwrap();
        let output = msp_core::run(permit, msp_core::Input::default()).await.unwrap();
        let msp_core::Output::Value(value) = output else { panic!("{output:?}") };
        assert_eq!(value, json!(answer));
    }
    assert_eq!(running.runners.loading(), ["still loading: function slow"]);
    let denied = msp_core::permit(&caller(), &running.runners.catalogue(), &"slow".parse().unwrap());
    assert_eq!(denied.unwrap_err(), msp_core::Denied::Loading);
    fs::write(running.folder.marks().join("go"), "").unwrap();
    running.runners.loaded().await;
    assert_eq!(running.call("slow").await, Ok(json!("late")));
    assert!(running.runners.loading().is_empty());
}

#[tokio::test]
async fn a_module_that_takes_longer_than_its_load_timeout_is_left_out_and_the_report_says_why() {
    let folder = Folder::new().python("m", FINE);
    let limit = std::time::Duration::from_secs(1);
    let running = folder.python("slow", WAITS).with(|limits| limits.load_timeout = limit).start().await;
    let why = "it took longer than 1 s, which is its LoadTimeout while it was loading";
    let row = row(&running, "slow");
    let told = (row.source.as_str(), row.runner.as_deref(), row.namespace.as_deref());
    assert_eq!(told, ("modules.ini: slow", None, None));
    assert!(row.state.as_str() == "failed" && row.error.as_ref().unwrap().contains(why), "{row:?}");
    running.logged(why).await;
    assert_eq!(running.call("m").await, Ok(json!("fine")));
}

fn row(running: &Running, name: &str) -> FunctionRow {
    running.runners.report().into_iter().find(|row| row.name == name).unwrap()
}

#[tokio::test]
async fn the_report_tells_of_each_function_its_calls_and_why_its_file_does_not_load() {
    let running = Folder::new()
        .python(
            "m",
            "def entry_call(fails=False):\n    if fails:\n        raise ValueError('no')\n    return 1",
        )
        .python("broken", "def entry_call(:\n")
        .script("crlf", "echo hi")
        .start()
        .await;
    let state = |name: &str| row(&running, name).state.as_str();
    assert_eq!(running.call("m").await, Ok(json!(1)));
    assert!(running.call_with("m", Some(json!({"fails": true}))).await.is_err());
    let told = row(&running, "m");
    assert_eq!((told.calls, told.failed, told.state.as_str()), (2, 1, "ready"));
    assert!(told.last_failure.unwrap().ends_with("ValueError: no"));
    assert!(row(&running, "broken").error.unwrap().contains("broken.py:1: SyntaxError"));
    assert_eq!((state("broken"), state("crlf")), ("failed", "ready"));
    assert_eq!(row(&running, "msp/ping").source, "built in");
    assert_eq!(told.namespace.as_deref(), Some("msp"));
    // A program that stops being one is lost until it is mended.
    running.folder.write("crlf", "#!/bin/sh\r\necho hi\r\n");
    running.logged("function crlf is skipped: ").await;
    until("the report", async || (state("crlf") == "failed").then_some(())).await;
    assert!(row(&running, "crlf").error.unwrap().contains("CRLF"));
    running.folder.write("m.py", "raise ValueError('never')\n");
    until("the old one stays", async || (state("m") == "stale").then_some(())).await;
    let stale = row(&running, "m");
    assert!(stale.error.unwrap().ends_with("ValueError: never") && stale.calls == 2);
    running.folder.write("m.py", FINE);
    running.folder.write("crlf", "#!/bin/sh\necho hi\n");
    until("both are back", async || (state("m") == "ready" && state("crlf") == "ready").then_some(())).await;
    assert_eq!(row(&running, "m").error, None);
}

#[tokio::test]
async fn a_docstring_is_the_description_where_none_is_given() {
    let own = "'''The module.'''\ndef entry_call():\n    '''\n    What it\n    does.\n\n    More.\n    '''\n";
    let mut folder = Folder::new()
        .python("m", own)
        .python("n", "'''The module says it.'''\ndef entry_call():\n    pass\n")
        .python("o", "'''Not this.'''\ndef entry_call():\n    pass\n")
        .python("p", FINE);
    for spec in folder.specs.iter_mut().filter(|spec| spec.module != "o") {
        spec.description.clear();
    }
    let running = folder.start().await;
    let catalogue = running.runners.catalogue();
    let described = ["m", "n", "o", "p"].map(|name| {
        catalogue.find(&name.parse().unwrap()).map(|function| function.description.clone()).unwrap()
    });
    assert_eq!(described, ["What it does.", "The module says it.", "does o", ""]);
}
