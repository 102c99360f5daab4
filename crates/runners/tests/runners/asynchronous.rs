//! Functions written as `async def`.

use std::time::Duration;

use futures_util::future::join_all;
use msp_core::RunError;
use serde_json::json;

use crate::support::Folder;

/// Answers once as many calls are under way as it is told: only calls that overlap ever end.
const MEET: &str = "
import asyncio
here = 0
all_here = None
async def entry_call(count):
    global here, all_here
    all_here = all_here or asyncio.Event()
    here += 1
    if here == count:
        all_here.set()
    await all_here.wait()
    return here
";

#[tokio::test]
async fn calls_overlap() {
    let running = Folder::new().python("meet", MEET).start().await;
    let calls = (0..50).map(|_| running.call_with("meet", Some(json!({ "count": 50 }))));
    let answers = join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == Ok(json!(50))), "{answers:?}");
}

#[tokio::test]
async fn a_synchronous_function_does_not_hold_them_up() {
    let gate = "
import threading
open_ = threading.Event()
def entry_call():
    open_.wait()
    return 'through'
";
    let key = "
import gate
async def entry_call():
    gate.open_.set()
    return 'opened'
";
    let running = Folder::new().python("gate", gate).python("key", key).start().await;
    let waiting = tokio::spawn(running.call_with("gate", None));
    assert_eq!(running.call("key").await, Ok(json!("opened")));
    assert_eq!(waiting.await.unwrap(), Ok(json!("through")));
}

#[tokio::test]
async fn one_that_takes_too_long_is_cancelled_and_the_worker_lives_on() {
    let slow = "
import asyncio, os
async def entry_call(wait):
    if wait:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            print('was cancelled')
            raise
    return os.getpid()
";
    let running = Folder::new()
        .python("slow", slow)
        .with(|limits| limits.timeout = Duration::from_millis(200))
        .start()
        .await;
    let before = running.call_with("slow", Some(json!({ "wait": false }))).await.unwrap();
    assert_eq!(running.call_with("slow", Some(json!({ "wait": true }))).await, Err(RunError::Timeout));
    running.logged("was cancelled").await;
    assert_eq!(running.call_with("slow", Some(json!({ "wait": false }))).await, Ok(before));
}

#[tokio::test]
async fn one_that_blocks_the_loop_is_killed_after_the_grace() {
    let block = "
import os, time
async def entry_call(wait):
    if wait:
        time.sleep(1000)
    return os.getpid()
";
    let running = Folder::new()
        .python("block", block)
        .with(|limits| limits.timeout = Duration::from_millis(200))
        .start()
        .await;
    let before = running.call_with("block", Some(json!({ "wait": false }))).await.unwrap();
    assert_eq!(running.call_with("block", Some(json!({ "wait": true }))).await, Err(RunError::Timeout));
    assert_ne!(running.call_with("block", Some(json!({ "wait": false }))).await.unwrap(), before);
}

#[tokio::test]
async fn whatever_one_raises_is_its_own_failure() {
    let raise = "
import asyncio, builtins, os
async def entry_call(name):
    if name == 'pid':
        return os.getpid()
    await asyncio.sleep(0)
    raise getattr(builtins, name, None) or getattr(asyncio, name)
";
    let running = Folder::new().python("raise_", raise).start().await;
    let call = |name: &str| running.call_with("raise_", Some(json!({ "name": name })));
    let before = call("pid").await;
    for name in ["ValueError", "SystemExit", "KeyboardInterrupt", "CancelledError", "GeneratorExit"] {
        match call(name).await {
            Err(RunError::Failed(message)) => assert!(message.contains(name), "{message}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(call("pid").await, before);
}

#[tokio::test]
async fn a_task_that_is_left_behind_and_exits_does_not_stop_the_others() {
    let leave = "
import asyncio, os
async def leave():
    raise SystemExit(1)
async def entry_call():
    asyncio.get_running_loop().create_task(leave())
    await asyncio.sleep(0.01)
    return os.getpid()
";
    let running = Folder::new().python("leave", leave).start().await;
    let first = running.call("leave").await;
    assert!(first.is_ok(), "{first:?}");
    assert_eq!(running.call("leave").await, first);
}
