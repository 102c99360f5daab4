//! The original's wire format, against what the original itself made and answered.

use std::collections::BTreeMap;

use crypto_secretbox::aead::{Aead as _, KeyInit as _};
use msp_protocol::classic::{self, Opened};
use msp_protocol::encoding::encode_url;
use msp_protocol::sealing::BoxKey;
use msp_protocol::{Body, DecodeError, Digest, PrivateKey, PublicKey, Secret};
use serde::Deserialize;
use serde_json::Value;

use crate::scripted::Scripted;

#[derive(Deserialize)]
struct Vectors {
    request_ttl: u64,
    keys: BTreeMap<String, String>,
    registered_secrets: Vec<String>,
    cases: Vec<Case>,
    malformed: Vec<Malformed>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    server_now: u64,
    secret: String,
    crc32: u32,
    ts: u64,
    entry: Option<String>,
    fields: BTreeMap<String, Sealed>,
    request: Value,
    expected_status: u16,
    reply: Option<Sealed>,
    response: Option<Value>,
}

#[derive(Deserialize)]
struct Malformed {
    name: String,
    server_now: u64,
    request: Value,
    expected_status: u16,
}

#[derive(Deserialize)]
struct Sealed {
    plaintext_hex: String,
    nonce_hex: String,
    value: String,
    text: Option<String>,
}

impl Sealed {
    fn nonce(&self) -> [u8; 24] {
        hex::decode(&self.nonce_hex).unwrap().try_into().unwrap()
    }

    fn plaintext(&self) -> Vec<u8> {
        hex::decode(&self.plaintext_hex).unwrap()
    }
}

impl Vectors {
    fn read() -> Self {
        serde_json::from_str(include_str!("../vectors/v1-vectors.json")).unwrap()
    }

    fn private(&self, name: &str) -> PrivateKey {
        PrivateKey::from_base64(&self.keys[&format!("{name}_private")]).unwrap()
    }

    fn public(&self, name: &str) -> PublicKey {
        self.keys[&format!("{name}_public")].parse().unwrap()
    }

    /// The key under which the case's values were made.
    fn key_of(&self, case: &Case) -> BoxKey {
        let sender = if case.name == "stranger" { "stranger" } else { "client" };
        BoxKey::agree(&self.private(sender), &self.public("server"))
    }

    fn read_request(&self, request: &Value) -> Result<Opened, DecodeError> {
        let Body::Classic(request) = Body::parse(request.to_string().as_bytes())? else {
            panic!("read as an envelope");
        };
        let key = BoxKey::agree(&self.private("server"), &self.public("client"));
        let opened = request.open(&key);
        if opened.is_ok() {
            assert!(request.opens_with(&key) && !request.holds_a_nonce_twice());
        }
        opened
    }

    /// What a server with one client and one function of each good name would answer.
    fn judge(&self, request: &Value, now: u64) -> (u16, Result<Opened, DecodeError>) {
        let read = self.read_request(request);
        let accepted = read.as_ref().is_ok_and(|opened| {
            let known =
                self.registered_secrets.iter().any(|secret| Digest::of(secret.as_bytes()) == opened.secret);
            let function = ["time_test", "grüße"].contains(&opened.entry.as_str());
            known && function && now.abs_diff(opened.ts) <= self.request_ttl
        });
        (if accepted { 200 } else { 401 }, read)
    }
}

#[test]
fn share_point_01_every_good_case_opens_to_its_parts_and_its_reply_to_its_text() {
    let vectors = Vectors::read();
    for case in vectors.cases.iter().filter(|case| case.expected_status == 200) {
        let (status, opened) = vectors.judge(&case.request, case.server_now);
        assert_eq!(status, 200, "{}: {opened:?}", case.name);
        let opened = opened.unwrap();
        assert_eq!(opened.secret, Secret::parse(&case.secret).unwrap().digest(), "{}", case.name);
        assert_eq!(
            (opened.ts, Some(opened.entry.as_str())),
            (case.ts, case.entry.as_deref()),
            "{}",
            case.name
        );
        let response = case.response.as_ref().unwrap().to_string();
        let text = classic::open_reply(&vectors.key_of(case), response.as_bytes());
        assert_eq!(text.ok(), case.reply.as_ref().unwrap().text, "{}", case.name);
    }
}

#[test]
fn share_point_02_every_refused_case_is_refused_for_its_own_reason() {
    let vectors = Vectors::read();
    let unreadable = BTreeMap::from([
        ("bad-crc", DecodeError::Checksum),
        ("empty-entry", DecodeError::Empty),
        ("huge-ts", DecodeError::IntegerRange),
        ("non-utf8-entry", DecodeError::Utf8),
        ("stranger", DecodeError::Sealed),
        ("zero-ts", DecodeError::Empty),
    ]);
    let mut readable = Vec::new();
    for case in vectors.cases.iter().filter(|case| case.expected_status == 401) {
        let (status, read) = vectors.judge(&case.request, case.server_now);
        assert_eq!(status, 401, "{}", case.name);
        assert_eq!(read.as_ref().err(), unreadable.get(case.name.as_str()), "{}", case.name);
        if read.is_ok() {
            readable.push(case.name.as_str());
        }
    }
    assert_eq!(readable, ["unknown-entry", "expired", "future", "unregistered-secret"]);
}

#[test]
fn share_point_02_every_malformed_body_gets_its_status() {
    let vectors = Vectors::read();
    for case in &vectors.malformed {
        let (status, read) = vectors.judge(&case.request, case.server_now);
        assert_eq!(status, case.expected_status, "{}: {read:?}", case.name);
    }
}

#[test]
fn share_point_03_the_listed_nonces_give_the_listed_values() {
    let vectors = Vectors::read();
    for case in &vectors.cases {
        let key = vectors.key_of(case);
        let sealed = case.fields.values().chain(&case.reply);
        for field in sealed {
            let boxed = key.seal(&field.nonce(), &field.plaintext());
            assert_eq!(encode_url(&[&field.nonce()[..], &boxed].concat()), field.value, "{}", case.name);
        }
    }
}

#[test]
fn share_point_03_our_own_request_and_reply_are_those_of_the_original() {
    let vectors = Vectors::read();
    let good = vectors.cases.iter().filter(|case| case.expected_status == 200);
    // The one form that our own requests do not have.
    for case in good.filter(|case| case.name != "padded-integers") {
        let key = vectors.key_of(case);
        let secret = Secret::parse(&case.secret).unwrap();
        assert_eq!(secret.check(), case.crc32, "{}", case.name);
        let nonces = ["id", "check", "ts", "entry"].map(|name| case.fields[name].nonce_hex.as_str());
        let entry = case.entry.as_ref().unwrap().parse().unwrap();
        let body = classic::Request::build(&key, &secret, case.ts, &entry, &mut Scripted::new(&nonces));
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), case.request, "{}", case.name);
        let reply = case.reply.as_ref().unwrap();
        let body = classic::seal_reply_from(&key, reply.nonce(), reply.text.as_ref().unwrap());
        assert_eq!(body, format!("{{\"value\":\"{}\"}}\n", reply.value), "{}", case.name);
    }
}

#[test]
fn share_point_04_a_check_of_three_and_of_two_bytes_is_accepted() {
    let vectors = Vectors::read();
    for (name, length) in [("crc-leading-zero", 3), ("crc-two-leading-zeros", 2)] {
        let case = vectors.cases.iter().find(|case| case.name == name).unwrap();
        assert_eq!(case.fields["check"].plaintext().len(), length);
        assert_eq!(vectors.judge(&case.request, case.server_now).0, 200, "{name}");
    }
}

#[test]
fn share_point_05_integers_of_eight_bytes_are_accepted_and_of_forty_refused() {
    let vectors = Vectors::read();
    for (name, status, length) in [("padded-integers", 200, 8), ("huge-ts", 401, 40)] {
        let case = vectors.cases.iter().find(|case| case.name == name).unwrap();
        assert_eq!(case.fields["ts"].plaintext().len(), length);
        assert_eq!(vectors.judge(&case.request, case.server_now).0, status, "{name}");
    }
}

#[test]
fn the_shared_key_is_the_same_from_both_sides() {
    let vectors = Vectors::read();
    let theirs = hex::decode(&vectors.keys["shared_key_hex"]).unwrap();
    let sealed = BoxKey::agree(&vectors.private("client"), &vectors.public("server")).seal(&[1; 24], b"x");
    let oracle = crypto_secretbox::XSalsa20Poly1305::new_from_slice(&theirs).unwrap();
    assert_eq!(oracle.decrypt(&[1; 24].into(), sealed.as_slice()).unwrap(), b"x");
    let back = BoxKey::agree(&vectors.private("server"), &vectors.public("client"));
    assert_eq!(back.open(&[1; 24], &sealed).unwrap().as_slice(), b"x");
}
