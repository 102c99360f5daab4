//! Programs.

use std::fs;
use std::time::Duration;

use msp_core::RunError;
use serde_json::json;

use crate::support::{Folder, lives, until};

fn failure(outcome: Result<serde_json::Value, RunError>) -> String {
    match outcome {
        Err(RunError::Failed(message)) => message,
        other => panic!("not a failure: {other:?}"),
    }
}

#[tokio::test]
async fn arguments_come_as_json_on_standard_input_and_the_answer_is_left_as_it_is() {
    let running = Folder::new().script("copy", "cat; echo").start().await;
    let answer = running.call_with("copy", Some(json!({ "a": [1, "ü"] }))).await;
    assert_eq!(answer, Ok(json!("{\"a\":[1,\"ü\"]}\n")));
    assert_eq!(running.call("copy").await, Ok(json!("\n")));
}

#[tokio::test]
async fn a_program_need_not_read_its_arguments() {
    let running = Folder::new().script("deaf", "exec 0<&-; echo ok").start().await;
    let args = Some(json!("x".repeat(200_000)));
    assert_eq!(running.call_with("deaf", args).await, Ok(json!("ok\n")));
}

#[tokio::test]
async fn its_environment_names_the_function_and_its_folder_is_the_modules() {
    let running = Folder::new().script("where", "pwd; env | cut -d= -f1 | sort").start().await;
    let answer = running.call("where").await.unwrap();
    let mut lines = answer.as_str().unwrap().lines();
    let folder = running.folder.path().canonicalize().unwrap();
    assert_eq!(lines.next(), folder.to_str());
    let names: Vec<_> = lines.collect();
    assert!(names.contains(&"MSP_FUNCTION") && names.contains(&"PATH"), "{names:?}");
    let harmless = ["HOME", "LANG", "MSP_FUNCTION", "PATH", "PWD", "OLDPWD", "SHLVL", "TMPDIR", "TZ", "_"];
    assert!(names.iter().all(|name| harmless.contains(name) || name.starts_with("LC_")), "{names:?}");
}

#[tokio::test]
async fn an_exit_code_other_than_zero_is_a_failure() {
    let running = Folder::new().script("sour", "echo half; exit 3").start().await;
    assert!(failure(running.call("sour").await).contains("exit status: 3"));
}

#[tokio::test]
async fn bytes_that_are_no_utf8_are_a_failure() {
    let running = Folder::new().script("bytes", r"printf '\377'").start().await;
    assert!(failure(running.call("bytes").await).contains("not UTF-8"));
}

#[tokio::test]
async fn a_file_that_cannot_be_started_is_a_failure_of_its_own_call() {
    let running = Folder::new().script("odd", "echo ok").start().await;
    running.folder.write("odd", "#!/nonexistent/interpreter\n");
    assert!(failure(running.call("odd").await).contains("exit status: 126"));
    assert!(running.log.find("odd cannot be started: No such file or directory").is_some());
}

#[tokio::test]
async fn standard_error_goes_to_the_log() {
    let running = Folder::new().script("grumble", "printf 'one\\033[1m\\ntwo' >&2; echo ok").start().await;
    assert_eq!(running.call("grumble").await, Ok(json!("ok\n")));
    assert!(running.log.find("INFO function: grumble: one\\u{1b}[1m").is_some(), "{:?}", running.log.lines());
    assert!(running.log.find("INFO function: grumble: two").is_some());
}

#[tokio::test]
async fn an_answer_over_the_limit_is_too_large_and_ends_the_program() {
    let running = Folder::new()
        .script("flood", "echo $$ > MARKS/id; exec yes")
        .with(|limits| limits.max_output = 100_000)
        .script("exact", "printf 12345")
        .with(|limits| limits.max_output = 5)
        .start()
        .await;
    assert_eq!(running.call("flood").await, Err(RunError::TooLarge));
    assert!(!lives(&fs::read_to_string(running.folder.marks().join("id")).unwrap()));
    assert_eq!(running.call("exact").await, Ok(json!("12345")));
}

#[tokio::test]
async fn a_timeout_ends_the_whole_group() {
    let running = Folder::new()
        .script("hang", "sleep 1000 & echo $! > MARKS/id; wait")
        .with(|limits| limits.timeout = Duration::from_millis(500))
        .start()
        .await;
    assert_eq!(running.call("hang").await, Err(RunError::Timeout));
    let id = fs::read_to_string(running.folder.marks().join("id")).unwrap();
    until("the child's end", async || (!lives(&id)).then_some(())).await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_ends_with_it_and_holds_nothing_up() {
    let running = Folder::new().script("leave", "sleep 1000 & echo $!").start().await;
    let answer = running.call("leave").await.unwrap();
    let id = answer.as_str().unwrap();
    until("the child's end", async || (!lives(id)).then_some(())).await;
}

#[tokio::test]
async fn a_run_ends_with_its_caller_and_holds_its_slot_until_then() {
    let running = Folder::new()
        .script("slow", "sleep 1000 & echo $! > MARKS/child; echo $$ > MARKS/id; exec sleep 1000")
        .with(|limits| limits.max_concurrent = 1)
        .start()
        .await;
    let slots = running.runners.catalogue().find(&"slow".parse().unwrap()).unwrap().slots.clone();
    let path = running.folder.marks().join("id");
    let call = tokio::spawn(running.call_with("slow", None));
    let id = until("the start", async || fs::read_to_string(&path).ok().filter(|id| !id.is_empty())).await;
    assert_eq!(running.call("slow").await, Err(RunError::Busy));
    call.abort();
    until("the slot", async || (slots.available_permits() == 1).then_some(())).await;
    let child = fs::read_to_string(running.folder.marks().join("child")).unwrap();
    assert!(!lives(&id) && !lives(&child), "they ended before the slot was free");
}

#[tokio::test]
async fn stop_ends_programs_under_way_and_later_calls_fail() {
    let running = Folder::new().script("hang", "echo $$ > MARKS/id; exec sleep 1000").start().await;
    let call = tokio::spawn(running.call_with("hang", None));
    let path = running.folder.marks().join("id");
    let id = until("the start", async || fs::read_to_string(&path).ok().filter(|id| !id.is_empty())).await;
    running.runners.stop().await;
    assert!(failure(call.await.unwrap()).contains("stopped"));
    until("the end", async || (!lives(&id)).then_some(())).await;
    assert!(failure(running.call("hang").await).contains("stopped"));
}
