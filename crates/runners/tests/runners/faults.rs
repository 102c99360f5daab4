//! Functions that hang, crash, fork or flood: they harm only their own call.

use std::fs;
use std::time::Duration;

use msp_core::RunError;
use serde_json::{Value, json};

use crate::support::{Folder, Running, lives, until};

/// Does what it is told.
const DO: &str = "
import ctypes, gc, os, signal, socket, subprocess, sys, time
marks = 'MARKS'
def entry_call(code):
    scope = {}
    exec(code, globals(), scope)
    return scope.get('answer', 'done')
";
const FINE: &str = "import os\ndef entry_call():\n    return os.getpid()\n";

async fn running() -> Running {
    let folder = Folder::new().python("do", DO).with(|limits| limits.timeout = Duration::from_secs(1));
    folder.python("fine", FINE).start().await
}

fn order(running: &Running, code: &str) -> impl Future<Output = Result<Value, RunError>> + 'static {
    running.call_with("do", Some(json!({ "code": code })))
}

async fn touched(running: &Running, name: &str) -> String {
    let path = running.folder.marks().join(name);
    until(name, async || fs::read_to_string(&path).ok().filter(|text| !text.is_empty())).await
}

#[tokio::test]
async fn a_hang_is_a_timeout_and_calls_behind_it_are_answered_by_the_next_worker() {
    let running = running().await;
    let before = running.call("fine").await.unwrap();
    let culprit = tokio::spawn(order(&running, "open(marks + '/up', 'w').write('1')\nwhile True: pass"));
    touched(&running, "up").await;
    let behind: Vec<_> = (0..5).map(|_| tokio::spawn(running.call_with("fine", None))).collect();
    assert_eq!(culprit.await.unwrap(), Err(RunError::Timeout));
    for call in behind {
        let after = call.await.unwrap();
        assert!(after.as_ref().is_ok_and(|id| *id != before), "{after:?}");
    }
    assert_eq!(running.log.count("a Python worker is gone"), 1);
}

#[tokio::test]
async fn another_worker_goes_on_while_one_hangs() {
    let folder =
        Folder::new().workers(2).python("do", DO).with(|limits| limits.timeout = Duration::from_secs(3));
    let running = folder.python("fine", FINE).start().await;
    let mut ids = std::collections::BTreeSet::new();
    until("both workers", async || {
        let calls = futures_util::future::join_all((0..4).map(|_| running.call("fine"))).await;
        ids.extend(calls.into_iter().map(|id| id.unwrap().as_u64().unwrap()));
        (ids.len() == 2).then_some(())
    })
    .await;
    let culprit = tokio::spawn(order(&running, "open(marks + '/up', 'w').write('1')\ntime.sleep(1000)"));
    touched(&running, "up").await;
    for _ in 0..100 {
        assert!(running.call("fine").await.is_ok());
    }
    assert!(!culprit.is_finished(), "the others waited for it");
    assert_eq!(culprit.await.unwrap(), Err(RunError::Timeout));
}

#[tokio::test]
async fn a_crash_is_a_failure_of_the_call_that_ran_and_of_no_other() {
    let running = running().await;
    for (code, how) in [
        ("os._exit(7)", "exit status: 7"),
        ("ctypes.string_at(0)", "signal: 11"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "signal: 9"),
        ("os.closerange(0, 100)", "worker is gone"),
    ] {
        let (crash, beside) = tokio::join!(order(&running, code), running.call("fine"));
        match crash {
            Err(RunError::Failed(message)) => assert!(message.contains(how), "{code}: {message}"),
            other => panic!("{code}: {other:?}"),
        }
        assert!(beside.is_ok(), "{code}: {beside:?}");
    }
}

#[tokio::test]
async fn a_worker_that_calls_have_crashed_is_replaced_without_a_pause() {
    let running = running().await;
    for _ in 0..4 {
        assert!(matches!(order(&running, "os._exit(1)").await, Err(RunError::Failed(_))));
    }
    assert!(running.call("fine").await.is_ok());
    assert_eq!(running.log.count("another starts in 0 ms"), 4, "{:?}", running.log.lines());
}

#[tokio::test]
async fn closing_descriptor_zero_or_reading_it_harms_nothing() {
    let running = running().await;
    let before = running.call("fine").await;
    assert_eq!(order(&running, "answer = sys.stdin.read() + '.'").await, Ok(json!(".")));
    assert_eq!(order(&running, "os.close(0)").await, Ok(json!("done")));
    assert_eq!(running.call("fine").await, before);
}

#[tokio::test]
async fn a_fork_answers_once_and_its_child_cannot_speak_for_the_worker() {
    let running = running().await;
    let before = running.call("fine").await;
    for _ in 0..3 {
        assert_eq!(order(&running, "os.fork()").await, Ok(json!("done")));
        assert_eq!(running.call("fine").await, before);
    }
    let double = "
child = os.fork()
if child == 0:
    os.fork()
    raise ValueError";
    assert_eq!(order(&running, double).await, Ok(json!("done")));
    assert_eq!(running.call("fine").await, before);
    assert_eq!(running.log.count("worker is gone"), 0);
}

#[tokio::test]
async fn what_a_function_started_ends_with_its_call() {
    let running = running().await;
    let code = "
child = subprocess.Popen(['sleep', '1000'])
print('started', child.pid)
while True: pass";
    assert_eq!(order(&running, code).await, Err(RunError::Timeout));
    let line = running.log.find("started ").unwrap();
    let id = line.split_once("started ").unwrap().1.trim().to_owned();
    until("the child's end", async || (!lives(&id)).then_some(())).await;
    let id = order(&running, "answer = subprocess.Popen(['sleep', '1000']).pid").await.unwrap().to_string();
    assert!(!lives(&id));
}

#[tokio::test]
async fn a_flood_of_prints_is_bounded_and_harms_only_its_own_call() {
    let running = running().await;
    let flood = order(&running, "\nwhile True: print('x' * 100)").await;
    assert_eq!(flood, Err(RunError::Timeout));
    assert!(running.call("fine").await.is_ok());
    assert!(running.log.count("xxxxx") <= 400, "{}", running.log.count("xxxxx"));
    assert!(running.log.find("more lines within a second, not logged").is_some());
}

#[tokio::test]
async fn a_forged_answer_ends_the_worker_and_not_the_server() {
    let running = running().await;
    let forge = "
[s] = [o for o in gc.get_objects() if isinstance(o, socket.socket)]
s.sendall(b'\\xff' * 100)
time.sleep(1000)";
    match order(&running, forge).await {
        Err(RunError::Failed(message)) => {
            assert!(message.contains("more than an answer may hold"), "{message}")
        }
        other => panic!("{other:?}"),
    }
    assert!(running.call("fine").await.is_ok());
}

#[tokio::test]
async fn a_full_queue_is_busy_and_a_call_that_waits_too_long_is_refused() {
    let folder = Folder::new().python("do", DO).with(|limits| limits.max_concurrent = 5000);
    let folder = folder.python("fine", FINE).with(|limits| limits.timeout = Duration::from_millis(100));
    let running = folder.start().await;
    let hang = tokio::spawn(order(&running, "open(marks + '/up', 'w').write('1')\ntime.sleep(1000)"));
    touched(&running, "up").await;
    let behind = tokio::spawn(order(&running, "1"));
    let impatient = tokio::spawn(running.call_with("fine", None));
    assert_eq!(impatient.await.unwrap(), Err(RunError::Busy));
    let waiting: Vec<_> = (0..1100).map(|_| tokio::spawn(order(&running, "1"))).collect();
    let mut busy = 0;
    for call in waiting {
        let refused = tokio::select! {
            biased;
            outcome = call => outcome.unwrap() == Err(RunError::Busy),
            () = tokio::task::yield_now() => false,
        };
        busy += usize::from(refused);
    }
    assert!((76..=77).contains(&busy), "{busy}");
    running.runners.stop().await;
    for call in [hang, behind] {
        assert!(matches!(call.await.unwrap(), Err(RunError::Failed(_))));
    }
}

#[tokio::test]
async fn stop_ends_workers_and_dropping_the_runners_does_too() {
    let first = running().await;
    let id = first.call("fine").await.unwrap().to_string();
    assert!(lives(&id));
    first.runners.stop().await;
    until("the worker's end", async || (!lives(&id)).then_some(())).await;
    assert!(matches!(first.call("fine").await, Err(RunError::Failed(_))));

    let second = running().await;
    let id = second.call("fine").await.unwrap().to_string();
    drop(second);
    until("the worker's end", async || (!lives(&id)).then_some(())).await;
}
