//! `msp/ping`, `msp/functions` and the catalogue.

use msp_core::{FunctionLimits, Origin, RunnerKind};
use serde_json::json;

use crate::support::Folder;

#[tokio::test]
async fn ping_tells_version_and_time() {
    let running = Folder::new().start().await;
    let answer = running.call("msp/ping").await.unwrap();
    assert_eq!(answer["version"], "1.2.3");
    assert!(answer["time"].as_u64().unwrap() > 1_700_000_000);
}

#[tokio::test]
async fn functions_lists_what_the_caller_may_call_and_no_more() {
    let mut folder = Folder::new();
    folder.list("echo", "echo", FunctionLimits::default());
    folder.list("change", "echo", FunctionLimits::default());
    folder.specs[1].access = msp_core::Access::Write;
    let running = folder.start().await;
    let answer = running.call("msp/functions").await.unwrap();
    assert_eq!(answer, json!([{ "name": "echo", "access": "read", "description": "does echo" }]));

    running.runners.reload(Vec::new()).await;
    assert_eq!(running.call("msp/functions").await.unwrap(), json!([]), "it sees the later catalogue");
}

#[tokio::test]
async fn share_point_14_time_test_is_native_when_no_file_has_the_name() {
    let mut folder = Folder::new();
    folder.list("time_test", "simple_time", FunctionLimits::default());
    let running = folder.start().await;
    let answer = running.call("time_test").await.unwrap();
    assert!(answer.as_str().unwrap().starts_with("It is currently: \n\t"), "{answer}");
    let catalogue = running.runners.catalogue();
    let function = catalogue.find(&"time_test".parse().unwrap()).unwrap();
    assert_eq!((function.kind, function.origin), (RunnerKind::Native, Origin::Modules));
}

#[tokio::test]
async fn what_is_nowhere_is_one_warning_and_stops_nothing() {
    let mut folder = Folder::new();
    folder.list("lost", "nowhere", FunctionLimits::default());
    folder.list("away", "../away", FunctionLimits::default());
    folder.list("msp/ping", "echo", FunctionLimits::default());
    folder.list("echo", "echo", FunctionLimits::default());
    let running = folder.start().await;
    assert_eq!(running.names(), ["echo"]);
    assert_eq!(running.log.count("WARN"), 3, "{:?}", running.log.lines());
    assert_eq!(running.log.count("function lost is skipped: no nowhere.py"), 1);
    assert_eq!(running.log.count("function away is skipped: `../away` is no name"), 1);
    assert!(running.call("msp/ping").await.unwrap().is_object());
}

#[tokio::test]
async fn the_modules_that_ship_load_and_answer() {
    let mut folder = Folder::new();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../modules");
    for (file, function) in [
        ("simple_time.py", "simple_time"),
        ("greeting.py", "greeting"),
        ("resolve.py", "resolve"),
        ("disk_free", "disk_free"),
    ] {
        folder.write(file, &std::fs::read_to_string(shipped.join(file)).unwrap());
        folder.list(function, function, FunctionLimits::default());
    }
    let running = folder.start().await;
    let time = running.call("simple_time").await.unwrap();
    assert!(time.as_str().unwrap().starts_with("It is currently: \n\t"));
    let greeting = running.call_with("greeting", Some(json!({ "name": "Ada" }))).await;
    assert_eq!(greeting, Ok(json!("Hello Ada!")));
    let resolved = running.call_with("resolve", Some(json!({ "host": "127.0.0.1" }))).await;
    assert_eq!(resolved, Ok(json!(["127.0.0.1"])));
    assert!(running.call("disk_free").await.unwrap().as_str().unwrap().contains('/'));
}
