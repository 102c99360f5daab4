//! Plugins loaded anew while the server runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use reqwest::Method;
use serde_json::json;

use super::{KEY, WithKey, builder, config, loaded, plugin, shows, write};
use msp_testkit::{ServerBuilder, TestServer};

/// A plugin that answers its version.
fn version(number: u32) -> String {
    plugin("Version", &format!("def request_handler(self, **data):\n    return 200, {{'version': {number}}}"))
}

fn keyed(plugins: &[(&str, &str)]) -> ServerBuilder {
    builder(&format!("[auth]\napikey={KEY}"), plugins)
}

fn rewrite(server: &TestServer, name: &str, source: &str) {
    write(&server.path("plugins"), name, source);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_06_a_reload_answers_when_the_new_code_is_in_force() {
    let server = keyed(&[("version.py", &version(1)), ("other.py", &shows("Other"))]).start().await;
    for number in 2..5 {
        rewrite(&server, "version.py", &version(number));
        assert_eq!(server.get("/version").await.json(), json!({"version": number - 1}));
        let answered = server.get_with_key("/reload/version").await;
        assert_eq!(
            (answered.status, answered.json()),
            (200, json!({"reloaded": "version", "success": true}))
        );
        assert_eq!(server.get("/version").await.json(), json!({"version": number}));
    }
    rewrite(&server, "version.py", "not Python at all\n");
    let failed = server.get_with_key("/reload/version").await;
    assert_eq!(failed.status_and_body(), (500, r#"{"error":"Failed to reload plugin version"}"#));
    assert_eq!(server.get("/version").await.json(), json!({"version": 4}), "what worked stays");
    rewrite(&server, "version.py", &shows("Renamed"));
    assert_eq!(server.get_with_key("/reload/version").await.status, 500);
    assert_eq!(server.get("/version").await.json(), json!({"version": 4}));
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_07_reloading_all_takes_up_what_came_and_drops_what_went() {
    let server = keyed(&[("a.py", &shows("A")), ("b.py", &shows("B"))]).start().await;
    let unknown = server.get_with_key("/reload/nope").await;
    assert_eq!(unknown.status_and_body(), (404, r#"{"error":"Plugin \"nope\" not found"}"#));
    rewrite(&server, "c.py", &shows("C"));
    std::fs::remove_file(server.path("plugins/a.py")).unwrap();
    assert_eq!(server.get("/c").await.status, 404);
    let answered = server.send(server.asking(Method::POST, "/reload/all").bearer_auth(KEY)).await;
    let expected = json!({"status": "All plugins reloaded", "loaded_plugins": ["b", "c"]});
    assert_eq!((answered.status, answered.json()), (200, expected));
    assert_eq!(server.get("/a").await.status, 404);
    assert_eq!(server.get("/c").await.status, 200);
    rewrite(&server, "b.py", "broken(\n");
    let expected = json!({
        "error": "Failed to reload plugin b.py", "status": "Some plugins failed to reload",
        "failed": ["b.py"], "loaded_plugins": ["b", "c"]
    });
    let failed = server.get_with_key("/reload/all").await;
    assert_eq!((failed.status, failed.json()), (500, expected));
    assert_eq!(server.get("/b").await.status, 200, "what worked stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_08_a_reload_reads_the_configuration_first() {
    let server = keyed(&[("a.py", &shows("A"))]).start().await;
    assert_eq!(server.get("/a").await.status, 200);
    let ini = |sections: &str| {
        std::fs::write(server.path("config/config.ini"), config(&server.path("plugins"), sections)).unwrap();
    };
    ini("[auth]\napikey=another-key-4711\n[plugin_parms]\na=auth_type=global");
    assert_eq!(server.get_with_key("/reload/a").await.status, 200);
    assert_eq!(server.get_with_key("/plugins").await.status, 403, "the old key is over");
    assert_eq!(server.get("/a").await.status, 403);
    let asked = server.asking(Method::GET, "/a").bearer_auth("another-key-4711");
    assert_eq!(server.send(asked).await.status, 200);
    // A faulty file changes nothing, and its owner is told.
    ini("[auth]\napikey=third-key-4711xx\n[network]\nport=int:x");
    let faulty = server.asking(Method::GET, "/reload/all").bearer_auth("another-key-4711");
    let faulty = server.send(faulty).await;
    assert_eq!(faulty.status, 500);
    assert!(faulty.body.contains("[network] port") && !faulty.body.contains("third-key"), "{faulty:?}");
    let asked = server.asking(Method::GET, "/plugins").bearer_auth("another-key-4711");
    assert_eq!(server.send(asked).await.json(), loaded(&["a"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_09_initialize_and_terminate_run_once_for_each_life() {
    let marks = tempfile::tempdir().unwrap();
    let body = "def note(self, what):
    with open(self.args['marks'], 'a') as marks:
        marks.write(what + '\\n')
async def initialize(self, **kwargs):
    self.note('initialize')
def request_handler(self, **data):
    self.note('call')
    return 200, {}
def terminate_plugin(self):
    self.note('terminate')";
    let folder = marks.path().display();
    let sections =
        format!("[auth]\napikey={KEY}\n[plugin_parms]\nlives=marks={folder}/marks&msp_paths=%2B{folder}");
    let server = builder(&sections, &[("lives.py", &plugin("Lives", body))]).start().await;
    server.get("/lives").await;
    assert_eq!(server.get_with_key("/reload/lives").await.status, 200);
    server.get("/lives").await;
    server.stop().await;
    let marks = std::fs::read_to_string(marks.path().join("marks")).unwrap();
    let order: Vec<_> = marks.lines().collect();
    assert_eq!(order, ["initialize", "call", "initialize", "terminate", "call", "terminate"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_waits_for_calls_under_way_and_loses_none() {
    let slow = |number: u32| {
        plugin(
            "Version",
            &format!(
                "async def request_handler(self, **data):\n    import asyncio\n    await asyncio.sleep(0.5)\n    return {number}"
            ),
        )
    };
    let server = Arc::new(keyed(&[("version.py", &slow(1))]).start().await);
    let early = tokio::spawn({
        let server = server.clone();
        async move { server.get("/version").await }
    });
    rewrite(&server, "version.py", &slow(2));
    assert_eq!(server.get_with_key("/reload/version").await.status, 200);
    assert!(["1", "2"].contains(&early.await.unwrap().body.as_str()));
    assert_eq!(server.get("/version").await.body, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_under_load_loses_no_request_and_nothing_old_answers_after_it() {
    let server = Arc::new(keyed(&[("version.py", &version(0))]).start().await);
    let (stop, in_force) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (server, stop, in_force) = (server.clone(), stop.clone(), in_force.clone());
            tokio::spawn(async move {
                let (http, mut calls) = (server.http(), 0);
                while !stop.load(Ordering::SeqCst) {
                    let at_least = in_force.load(Ordering::SeqCst);
                    let answered = server.send(http.get(server.url("/version"))).await;
                    assert_eq!(answered.status, 200, "{answered:?}");
                    let version = answered.json()["version"].as_u64().unwrap();
                    assert!(version >= at_least, "{version} answered after {at_least} was acknowledged");
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    for number in 1..=5 {
        rewrite(&server, "version.py", &version(number));
        assert_eq!(server.get_with_key("/reload/version").await.status, 200);
        in_force.store(u64::from(number), Ordering::SeqCst);
    }
    stop.store(true, Ordering::SeqCst);
    for caller in callers {
        assert!(caller.await.unwrap() > 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_stays_because_its_file_is_broken_obeys_the_new_rules() {
    let server = keyed(&[("a.py", &shows("A"))]).start().await;
    rewrite(&server, "a.py", "broken(\n");
    let reload_with = async |parameters: &str| {
        let sections = format!("[auth]\napikey={KEY}\n[plugin_parms]\na={parameters}");
        std::fs::write(server.path("config/config.ini"), config(&server.path("plugins"), &sections)).unwrap();
        server.get_with_key("/reload/all").await.json()["failed"].clone()
    };
    assert_eq!(reload_with("auth_type=global").await, json!(["a.py"]));
    assert_eq!((server.get("/a").await.status, server.get_with_key("/a").await.status), (403, 200));
    assert_eq!(reload_with("auth_type=globl").await, json!(["a.py"]));
    assert_eq!(server.get_with_key("/a").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_does_not_load_any_more_is_told_and_costs_no_working_one() {
    let two = |fails: &str| {
        let init = format!(
            "def __init__(self, **kwargs):\n    super().__init__(**kwargs)\n{fails}def request_handler(self, **data):\n    return 'b'"
        );
        format!("{}\n\n{}", shows("A"), plugin("B", &init))
    };
    let server = keyed(&[("two.py", &two(""))]).start().await;
    rewrite(&server, "two.py", &two("    raise ValueError('no')\n"));
    assert_eq!(server.get_with_key("/reload/a").await.status, 500);
    assert_eq!(server.get("/b").await.status, 200);
    assert_eq!(server.get_with_key("/reload/all").await.json()["failed"], json!(["two.py"]));
}
