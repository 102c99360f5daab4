//! DNS rebinding: over plain HTTP nobody is answered who asks for a host that is not ours.

use super::{KEY, builder, plugin};
use msp_testkit::{NOW, TestServer};

/// Status and body of a request with these lines in its head.
async fn ask(server: &TestServer, target: &str, head: &str) -> (String, String) {
    let answer = server.raw(&format!("GET {target} HTTP/1.1\r\n{head}Connection: close\r\n\r\n")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].to_owned(), body.to_owned())
}

fn counts() -> String {
    plugin(
        "P",
        "calls = 0
def request_handler(self, **data):
    self.calls += 1
    return 200, {'calls': self.calls}",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_ours_is_421_and_nothing_runs() {
    let config = "[auth]\ncontrol_open=yes\n[network]\nHosts=nas Büro.example. other.example\n\
                  [Server]\nPublicUrl=https://share.example.net:8443/x\n[Proxy]\nForwardHost=1";
    let server = builder(config, &[("p.py", &counts())]).start().await;
    for host in [
        "evil.net",
        "evil.net:8000",
        "localhost.evil.net",
        "127.0.0.1.evil.net",
        "a.nas",
        "share.example.net.evil.net",
    ] {
        for path in ["/p", "/plugins", "/reload/all", "/nope", "/openapi.json"] {
            let head = format!("Host: {host}\r\nX-Forwarded-Host: localhost\r\n");
            assert_eq!(ask(&server, path, &head).await, ("421".to_owned(), String::new()), "{host} {path}");
        }
    }
    assert_eq!(
        server.why().await,
        "the host share.example.net.evil.net is neither an address nor in [network] Hosts nor that of [Server] PublicUrl"
    );
    for (target, head, status) in [
        ("/p", "", "400"),
        ("/p", "Host:\r\n", "400"),
        ("/p", "Host: a b\r\n", "400"),
        ("/p", "Host: localhost\r\nHost: localhost\r\n", "400"),
        ("http://evil.net/p", "Host: localhost\r\n", "421"),
        ("http://localhost/p", "Host: evil.net\r\n", "421"),
    ] {
        assert_eq!(ask(&server, target, head).await, (status.to_owned(), String::new()), "{target} {head}");
    }
    let mut calls = 0;
    for host in [
        "127.0.0.1",
        "[::1]:8000",
        "192.168.1.7:8000",
        "LOCALHOST:1",
        "a.localhost",
        "localhost.",
        "NAS",
        "nas:8000",
        "xn--bro-hoa.example",
        "share.example.net",
        "other.example.",
    ] {
        calls += 1;
        let head = format!("Host: {host}\r\nX-Forwarded-Host: evil.net\r\n");
        assert_eq!(
            ask(&server, "/p", &head).await,
            ("200".to_owned(), format!(r#"{{"calls":{calls}}}"#)),
            "{host}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sealed_door_answers_whatever_host_was_asked_for() {
    let server = TestServer::builder().start().await;
    let caller = server.unlinked().await;
    let request = server.http().post(server.url("/v1")).header("Host", "evil.net");
    let request = request.header("Content-Type", "application/json").body(caller.classic(NOW, "time_test"));
    assert_eq!(server.send(request).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ops_door_answers_other_hosts_to_its_token_alone() {
    let open = builder("[network]\nHosts=nas", &[]).start().await;
    let ask = async |server: &TestServer, path: &str, host: &str, token: &str| {
        let asked = server.http().get(format!("http://{}{path}", server.ops.unwrap())).header("Host", host);
        let answered = server.send(asked.bearer_auth(token)).await;
        (answered.status, answered.body)
    };
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(&open, path, "evil.net", KEY).await, (421, String::new()), "{path}");
        for host in ["nas:8001", "localhost", "127.0.0.1:8001"] {
            assert_eq!(ask(&open, path, host, "").await.0, 200, "{path} {host}");
        }
    }
    let builder = TestServer::builder();
    let token = builder.path().join("token");
    std::fs::write(&token, KEY).unwrap();
    let shut = builder.with_config(&format!("[Ops]\nTokenFile={}\n", token.display())).start().await;
    for (path, without) in [("/healthz", 200), ("/readyz", 401), ("/metrics", 401)] {
        assert_eq!(ask(&shut, path, "evil.net", KEY).await.0, 200, "{path}");
        assert_eq!(ask(&shut, path, "evil.net", "wrong").await, (421, String::new()), "{path}");
        assert_eq!(ask(&shut, path, "localhost", "wrong").await.0, without, "{path}");
    }
}
