//! Bodies as callers send them: packed, in other charsets, or not readable at all.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use reqwest::Method;
use serde_json::json;

use super::{KEY, builder, plugin};
use msp_testkit::{Answered, TestServer};

/// Answers its value `a`, what it reads of its request itself, and how often it ran.
fn reads() -> String {
    plugin(
        "P",
        "calls = 0
async def request_handler(self, **data):
    self.calls += 1
    request = data['request']
    length = request.headers.get('content-length')
    return 200, {'a': data.get('a', 'default'), 'text': await request.text(), 'length': length, 'calls': self.calls}",
    )
}

async fn server() -> TestServer {
    let sections = format!("[auth]\napikey={KEY}\n[plugin_parms]\np=auth_type=global");
    builder(&sections, &[("p.py", &reads())]).start().await
}

async fn send(server: &TestServer, heads: &[(&str, &str)], body: &[u8]) -> Answered {
    let asked = server.asking(Method::POST, "/p").header("X-Custom-Auth", KEY).body(body.to_vec());
    server.send(heads.iter().fold(asked, |asked, (name, value)| asked.header(*name, *value))).await
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packing = GzEncoder::new(Vec::new(), Compression::best());
    packing.write_all(text).unwrap();
    packing.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_bodies_and_other_charsets_are_read() {
    let server = server().await;
    let json = "{\"a\":\"ü\"}";
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(json.as_bytes()).unwrap();
    let kind = |kind| ("Content-Type", kind);
    let utf_16: Vec<u8> = json.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (heads, body, text) in [
        (vec![kind("application/json"), ("Content-Encoding", "gzip")], gzip(json.as_bytes()), json),
        (vec![kind("application/json"), ("Content-Encoding", "deflate")], zlib.finish().unwrap(), json),
        (vec![kind("application/json; charset=utf-16le")], utf_16, json),
        (vec![kind("application/json; charset=iso-8859-1")], b"{\"a\":\"\xfc\"}".to_vec(), json),
        (vec![kind("application/x-www-form-urlencoded; charset=latin-1")], b"a=%FC".to_vec(), "a=%FC"),
    ] {
        let answered = send(&server, &heads, &body).await;
        assert_eq!(answered.status, 200, "{heads:?} {answered:?}");
        let packed = heads.iter().any(|(name, _)| *name == "Content-Encoding");
        let (read, length) =
            (answered.json(), if packed { json!(null) } else { json!(body.len().to_string()) });
        assert_eq!(
            (&read["a"], &read["text"], &read["length"]),
            (&json!("ü"), &json!(text), &length),
            "{heads:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_read_is_refused_with_a_reason_and_nothing_runs() {
    let server = server().await;
    let json = ("Content-Type", "application/json");
    let bomb = gzip(&vec![b' '; 10_000_000]);
    for (heads, body, status, why) in [
        (
            vec![json],
            &br#"{"a": NaN}"#[..],
            400,
            "the body is no JSON that can be read: expected value at line 1 column 7",
        ),
        (
            vec![json],
            br#"{"a": 1e400}"#,
            400,
            "the body is no JSON that can be read: number out of range at line 1 column 11",
        ),
        (
            vec![json],
            br#"{"a": [18446744073709551616]}"#,
            400,
            "the body is no JSON that can be read: a whole number in it is beyond 64 bits; send it as text",
        ),
        (
            vec![],
            b"{\"a\":",
            400,
            "the body is no JSON that can be read: EOF while parsing a value at line 1 column 5",
        ),
        (vec![json], b"{\"a\":\"\xfc\"}", 400, "the body is no UTF-8"),
        (
            vec![json, ("Content-Encoding", "gzip")],
            br#"{"a": 1}"#,
            400,
            "the body is not the gzip that its Content-Encoding says",
        ),
        (
            vec![json, ("Content-Encoding", "br")],
            b"x",
            415,
            "the Content-Encoding is not one of gzip, deflate and identity",
        ),
        (
            vec![("Content-Type", "application/json; charset=klingon")],
            b"{}",
            415,
            "the charset of the Content-Type is not known here",
        ),
        (vec![json, ("Content-Encoding", "gzip")], &bomb, 413, "too large"),
    ] {
        let answered = send(&server, &heads, body).await;
        assert_eq!((answered.status, answered.json()), (status, json!({"error": why})), "{heads:?}");
    }
    assert_eq!(server.why().await, "the body is larger than [Limits] Body");
    let answered = send(&server, &[("Content-Type", "application/json")], b"[NaN]").await;
    assert_eq!(answered.status, 400);
    assert!(server.why().await.starts_with("the body cannot be read: the body is no JSON"));
    assert_eq!(send(&server, &[], b"").await.json()["calls"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_taken_out_of_a_body_in_any_charset() {
    let server = server().await;
    let body = [format!("{{\"apikey\":\"{KEY}\",\"a\":\"").as_bytes(), b"\xfc\"}"].concat();
    let asked = server.asking(Method::POST, "/p").header("Content-Type", "application/json; charset=latin-1");
    let answered = server.send(asked.body(body)).await;
    assert_eq!((answered.status, &answered.json()["text"]), (200, &json!("{\"a\":\"ü\"}")));
}
