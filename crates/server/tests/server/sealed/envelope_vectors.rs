//! The envelope's known-answer vectors, against the real server: a fresh one for each case.

use std::sync::Arc;

use msp_core::clock::ManualClock;
use msp_core::{ClientStore as _, Marks as _};
use msp_protocol::encoding::{decode_url, encode_url};
use msp_protocol::envelope::{PairKeys, Rid};
use msp_protocol::{PrivateKey, Secret};
use msp_registry::SqlRegistry;
use serde_json::{Value, json};

use msp_testkit::{Answered, TestServer, new_client};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../protocol/tests/vectors/envelope-vectors.json")).unwrap()
}

fn private(of: &Value) -> PrivateKey {
    PrivateKey::from_base64(of["private"].as_str().unwrap()).unwrap()
}

/// A server with the vectors' key and clients, standing where the case's first step wants it.
async fn server(vectors: &Value, first: &Value) -> TestServer {
    let now = first["server_now"].as_u64().unwrap();
    let builder =
        TestServer::builder().at(now).with_key(&private(&vectors["server"])).with_modules("echo=echo\n");
    let url = format!("sqlite:{}", builder.path().join("sec/registry.db").display());
    let registry = SqlRegistry::open(&url, Arc::new(ManualClock::at(now))).await.unwrap();
    if let Some(floor) = first["floor"].as_u64() {
        registry.set_accepted_until(floor).await.unwrap();
    }
    for client in vectors["clients"].as_array().unwrap() {
        let secret = Secret::parse(client["secret"].as_str().unwrap()).unwrap();
        let linked = client["linked"].as_bool().unwrap();
        let name = linked.then(|| client["name"].as_str().unwrap());
        registry.add_client(&new_client(&private(client), &secret, name), "test").await.unwrap();
    }
    builder.start().await
}

/// The step's body, or with `truncate` one for each shorter length of its sealed bytes.
fn bodies(step: &Value) -> Vec<String> {
    let body = match &step["body"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if step["truncate"] != "every" {
        return vec![body];
    }
    let parsed: Value = serde_json::from_str(&body).unwrap();
    let sealed = decode_url(parsed["sealed"].as_str().unwrap()).unwrap();
    (0..sealed.len()).map(|length| json!({ "sealed": encode_url(&sealed[..length]) }).to_string()).collect()
}

/// Holds what came back against what the step expects.
fn check(vectors: &Value, name: &str, step: &Value, answered: &Answered) {
    let expect = &step["expect"];
    assert_eq!(u64::from(answered.status), expect["status"].as_u64().unwrap(), "{name}");
    if expect["plain"] == true {
        return answered.assert_plain();
    }
    let clients = vectors["clients"].as_array().unwrap();
    let client = clients.iter().find(|client| client["name"] == step["client"]).unwrap();
    let server = private(&vectors["server"]);
    let keys = PairKeys::of_client(&private(client), server.public()).unwrap();
    let rid = decode_url(step["rid"].as_str().unwrap()).unwrap().try_into().unwrap();
    let outcome = keys.open_answer(&Rid::from_bytes(rid), answered.body.as_bytes()).unwrap().outcome;
    match outcome {
        Ok(value) => assert_eq!(expect["value"], value, "{name}"),
        Err(failure) => {
            let code = expect.get("code").or(expect.get("error")).unwrap();
            assert_eq!(code, &json!(failure.code.to_string()), "{name}");
            assert_eq!(expect.get("not_before").and_then(Value::as_u64), failure.not_before, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_envelope_vectors_is_answered_as_it_says() {
    let vectors = vectors();
    for case in vectors["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let steps = case["steps"].as_array().unwrap();
        let server = server(&vectors, &steps[0]).await;
        for step in steps {
            server.clock().set_unix(step["server_now"].as_u64().unwrap());
            let sent = bodies(step).into_iter().map(|body| server.post(body));
            for answered in futures_util::future::join_all(sent).await {
                check(&vectors, name, step, &answered);
            }
        }
        server.stop().await;
    }
}
