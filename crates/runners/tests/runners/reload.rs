//! Files that change, and modules that do not load.

use std::fs;

use msp_core::{FunctionLimits, RunError};
use serde_json::{Value, json};

use crate::support::{Folder, Running, until};

fn says(text: &str) -> String {
    format!("import os\ndef entry_call(die=False):\n    if die:\n        os._exit(1)\n    return '{text}'\n")
}

async fn until_it_says(running: &Running, function: &str, text: &str) {
    until(text, async || (running.call(function).await == Ok(json!(text))).then_some(())).await;
}

async fn die(running: &Running, function: &str) -> Result<Value, RunError> {
    running.call_with(function, Some(json!({ "die": true }))).await
}

#[tokio::test]
async fn a_changed_file_is_taken_up_without_a_word_and_no_call_is_lost() {
    let running = Folder::new().workers(2).python("m", &says("one")).start().await;
    assert_eq!(running.call("m").await, Ok(json!("one")));
    running.folder.write("m.py", &says("two"));
    until("two", async || {
        let answer = running.call("m").await.unwrap();
        assert!(answer == "one" || answer == "two", "{answer}");
        (answer == "two").then_some(())
    })
    .await;
    assert_eq!(running.log.count("WARN"), 0, "{:?}", running.log.lines());
}

#[tokio::test]
async fn a_changed_helper_is_taken_up_as_well() {
    let folder = Folder::new();
    folder.write("helper.py", "TEXT = 'one'\n");
    let source = "import helper\ndef entry_call():\n    return helper.TEXT\n";
    let running = folder.python("m", source).start().await;
    running.folder.write("helper.py", "TEXT = 'two'\n");
    until_it_says(&running, "m", "two").await;
}

#[tokio::test]
async fn a_broken_file_is_one_line_and_never_replaces_what_works_not_even_after_a_crash() {
    let running = Folder::new().python("m", &says("good")).python("n", &says("old")).start().await;
    running.folder.write("m.py", "def entry_call():\n    return 'bad\n");
    running.folder.write("n.py", &says("new"));
    until_it_says(&running, "n", "new").await;
    assert_eq!(running.call("m").await, Ok(json!("good")));
    let line = running.logged("Python module m does not load").await;
    assert!(line.starts_with("WARN ") && line.contains("what loaded before stays in use"), "{line}");
    assert!(line.contains("m.py:2: SyntaxError: "), "{line}");
    assert_eq!(running.log.count("does not load"), 1);

    assert!(matches!(die(&running, "m").await, Err(RunError::Failed(_))));
    assert_eq!(running.call("m").await, Ok(json!("good")), "the next worker has it from the server");
    assert_eq!(running.log.count("does not load"), 1);

    running.folder.write("m.py", &says("mended"));
    until_it_says(&running, "m", "mended").await;
}

#[tokio::test]
async fn a_broken_helper_replaces_nothing_either() {
    let folder = Folder::new();
    folder.write("helper.py", "TEXT = 'one'\n");
    let source = format!("import helper\n{}", says("x").replace("'x'", "helper.TEXT"));
    let running = folder.python("m", &source).start().await;
    running.folder.write("helper.py", "raise RuntimeError('broken')\n");
    let line = running.logged("does not load").await;
    assert!(line.contains("helper.py:1: RuntimeError: broken"), "{line}");
    running.logged("all Python modules stay as they were, because m would be lost").await;
    assert!(die(&running, "m").await.is_err());
    assert_eq!(running.call("m").await, Ok(json!("one")));
}

#[tokio::test]
async fn a_file_that_has_gone_leaves_its_function_at_work() {
    let running = Folder::new().python("m", &says("here")).python("n", &says("old")).start().await;
    fs::remove_file(running.folder.path().join("m.py")).unwrap();
    running.folder.write("n.py", &says("new"));
    until_it_says(&running, "n", "new").await;
    assert!(die(&running, "m").await.is_err());
    assert_eq!(running.call("m").await, Ok(json!("here")));
    running.runners.reload(running.folder.specs.clone()).await;
    assert_eq!(running.call("m").await, Ok(json!("here")));
}

#[tokio::test]
async fn whatever_goes_wrong_while_loading_is_one_line_and_the_others_load() {
    let mut folder = Folder::new().python("good", &says("good"));
    for (module, source) in [
        ("raises", "import nothing_of_that_name\n"),
        ("exits", "raise SystemExit(3)\n"),
        ("dies", "import os\nos._exit(3)\n"),
        ("empty", ""),
        ("odd", "entry_call = 3\n"),
        ("positional", "def entry_call(a, /):\n    return a\n"),
    ] {
        folder = folder.python(module, source);
    }
    let running = folder.start().await;
    assert_eq!(running.names(), ["good"]);
    assert_eq!(running.call("good").await, Ok(json!("good")));
    for (module, error) in [
        ("raises", "raises.py:1: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("exits", "exits.py:1: SystemExit: 3"),
        ("dies", "the worker ended while it was loading (exit status: 3)"),
        ("empty", "it has no function entry_call"),
        ("odd", "it has no function entry_call"),
        ("positional", "entry_call takes a by position"),
    ] {
        let line = format!("Python module {module} does not load, skipped: ");
        assert_eq!(running.log.count(&line), 1, "{:?}", running.log.lines());
        assert!(running.log.find(&line).unwrap().contains(error), "{:?}", running.log.find(&line));
    }
    assert_eq!(running.log.count("WARN"), 6);
}

#[tokio::test]
async fn a_module_that_failed_at_first_comes_when_it_is_mended() {
    let running = Folder::new().python("m", "import late\nentry_call = late.entry_call\n").start().await;
    assert!(running.names().is_empty());
    running.folder.write("late.py", &says("late"));
    until("the function", async || (running.names() == ["m"]).then_some(())).await;
    assert_eq!(running.call("m").await, Ok(json!("late")));
}

#[tokio::test]
async fn another_list_of_modules_is_taken_up_as_a_whole() {
    let mut running = Folder::new().python("m", &says("m")).start().await;
    running.folder.write("n.py", &says("n"));
    running.folder.specs.clear();
    running.folder.list("first", "n", FunctionLimits::default());
    running.folder.list("second", "n", FunctionLimits::default());
    running.runners.reload(running.folder.specs.clone()).await;
    assert_eq!(running.names(), ["first", "second"]);
    assert_eq!(running.call("second").await, Ok(json!("n")));
    running.runners.reload(Vec::new()).await;
    assert!(running.names().is_empty());
}

#[tokio::test]
async fn calls_under_way_count_after_a_reload() {
    let running = Folder::new().python("m", &says("m")).start().await;
    let name = "m".parse().unwrap();
    let before = running.runners.catalogue().find(&name).unwrap().slots.clone();
    running.runners.reload(running.folder.specs.clone()).await;
    let after = running.runners.catalogue().find(&name).unwrap().slots.clone();
    assert!(std::sync::Arc::ptr_eq(&before, &after));
    let mut specs = running.folder.specs.clone();
    specs[0].limits.max_concurrent = 3;
    running.runners.reload(specs).await;
    assert_eq!(running.runners.catalogue().find(&name).unwrap().slots.available_permits(), 3);
}

#[tokio::test]
async fn a_call_under_way_ends_in_the_worker_it_began_in() {
    let slow = "
import time, os
def entry_call():
    open('MARKS/up', 'w').write('1')
    while not os.path.exists('MARKS/go'):
        time.sleep(0.01)
    return 'old'
";
    let running = Folder::new().python("slow", slow).start().await;
    let folder = running.folder.marks();
    let call = tokio::spawn(running.call_with("slow", None));
    until("its start", async || folder.join("up").exists().then_some(())).await;
    running.folder.write("slow.py", &says("new"));
    running.runners.reload(running.folder.specs.clone()).await;
    assert_eq!(running.call("slow").await, Ok(json!("new")));
    assert!(!call.is_finished());
    fs::write(folder.join("go"), "").unwrap();
    assert_eq!(call.await.unwrap(), Ok(json!("old")));
}

#[tokio::test]
async fn without_an_interpreter_there_is_one_line_and_everything_else_works() {
    let mut folder = Folder::new().python("m", &says("m")).script("tool", "echo ok");
    folder.python = "/nonexistent/python".into();
    let running = folder.start().await;
    assert_eq!(running.names(), ["tool"]);
    let line = running.log.find("ERROR").unwrap();
    assert!(line.contains("/nonexistent/python cannot be started"), "{line}");
    assert_eq!(running.log.lines().len(), 1);
}

#[tokio::test]
async fn a_changed_program_or_data_file_leaves_the_state_of_python_modules_alone() {
    let source = "count = 0\ndef entry_call():\n    global count\n    count += 1\n    return count\n";
    let mut running = Folder::new().python("count", source).start().await;
    assert_eq!(running.call("count").await, Ok(json!(1)));
    running.folder.write("tool", "#!/bin/sh\necho ok\n");
    running.folder.list("tool", "tool", FunctionLimits::default());
    running.runners.reload(running.folder.specs.clone()).await;
    assert_eq!(running.call("tool").await, Ok(json!("ok\n")));
    assert_eq!(running.call("count").await, Ok(json!(2)));
}
