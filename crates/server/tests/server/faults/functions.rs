//! Functions at their worst, in Python and as executables: each harms its own call, and calls beside it are answered.

use std::os::unix::fs::PermissionsExt as _;

use futures_util::future::join_all;
use serde_json::json;

use msp_testkit::{Caller, NOW, TestServer};

/// Modules by name, what they do, and what their caller is told; nothing where it is an answer.
const PYTHON: &[(&str, &str, &str)] = &[
    ("hang", "while True: pass", "timeout"),
    ("sleep", "time.sleep(1000)", "timeout"),
    ("exit", "os._exit(0)", "function_failed"),
    ("suicide", "os.kill(os.getpid(), signal.SIGKILL)", "function_failed"),
    ("stop", "os.kill(os.getpid(), signal.SIGSTOP)", "timeout"),
    ("crash", "ctypes.string_at(0)", "function_failed"),
    ("close", "os.closerange(0, 256)", "function_failed"),
    ("fork", "os.fork()", ""),
    ("flood", "\n    while True: print('x' * 1000)", "timeout"),
    ("chatter", "print('x' * 100000000)", "timeout"),
    ("huge", "return 'x' * 3000000", "too_large"),
    ("bytes", "return b'\\xff'", "function_failed"),
    ("object", "return object()", "function_failed"),
    ("broken", "return '\\ud800'", "function_failed"),
    ("deep", "\n    x = []\n    for _ in range(100000): x = [x]\n    return x", "function_failed"),
];

const EXECUTABLES: &[(&str, &str, &str)] = &[
    ("x-hang", "while :; do :; done", "timeout"),
    ("x-sleep", "sleep 1000", "timeout"),
    ("x-exit", "exit 3", "function_failed"),
    ("x-suicide", "kill -9 $$", "function_failed"),
    ("x-stop", "kill -STOP $$", "timeout"),
    ("x-close", "exec 0<&- 1>&- 2>&-; sleep 1000", "timeout"),
    ("x-flood", "yes", "too_large"),
    ("x-errors", "yes >&2", "timeout"),
    ("x-children", "sleep 1000 & sleep 1000 & echo '\"left behind\"'", ""),
    ("x-bytes", "printf '\\377\\376'", "function_failed"),
];

/// A server with all of them, and some that are well.
async fn server() -> TestServer {
    let mut modules = "time_test=simple_time\nfine=fine\nx-fine=x-fine\n".to_owned();
    let mut sections = String::new();
    for (name, ..) in PYTHON.iter().chain(EXECUTABLES) {
        modules += &format!("{name}={name}\n");
        sections += &format!("[{name}]\nTimeout=1\n");
    }
    let mut builder = TestServer::builder().with_modules(&(modules + &sections));
    for (name, code, _) in PYTHON.iter().chain(&[("fine", "return 'fine'", "")]) {
        let text =
            format!("import ctypes, os, signal, time\n\ndef entry_call():\n    {code}\n    return 'done'\n");
        builder = builder.with_module(&format!("{name}.py"), &text);
    }
    for (name, code, _) in EXECUTABLES.iter().chain(&[("x-fine", "echo fine", "")]) {
        builder = builder.with_module(name, &format!("#!/bin/sh\n{code}\n"));
        let file = builder.path().join("modules").join(name);
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    builder.start().await
}

/// Calls the culprit, and others beside it and after it.
async fn tried(server: &TestServer, caller: &Caller, culprit: &str, told: &str) {
    let beside = join_all((0..4).flat_map(|_| {
        ["time_test", "fine", "x-fine"].map(|function| caller.call(server, NOW, function, None))
    }));
    let (called, beside) = tokio::join!(caller.call(server, NOW, culprit, None), beside);
    assert_eq!(called.0, 200, "{culprit}");
    assert_eq!(called.1.err().unwrap_or_default(), told, "{culprit}");
    for outcome in beside {
        assert!(outcome.0 == 200 && outcome.1.is_ok(), "beside {culprit}: {outcome:?}");
    }
    assert_eq!(caller.call(server, NOW, "fine", None).await, (200, Ok(json!("fine"))), "after {culprit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_function_at_its_worst_harms_only_its_own_call() {
    let server = server().await;
    let caller = server.unlinked().await;
    for (culprit, _, told) in PYTHON {
        tried(&server, &caller, culprit, told).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executable_at_its_worst_harms_only_its_own_call() {
    let server = server().await;
    let caller = server.unlinked().await;
    for (culprit, _, told) in EXECUTABLES {
        tried(&server, &caller, culprit, told).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_them_at_once_leave_the_server_and_its_other_callers_unharmed() {
    let server = server().await;
    let caller = server.unlinked().await;
    let worst = join_all(
        PYTHON.iter().chain(EXECUTABLES).map(|(culprit, ..)| caller.call(&server, NOW, culprit, None)),
    );
    let native = async {
        for _ in 0..50 {
            assert!(caller.call(&server, NOW, "time_test", None).await.1.is_ok());
        }
    };
    let (worst, ()) = tokio::join!(worst, native);
    assert!(worst.iter().all(|(status, _)| *status == 200), "{worst:?}");
    for function in ["fine", "x-fine", "time_test"] {
        assert!(caller.call(&server, NOW, function, None).await.1.is_ok(), "{function}");
    }
}
