//! Web pages: which may ask, and what their browsers are told.

use reqwest::{Method, RequestBuilder};

use super::{builder, plugin};
use msp_testkit::{Answered, TestServer};

/// Counts its calls, so that one that must not run is found out.
fn counts() -> String {
    plugin(
        "Counts",
        "calls = 0
def request_handler(self, **data):
    self.calls += 1
    return 200, {'calls': self.calls}",
    )
}

async fn server(cors: &str) -> TestServer {
    builder(&format!("[cors]\n{cors}"), &[("counts.py", &counts())]).start().await
}

fn from(server: &TestServer, origin: &str) -> RequestBuilder {
    server.asking(Method::GET, "/counts").header("Origin", origin)
}

/// The headers of CORS, one a line.
fn marks(answered: &Answered) -> String {
    let ours = |line: &&str| line.starts_with("access-control-") || line.starts_with("vary:");
    answered.headers.lines().filter(ours).collect::<Vec<_>>().join("\n")
}

const LISTED: &str = "enabled=bool:true\norigin_url=list:https://a.example http://b.example:8080/";

#[tokio::test(flavor = "multi_thread")]
async fn plugin_19_a_listed_origin_gets_the_headers_and_another_is_refused_before_the_plugin_runs() {
    let server = server(LISTED).await;
    for origin in ["https://a.example", "http://b.example:8080"] {
        let answered = server.send(from(&server, origin)).await;
        assert_eq!(answered.status, 200, "{origin}");
        let expected = format!(
            "access-control-allow-credentials: true\naccess-control-allow-origin: {origin}\n\
             access-control-expose-headers: Content-Length,X-Custom-Header\nvary: Origin"
        );
        assert_eq!(marks(&answered), expected);
        assert_eq!(answered.header("x-content-type-options"), Some("nosniff"));
    }
    for origin in ["https://evil.example", "http://a.example", "https://a.example:444", "null", ""] {
        let answered = server.send(from(&server, origin)).await;
        assert_eq!(answered.status_and_body(), (403, "origin not allowed"), "{origin}");
        assert_eq!(marks(&answered), "vary: Origin");
    }
    let plain = server.get("/counts").await;
    assert_eq!(plain.status_and_body(), (200, r#"{"calls":3}"#), "refused requests did not run");
    assert_eq!(marks(&plain), "vary: Origin");
    server.send(from(&server, "https://evil.example")).await;
    assert_eq!(
        server.why().await,
        "the Origin https://evil.example is neither in [cors] origin_url nor in acl"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_origin_of_a_request_must_be_listed() {
    let server = server(LISTED).await;
    let (good, evil) = ("https://a.example", "https://evil.example");
    for pair in [[good, evil], [evil, good]] {
        let answered = server.send(from(&server, pair[0]).header("Origin", pair[1])).await;
        assert_eq!(answered.status_and_body(), (403, "origin not allowed"), "{pair:?}");
        assert_eq!(marks(&answered), "vary: Origin");
        let preflight =
            server.asking(Method::OPTIONS, "/counts").header("Access-Control-Request-Method", "GET");
        let answered = server.send(preflight.header("Origin", pair[0]).header("Origin", pair[1])).await;
        assert_eq!(answered.status, 403, "{pair:?}");
    }
    assert_eq!(server.get("/counts").await.body, r#"{"calls":1}"#, "refused requests did not run");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_is_the_same_in_each_of_its_spellings() {
    let server = server("enabled=on\norigin_url=https://a.example:443 http://B.example:80/ https://küche.example\nacl=bücher.example").await;
    for (origin, status) in [
        ("https://a.example", 200),
        ("https://a.example:443", 200),
        ("http://b.example", 200),
        ("https://xn--kche-0ra.example", 200),
        ("https://xn--kche-0ra.example:443", 200),
        ("https://a.xn--bcher-kva.example", 200),
        ("https://a.example:80", 403),
        ("http://a.example:443", 403),
    ] {
        assert_eq!(server.send(from(&server, origin)).await.status, status, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_19_a_preflight_is_answered_without_the_plugin() {
    let server = server(LISTED).await;
    let ask = |origin: &str, method: &str, headers: &str| {
        server
            .asking(Method::OPTIONS, "/counts")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", method)
            .header("Access-Control-Request-Headers", headers)
    };
    let answered = server.send(ask("https://a.example", "POST", "content-type, X-Custom-Auth")).await;
    assert_eq!(answered.status_and_body(), (200, ""));
    insta::assert_snapshot!(marks(&answered), @r"
    access-control-allow-credentials: true
    access-control-allow-headers: content-type, X-Custom-Auth
    access-control-allow-methods: GET, POST, PUT, DELETE, OPTIONS
    access-control-allow-origin: https://a.example
    access-control-expose-headers: Content-Length,X-Custom-Header
    access-control-max-age: 3600
    vary: Origin
    ");
    for (origin, method, headers) in [
        ("https://evil.example", "GET", ""),
        ("https://a.example", "PATCH", ""),
        ("https://a.example", "GET", "x-other"),
    ] {
        assert_eq!(
            server.send(ask(origin, method, headers)).await.status,
            403,
            "{origin} {method} {headers}"
        );
    }
    assert_eq!(server.get("/counts").await.body, r#"{"calls":1}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_19_false_switches_it_off_and_origins_are_not_needed_for_an_acl() {
    let off = server("enabled=bool:false\norigin_url=list:https://a.example").await;
    let answered = off.send(from(&off, "https://evil.example")).await;
    assert_eq!((answered.status, marks(&answered).as_str()), (200, ""));
    let acl = server("enabled=bool:true\nacl=list:example.org").await;
    assert_eq!(acl.send(from(&acl, "https://a.example.org")).await.status, 200);
    let any = server("enabled=yes\norigin_url=*").await;
    let answered = any.send(from(&any, "https://evil.example")).await;
    assert_eq!(answered.status, 200);
    assert_eq!(answered.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answered.header("access-control-allow-credentials"), None);
    let strict = server(&format!("{LISTED}\nrequire_origin=bool:true")).await;
    assert_eq!(strict.get("/counts").await.status_and_body(), (403, "origin not allowed"));
    assert_eq!(
        strict.get("/plugins").await.status_and_body(),
        (403, r#"{"error":"unauthorized"}"#),
        "no page's business"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_20_the_acl_counts_for_every_route_of_the_door() {
    let server = builder(
        "[cors]\nenabled=bool:true\nacl=list:example.org\n[auth]\napikey=0123456789abcdef0",
        &[("counts.py", &counts())],
    )
    .start()
    .await;
    assert_eq!(server.send(from(&server, "https://a.example.org")).await.status, 200);
    for path in ["/counts", "/plugins", "/nope"] {
        let asked = server.asking(Method::GET, path).header("Origin", "https://badexample.org");
        assert_eq!(server.send(asked).await.status_and_body(), (403, "origin not allowed"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_cannot_loosen_what_the_operator_has_set() {
    let loose = plugin(
        "Counts",
        "def request_handler(self, **data):
    from aiohttp import web
    return web.Response(text='x', headers={'Access-Control-Allow-Origin': '*', 'Vary': 'Accept'})",
    );
    let server = builder(&format!("[cors]\n{LISTED}"), &[("counts.py", &loose)]).start().await;
    let answered = server.get("/counts").await;
    assert_eq!(marks(&answered), "vary: Accept\nvary: Origin");
}
