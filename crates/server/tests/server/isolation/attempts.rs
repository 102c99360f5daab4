//! Every attempt, by a Python function and by an executable, of root and of another user: each gets nothing.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use serde_json::{Value, json};

use super::running_server::{NOBODY, Plan, RunningServer, is_root};
use msp_testkit::http;

/// Size, mode, owner and time of all that is not to change.
fn state(running: &RunningServer) -> BTreeMap<String, (u64, u32, u32, i64)> {
    let mut all = BTreeMap::new();
    let mut add = |path: &Path| {
        let found = path.symlink_metadata().unwrap();
        let (size, time) = if found.is_dir() { (0, 0) } else { (found.len(), found.mtime_nsec()) };
        all.insert(path.display().to_string(), (size, found.permissions().mode(), found.uid(), time));
    };
    for folder in ["sec", "config", "modules"] {
        add(&running.bench.path(folder));
        for entry in running.bench.path(folder).read_dir().unwrap() {
            let path = entry.unwrap().path();
            // The registry is written while the server works.
            if !path.display().to_string().contains("registry.db") {
                add(&path);
            }
        }
    }
    all
}

async fn attempts(running: &RunningServer, function: &str) -> Vec<String> {
    let before = state(running);
    let facts = running.facts("everything").await;
    let got = running.call(function, facts).await.unwrap();
    // An executable's answer is text.
    let got = got.as_str().map_or_else(|| got.clone(), |text| serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(state(running), before, "a file has changed");
    got.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

async fn nothing_is_got(plan: Plan) {
    let running = plan.start().await;
    for function in ["attempts", "attempt"] {
        let lines = attempts(&running, function).await;
        if std::env::var_os("MSP_TEST_SHOW").is_some() {
            println!("{function}:\n{}", lines.join("\n"));
        }
        let got: Vec<_> = lines.iter().filter(|line| !line.contains(": nothing (")).collect();
        assert!(got.is_empty(), "{function}: {got:#?}");
        assert!(lines.len() > 50, "{lines:?}");
    }
    assert!(running.call("whose", json!({})).await.is_ok());
    assert!(running.server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_gets_nothing() {
    nothing_is_got(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_a_server_that_is_not_root_gets_nothing() {
    if is_root() {
        nothing_is_got(Plan::new().of_user(NOBODY)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_a_user_of_its_own_gets_nothing() {
    if is_root() {
        let plan = Plan::new().runners(&format!("WorkerUser={NOBODY}\n"));
        std::fs::set_permissions(plan.bench.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
        nothing_is_got(plan).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_a_stranger_to_every_listener() {
    let running = Plan::new().start().await;
    let stranger = http();
    let sealed = stranger.post(running.server.url("/v1")).body(r#"{"sealed":"AAAA"}"#).send().await.unwrap();
    let sealed = json!([sealed.status().as_u16(), sealed.text().await.unwrap()]);
    let ops = stranger.get(format!("http://{}/readyz", running.ops())).send().await.unwrap();
    let ops = json!([ops.status().as_u16(), ops.text().await.unwrap()]);
    assert_eq!((&sealed, &ops[0]), (&json!([401, ""]), &json!(200)));
    assert_eq!(running.call("attempts", running.facts("sealed").await).await, Ok(sealed));
    assert_eq!(running.call("attempts", running.facts("ops").await).await, Ok(ops));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_functions_do_for_a_living_works() {
    let running = Plan::new().start().await;
    let done = running.call("attempts", running.facts("work").await).await.unwrap();
    let mut expected = vec![json!("asyncio")];
    expected.extend(std::iter::repeat_n(json!("thread"), 8));
    expected.extend([
        json!("shell"),
        json!("its own child ended by 15"),
        json!("certificates"),
        json!("text"),
    ]);
    expected.extend([json!([]), json!("127.0.0.1"), json!(1 << 20), json!("connected")]);
    assert_eq!(done, Value::Array(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_descriptor_that_the_server_was_started_with_does_not_reach_a_function() {
    let plan = Plan::new().prepare().await;
    let inner = plan.command();
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "exec 7<sec/server.key && exec \"$0\" --port 0"]).arg(inner.get_program());
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
        .current_dir(plan.bench.path(""))
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let running = plan.serve(command);
    let held = std::fs::read_link(format!("/proc/{}/fd/7", running.server.id())).unwrap();
    assert!(held.ends_with("sec/server.key"), "{held:?}");
    for function in ["attempts", "attempt"] {
        let lines = attempts(&running, function).await;
        let line = lines.iter().find(|line| line.starts_with("use descriptors")).unwrap();
        assert!(line.contains(": nothing ("), "{line}");
    }
}
