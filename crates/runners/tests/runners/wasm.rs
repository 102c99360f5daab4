//! WebAssembly modules.

use std::time::Duration;

use futures_util::future::join_all;
use msp_core::{FunctionLimits, RunError, RunnerKind};
use serde_json::{Value, json};

use crate::support::{Folder, Running, until};

/// A module with all that a test wants of WASI, `$say`, and this at its start.
fn module(start: &str) -> Vec<u8> {
    module_with("", start)
}

fn module_with(fields: &str, start: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func $say (param $fd i32) (param $at i32) (param $length i32)
            (i32.store (i32.const 0) (local.get $at))
            (i32.store (i32.const 4) (local.get $length))
            (drop (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
        (func $sleep (param $nanoseconds i64)
            (i64.store (i32.const 124) (local.get $nanoseconds))
            (drop (call $poll (i32.const 100) (i32.const 200) (i32.const 1) (i32.const 8))))
        {fields}
        (func (export "_start") {start}))"#
    );
    wat::parse_str(text).unwrap()
}

/// A module that answers this text.
fn says(text: &str) -> Vec<u8> {
    let data = format!("(data (i32.const 1024) {text:?})");
    module_with(&data, &format!("(call $say (i32.const 1) (i32.const 1024) (i32.const {}))", text.len()))
}

const FOREVER: &str = "(loop $again (br $again))";
const SHORT: Duration = Duration::from_millis(500);

/// Runs one module once, with half a second for it.
async fn once(binary: &[u8]) -> Result<Value, RunError> {
    let folder = Folder::new().wasm("m", binary).with(|limits| limits.timeout = SHORT);
    folder.start().await.call("m").await
}

fn failure(outcome: Result<Value, RunError>) -> String {
    match outcome {
        Err(RunError::Failed(message)) => message,
        other => panic!("not a failure: {other:?}"),
    }
}

#[tokio::test]
async fn arguments_come_as_json_on_standard_input_and_the_answer_is_left_as_it_is() {
    let copy = module(
        "(i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 7))
        (loop $again
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (i32.store (i32.const 4) (i32.load (i32.const 8)))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
            (br_if $again (i32.load (i32.const 8))))",
    );
    let running = Folder::new().wasm("copy", &copy).start().await;
    let answer = running.call_with("copy", Some(json!({ "a": [1, "ü"] }))).await;
    assert_eq!(answer, Ok(json!("{\"a\":[1,\"ü\"]}")));
    assert_eq!(running.call("copy").await, Ok(json!("")));
    let catalogue = running.runners.catalogue();
    assert_eq!(catalogue.find(&"copy".parse().unwrap()).unwrap().kind, RunnerKind::Wasm);
}

#[tokio::test]
async fn each_call_starts_afresh() {
    let count = module_with(
        "(global $count (mut i32) (i32.const 48))",
        "(global.set $count (i32.add (global.get $count) (i32.const 1)))
        (i32.store8 (i32.const 1024) (i32.add (global.get $count) (i32.load8_u (i32.const 1024))))
        (call $say (i32.const 1) (i32.const 1024) (i32.const 1))",
    );
    let running = Folder::new().wasm("count", &count).start().await;
    for _ in 0..3 {
        assert_eq!(running.call("count").await, Ok(json!("1")));
    }
}

#[tokio::test]
async fn standard_error_goes_to_the_log_line_by_line() {
    let grumble = module_with(
        r#"(data (i32.const 1024) "one\1b[1m\ntwoanswer")"#,
        "(call $say (i32.const 2) (i32.const 1024) (i32.const 5)) (call $sleep (i64.const 1000000))
        (call $say (i32.const 2) (i32.const 1029) (i32.const 6))
        (call $say (i32.const 1) (i32.const 1035) (i32.const 3))",
    );
    let running = Folder::new().wasm("grumble", &grumble).start().await;
    assert_eq!(running.call("grumble").await, Ok(json!("ans")));
    assert!(running.log.find("INFO function: grumble: one\\u{1b}[1m").is_some(), "{:?}", running.log.lines());
    assert!(running.log.find("INFO function: grumble: two").is_some(), "{:?}", running.log.lines());
}

#[tokio::test]
async fn a_flood_of_prints_is_bounded_and_ends_at_the_time_limit() {
    let flood =
        module("(loop $again (call $say (i32.const 2) (i32.const 1024) (i32.const 60000)) (br $again))");
    let flood = Folder::new().wasm("flood", &flood).with(|limits| limits.timeout = SHORT).start().await;
    assert_eq!(flood.call("flood").await, Err(RunError::Timeout));
    assert!(flood.log.lines().len() <= 2, "{}", flood.log.lines().len());
}

#[tokio::test]
async fn an_exit_code_other_than_zero_and_a_trap_are_failures() {
    let half = "(call $say (i32.const 1) (i32.const 1024) (i32.const 1))";
    assert!(
        failure(once(&module(&format!("{half} (call $exit (i32.const 3))"))).await)
            .contains("exit status: 3")
    );
    assert!(failure(once(&module(&format!("{half} (unreachable)"))).await).contains("m.wasm: trapped: "));
    let deep = module_with("(func $deep (call $deep) (drop (i32.const 1)))", "(call $deep)");
    assert!(failure(once(&deep).await).contains("trapped: "));
    let zero =
        "(call $say (i32.const 1) (i32.const 1024) (i32.const 1)) (call $exit (i32.const 0)) (unreachable)";
    assert_eq!(once(&module(zero)).await, Ok(json!("\0")));
}

#[tokio::test]
async fn bytes_that_are_no_utf8_are_a_failure() {
    let binary = module_with(
        r#"(data (i32.const 1024) "\ff")"#,
        "(call $say (i32.const 1) (i32.const 1024) (i32.const 1))",
    );
    assert!(failure(once(&binary).await).contains("not UTF-8"));
}

#[tokio::test]
async fn an_answer_over_the_limit_is_too_large_before_it_is_held() {
    let flood =
        module("(loop $again (call $say (i32.const 1) (i32.const 1024) (i32.const 60000)) (br $again))");
    let huge = module("(call $say (i32.const 1) (i32.const 1024) (i32.const -1))");
    let folder = Folder::new().wasm("flood", &flood).wasm("huge", &huge).wasm("exact", &says("12345"));
    let running = folder.with(|limits| limits.max_output = 5).wasm("over", &says("123456"));
    let running = running.with(|limits| limits.max_output = 5).start().await;
    assert_eq!(running.call("flood").await, Err(RunError::TooLarge));
    assert_eq!(running.call("huge").await, Err(RunError::TooLarge));
    assert_eq!(running.call("over").await, Err(RunError::TooLarge));
    assert_eq!(running.call("exact").await, Ok(json!("12345")));
}

#[tokio::test]
async fn loops_and_sleeps_without_end_end_at_the_time_limit_and_hold_nobody_up() {
    let hour = module("(loop $again (call $sleep (i64.const 3600000000000)) (br $again))");
    let busy_calls =
        module("(loop $again (drop (call $random (i32.const 1024) (i32.const 60000))) (br $again))");
    let fill = module_with(
        "",
        "(drop (memory.grow (i32.const 400)))
        (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 26000000)) (br $again))",
    );
    let mut folder = Folder::new().wasm("fine", &says("fine"));
    for (name, binary) in [("loop", module(FOREVER)), ("hour", hour), ("calls", busy_calls), ("fill", fill)] {
        folder = folder.wasm(name, &binary).with(|limits| limits.timeout = Duration::from_secs(3));
    }
    let running = folder.start().await;
    let mut hanging = Vec::new();
    for name in ["loop", "hour", "calls", "fill"] {
        hanging.extend((0..8).map(|_| tokio::spawn(running.call_with(name, None))));
    }
    let mut answered = 0;
    while !hanging.iter().any(tokio::task::JoinHandle::is_finished) {
        assert_eq!(running.call("fine").await, Ok(json!("fine")));
        answered += 1;
    }
    assert!(answered > 0, "the others waited for them");
    for call in hanging {
        assert_eq!(call.await.unwrap(), Err(RunError::Timeout));
    }
}

#[tokio::test]
async fn a_sleep_that_ends_in_time_is_slept() {
    let nap =
        module("(call $sleep (i64.const 50000000)) (call $say (i32.const 1) (i32.const 208) (i32.const 4))");
    let running = Folder::new().wasm("nap", &nap).start().await;
    let before = std::time::Instant::now();
    assert_eq!(running.call("nap").await, Ok(json!("\0\0\0\0")));
    assert!(before.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn memory_ends_at_its_limit() {
    let grow = |pages: u32| {
        module(&format!(
            "(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then (call $exit (i32.const 9))))
            (call $say (i32.const 1) (i32.const 1024) (i32.const 1))"
        ))
    };
    let bomb = module(
        "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)",
    );
    // Tables do not even begin to grow.
    let tables = module_with(
        "(table $t 3 funcref)",
        "(if (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1)) (then (unreachable)))
        (call $exit (table.size $t))",
    );
    let folder = Folder::new().wasm("fits", &grow(1023)).wasm("over", &grow(1024)).wasm("bomb", &bomb);
    let folder = folder.wasm("tables", &tables).wasm("small", &grow(16));
    let running = folder.with(|limits| limits.memory = Some(1024 * 1024)).start().await;
    assert_eq!(running.call("fits").await, Ok(json!("\0")));
    assert!(failure(running.call("over").await).contains("exit status: 9"));
    assert!(failure(running.call("small").await).contains("exit status: 9"));
    assert!(failure(running.call("bomb").await).contains("trapped"));
    assert!(failure(running.call("tables").await).contains("exit status: 3"));
}

#[tokio::test]
async fn memory_that_grows_when_a_slice_is_used_up_is_counted_once() {
    // The bytes drawn leave less of the first slice than growth needs, which takes most of the limit.
    let grow = module_with(
        "(global $left (mut i32) (i32.const 62))",
        "(loop $again
            (drop (call $random (i32.const 0) (i32.const 60000)))
            (global.set $left (i32.sub (global.get $left) (i32.const 1)))
            (br_if $again (global.get $left)))
        (if (i32.eq (memory.grow (i32.const 900)) (i32.const -1)) (then (call $exit (i32.const 9))))
        (call $exit (i32.add (i32.const 100) (memory.grow (i32.const 100))))",
    );
    let running = Folder::new().wasm("grow", &grow).start().await;
    assert!(failure(running.call("grow").await).contains("exit status: 1001"));
}

#[tokio::test]
async fn what_a_call_may_answer_counts_among_what_all_calls_hold() {
    let nap =
        module("(call $sleep (i64.const 300000000)) (call $say (i32.const 1) (i32.const 208) (i32.const 1))");
    let folder = Folder::new().wasm("nap", &nap);
    let running = folder.with(|limits| limits.max_output = 600 * 1024 * 1024).start().await;
    let mut outcomes = join_all((0..2).map(|_| running.call_with("nap", None))).await;
    outcomes.sort_by_key(Result::is_err);
    assert_eq!(outcomes, [Ok(json!("\0")), Err(RunError::Busy)]);
    assert_eq!(running.call("nap").await, Ok(json!("\0")));
}

#[tokio::test]
async fn what_a_module_takes_for_its_instance_counts_among_what_all_calls_hold() {
    // What is left beside the stack and a page of memory.
    let most = (1024 - 2) * 1024 * 1024 - 65536;
    let folder = Folder::new().wasm("over", &says("a")).with(|limits| limits.max_output = most - 192);
    let folder = folder.wasm("fits", &says("b")).with(|limits| limits.max_output = most - 64 * 192);
    let running = folder.start().await;
    assert_eq!(running.call("over").await, Err(RunError::Busy));
    assert_eq!(running.call("fits").await, Ok(json!("b")));
}

#[tokio::test]
async fn calls_run_at_once_up_to_their_number() {
    let nap = module(
        "(call $sleep (i64.const 300000000)) (call $say (i32.const 1) (i32.const 1024) (i32.const 1))",
    );
    let running = Folder::new().wasm("nap", &nap).with(|limits| limits.max_concurrent = 50).start().await;
    let outcomes = join_all((0..60).map(|_| running.call_with("nap", None))).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(json!("\0"))).count(), 50);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(RunError::Busy)).count(), 10);
    assert_eq!(running.call("nap").await, Ok(json!("\0")));
}

#[tokio::test]
async fn what_does_not_load_is_one_line() {
    let mut folder = Folder::new();
    let plain = |text: &str| wat::parse_str(text).unwrap();
    for (name, binary) in [
        ("garbage", b"\0asm\x01\0\0\0\x1b[31m".to_vec()),
        ("library", plain("(module (func (export \"main\")))")),
        ("odd", plain("(module (func (export \"_start\") (param i32)))")),
        ("foreign", plain("(module (import \"env\" \"system\" (func)) (func (export \"_start\")))")),
        ("early", plain("(module (func $f (loop $l (br $l))) (start $f) (func (export \"_start\")))")),
        ("large", plain("(module (memory 1025) (func (export \"_start\")))")),
        ("outside", plain("(module (memory 1) (data (i32.const 65536) \"x\") (func (export \"_start\")))")),
    ] {
        folder = folder.wasm(name, &binary);
    }
    let running = folder.start().await;
    assert!(running.names().is_empty(), "{:?}", running.names());
    for (name, why) in [
        ("garbage", "garbage.wasm: "),
        ("library", "no function _start: build it as a program"),
        ("odd", "no function _start"),
        ("foreign", "system"),
        ("early", "start"),
        ("large", "limit"),
        ("outside", "outside.wasm: "),
    ] {
        let line = running.log.find(&format!("WARN msp_runners::wasm::modules: WebAssembly module {name} "));
        let line = line.unwrap_or_else(|| panic!("{name}: {:?}", running.log.lines()));
        assert!(line.contains("does not load, skipped") && line.contains(why), "{line}");
    }
    assert_eq!(running.log.lines().len(), 7);
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_refused() {
    let folder = Folder::new().wasm("huge", b"");
    let file = std::fs::File::options().write(true).open(folder.path().join("huge.wasm")).unwrap();
    file.set_len(64 * 1024 * 1024 + 1).unwrap();
    let running = folder.start().await;
    assert!(running.log.find("huge.wasm: larger than 67108864 bytes").is_some(), "{:?}", running.log.lines());
}

async fn until_it_says(running: &Running, function: &str, text: &str) {
    until(text, async || (running.call(function).await == Ok(json!(text))).then_some(())).await;
}

#[tokio::test]
async fn a_changed_file_is_taken_up_and_a_broken_or_lost_one_changes_nothing() {
    let running = Folder::new().wasm("m", &says("one")).wasm("n", &says("old")).start().await;
    assert_eq!(running.call("m").await, Ok(json!("one")));
    running.folder.write_bytes("m.wasm", &says("two"));
    until_it_says(&running, "m", "two").await;
    running.folder.write("m.wasm", "(module");
    running.folder.write_bytes("n.wasm", &says("new"));
    until_it_says(&running, "n", "new").await;
    assert_eq!(running.call("m").await, Ok(json!("two")));
    let line = running.logged("WebAssembly module m does not load, what loaded before stays in use").await;
    assert!(line.contains("m.wasm: "), "{line}");
    std::fs::remove_file(running.folder.path().join("m.wasm")).unwrap();
    running.runners.reload(running.folder.specs.clone()).await;
    assert_eq!(running.call("m").await, Ok(json!("two")));
    running.folder.write_bytes("m.wasm", &says("three"));
    until_it_says(&running, "m", "three").await;
}

#[tokio::test]
async fn a_module_knows_its_function_by_name() {
    let name = wat::parse_str(
        r#"(module
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start")
            (drop (call $args (i32.const 0) (i32.const 64)))
            (drop (call $sizes (i32.const 8) (i32.const 4)))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#,
    );
    let mut folder = Folder::new().wasm("first", &name.unwrap());
    folder.list("second", "first", FunctionLimits::default());
    let running = folder.start().await;
    assert_eq!(running.call("first").await, Ok(json!("first\0")));
    assert_eq!(running.call("second").await, Ok(json!("second\0")));
}

#[tokio::test]
async fn stop_ends_calls_under_way() {
    let running = Folder::new().wasm("loop", &module(FOREVER)).wasm("fine", &says("fine")).start().await;
    let call = tokio::spawn(running.call_with("loop", None));
    assert_eq!(running.call("fine").await, Ok(json!("fine")));
    running.runners.stop().await;
    assert!(failure(call.await.unwrap()).contains("stopped"));
    assert!(failure(running.call("fine").await).contains("stopped"));
}

#[tokio::test]
async fn a_module_ends_with_its_caller() {
    let running = Folder::new().wasm("loop", &module(FOREVER)).with(|limits| limits.max_concurrent = 1);
    let running = running.start().await;
    let slots = running.runners.catalogue().find(&"loop".parse().unwrap()).unwrap().slots.clone();
    let call = tokio::spawn(running.call_with("loop", None));
    until("the run", async || (slots.available_permits() == 0).then_some(())).await;
    call.abort();
    until("the slot", async || (slots.available_permits() == 1).then_some(())).await;
}
