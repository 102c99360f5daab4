//! Plugins that misbehave, and requests that do.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::{builder, plugin, shows};
use msp_testkit::{Peer, TestServer, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_fails_in_any_phase_harms_no_other() {
    let server = builder(
        "[plugin_parms]\nhangs=msp_timeout=1\nblocks=msp_timeout=1",
        &[
            ("good.py", &shows("Good")),
            ("imports.py", "import no_such_module\n"),
            ("exits.py", "import os\nos._exit(3)\n"),
            ("initialize.py", &plugin("Initialize", "async def initialize(self, **kwargs):\n    raise ValueError('no')\ndef request_handler(self, **data):\n    pass")),
            ("hangs.py", &plugin("Hangs", "async def request_handler(self, **data):\n    import asyncio\n    await asyncio.sleep(3600)")),
            ("blocks.py", &plugin("Blocks", "def request_handler(self, **data):\n    while data.get('block'):\n        pass\n    return 'free'")),
            ("dies.py", &plugin("Dies", "def request_handler(self, **data):\n    import os\n    if data.get('die'):\n        os._exit(1)\n    return 'alive'")),
            ("terminates.py", &plugin("Terminates", "def request_handler(self, **data):\n    return 'x'\ndef terminate_plugin(self):\n    raise ValueError('never')")),
        ],
    )
    .start()
    .await;
    for none in ["/imports", "/exits", "/initialize"] {
        assert_eq!(server.get(none).await.status, 404, "{none}");
    }
    assert_eq!(server.get("/hangs").await.status_and_body(), (504, r#"{"error":"timeout"}"#));
    let timeout = server.get("/blocks?block=1").await;
    assert_eq!(timeout.status_and_body(), (504, r#"{"error":"timeout"}"#));
    until("a host that hangs is replaced", async || server.get("/blocks").await.body == "free").await;
    let died = server.get("/dies?die=1").await;
    assert_eq!(died.status_and_body(), (502, r#"{"error":"bad gateway"}"#));
    assert_eq!(server.get("/dies").await.status_and_body(), (200, "alive"), "a call waits for the new host");
    assert_eq!(server.get("/good").await.status, 200);
    assert_eq!(server.get("/terminates").await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_flight_get_502_when_their_host_dies() {
    let body = "async def request_handler(self, **data):
    import asyncio, os
    if data.get('die'):
        await asyncio.sleep(0.3)
        os._exit(1)
    await asyncio.sleep(5)";
    let server = builder("", &[("dies.py", &plugin("Dies", body))]).start().await;
    let calls = ["/dies", "/dies", "/dies?die=1"].map(|path| server.get(path));
    for answered in futures_util::future::join_all(calls).await {
        assert_eq!(answered.status_and_body(), (502, r#"{"error":"bad gateway"}"#));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_and_a_flood_leave_the_plugin_well() {
    let body = "async def request_handler(self, **data):
    import asyncio
    await asyncio.sleep(float(data.get('sleep', 0)))
    return 200, 'x' * int(data.get('size', 1))";
    let server =
        builder("[plugin_parms]\np=msp_max_concurrent=4", &[("p.py", &plugin("P", body))]).start().await;
    for _ in 0..4 {
        let gone = server.http().get(server.url("/p?sleep=0.2")).timeout(Duration::from_millis(20));
        assert!(gone.send().await.is_err());
    }
    until("the calls of those who have gone have ended", async || server.get("/p").await.status == 200).await;
    assert_eq!(server.get("/p?size=2000000").await.status_and_body(), (500, r#"{"error":"internal error"}"#));
    assert_eq!(server.get("/p?size=1000000").await.body.len(), 1_000_000);
    let many = (0..20).map(|_| server.get("/p?sleep=3"));
    let mut statuses: Vec<_> =
        futures_util::future::join_all(many).await.into_iter().map(|answered| answered.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [200, 503], "more than its slots are told to come again");
    assert_eq!(server.get("/p").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_are_answered_and_large_ones_refused() {
    let server = builder(
        "",
        &[("p.py", &plugin("P", "def request_handler(self, **data):\n    return 200, len(data)"))],
    )
    .start()
    .await;
    let query: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
    let many = server.raw_get(&format!("/p?{}", query.join("&"))).await;
    assert!(many.starts_with("HTTP/1.1 200") && many.ends_with("10005"), "{}", &many[..200.min(many.len())]);
    let too_large = |kind: &str| {
        format!(
            "POST /p HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: 10000000000\r\n\r\n--b\r\n"
        )
    };
    for kind in ["multipart/form-data; boundary=b", "application/json", "application/x-www-form-urlencoded"] {
        let answer = server.raw(&too_large(kind)).await;
        assert!(
            answer.starts_with("HTTP/1.1 413") && answer.ends_with(r#"{"error":"too large"}"#),
            "{kind}: {answer}"
        );
    }
    let chunked = server.asking(Method::POST, "/p").body(reqwest::Body::from("x".repeat(70_000)));
    assert_eq!(server.send(chunked).await.status, 413);
    let torn = server
        .asking(Method::POST, "/p")
        .header("Content-Type", "multipart/form-data; boundary=b")
        .body("--b\r\n");
    assert_eq!(
        server.send(torn).await.status_and_body(),
        (400, r#"{"error":"the multipart body cannot be read"}"#)
    );
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    let deep = server.asking(Method::POST, "/p").body(format!("{{\"a\":{deep}}}"));
    assert_eq!(server.send(deep).await.status, 400);
    let surrogate = server.asking(Method::POST, "/p").body(r#"{"a":"\ud800"}"#);
    assert_eq!(server.send(surrogate).await.status, 400);
    let named = server.asking(Method::POST, "/p").json(&json!({"self": 1, "": 2, "a b": 3, "ü": 4}));
    assert!([200, 400].contains(&server.send(named).await.status));
    for bad in ["/p?%ff=%fe", "/p?a=%zz", "/p?&&&=&", "/p?=x"] {
        assert_eq!(server.get(bad).await.status, 200, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_required_where_others_can_listen() {
    let shows = shows("P");
    let plugins = [("p.py", shows.as_str())];
    let required = (403, r#"{"error":"tls_required"}"#);
    let open = builder("[network]\nbindto=0.0.0.0", &plugins).start().await;
    let port = open.address.port();
    let ask = |scheme: Option<&str>| {
        let request = msp_testkit::http().get(format!("http://127.0.0.1:{port}/p"));
        match scheme {
            Some(scheme) => request.header("X-Forwarded-Proto", scheme),
            None => request,
        }
    };
    assert_eq!(open.send(ask(None)).await.status_and_body(), required);
    assert_eq!(
        open.send(ask(Some("https"))).await.status_and_body(),
        required,
        "nobody said that this header may be trusted"
    );
    assert!(open.why().await.contains("without TLS"));
    open.stop().await;
    let behind = builder("[network]\nbindto=0.0.0.0\n[Proxy]\nForwardProto=1", &plugins).start().await;
    let port = behind.address.port();
    let ask = |scheme: &str| {
        msp_testkit::http().get(format!("http://127.0.0.1:{port}/p")).header("X-Forwarded-Proto", scheme)
    };
    assert_eq!(behind.send(ask("https")).await.status, 200);
    assert_eq!(behind.send(ask("http")).await.status_and_body(), required);
    let allowed = builder("[network]\nbindto=0.0.0.0\n[auth]\nAllowPlain=yes", &plugins).start().await;
    let asked = msp_testkit::http().get(format!("http://127.0.0.1:{}/p", allowed.address.port()));
    assert_eq!(allowed.send(asked).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_hold_empty_lines() {
    let server = builder("", &[("p.py", &shows("P"))]).start().await;
    let fields: String = (0..20)
        .map(|number| {
            format!("--b\r\nContent-Disposition: form-data; name=\"f{number}\"\r\n\r\n\r\n\r\n\r\n")
        })
        .collect();
    let multipart =
        server.asking(Method::POST, "/p").header("Content-Type", "multipart/form-data; boundary=b");
    let answered = server.send(multipart.body(fields + "--b--\r\n")).await;
    assert_eq!(answered.json()["f19"], "\r\n\r\n");
    let chunked =
        "POST /p HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let lines = "\n".repeat(40);
    let answer = server.raw(&format!("{chunked}28\r\n{lines}\r\n0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_wait_for_others_cost_no_host_its_life() {
    let body = "import time
served = 0
def request_handler(self, **data):
    self.time.sleep(0.4)
    Slow.served += 1
    return 200, Slow.served";
    let server =
        builder("[plugin_parms]\nslow=msp_timeout=1", &[("slow.py", &plugin("Slow", body))]).start().await;
    let calls = (0..12).map(|_| server.get("/slow"));
    let statuses: Vec<_> =
        futures_util::future::join_all(calls).await.into_iter().map(|answered| answered.status).collect();
    assert!(statuses.contains(&200) && statuses.contains(&504), "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 504].contains(status)), "{statuses:?}");
    // On a busy machine one that still runs may take most of this call's second.
    let after = loop {
        if let Some(after) = server.get("/slow").await.json().as_u64() {
            break after;
        }
    };
    assert!(after > 2 && after < 10, "the same host, and what was given up did not run: {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_that_a_stranger_names_is_not_believed() {
    let body = "def request_handler(self, **data):\n    return 200, data['request'].host";
    let server = builder("[network]\nHosts=mine.example", &[("p.py", &plugin("P", body))]).start().await;
    let asked = server
        .asking(Method::GET, "/p")
        .header("Host", "mine.example")
        .header("X-Forwarded-Host", "evil.example")
        .header("Forwarded", "host=evil.example");
    assert_eq!(server.send(asked).await.body, "mine.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_follow_the_port_and_prefix_that_a_trusted_proxy_names() {
    let body = "def request_handler(self, **data):\n    return 200, str(data['request'].url)";
    let source = plugin("P", body);
    let plugins = [("p.py", source.as_str())];
    let trusting =
        "[auth]\ncontrol_open=yes\n[Proxy]\nForwardProto=1\nForwardHost=1\nForwardPort=1\nForwardPrefix=1";
    let servers = [
        builder(trusting, &plugins).start().await,
        builder("[auth]\ncontrol_open=yes", &plugins).start().await,
    ];
    let ask = async |server: &TestServer, path: &str, port: &str, prefix: &str| {
        let asked = server.asking(Method::GET, path).header("X-Forwarded-Proto", "https");
        let asked = asked.header("X-Forwarded-Host", "share.example").header("X-Forwarded-Port", port);
        server.send(asked.header("X-Forwarded-Prefix", prefix)).await
    };
    for (port, prefix, expected) in [
        ("8443", "/msp/", "https://share.example:8443/msp/p/x?a=1"),
        ("443", "/msp", "https://share.example/msp/p/x?a=1"),
        ("9999, 8443", "/evil, /a/b", "https://share.example:8443/a/b/p/x?a=1"),
        ("99999", "//evil.net", "https://share.example/p/x?a=1"),
        ("", "", "https://share.example/p/x?a=1"),
    ] {
        assert_eq!(ask(&servers[0], "/p/x?a=1", port, prefix).await.body, expected);
    }
    let direct = format!("http://{}/p/x?a=1", servers[1].address);
    assert_eq!(ask(&servers[1], "/p/x?a=1", "8443", "/msp").await.body, direct, "nobody is trusted");
    let paths = ask(&servers[0], "/openapi.json", "443", "/msp").await.json();
    assert_eq!(paths["servers"], json!([{"url": "/msp"}]));
    assert_eq!(ask(&servers[1], "/openapi.json", "443", "/msp").await.json()["servers"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_on_this_machine_says_whether_the_caller_came_in_clear() {
    let shows = shows("P");
    let server = builder("[Proxy]\nForwardProto=1", &[("p.py", &shows)]).start().await;
    for (scheme, status) in [("https", 200), ("HTTPS", 200), ("http", 403)] {
        let asked = server.asking(Method::GET, "/p").header("X-Forwarded-Proto", scheme);
        assert_eq!(server.send(asked).await.status, status, "{scheme}");
    }
    assert_eq!(server.get("/p").await.status, 200, "nobody stands before the machine itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_with_its_caller() {
    let body = "async def request_handler(self, **data):
    import asyncio
    if data.get('wait'):
        await asyncio.sleep(3600)
    return 'free'";
    let parameters = "[plugin_parms]\np=msp_max_concurrent=1&msp_timeout=600";
    let server = builder(parameters, &[("p.py", &plugin("P", body))]).start().await;
    let mut caller = Peer::connect(server.address).await;
    assert!(caller.send("GET /p?wait=1 HTTP/1.1\r\nHost: localhost\r\n\r\n").await);
    until("the call is under way", async || server.get("/p").await.status == 503).await;
    caller.reset();
    until("it has ended", async || server.get("/p").await.body == "free").await;
    server.stop().await;
}
