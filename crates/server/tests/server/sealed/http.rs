//! Routes, methods, types and sizes.

use reqwest::Method;

use msp_testkit::{NOW, Peer, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn share_point_07_both_paths_work_other_methods_are_405_and_other_paths_404() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    for path in ["/v1", "/v1/"] {
        let body = caller.classic(NOW, "time_test");
        let request =
            server.http().post(server.url(path)).header("Content-Type", "application/json").body(body);
        assert_eq!(server.send(request).await.status, 200, "{path}");
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD] {
            let answered = server.send(server.http().request(method.clone(), server.url(path))).await;
            assert_eq!((answered.status, answered.body.as_str()), (405, ""), "{method} {path}");
            assert_eq!(answered.headers, "allow: OPTIONS, POST\ncontent-length: 0", "{method} {path}");
        }
        let answered = server.send(server.http().request(Method::OPTIONS, server.url(path))).await;
        assert_eq!(
            (answered.status, answered.headers.as_str()),
            (200, "allow: OPTIONS, POST\ncontent-length: 0")
        );
    }
    for path in ["/", "/v2", "/v1/x", "/v1//", "//v1", "/healthz", "/metrics"] {
        let answered = server.send(server.http().post(server.url(path))).await;
        assert_eq!((answered.status, answered.body.as_str()), (404, ""), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_08_the_content_type_must_be_json() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    for (content_type, status) in [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("application/problem+json", 200),
        ("text/plain", 401),
        ("application/x-www-form-urlencoded", 401),
        ("application/+json", 401),
        ("application/jsonx", 401),
        ("", 401),
    ] {
        let body = caller.classic(NOW, "time_test");
        let request = server.http().post(server.url("/v1")).header("Content-Type", content_type).body(body);
        let answered = server.send(request).await;
        assert_eq!(answered.status, status, "{content_type}");
        if status == 401 {
            answered.assert_plain();
        }
    }
    let without = server.http().post(server.url("/v1")).body(caller.classic(NOW, "time_test"));
    server.send(without).await.assert_plain();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_cut_at_every_byte_is_the_plain_401_and_never_a_500() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    // An address that failed as often as this is slowed: only keys lately seen from it are tried.
    assert_eq!(server.post(caller.classic(NOW, "time_test")).await.status, 200);
    let (_, envelope) = caller.envelope(NOW, "time_test", None);
    for body in [caller.classic(NOW, "time_test"), envelope] {
        let cuts = (0..body.len()).map(|length| server.post(body[..length].to_owned()));
        for answered in futures_util::future::join_all(cuts).await {
            answered.assert_plain();
        }
        assert_eq!(server.post(body).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_of_every_kind_is_the_plain_401() {
    let server = TestServer::builder().start().await;
    server.unlinked().await;
    let deep = "[".repeat(60_000);
    for body in [
        "",
        "null",
        "true",
        "5",
        "[]",
        "{}",
        "\"x\"",
        "{",
        "[[[[",
        "{\"sealed\":5}",
        "{\"sealed\":\"\"}",
        "{\"sealed\":\"AAAA\"}",
        "{\"sealed\":null,\"id\":\"a\"}",
        "{\"id\":[],\"check\":{},\"ts\":1,\"entry\":null}",
        "\u{feff}{}",
        "{\"id\":\"a\",\"id\":\"b\"}",
        deep.as_str(),
    ] {
        server.post(body.to_owned()).await.assert_plain();
    }
    server.post(vec![0xff, 0xfe, 0x00]).await.assert_plain();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_413_before_it_is_read_however_large_it_is() {
    let server = TestServer::builder().start().await;
    let answered = server.post(vec![b' '; 64 * 1024 + 1]).await;
    assert_eq!((answered.status, answered.body.as_str()), (413, ""));
    server.post(vec![b' '; 64 * 1024]).await.assert_plain();
    for head in [
        "Content-Length: 1073741824\r\n\r\n".to_owned(),
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n", 70_000, " ".repeat(70_000)),
    ] {
        let mut peer = Peer::connect(server.address).await;
        let request = format!("POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{head}");
        assert!(peer.send(request).await);
        let answer = peer.head().await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
    assert!(server.why().await.contains("larger than [Limits] Body"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_arrive_in_time_is_given_up() {
    let server = TestServer::builder().with_config("[Limits]\nBodyTimeout=1\n").start().await;
    let mut peer = Peer::connect(server.address).await;
    let head =
        "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    assert!(peer.send(head).await);
    let answer = peer.head().await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(server.why().await.contains("did not arrive in time"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ops_door_answers_on_a_listener_of_its_own() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    assert_eq!(server.post(caller.classic(NOW, "time_test")).await.status, 200);
    server.post("{}").await.assert_plain();
    let ops = format!("http://{}", server.ops.unwrap());
    let get = async |path: &str| server.send(server.http().get(format!("{ops}{path}"))).await;
    assert_eq!(get("/healthz").await.body, "ok\n");
    for (path, method, status) in [
        ("/healthz", Method::HEAD, 200),
        ("/readyz", Method::HEAD, 200),
        ("/metrics", Method::HEAD, 200),
        ("/healthz", Method::POST, 405),
    ] {
        let answered = server.send(server.http().request(method, format!("{ops}{path}"))).await;
        assert_eq!((answered.status, answered.body.as_str()), (status, ""), "{path}");
    }
    assert_eq!(get("/readyz").await.body, "ready\n");
    let metrics = get("/metrics").await.body;
    for line in
        ["msp_calls_total{function=\"time_test\",outcome=\"ok\"}", "msp_clients 1", "msp_refusals_total"]
    {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    assert!(!metrics.contains("127.0.0.1"), "an address became a label:\n{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_file_closes_metrics_and_readiness_but_not_health() {
    let builder = TestServer::builder();
    let token = builder.path().join("token");
    std::fs::write(&token, "a-long-random-token-for-the-scraper\n").unwrap();
    let server = builder.with_config(&format!("[Ops]\nTokenFile={}\n", token.display())).start().await;
    let ops = format!("http://{}", server.ops.unwrap());
    for path in ["/metrics", "/readyz"] {
        let without = server.http().get(format!("{ops}{path}"));
        assert_eq!(server.send(without).await.status, 401);
        let with =
            server.http().get(format!("{ops}{path}")).bearer_auth("a-long-random-token-for-the-scraper");
        assert_eq!(server.send(with).await.status, 200);
        for (credentials, status) in [
            ("bearer a-long-random-token-for-the-scraper", 200),
            ("BEARER  a-long-random-token-for-the-scraper ", 200),
            ("Bearer a-long-random-token-for-the-scrapes", 401),
            ("Basic a-long-random-token-for-the-scraper", 401),
        ] {
            let asked = server.http().get(format!("{ops}{path}")).header("Authorization", credentials);
            assert_eq!(server.send(asked).await.status, status, "{credentials}");
        }
    }
    assert_eq!(server.send(server.http().get(format!("{ops}/healthz"))).await.status, 200);
}
