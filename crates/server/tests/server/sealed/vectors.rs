//! The known-answer vectors, against the real server.

use msp_protocol::sealing::BoxKey;
use msp_protocol::{PrivateKey, PublicKey, classic};
use serde_json::Value;

use msp_testkit::TestServer;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../protocol/tests/vectors/v1-vectors.json")).unwrap()
}

/// A fresh server with the vectors' keys and secrets, imported as the original kept them.
async fn server(vectors: &Value, now: u64, function: &str, text: &str) -> TestServer {
    let keys = &vectors["keys"];
    let key = PrivateKey::from_base64(keys["server_private"].as_str().unwrap()).unwrap();
    let module = format!("def entry_call():\n    return {}\n", serde_json::to_string(text).unwrap());
    let builder = TestServer::builder()
        .at(now)
        .with_key(&key)
        .with_module("vector.py", &module)
        .with_modules(&format!("{function}=vector\n"));
    let sec = builder.path().join("sec");
    std::fs::write(sec.join("client_1.pub"), keys["client_public"].as_str().unwrap()).unwrap();
    let secrets: Vec<_> =
        vectors["registered_secrets"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    std::fs::write(sec.join("clients.dev"), secrets.join("\n")).unwrap();
    builder.start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_01_02_04_05_every_case_of_the_vectors_is_answered_as_it_says() {
    let vectors = vectors();
    for case in vectors["cases"].as_array().unwrap() {
        let now = case["server_now"].as_u64().unwrap();
        let expected = case["reply"]["text"].as_str();
        let function = match expected {
            Some(_) => case["entry"].as_str().unwrap(),
            None => "time_test",
        };
        let server = server(&vectors, now, function, expected.unwrap_or("not this")).await;
        let answered = server.post(case["request"].to_string()).await;
        assert_eq!(u64::from(answered.status), case["expected_status"].as_u64().unwrap(), "{}", case["name"]);
        let Some(text) = expected else {
            answered.assert_plain();
            continue;
        };
        let keys = &vectors["keys"];
        let client = PrivateKey::from_base64(keys["client_private"].as_str().unwrap()).unwrap();
        let public: PublicKey = keys["server_public"].as_str().unwrap().parse().unwrap();
        let reply = classic::open_reply(&BoxKey::agree(&client, &public), answered.body.as_bytes()).unwrap();
        assert_eq!(reply, text, "{}", case["name"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_09_every_malformed_request_gets_its_status() {
    let vectors = vectors();
    for case in vectors["malformed"].as_array().unwrap() {
        let server = server(&vectors, case["server_now"].as_u64().unwrap(), "time_test", "ok").await;
        let answered = server.post(case["request"].to_string()).await;
        assert_eq!(u64::from(answered.status), case["expected_status"].as_u64().unwrap(), "{}", case["name"]);
        if answered.status == 401 {
            answered.assert_plain();
        }
    }
}
