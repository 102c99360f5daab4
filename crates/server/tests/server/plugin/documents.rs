//! Static documents.

use std::os::unix::fs::symlink;

use reqwest::Method;

use super::builder;
use msp_testkit::{ServerBuilder, TestServer};

async fn server() -> (TestServer, tempfile::TempDir) {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let builder: ServerBuilder = builder("", &[]);
    let root = builder.path().join("html");
    std::fs::create_dir_all(root.join("sub/deep")).unwrap();
    std::fs::write(root.join("index.html"), "<p>home").unwrap();
    std::fs::write(root.join("sub/index.html"), "<p>sub").unwrap();
    std::fs::write(root.join("a b.txt"), "0123456789").unwrap();
    std::fs::write(root.join(".hidden"), "hidden").unwrap();
    symlink(outside.path().join("secret"), root.join("link")).unwrap();
    symlink(outside.path(), root.join("folder")).unwrap();
    symlink("a b.txt", root.join("inside.txt")).unwrap();
    let text = super::config(
        &builder.path().join("plugins"),
        &format!("[paths]\ndocuments=html:{}", root.display()),
    );
    (builder.with_config(&text).start().await, outside)
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_24_nothing_outside_the_folder_is_served_however_it_is_asked_for() {
    let (server, outside) = server().await;
    let absolute = format!("/html/{}/secret", outside.path().display());
    for path in [
        "/html//etc/passwd",
        "/html/../x",
        "/html/../../../../../../etc/passwd",
        "/html/%2e%2e/%2e%2e/etc/passwd",
        "/html/%2E%2E%2Fsec/server.key",
        "/html/..%2f..%2fetc/passwd",
        "/html/sub/..%5c..%5csec",
        "/html/%252e%252e/etc/passwd",
        "/html/%c0%ae%c0%ae/etc/passwd",
        "/html/..;/etc/passwd",
        "/html/.%00./etc/passwd",
        "/html/link",
        "/html/folder/secret",
        "/html/folder",
        "/html/folder/",
        "/html/.hidden",
        "/html/sub/../.hidden",
        "/html2/index.html",
        "/html/sub/deep/",
        "/html/index.html/",
        "/html/%ff",
        &absolute,
    ] {
        let answer = server.raw_get(path).await;
        let status = answer.split(' ').nth(1).unwrap();
        assert!(["400", "403", "404"].contains(&status), "{path}: {answer}");
        assert!(!answer.contains("root:") && !answer.contains("secret"), "{path}: {answer}");
    }
    assert!(server.raw_get("/html/link").await.starts_with("HTTP/1.1 403"));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_have_their_type_an_etag_and_ranges() {
    let (server, _outside) = server().await;
    let home = server.get("/html/").await;
    assert_eq!((home.status, home.body.as_str()), (200, "<p>home"));
    assert_eq!(home.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(home.header("x-content-type-options"), Some("nosniff"));
    let moved = server.raw_get("/html/sub").await;
    assert!(moved.starts_with("HTTP/1.1 308") && moved.contains("location: ./sub/\r\n"), "{moved}");
    let text = server.get("/html/a%20b.txt").await;
    let etag = text.header("etag").unwrap();
    assert!(text.header("last-modified").is_some());
    let again = server.asking(Method::GET, "/html/a%20b.txt").header("If-None-Match", etag);
    assert_eq!(server.send(again).await.status, 304);
    let part = server.asking(Method::GET, "/html/a%20b.txt").header("Range", "bytes=2-4");
    assert_eq!(server.send(part).await.status_and_body(), (206, "234"));
    assert_eq!(server.get("/html/inside.txt").await.body, "0123456789");
    let head = server.send(server.asking(Method::HEAD, "/html/a%20b.txt")).await;
    assert_eq!((head.status, head.body.as_str(), head.header("content-length")), (200, "", Some("10")));
    let post = server.send(server.asking(Method::POST, "/html/a%20b.txt")).await;
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn documents_that_would_lay_keys_open_stop_the_start() {
    let bench = msp_testkit::ProgramFolder::new();
    bench.write("plugins/p.py", "");
    for folder in [".", "sec", "log", "plugins"] {
        let text = super::config(&bench.path("plugins"), &format!("[paths]\ndocuments=doc:{folder}"));
        bench.write("config/config.ini", &text);
        let output = bench.run("msp-server", &["--port", "0"]);
        assert_eq!(output.status.code(), Some(1), "{folder}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("[paths] documents: /doc serves"), "{told}");
    }
}
