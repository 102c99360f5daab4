//! Plugins that load for long, or not at all: the others are there, and the operator is told.

use std::path::Path;
use std::sync::Arc;

use msp_core::control::FunctionState;
use serde_json::json;

use super::{KEY, WithKey, builder, loaded, plugin, shows, write};
use msp_testkit::{NOW, ProgramFolder, ServerBuilder, until};

/// Loads when somebody has made the file `go`.
fn waits(class: &str) -> String {
    plugin(
        class,
        "async def initialize(self, **kwargs):
    import asyncio, os
    while not os.path.exists(self.args['marks'] + '/go'):
        await asyncio.sleep(0.01)
def request_handler(self, **data):
    return 200, 'late'",
    )
}

/// A server with these plugins; `slow.py` may see the folder of marks.
fn beside(marks: &Path, plugins: &[(&str, &str)]) -> ServerBuilder {
    let marks = marks.display();
    let sections = format!(
        "[auth]\napikey={KEY}\n[plugin_parms]\nslow=marks={marks}&msp_paths=%2B{marks}&msp_load_timeout=600"
    );
    builder(&sections, plugins)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_plugin_keeps_no_other_away_at_a_start_and_readyz_names_it() {
    let marks = tempfile::tempdir().unwrap();
    let plugins = [("a.py", &*shows("A")), ("slow.py", &waits("Slow")), ("z.py", &shows("Z"))];
    let server = Arc::new(beside(marks.path(), &plugins).start_at_once().await);
    for path in ["/a", "/z"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    let client = server.linked("laptop").await;
    assert!(client.call(&server, NOW, "time_test", None).await.1.is_ok());
    let not_ready = "still loading: plugin file slow.py\n".to_owned();
    until("the others have loaded", async || server.readiness().await == (503, not_ready.clone())).await;
    assert_eq!(server.function("slow").await.state, FunctionState::Loading);
    let early = tokio::spawn({
        let server = server.clone();
        async move { server.get("/slow").await }
    });
    std::fs::write(marks.path().join("go"), "").unwrap();
    assert_eq!(early.await.unwrap().status_and_body(), (200, "late"), "who comes early waits for it");
    until("it is ready", async || server.readiness().await.0 == 200).await;
    assert_eq!(server.get_with_key("/plugins").await.json(), loaded(&["a", "slow", "z"]));
    assert_eq!(server.get("/nosuch").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_of_different_files_do_not_wait_for_each_other() {
    let marks = tempfile::tempdir().unwrap();
    let server =
        Arc::new(beside(marks.path(), &[("slow.py", &shows("Slow")), ("b.py", &shows("B"))]).start().await);
    write(&server.path("plugins"), "slow.py", &waits("Slow"));
    let slow = tokio::spawn({
        let server = server.clone();
        async move { server.get_with_key("/reload/slow").await }
    });
    for _ in 0..2 {
        write(&server.path("plugins"), "b.py", &shows("B"));
        assert_eq!(server.get_with_key("/reload/b").await.status, 200);
    }
    assert!(!slow.is_finished());
    assert_eq!(server.get("/slow").await.status, 200, "the one before answers meanwhile");
    assert_eq!(server.readiness().await.0, 200, "and the server is ready");
    std::fs::write(marks.path().join("go"), "").unwrap();
    assert_eq!(slow.await.unwrap().status, 200);
    assert_eq!(server.get("/slow").await.body, "late");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_load_is_unknown_to_a_caller_and_named_to_the_operator() {
    let plugins = [
        ("broken.py", "nonsense(\n"),
        (
            "endless.py",
            &*plugin(
                "Endless",
                "async def initialize(self, **kwargs):\n    import asyncio\n    await asyncio.sleep(3600)",
            ),
        ),
        ("fine.py", &shows("Fine")),
    ];
    let sections = format!("[auth]\napikey={KEY}\n[plugin_parms]\nendless=msp_load_timeout=1");
    let builder = builder(&sections, &plugins)
        .with_modules("time_test=simple_time\nbad=bad\nwin=win\n")
        .with_module("bad.py", "def entry_call():\n    return 1\nboom()\n")
        .with_module("win", "#!/bin/sh\r\necho hi\r\n");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(builder.path().join("modules/win"), mode).unwrap();
    let server = builder.start().await;
    let client = server.linked("laptop").await;
    for (name, source, why) in [
        ("bad", "modules.ini: bad", "bad.py:3: NameError: name 'boom' is not defined"),
        ("win", "modules.ini: win", "CRLF"),
        ("broken", "broken.py", "broken.py:1: SyntaxError"),
        ("endless", "endless.py", "it took longer than 1 s, which is its msp_load_timeout"),
    ] {
        let row = server.function(name).await;
        assert_eq!((row.state, row.source.as_str()), (FunctionState::Failed, source));
        assert!(row.error.as_ref().unwrap().contains(why), "{row:?}");
        assert_eq!(client.call(&server, NOW, name, None).await, (200, Err("unknown_function".to_owned())));
        let reason = server.why().await;
        assert!(reason.starts_with("no function of this name: ") && reason.contains(why), "{reason}");
        assert_eq!(server.get(&format!("/{name}")).await.status, 404);
        assert!(server.why().await.contains(why));
    }
    // A plugin that never loaded can be asked for by its file's name, once it is mended.
    write(&server.path("plugins"), "broken.py", &shows("Broken"));
    assert_eq!(server.get_with_key("/reload/broken").await.status, 200);
    assert_eq!(server.get("/broken").await.status, 200);
    let row = server.function("broken").await;
    assert_eq!(
        (row.state, row.error, row.calls, row.route.as_deref()),
        (FunctionState::Ready, None, 1, Some("open"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_plugins_with_one_id_the_first_file_has_it_however_long_it_loads() {
    let marks = tempfile::tempdir().unwrap();
    let later = plugin("Slow", "def request_handler(self, **data):\n    return 'the other'");
    let server = beside(marks.path(), &[("slow.py", &waits("Slow")), ("z.py", &later)]).start_at_once().await;
    until("the other has loaded", async || server.get("/slow").await.body == "the other").await;
    std::fs::write(marks.path().join("go"), "").unwrap();
    until("the first has loaded", async || server.get("/slow").await.body == "late").await;
    let row = server.function("slow (z.py)").await;
    assert_eq!(row.error.as_deref(), Some("another plugin has this id"));
    let failed = server.get_with_key("/reload/all").await;
    assert_eq!((failed.status, &failed.json()["failed"]), (500, &json!(["z.py"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_fails_is_logged_once_a_load_with_its_trace_at_debug() {
    let bench = ProgramFolder::new();
    let fails = "def __init__(self, **kwargs):\n    raise ValueError('no disk')\ndef request_handler(self, **data):\n    pass";
    bench.write("plugins/two.py", &format!("{}\n\n{}", shows("A"), plugin("B", fails)));
    bench.write("plugins/one.py", &plugin("C", fails));
    let config = super::config(&bench.path("plugins"), "[Log]\nLevel=DEBUG");
    bench.write("config/config.ini", &config);
    let server = bench.serve();
    let log = server.log.clone();
    assert!(server.stop().success());
    let log = log.lock().unwrap();
    let lines = |level: &str, text: &str| {
        log.lines().filter(|line| line.contains(level) && line.contains(text)).count()
    };
    for (file, line) in [
        ("two.py", "plugin B of two.py does not load: "),
        ("one.py", "plugin file one.py does not load: class C: "),
    ] {
        assert_eq!((lines("ERROR", line), lines("ERROR", file)), (1, 1), "{log}");
    }
    assert_eq!(lines("ERROR", "ValueError: no disk"), 2, "{log}");
    assert_eq!(lines("DEBUG", "Traceback (most recent call last):"), 2, "{log}");
    assert_eq!(lines("INFO", "Traceback") + lines("INFO", "ValueError"), 0, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_request_that_the_door_admits_reaches_its_plugin_while_others_are_answered() {
    const LARGEST: usize = 64 * 1024 * 1024;
    let body = "async def request_handler(self, **data):\n    return len(await data['request'].read())";
    let both = format!("{}\n\n{}", plugin("Large", body), shows("Small"));
    let server =
        Arc::new(builder("[Limits]\nBody=64M\nBodyTimeout=60", &[("large.py", &both)]).start().await);
    let large = tokio::spawn({
        let server = server.clone();
        async move {
            let asked = server.http().post(server.url("/large")).timeout(std::time::Duration::from_secs(120));
            let asked = asked.header("Content-Type", "application/octet-stream").body(vec![7; LARGEST]);
            server.send(asked).await
        }
    });
    let mut answered = 0;
    while !large.is_finished() {
        assert_eq!(server.get("/small").await.status, 200);
        answered += 1;
    }
    assert_eq!(large.await.unwrap().status_and_body(), (200, LARGEST.to_string().as_str()));
    assert!(answered > 0);
}
