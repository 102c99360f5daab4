//! What a function leaves behind, and whether it outlives its call.

use serde_json::{Value, json};

use super::place::{Place, Plan};
use crate::harness::until;

/// Forks twice, tries to leave its group and session, and says who is left.
const LEAVE: &str = "
import os, sys, time
def entry_call():
    reader, writer = os.pipe()
    if os.fork() == 0:
        for leave in (os.setsid, lambda: os.setpgid(0, 0)):
            try:
                leave()
            except OSError:
                pass
        if os.fork():
            os._exit(0)
        os.write(writer, str(os.getpid()).encode())
        for descriptor in range(3):
            os.close(descriptor)
        time.sleep(1000)
    os.wait()
    return os.read(reader, 100).decode()
def hang():
    sys.stderr.write('left ' + entry_call() + '\\n')
    sys.stderr.flush()
    time.sleep(1000)
";

/// True when the process exists, as a zombie too.
fn exists(id: &str) -> bool {
    std::path::Path::new("/proc").join(id.trim()).exists()
}

async fn ends(id: &str) {
    until("the end of what was left behind", async || !exists(id)).await;
}

fn text(value: Result<Value, String>) -> String {
    value.unwrap().as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_an_executable_started_outlives_its_call_not_even_as_a_zombie() {
    let program = format!("#!/usr/bin/env python3\n{LEAVE}\nprint(entry_call())\n");
    let place = Plan::new().program("leave", &program, "").start().await;
    for _ in 0..3 {
        ends(&text(place.call("leave", json!({})).await)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_python_function_started_outlives_its_worker() {
    let hang = LEAVE.replace("def entry_call", "def leave").replace("entry_call()", "leave()");
    let hang = hang.replace("def hang", "def entry_call");
    let place = Plan::new().python("hang", &hang, "Timeout=1").start().await;
    assert_eq!(place.call("hang", json!({})).await, Err("timeout".to_owned()));
    let id = told(&place, "left ").await;
    ends(&id).await;
}

/// The word after this text in the log.
async fn told(place: &Place, text: &str) -> String {
    until(text, async || place.logged(text)).await;
    let log = place.server.log.lock().unwrap();
    log.split_once(text).unwrap().1.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_end_with_a_server_that_was_killed() {
    let place = Plan::new().start().await;
    let worker = place.call("whose", json!({})).await.unwrap().to_string();
    assert!(exists(&worker));
    let Place { server, bench, .. } = place;
    assert!(!server.kill().success());
    ends(&worker).await;
    drop(bench);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_temporary_folder_is_private_and_goes_with_its_process() {
    let program =
        "#!/bin/sh\nmkdir -p $HOME/a/b && chmod 0 $HOME/a && echo x > $TMPDIR/file && pwd && echo $HOME\n";
    let place = Plan::new().program("litter", program, "").start().await;
    let answer = text(place.call("litter", json!({})).await);
    let home = std::path::PathBuf::from(answer.lines().nth(1).unwrap());
    assert_eq!(home.parent(), Some(place.scratch().as_path()));
    until("the folder is gone", async || !home.exists()).await;
    let scratch = place.scratch();
    assert!(scratch.exists());
    assert!(place.server.stop().success());
    assert!(!scratch.exists(), "left after a stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_removes_what_a_killed_server_has_left_in_its_temporary_folder() {
    let source = "import os\ndef entry_call():\n    open(os.environ['HOME'] + '/left', 'w').close()\n    return os.environ['HOME']\n";
    let place = Plan::new().python("litter", source, "").start().await;
    let left = std::path::Path::new(&text(place.call("litter", json!({})).await)).join("left");
    let Place { server, bench, .. } = place;
    assert!(!server.kill().success());
    assert!(left.exists());
    let again = bench.serve();
    assert!(!left.exists());
    assert!(again.stop().success());
}
