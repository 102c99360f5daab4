//! What a Python module may do, and what its caller gets.

use std::time::Duration;

use msp_core::RunError;
use serde_json::{Value, json};

use crate::support::{Folder, Running};

fn failure(outcome: Result<Value, RunError>) -> String {
    match outcome {
        Err(RunError::Failed(message)) => message,
        other => panic!("not a failure: {other:?}"),
    }
}

/// Evaluates its argument; stands for any function that gives such a value or does such a thing.
const GIVE: &str = "
import os, sys, time, builtins
def entry_call(code):
    return eval(code)
";

async fn give(running: &Running, code: &str) -> Result<Value, RunError> {
    running.call_with("give", Some(json!({ "code": code }))).await
}

#[tokio::test]
async fn share_point_14_time_test_in_python_has_the_documented_shape() {
    let shipped = include_str!("../../../../modules/simple_time.py");
    let running = Folder::new().python("simple_time", shipped).start().await;
    let answer = running.call("simple_time").await.unwrap();
    let time = answer.as_str().unwrap().strip_prefix("It is currently: \n\t").unwrap();
    let parsed = chrono::NaiveDateTime::parse_from_str(time, "%a %b %e %H:%M:%S %Y").unwrap();
    assert_eq!(parsed.format("%a %b %e %H:%M:%S %Y").to_string(), time);
}

#[tokio::test]
async fn text_comes_back_as_text_and_other_values_as_json() {
    let running = Folder::new().python("give", GIVE).start().await;
    for (code, answer) in [
        ("''", json!("")),
        ("'grüße\\n\"'", json!("grüße\n\"")),
        ("{'a': [1, 2.5, None, True], 'b': ('x',)}", json!({ "a": [1, 2.5, null, true], "b": ["x"] })),
        ("None", json!(null)),
        ("{1: 2}", json!({ "1": 2 })),
    ] {
        assert_eq!(give(&running, code).await, Ok(answer), "{code}");
    }
}

#[tokio::test]
async fn what_is_neither_text_nor_json_is_a_failure() {
    let running = Folder::new().python("give", GIVE).start().await;
    for code in
        ["b'bytes'", "object()", "float('nan')", "'\\ud800'", "['\\ud800']", "10 ** 400", "(x for x in [])"]
    {
        failure(give(&running, code).await);
    }
    let nested = "[x := []] and [x := [x] for _ in range(100000)][-1]";
    failure(give(&running, nested).await);
    assert_eq!(give(&running, "1").await, Ok(json!(1)));
}

#[tokio::test]
async fn an_exception_is_a_failure_with_type_message_file_and_line() {
    let source = "def entry_call():\n    inner()\n\ndef inner():\n    raise KeyError('of\\ncourse')\n";
    let running = Folder::new().python("wrong", source).start().await;
    let message = failure(running.call("wrong").await);
    assert!(message.contains("wrong.py:5: KeyError: 'of\\ncourse'"), "{message}");
}

#[tokio::test]
async fn exceptions_that_would_end_a_program_or_cannot_be_told_are_failures_too() {
    let source = "
class Mute(Exception):
    def __str__(self):
        raise SystemExit
def entry_call(what):
    def deep():
        deep()
    if what == 'mute':
        raise Mute
    if what == 'deep':
        deep()
    raise {'exit': SystemExit, 'interrupt': KeyboardInterrupt, 'memory': MemoryError}[what]
";
    let running = Folder::new().python("odd", source).start().await;
    for (what, text) in [
        ("exit", "SystemExit"),
        ("interrupt", "KeyboardInterrupt"),
        ("memory", "MemoryError"),
        ("deep", "RecursionError"),
        ("mute", "Mute: (its message cannot be read)"),
    ] {
        let message = failure(running.call_with("odd", Some(json!({ "what": what }))).await);
        assert!(message.contains(text), "{message}");
    }
    assert_eq!(running.log.count("worker is gone"), 0);
}

#[tokio::test]
async fn arguments_are_matched_by_name() {
    let source = "def entry_call(a, b=2, *, c=3):\n    return [a, b, c]\n";
    let running = Folder::new()
        .python("three", source)
        .python("none", "def entry_call():\n    return 'none'\n")
        .python("any_", "def entry_call(a, **rest):\n    return rest\n")
        .start()
        .await;
    let bad = |message: &str| Err(RunError::BadArguments(message.into()));
    for (function, args, outcome) in [
        ("three", json!({ "a": 1 }), Ok(json!([1, 2, 3]))),
        ("three", json!({ "c": 9, "a": 1 }), Ok(json!([1, 2, 9]))),
        ("three", json!({ "b": 1 }), bad("missing: a; it takes: a, b, c")),
        ("three", json!({ "a": 1, "d": 1 }), bad("unknown: d; it takes: a, b, c")),
        ("three", json!([1]), bad("the arguments must be a JSON object")),
        ("three", json!(null), bad("missing: a; it takes: a, b, c")),
        ("none", json!(null), Ok(json!("none"))),
        ("none", json!({}), Ok(json!("none"))),
        ("none", json!({ "a": 1 }), bad("unknown: a; it takes none")),
        ("any_", json!({ "a": 1, "x": 2 }), Ok(json!({ "x": 2 }))),
    ] {
        assert_eq!(running.call_with(function, Some(args.clone())).await, outcome, "{function} {args}");
    }
    assert_eq!(running.call("three").await, bad("missing: a; it takes: a, b, c"));
    assert_eq!(running.call("none").await, Ok(json!("none")));
}

#[tokio::test]
async fn a_modules_state_lives_as_long_as_its_worker() {
    let source = "count = 0\ndef entry_call():\n    global count\n    count += 1\n    return count\n";
    let running = Folder::new().python("count", source).start().await;
    for count in 1..=3 {
        assert_eq!(running.call("count").await, Ok(json!(count)));
    }
    running.runners.reload(running.folder.specs.clone()).await;
    assert_eq!(running.call("count").await, Ok(json!(4)), "a reload without a change keeps it");
}

#[tokio::test]
async fn prints_are_logged_with_surrogates_and_control_characters_escaped() {
    let source = "
import sys
def entry_call():
    print('one', end=' ')
    print('two\\x1b[2J\\udcff')
    print('to error', file=sys.stderr)
    return input_() or 'ok'
def input_():
    return sys.stdin.read()
";
    let running = Folder::new().python("chatty", source).start().await;
    assert_eq!(running.call("chatty").await, Ok(json!("ok")));
    running.logged("INFO function: python: one two\\u{1b}[2J\\udcff").await;
    running.logged("INFO function: python: to error").await;
}

#[tokio::test]
async fn a_module_is_loaded_under_its_own_name_and_path_with_its_helpers() {
    let folder = Folder::new();
    folder.write("pkg/__init__.py", "");
    folder.write("pkg/helper.py", "VALUE = 'helped'\n");
    folder.write("plain-helper.py", "");
    let source = "
from . import helper
from dataclasses import dataclass
@dataclass
class Pair:
    a: 'int'
def entry_call():
    import os
    return [__name__, __package__, os.path.basename(__file__), helper.VALUE, Pair(1).a]
";
    let dashed = "def entry_call():\n    return __name__\n";
    let running = folder.python("pkg.mod", source).python("with-dash", dashed).start().await;
    let answer = running.call("pkg.mod").await;
    assert_eq!(answer, Ok(json!(["pkg.mod", "pkg", "mod.py", "helped", 1])));
    assert_eq!(running.call("with-dash").await, Ok(json!("with-dash")));
}

#[tokio::test]
async fn a_module_may_have_the_name_of_one_of_pythons_own() {
    let running = Folder::new()
        .python("json", "import json\ndef entry_call():\n    return json.dumps([1])\n")
        .python("user", "import json\ndef entry_call():\n    return json.dumps([2])\n")
        .start()
        .await;
    assert_eq!(running.call("json").await, Ok(json!("[1]")));
    assert_eq!(running.call("user").await, Ok(json!("[2]")));
}

#[tokio::test]
async fn a_source_may_be_in_another_encoding() {
    let folder = Folder::new().python("old", "");
    let source = b"# -*- coding: latin-1 -*-\ndef entry_call():\n    return '\xfc'\n";
    std::fs::write(folder.path().join("old.py"), source).unwrap();
    let running = folder.start().await;
    assert_eq!(running.call("old").await, Ok(json!("ü")));
}

#[tokio::test]
async fn an_answer_over_the_limit_is_too_large() {
    let running = Folder::new().python("give", GIVE).with(|limits| limits.max_output = 10).start().await;
    assert_eq!(give(&running, "'x' * 10").await, Ok(json!("xxxxxxxxxx")));
    for code in ["'x' * 11", "'ü' * 6", "['xxxxxxx']", "'x' * 100_000_000"] {
        assert_eq!(give(&running, code).await, Err(RunError::TooLarge), "{code}");
    }
    assert_eq!(give(&running, "[1, 2]").await, Ok(json!([1, 2])));
}

#[tokio::test]
async fn a_large_answer_within_the_limit_comes_back_whole() {
    let running =
        Folder::new().python("give", GIVE).with(|limits| limits.max_output = 8_000_000).start().await;
    assert_eq!(give(&running, "'x' * 8_000_000").await.unwrap().as_str().unwrap().len(), 8_000_000);
}

#[tokio::test]
async fn a_worker_knows_nothing_of_the_servers_environment() {
    let running = Folder::new().python("give", GIVE).start().await;
    let names = give(&running, "sorted(os.environ)").await.unwrap();
    let harmless =
        |name: &str| ["HOME", "LANG", "PATH", "TMPDIR", "TZ"].contains(&name) || name.starts_with("LC_");
    assert!(names.as_array().unwrap().iter().all(|name| harmless(name.as_str().unwrap())), "{names}");
    let descriptors = give(&running, "sorted(os.listdir('/proc/self/fd'))").await.unwrap();
    // Three standard ones, the socket, and the folder that is being listed.
    assert_eq!(descriptors.as_array().unwrap().len(), 5, "{descriptors}");
}

#[tokio::test]
async fn a_result_is_freed_when_it_has_been_sent() {
    let source = "
import weakref
class Text(str):
    pass
last = None
def entry_call():
    global last
    alive = last is not None and last() is not None
    text = Text(alive)
    last = weakref.ref(text)
    return text
";
    let running = Folder::new().python("free", source).start().await;
    assert_eq!(running.call("free").await, Ok(json!("False")));
    assert_eq!(running.call("free").await, Ok(json!("False")));
}

#[tokio::test]
async fn the_slot_is_free_again_before_the_caller_knows() {
    let source = "def entry_call():\n    return 1\n";
    let running = Folder::new().python("one", source).with(|limits| limits.max_concurrent = 1).start().await;
    for _ in 0..200 {
        assert_eq!(running.call("one").await, Ok(json!(1)));
    }
}

#[test]
fn a_call_may_come_from_another_runtime() {
    let main = tokio::runtime::Runtime::new().unwrap();
    let running = main.block_on(Folder::new().python("give", GIVE).start());
    let call = running.call_with("give", Some(json!({ "code": "40 + 2" })));
    let other = std::thread::spawn(move || {
        // Not even a timer: as bare as a runtime can be.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(call)
    });
    assert_eq!(other.join().unwrap(), Ok(json!(42)));
    main.block_on(running.runners.stop());
    drop(running);
    main.shutdown_timeout(Duration::from_secs(5));
}
